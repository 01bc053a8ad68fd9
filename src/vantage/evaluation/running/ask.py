"""What a model is asked for an item, what comes back, and what a model has to be able to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from vantage.core.errors import ParameterError

if TYPE_CHECKING:
    from vantage.evaluation.benchmarks.interface import AnsweredWith, Benchmark, BoxRule
    from vantage.evaluation.running.annotated import AnnotatedFrame
    from vantage.evaluation.running.scan_views import ScanViews
    from vantage.models.vlm.request import Generated, Refused, Size
    from vantage.models.vlm.sample import View

MARK = "<image>"
"""Stands in a prompt for an image at its place; a prompt without any has its views before it."""

Depth = Callable[[], Float32[np.ndarray, "h w"]]
"""A depth image, metres, 0 for holes."""


@dataclass(frozen=True)
class Ask:
    """A question with what is shown for it.

    Attributes:
        id: of the item.
        prompt: text, perhaps with `MARK`s.
        views: pictures, in order.
        sizes: width and height of each, pixels.
        input: digest of what is shown: pictures, poses, and where the asker stands.
        scan: the same views as posed frames of a scan; None for pictures without poses.
        annotated: the frame that the benchmark's places are counted in, in the same scan.
        own: the benchmark's own prompt, whatever the model's is.
        fields: what the item's line says beside the answer: where a pose is from, what is to be described.
        content: of the item, for models that are asked in words of their own.
        wanted: what the benchmark is answered with.
        boxes: how boxes answer the item, where it is answered with boxes.
        depth: of what a picture without a pose shows, at a size of its own; None where nothing is measured.
    """

    id: str
    prompt: str
    views: tuple[View, ...]
    sizes: tuple[Size, ...]
    input: str
    scan: ScanViews | None = None
    annotated: AnnotatedFrame | None = None
    own: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    content: Any = None
    wanted: AnsweredWith = "text"
    boxes: BoxRule[Any] | None = None
    depth: Depth | None = None


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        id: of the item.
        text: as it is scored.
        finish: `eos`, `stop`, `length`; `word` for a model of one word, `text` where the model does not tell,
            `place` where no words are asked for, `boxes` where a registered model does not tell, `constant`
            for a constant answer.
        prompt_tokens, tokens: of the prompt and of the answer; 0 where the model does not tell.
        fields: what the benchmark reads beside or instead of the text: boxes, a place.
    """

    id: str
    text: str
    finish: str
    prompt_tokens: int = 0
    tokens: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SetAside:
    """An item that got no answer, and why, on one line; it stays in every denominator."""

    id: str
    reason: str


def situation_of(own: str, content: Any) -> tuple[str, str]:
    """The item's situation ("" where it has none), and the rest of the benchmark's own prompt."""
    situation = str(getattr(content, "situation", "") or "")
    return situation, own.removeprefix(situation).strip()


def answer_of(one: Generated | Refused) -> Answer | SetAside:
    """What a vision-language model generated, or why it cannot be asked."""
    from vantage.models.vlm.request import Refused

    if isinstance(one, Refused):
        return SetAside(one.id, one.reason)
    return Answer(one.id, one.text, one.finish, one.prompt_tokens, len(one.tokens))


@runtime_checkable
class Answerer(Protocol):
    """A model that can be asked."""

    def identity(self) -> Mapping[str, Any]:
        """What the model is: the same for the same weights, wherever they lie."""

    def settings(self) -> Mapping[str, Any]:
        """Whatever else its answers depend on; not how they are batched."""

    def prompt(self, benchmark: Benchmark[Any, Any], content: Any) -> str:
        """How it is asked about an item; `ParameterError` where it cannot give what the benchmark wants."""

    def answers(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        """Each ask's answer, or why there is none, a batch at a time, in any order."""


@runtime_checkable
class TakesPoses(Protocol):
    """A model that posed views can be shown to."""

    def uses_coordinates(self) -> bool:
        """Whether poses and points reach it, so that other ones can change an answer."""


_WHO: Mapping[AnsweredWith, str] = {
    "place": "a model trained by the recipe `situated` tells its place: by --adapter, or registered",
    "boxes": "boxes come from a model with dialogs of boxes (recipe `grounded`), by --adapter or registered, "
    "or from a stock VLM without --adapter",
}


def require_answers_with(given: AnsweredWith, benchmark: Benchmark[Any, Any]) -> None:
    """Raise `ParameterError` for a benchmark that wants something else than a model gives.

    Who gives free text gives captions, too.
    """
    if benchmark.answered_with not in {"text": ("text", "caption")}.get(given, (given,)):
        raise ParameterError(
            "the model does not give what this benchmark wants", where=benchmark.name,
            expected=benchmark.answered_with, found=given, hint=_WHO.get(benchmark.answered_with),
        )  # fmt: skip
