"""Greedy answers to many requests, in batches, with transformers' own `generate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from vantage.core.errors import ParameterError, VantageError
from vantage.models.device import gpu_memory
from vantage.models.injector import Injector
from vantage.models.prompts import Preparer, Shown
from vantage.models.situated import PlaceEstimate, Situated
from vantage.models.situated.binding import SituatedPass
from vantage.models.vlm.batch import cameras_of, geometry_of
from vantage.models.vlm.buckets import Measured, Meter, Plan, plan, prompt_ids
from vantage.models.vlm.request import Finish, Generated, Refused, Request
from vantage.models.vlm.sample import Sample, View
from vantage.models.vlm.tower_once import TowerOnce

_SMALLER = "lower answering.tokens or --token-budget"


@dataclass(frozen=True)
class Decoding:
    """How answers are made.

    Attributes:
        max_new_tokens: of an answer.
        stop: strings that end an answer and are not part of it.
        token_budget: of a batch: prompts padded to the longest, and new tokens.
        batch: requests of a batch at most; None: as many as the budget allows.
    """

    max_new_tokens: int = 64
    stop: tuple[str, ...] = ()
    token_budget: int = 16384
    batch: int | None = None

    def __post_init__(self) -> None:
        bounds = (self.max_new_tokens, self.token_budget, 1 if self.batch is None else self.batch)
        if min(bounds) < 1 or not all(self.stop):
            raise ParameterError(
                "not a way of decoding", expected="numbers above 0, stop strings", found=self
            )


class Generator:
    """A model that answers requests, with coordinates summed into it or without.

    Args:
        preparer: of the model.
        decoding: how answers are made.
        injector: of the same model; a view without known points gets the null vector everywhere.
        situated: of the same model; its prompts begin with `situated_head`.

    Attributes:
        tower: computes once what several requests of a batch are shown.
    """

    def __init__(
        self,
        preparer: Preparer,
        decoding: Decoding,
        injector: Injector | None = None,
        situated: Situated | None = None,
    ) -> None:
        self.preparer = preparer
        self.decoding = decoding
        self.injector = injector
        self.situated = situated
        site = None if injector is None else injector.config.site
        self.tower = TowerOnce(preparer.family, preparer.model, site)
        self._meter = Meter(preparer)

    def plan(self, requests: Sequence[Request]) -> Plan:
        """Batches for the requests; those that do not fit the model are refused, with the reason."""
        d = self.decoding
        return plan(requests, self._meter, d.max_new_tokens, d.token_budget, d.batch)

    def answers(self, requests: Sequence[Request]) -> Iterator[list[Generated | Refused]]:
        """Everything refused first, then batch after batch."""
        made = self.plan(requests)
        if made.refused:
            yield list(made.refused)
        for batch in made.batches:
            yield self.answer(batch)

    def answer(self, batch: Sequence[Measured]) -> list[Generated | Refused]:
        """One batch, in its order; a request with an image that cannot be read is refused."""
        images: dict[str, list[Any]] = {}
        refused: dict[str, Refused] = {}
        for one in batch:
            try:
                images[one.request.id] = [_opened(view) for view in one.request.views]
            except VantageError as error:
                refused[one.request.id] = Refused(one.request.id, error.one_line())
        shown = [one.request for one in batch if one.request.id in images]
        with gpu_memory(f"a batch of {len(shown)} requests", _SMALLER):
            found = iter(self._generate(shown, [images[r.id] for r in shown]) if shown else [])
        return [refused.get(one.request.id) or next(found) for one in batch]

    @torch.no_grad()
    def _generate(self, requests: Sequence[Request], images: Sequence[Sequence[Any]]) -> list[Generated]:
        model, tokenizer = self.preparer.model, self.preparer.tokenizer
        shown = self.preparer.show(images)
        inputs = _on_model(model, {**self._padded(requests, shown), **shown.inputs})
        start = inputs["input_ids"].shape[1]
        margins = _Margins()
        ends = end_tokens(model, tokenizer)
        config = GenerationConfig(
            max_new_tokens=self.decoding.max_new_tokens, do_sample=False, num_beams=1, eos_token_id=ends,
            pad_token_id=ends[0] if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id),
        )  # fmt: skip
        stops = [_StopAt(self.decoding.stop, tokenizer, start)] if self.decoding.stop else []
        samples = [request.sample for request in requests]
        with _only(model, config), self.tower.serve(), self._bound(samples, shown) as seen:
            ids = model.generate(**inputs, logits_processor=[margins], stopping_criteria=stops)
        places = self._places(seen, len(samples))
        rows, lengths = ids[:, start:].tolist(), inputs["attention_mask"].sum(1).tolist()
        leads = torch.stack(margins.steps, 1).tolist()
        return [
            replace(self._read(request, row, int(length), lead, ends), place=place)
            for request, row, length, lead, place in zip(requests, rows, lengths, leads, places, strict=True)
        ]

    @contextmanager
    def _bound(self, samples: Sequence[Sample], shown: Shown) -> Iterator[SituatedPass | None]:
        """One pass with points and cameras bound to it."""
        with ExitStack() as stack:
            if self.injector is not None:
                stack.enter_context(self.injector.bind(geometry_of(samples, shown.samples)))
            if self.situated is None:
                yield None
            else:
                yield stack.enter_context(self.situated.eval().bind(cameras_of(samples)))

    def _places(self, seen: SituatedPass | None, count: int) -> list[PlaceEstimate | None]:
        """Where a situated model takes each asker to be."""
        if self.situated is None or seen is None or seen.hidden is None or seen.input_ids is None:
            return [None] * count
        return list(self.situated.read(seen.hidden, seen.input_ids))

    def _padded(self, requests: Sequence[Request], shown: Shown) -> dict[str, Tensor]:
        """Token ids padded at the left, so that every answer begins at the same place."""
        preparer = self.preparer
        rows = [prompt_ids(r, preparer, own) for r, own in zip(requests, shown.texts, strict=True)]
        length = max(map(len, rows))
        pad = preparer.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (length - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows])
        extras = preparer.family.extra_inputs(ids, int(preparer.model.config.image_token_id))
        return {"input_ids": ids, "attention_mask": mask, **extras}

    def _read(
        self, request: Request, row: list[int], length: int, lead: list[float], ends: list[int]
    ) -> Generated:
        tokenizer, stop = self.preparer.tokenizer, self.decoding.stop
        finish: Finish = "length"
        used = len(row)
        for place, token in enumerate(row):
            if token in ends:
                finish, used = "eos", place + 1
                break
            if stop and _cut(_decoded(tokenizer, row[: place + 1]), stop) is not None:
                finish, used = "stop", place + 1
                break
        text = _decoded(tokenizer, row[: used - 1] if finish == "eos" else row[:used])
        cut = _cut(text, stop)
        kept = text if cut is None else text[:cut]
        return Generated(request.id, kept.strip(), finish, tuple(row[:used]), length, tuple(lead[:used]))


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer: those of the model's own generation settings, and the tokenizer's."""
    named = getattr(model.generation_config, "eos_token_id", None)
    listed = named if isinstance(named, list) else [named]
    return sorted({int(token) for token in [*listed, tokenizer.eos_token_id] if token is not None})


