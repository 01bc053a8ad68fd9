"""Requests of like length in batches that fit a token budget, planned without opening an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vantage.core.errors import ParameterError, VantageError
from vantage.models.prompts import Preparer
from vantage.models.vlm.batch import encoded
from vantage.models.vlm.request import Refused, Request, Size


@dataclass(frozen=True)
class Measured:
    """A request and the tokens of its prompt."""

    request: Request
    tokens: int


@dataclass(frozen=True)
class Plan:
    """Batches, the longest prompts first (what does not fit into memory shows at once), and the refused."""

    batches: list[list[Measured]]
    refused: list[Refused]


class Meter:
    """Exact lengths of prompts: an image's tokens depend on its size, and on whether it is alone.

    One blank image of each size is processed, once.
    """

    def __init__(self, preparer: Preparer) -> None:
        self.preparer = preparer
        self._written: dict[tuple[Size, bool], str] = {}

    def tokens(self, request: Request) -> int:
        """Tokens of a prompt.

        Raises `ParameterError` for as many placeholders as images in no prompt, and for an image of a size
        that the model's image processor refuses.
        """
        asked, views = request.turns[0].question, len(request.views)
        found = asked.count(self.preparer.family.placeholder)
        if found != views or not views:
            raise ParameterError(
                "placeholders and images differ", where=request.id,
                expected=f"{views or 'at least one'} x {self.preparer.family.placeholder}", found=found,
            )  # fmt: skip
        alone = views == 1
        written = [self.written(size, alone) for size in request.sizes]
        return len(prompt_ids(request, self.preparer, written))

    def written(self, size: Size, alone: bool) -> str:
        """What an image of a size is in a prompt; `alone`: it is its sample's only one."""
        from PIL import Image

        if (size, alone) not in self._written:
            blank = Image.new("RGB", size, (200, 200, 200))  # some models drop pictures that are all zero
            try:
                shown = self.preparer.show([[blank] if alone else [blank, blank]])
            except ValueError as error:
                raise ParameterError(
                    "the model cannot be shown an image of this size", where="image processor",
                    found=f"{size[0]}x{size[1]} pixels: {error}",
                ) from error  # fmt: skip
            self._written[size, alone] = shown.texts[0][0]
        return self._written[size, alone]


def plan(
    requests: Sequence[Request], meter: Meter, new_tokens: int, budget: int, most: int | None = None
) -> Plan:
    """Batches of requests of like length.

    Args:
        requests: in any order; batches depend on them and their order for ties alone.
        meter: of the model.
        new_tokens: that each answer may have.
        budget: tokens of a batch at most, prompts padded to the longest and new tokens counted; a request
            that is longer alone makes a batch of its own.
        most: requests of a batch at most.
    """
    measured, refused = [], []
    for request in requests:
        try:
            measured.append(Measured(request, _fitting(request, meter, new_tokens)))
        except VantageError as error:
            refused.append(Refused(request.id, error.one_line()))
    measured.sort(key=lambda one: (-one.tokens, len(one.request.views)))
    batches: list[list[Measured]] = []
    for one in measured:
        # Sorted from long to short: the first of a batch is the length that all are padded to.
        batch = batches[-1] if batches else []
        each = batch[0].tokens + new_tokens if batch else 0
        if batch and (len(batch) + 1) * each <= budget and (most is None or len(batch) < most):
            batch.append(one)
        else:
            batches.append([one])
    return Plan(batches, refused)


def prompt_ids(request: Request, preparer: Preparer, written: Sequence[str]) -> list[int]:
    """Token ids of a prompt, the very ones that training has seen; `written` stands for its images.

    Raises `ParameterError` for a prompt that is longer than the model's context.
    """
    sample = request.sample
    ids, _ = encoded(sample, sample.dialogs[0], preparer, lambda *_: "", written)
    found: list[int] = ids.tolist()
    return found


def _fitting(request: Request, meter: Meter, new_tokens: int) -> int:
    """Tokens of a prompt; `ParameterError` if it and its answer are longer than the model's context."""
    tokens = meter.tokens(request)
    context = getattr(meter.preparer.model.config.get_text_config(), "max_position_embeddings", None)
    if context is not None and tokens + new_tokens > context:
        raise ParameterError(
            "the prompt is longer than the model's context", where=request.id,
            expected=f"at most {context} tokens, {new_tokens} of them for the answer",
            found=f"{tokens} tokens", hint="show fewer views, or smaller ones",
        )  # fmt: skip
    return tokens
