"""The pocket model's batches, a function of seed and step: every arm sees the same samples in one order.

What an arm does to its coordinates comes from a generator of its own: a control differs in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json
from vantage.core.seeds import rng as make_rng
from vantage.models.packing import Packed, pack
from vantage.models.pocket import PATCHES
from vantage.training.config import Coordinates
from vantage.training.protocols import BatchSource, Micro
from vantage.training.samples import Samples, Situation, view_points


@dataclass(frozen=True)
class Batch:
    """Situations with their questions. `frames` are rows of the samples' frame arrays; `xyz` metres in each
    situation's `ego_level` (or what the control makes of it); `answer` token ids in the order of the
    questions."""

    sample_ids: tuple[str, ...]
    frames: Int64[Tensor, "b v"]
    xyz: Float32[Tensor, "b v 64 3"]
    valid: Bool[Tensor, "b v 64"]
    packed: Packed
    answer: Int64[Tensor, "n"]

    @property
    def tokens(self) -> int:
        """Learned tokens: an answer is one."""
        return len(self.answer)


@dataclass(frozen=True)
class ArmBatches:
    """`BatchSource` and `Measured` of an arm.

    Attributes:
        samples: what is drawn from.
        seed: of the draw.
        scenes: situations of a step, over all processes.
        questions: questions asked of each, at most.
        coordinates: the arm's control.
        accumulate: micro batches that a process divides its share of the situations into.
    """

    samples: Samples
    seed: int
    scenes: int
    questions: int
    coordinates: Coordinates
    accumulate: int = 1

    def batch(self, step: int, rank: int, world: int) -> Sequence[Batch]:
        """The micro batches of a process; `ParameterError` where the situations cannot be divided so."""
        each, rest = divmod(self.scenes, world * self.accumulate)
        if rest:
            raise ParameterError(
                "a step's situations cannot be divided evenly", where="finetune.scenes",
                expected=f"a multiple of {world} processes times {self.accumulate} (finetune.accumulate)",
                found=self.scenes,
            )  # fmt: skip
        asked = self._draw(step)
        chosen = [self.samples.situations[number] for number, _ in asked]
        views = max(len(s.views) for s in chosen)
        # A scan with few frames shows some of them again, so that the batch is rectangular.
        frames = np.array([[s.views[k % len(s.views)] for k in range(views)] for s in chosen])
        rng = make_rng(self.seed, "coordinates", step)
        xyz, valid = _coordinates(self.samples, chosen, frames, self.coordinates, rng)
        first = rank * self.accumulate
        cuts = [slice(k * each, (k + 1) * each) for k in range(first, first + self.accumulate)]
        return [_batch(self.samples, asked[cut], frames[cut], xyz[cut], valid[cut]) for cut in cuts]

    def digest(self) -> str:
        """Digest of samples and settings."""
        settings = [self.seed, self.scenes, self.questions, self.coordinates, self.accumulate]
        return digest_json([self.samples.digest(), settings])

    def lengths(self) -> list[int]:
        """Tokens of every situation: its views' patches and its questions' words."""
        return [
            len(s.views) * PATCHES + sum(sorted(len(words) for words, _ in s.questions)[-self.questions :])
            for s in self.samples.situations
        ]

    def smallest(self) -> Batch:
        """The smallest situation with one question."""
        lengths = self.lengths()
        number = lengths.index(min(lengths))
        situation = self.samples.situations[number]
        frames = np.array([situation.views])
        xyz, valid = view_points(self.samples, situation, frames[0])
        return _batch(self.samples, [(number, [0])], frames, xyz[None], valid[None])

    def _draw(self, step: int) -> list[tuple[int, list[int]]]:
        """Situations of a step, and which of their questions are asked."""
        rng = make_rng(self.seed, "batch", step)
        drawn = rng.integers(0, len(self.samples.situations), self.scenes).tolist()
        asked = []
        for number in drawn:
            order = rng.permutation(len(self.samples.situations[number].questions))
            asked.append((number, sorted(order[: self.questions].tolist())))
        return asked


@dataclass(frozen=True)
class Fixed:
    """The first `count` steps of a source, at once and at every step: what validation looks at."""

    source: BatchSource
    count: int

    def batch(self, step: int, rank: int, world: int) -> Sequence[Micro]:
        """All of them."""
        return [micro for k in range(self.count) for micro in self.source.batch(k, rank, world)]

    def digest(self) -> str:
        """Digest of the source and the count."""
        return digest_json([self.source.digest(), self.count])


def _batch(
    samples: Samples,
    asked: list[tuple[int, list[int]]],
    frames: Int64[np.ndarray, "b v"],
    xyz: Float32[np.ndarray, "b v 64 3"],
    valid: Bool[np.ndarray, "b v 64"],
) -> Batch:
    chosen = [(samples.situations[number], picks) for number, picks in asked]
    return Batch(
        tuple(situation.name for situation, _ in chosen),
        torch.from_numpy(frames),
        torch.from_numpy(xyz),
        torch.from_numpy(valid),
        pack([[situation.questions[k][0] for k in picks] for situation, picks in chosen]),
        torch.tensor([situation.questions[k][1] for situation, picks in chosen for k in picks]),
    )


def _coordinates(
    samples: Samples,
    chosen: list[Situation],
    frames: Int64[np.ndarray, "b v"],
    kind: Coordinates,
    rng: np.random.Generator,
) -> tuple[Float32[np.ndarray, "b v 64 3"], Bool[np.ndarray, "b v 64"]]:
    if kind == "other_sample":
        pairs = []
        for situation in chosen:
            other = _of_another_room(samples, situation, rng)
            views = np.array([other.views[k % len(other.views)] for k in range(frames.shape[1])])
            pairs.append(view_points(samples, other, views))
    else:
        pairs = [view_points(samples, s, row) for s, row in zip(chosen, frames, strict=True)]
    xyz, valid = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    if kind == "random_yaw":
        yaw = rng.uniform(-np.pi, np.pi, (len(chosen), 1, 1))
        x, y = xyz[..., 0].copy(), xyz[..., 1].copy()
        xyz[..., 0] = np.cos(yaw) * x - np.sin(yaw) * y
        xyz[..., 1] = np.sin(yaw) * x + np.cos(yaw) * y
    return xyz, valid


def _of_another_room(samples: Samples, situation: Situation, rng: np.random.Generator) -> Situation:
    """A situation of another room, or any other when there is but one room."""
    for _ in range(64):
        other = samples.situations[int(rng.integers(len(samples.situations)))]
        if other.room != situation.room:
            return other
    return other
