"""Situated, pose-aligned and grounded models as something that can be asked: each as it was trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vantage.align.alignment import Alignment
from vantage.align.ego import EgoPose
from vantage.core.errors import ParameterError, VantageError
from vantage.evaluation.benchmarks.interface import Benchmark
from vantage.evaluation.running.annotated import place_fields
from vantage.evaluation.running.ask import (
    MARK,
    Answer,
    Ask,
    SetAside,
    answer_of,
    require_answers_with,
    situation_of,
)
from vantage.evaluation.running.boxes.answering import answers_with_boxes
from vantage.evaluation.running.boxes.locating import Locating
from vantage.evaluation.running.located import Warps, located
from vantage.geometry.transforms import level_ego
from vantage.models.grounded.asking import Grounded, Grounding, ego_view, grounded_answers
from vantage.models.grounded.prompts import locate_prompt, reason_prompt
from vantage.models.situated.prompt import NO_SITUATION
from vantage.models.situated.tokens import ORI, POS
from vantage.models.vlm.request import Generated, Refused, Request
from vantage.models.vlm.sample import Sample, Turn
from vantage.records.box_lattice import METRIC

if TYPE_CHECKING:
    from vantage.models.vlm.generate import Decoding
    from vantage.models.vlm.trained import TrainedVlm


@dataclass(frozen=True)
class _Shown:
    """An ask as the model is shown it, its dialog of the question alone."""

    ask: Ask
    sample: Sample
    request: Request


class AskedAsTrained:
    """What a model is told, and what becomes of its replies.

    Args:
        vlm: the model.
        decoding: how answers are made.
        warps: of its image processor.
    """

    def __init__(self, vlm: TrainedVlm, decoding: Decoding, warps: Warps) -> None:
        self._vlm, self._decoding = vlm, decoding
        self._warps = None if vlm.model.injector is None else warps
        self._generator = vlm.generator(decoding)
        self._locating = Locating(vlm, self._generator, self._warps)

    def uses_cameras(self) -> bool:
        """Whether poses of views reach it beside points: as camera tokens, or where boxes are read."""
        return self._vlm.model.situated is not None or self._vlm.dialogs == "grounded"

    def prompt(self, benchmark: Benchmark[Any, Any], content: Any) -> str:
        """All that is said but for numbers that depend on views, which stand in the digest of the input.

        A pose that is told is that of the world's origin here; of the second of two turns there are the words
        around boxes that are not known yet.

        Raises `ParameterError` for a benchmark that wants what the model does not give.
        """
        if benchmark.answered_with == "place" and self._vlm.model.situated is not None:
            self._require_aligned()
        elif benchmark.answered_with == "boxes" and self._vlm.dialogs == "grounded":
            return self._told(locate_prompt(benchmark.prompt(content), METRIC))
        else:
            require_answers_with("text", benchmark)
        situation, text = self._words(benchmark.prompt(content), content)
        if self._vlm.dialogs == "grounded":
            text = f"{locate_prompt(text, METRIC)}\n{reason_prompt(text, ())}"
        text = self._told(text)
        return f"{situation or NO_SITUATION}{POS}{ORI}{text}" if self._vlm.model.situated else text

    def _told(self, text: str) -> str:
        """After the pose, of a model that is told it in words."""
        if self._vlm.align is None:
            return text
        origin = EgoPose(np.eye(4), "aligned", self._vlm.align.frame)
        return Alignment(self._vlm.align, origin, np.eye(4)).question(text)

    def answers(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        """In batches of like length; of grounded models all first turns before all second ones."""
        if asks and asks[0].wanted == "boxes":
            yield from answers_with_boxes(asks, self._locating.say)
            return
        shown: list[_Shown] = []
        aside: list[Answer | SetAside] = []
        for ask in asks:
            try:
                sample = self._sample(ask)
                request = self._vlm.request(ask.id, sample, sample.dialogs[0], ask.sizes)
                shown.append(_Shown(ask, sample, request))
            except VantageError as error:
                aside.append(SetAside(ask.id, error.one_line()))
        if aside:
            yield aside
        yield from self._places([one for one in shown if one.ask.wanted == "place"])
        texts = [one for one in shown if one.ask.wanted != "place"]
        yield from self._grounded(texts) if self._vlm.dialogs == "grounded" else self._single(texts)

    def _words(self, prompt: str, content: Any) -> tuple[str, str]:
        """The situation and what is asked; of a model that knows no situations both are asked."""
        return ("", prompt) if self._vlm.model.situated is None else situation_of(prompt, content)

    def _sample(self, ask: Ask) -> Sample:
        """What is shown, with one dialog of the question alone.

        Raises `ParameterError` for pictures inside the question, and for pictures without poses where the
        model needs poses.
        """
        situation, text = self._words(ask.own, ask.content)
        if MARK in text:
            raise ParameterError(
                "pictures inside the question", where=f"item {ask.id}",
                expected="pictures before it, as in training", found=f"{text.count(MARK)} x {MARK}",
            )  # fmt: skip
        scan, frame = ask.scan, self._vlm.frame
        if scan is None:
            self._require_needs_no_pose(ask)
            return Sample(ask.id, ask.views, ((Turn(text),),), frame, situation)
        views = located(scan, frame, self._warps)
        sample = Sample(ask.id, views, ((Turn(text),),), frame, situation)
        return self._vlm.asked_from(sample, scan.T_aligned_me, scan.meta.color_of(scan.frames[0]))

    def _require_needs_no_pose(self, ask: Ask) -> None:
        align = self._vlm.align
        if self._vlm.dialogs == "grounded" or (align is not None and align.mode != "none"):
            raise ParameterError(
                "the model needs posed views, from --scans", where=f"item {ask.id}",
                found="pictures without poses",
            )  # fmt: skip

    def _require_aligned(self) -> None:
        situated = self._vlm.model.situated
        if situated is not None and situated.config.frame != "aligned":
            raise ParameterError(
                "the model's places cannot be compared with annotated ones", where="situated.frame",
                expected="aligned", found=situated.config.frame,
            )  # fmt: skip

    def _single(self, shown: Sequence[_Shown]) -> Iterator[list[Answer | SetAside]]:
        for batch in self._generator.answers([one.request for one in shown]):
            yield [answer_of(one) for one in batch]

    def _places(self, shown: Sequence[_Shown]) -> Iterator[list[Answer | SetAside]]:
        """The place is read off the prompt: no words are waited for."""
        asks = {one.ask.id: one.ask for one in shown}
        generator = self._vlm.generator(replace(self._decoding, max_new_tokens=1, stop=()))
        for batch in generator.answers([one.request for one in shown]):
            yield [_placed(one, asks[one.id]) for one in batch]

    def _grounded(self, shown: Sequence[_Shown]) -> Iterator[list[Answer | SetAside]]:
        asked = []
        for one in shown:
            ask, scan = one.ask, one.ask.scan
            assert scan is not None  # `_sample` has seen to it
            camera = scan.meta.color_of(scan.frames[0])
            view = ego_view(one.sample, level_ego(scan.T_aligned_me), camera)
            question = self._words(ask.own, ask.content)[1]
            asked.append(Grounding(ask.id, question, one.sample, view, ask.sizes))
        for batch in grounded_answers(self._vlm, self._generator, asked, check_steps=False):
            yield [_reasoned(one) for one in batch]


def _placed(one: Generated | Refused, ask: Ask) -> Answer | SetAside:
    """Without words: what the benchmark reads are the place's numbers."""
    if isinstance(one, Refused):
        return SetAside(one.id, one.reason)
    if ask.annotated is None or one.place is None:
        return SetAside(one.id, "places are told in a scan, from --scans")
    try:
        fields = place_fields(asdict(one.place), ask.annotated)
    except VantageError as error:
        return SetAside(one.id, error.one_line())
    return Answer(one.id, "", "place", one.prompt_tokens, 0, fields)


def _reasoned(one: Grounded | Refused) -> Answer | SetAside:
    if isinstance(one, Refused):
        return SetAside(one.id, one.reason)
    fields = {"reasoning": one.found.reasoning}
    return Answer(one.id, one.found.answer, one.finish, one.prompt_tokens, one.tokens, fields)
