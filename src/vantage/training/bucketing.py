"""Batches of like length: little padding, a bounded number of tokens, the same work for every process.

The sizes of the batches follow from the lengths alone; an epoch draws which samples go where. So every epoch
has as many steps, an epoch is a pure function of a seed and its number, and nothing has to be saved to go on
in the middle of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt
from jaxtyping import Int64

from vantage.core.errors import ParameterError
from vantage.core.seeds import rng as make_rng


@dataclass(frozen=True)
class Limits:
    """What a batch may hold.

    Attributes:
        tokens: of a batch with its padding: samples times the longest of them.
        samples: at most so many.
        spread: lengths, and numbers of images, that differ by less than this share are alike: which of
            them share a batch is drawn. Wider buckets mix better and pad more.
    """

    tokens: Annotated[int, Gt(0)]
    samples: Annotated[int, Gt(0)] = 64
    spread: Annotated[float, Gt(0)] = 0.1


@dataclass(frozen=True)
class Bucket:
    """The samples of one batch, by their numbers.

    `counts` is False for a batch that only fills up the last round: it repeats a sample, and nothing of it is
    to be learned.
    """

    samples: tuple[int, ...]
    counts: bool = True


@dataclass(frozen=True)
class Epoch:
    """The batches of an epoch.

    Attributes:
        rounds: the batches of each step, alike in cost.
        padding: share of the tokens computed that are padding.
    """

    rounds: tuple[tuple[Bucket, ...], ...]
    padding: float

    def of(self, rank: int, world: int) -> tuple[tuple[Bucket, ...], ...]:
        """The batches of each step for process `rank` of `world`; all have as many."""
        return tuple(batches[rank::world] for batches in self.rounds)


class Buckets:
    """Samples sorted by number of images and length, and the sizes of the batches they are cut into.

    Args:
        lengths: tokens of each sample.
        images: pictures of each sample.
        limits: of a batch.
        parts: batches of a step, over all processes: a multiple of their number.

    `sizes` are those of an epoch's batches, from the shortest samples to the longest.

    Raises:
        ParameterError: no sample, or one that is longer than a batch may be.
    """

    def __init__(
        self, lengths: Int64[np.ndarray, "n"], images: Int64[np.ndarray, "n"], limits: Limits, parts: int = 1
    ) -> None:
        _require(lengths, limits)
        self.lengths, self.limits, self.parts = lengths, limits, parts
        self._levels = _level(lengths, limits.spread), _level(images, limits.spread)
        order = np.lexsort(self._levels)
        bounds = _bounds(lengths, *self._levels)[order]
        sizes = _sizes(bounds, self._levels[1][order], limits)
        self._fill = _make_even(sizes, bounds, parts)
        self.sizes = tuple(sizes)

    @property
    def rounds(self) -> int:
        """Steps of an epoch."""
        return (len(self.sizes) + self._fill) // self.parts

    def epoch(self, seed: int, number: int) -> Epoch:
        """Every sample once; which samples share a batch and the order of batches are drawn."""
        rng = make_rng(seed, "buckets", number)
        order = np.lexsort((rng.permutation(len(self.lengths)), *self._levels))
        ends = np.cumsum(self.sizes).tolist()
        batches = [
            Bucket(tuple(order[end - size : end].tolist()))
            for end, size in zip(ends, self.sizes, strict=True)
        ]
        padding = padding_share([batch.samples for batch in batches], self.lengths)
        batches += [Bucket((int(self.lengths.argmin()),), counts=False)] * self._fill
        rounds = []
        for turn in rng.permutation(self.rounds).tolist():
            alike = batches[turn * self.parts : (turn + 1) * self.parts]
            rounds.append(tuple(alike[k] for k in rng.permutation(self.parts).tolist()))
        return Epoch(tuple(rounds), padding)


def padding_share(batches: Sequence[Sequence[int]], lengths: Int64[np.ndarray, "n"]) -> float:
    """Share of padding when each batch is as long as its longest sample."""
    computed = sum(len(batch) * int(lengths[list(batch)].max()) for batch in batches)
    return 1.0 - sum(int(lengths[list(batch)].sum()) for batch in batches) / computed


def _require(lengths: Int64[np.ndarray, "n"], limits: Limits) -> None:
    if not len(lengths):
        raise ParameterError("batches need samples", expected="one at least", found="none")
    longest = int(lengths.argmax())
    if lengths[longest] > limits.tokens:
        raise ParameterError(
            "a sample is longer than a batch may be", where=f"sample {longest}",
            expected=f"at most {limits.tokens} tokens", found=f"{lengths[longest]} tokens",
            hint="raise the token budget, or show fewer views or fewer dialogs in a sample",
        )  # fmt: skip


def _level(values: Int64[np.ndarray, "n"], spread: float) -> Int64[np.ndarray, "n"]:
    """Values of one level differ by less than a share of `spread`."""
    level = np.log(np.maximum(values, 1)) / math.log1p(spread)
    found: Int64[np.ndarray, "n"] = np.floor(level + 1e-9).astype(np.int64)
    return found


def _bounds(
    lengths: Int64[np.ndarray, "n"], level: Int64[np.ndarray, "n"], images: Int64[np.ndarray, "n"]
) -> Int64[np.ndarray, "n"]:
    """The longest of those alike, for each sample: what a batch's size may rest on, whoever is drawn."""
    _, group = np.unique(np.stack([level, images]), axis=1, return_inverse=True)
    longest = np.zeros(group.max() + 1, dtype=np.int64)
    np.maximum.at(longest, group, lengths)
    return longest[group]


def _sizes(bounds: Int64[np.ndarray, "n"], images: Int64[np.ndarray, "n"], limits: Limits) -> list[int]:
    """Sizes of batches as large as the limits allow, each of one level of images, along the order."""
    found = [0]
    widest = 0
    for place, (bound, shown) in enumerate(zip(bounds.tolist(), images.tolist(), strict=True)):
        wide = max(widest, bound)
        full = found[-1] == limits.samples or (found[-1] + 1) * wide > limits.tokens
        if found[-1] and (full or shown != images[place - 1]):
            found.append(0)
            wide = bound
        found[-1] += 1
        widest = wide
    return found


def _make_even(sizes: list[int], bounds: Int64[np.ndarray, "n"], parts: int) -> int:
    """Halve the costliest batches until they make whole rounds; where none can be halved, the number of
    batches that are lacking."""
    while len(sizes) % parts and max(sizes) > 1:
        ends = np.cumsum(sizes)
        costs = [size * int(bounds[end - 1]) * (size > 1) for size, end in zip(sizes, ends, strict=True)]
        at = int(np.argmax(costs))
        half = sizes[at] // 2
        sizes[at : at + 1] = [half, sizes[at] - half]
    return -len(sizes) % parts


def portions(shared: int, own: Sequence[int], most: int) -> list[list[int]]:
    """Dialogs of one set of views in rows of at most `most` tokens, by their numbers, in order.

    Args:
        shared: tokens of the views and of all else that the dialogs begin with.
        own: further tokens of each dialog.
        most: of a row.

    Raises:
        ParameterError: a dialog that is longer alone.
    """
    found: list[list[int]] = []
    room = 0
    for number, length in enumerate(own):
        if shared + length > most:
            raise ParameterError(
                "a dialog is longer than a row may be", where=f"dialog {number}",
                expected=f"at most {most} tokens", found=f"{shared + length} tokens",
                hint="raise the token budget, or show fewer views",
            )  # fmt: skip
        if length > room or not found:
            found.append([])
            room = most - shared
        found[-1].append(number)
        room -= length
    return found