class _Margins(LogitsProcessor):  # type: ignore[misc]
    """Changes nothing and keeps how far the best token leads, at each step."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        best = scores.float().topk(2, dim=-1).values
        self.steps.append((best[:, 0] - best[:, 1]).cpu())
        return scores


class _StopAt(StoppingCriteria):  # type: ignore[misc]
    """Ends the rows whose answer holds a stop string.

    transformers' own looks at the prompt's last tokens too, so that a prompt that ends in the beginning of a
    stop string ends the answer.
    """

    def __init__(self, stop: Sequence[str], tokenizer: Any, start: int) -> None:
        self.stop, self.tokenizer, self.start = stop, tokenizer, start

    def __call__(self, input_ids: Tensor, scores: Tensor | None, **_kwargs: Any) -> Tensor:
        said = [_decoded(self.tokenizer, row) for row in input_ids[:, self.start :].tolist()]
        return torch.tensor([_cut(text, self.stop) is not None for text in said], device=input_ids.device)


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _cut(text: str, stop: Sequence[str]) -> int | None:
    """Where the first stop string begins."""
    places = [place for place in (text.find(word) for word in stop) if place >= 0]
    return min(places, default=None)


@contextmanager
def _only(model: Any, config: GenerationConfig) -> Iterator[None]:
    """`generate` by these settings alone.

    It fills what a call leaves open from the model's own (Qwen2.5-VL comes with sampling and a repetition
    penalty); so they are exchanged for the pass.
    """
    own, model.generation_config = model.generation_config, config
    try:
        yield
    finally:
        model.generation_config = own


def _opened(view: View) -> Any:
    """The image of a view; `VantageError` if it cannot be read."""
    try:
        return view.image()
    except OSError as error:
        raise ParameterError("an image cannot be read", where=view.name, found=error) from error


def _on_model(model: Any, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the model's device; pixels in its precision."""
    return {
        name: value.to(model.device, model.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }
