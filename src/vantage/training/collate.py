"""Batches as a pure function of seed and step, so that every arm sees the same samples in the same order.

What an arm does to its coordinates comes from a generator of its own: a control differs in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from vantage.core.seeds import rng as make_rng
from vantage.models.packing import Packed, pack
from vantage.training.config import Coordinates
from vantage.training.samples import Samples, Situation, view_points


@dataclass(frozen=True)
class Batch:
    """Situations with their questions. `frames` are rows of the samples' frame arrays; `xyz` metres in each
    situation's `ego_level` (or what the control makes of it); `answer` token ids in the order of the
    questions."""

    frames: Int64[Tensor, "b v"]
    xyz: Float32[Tensor, "b v 64 3"]
    valid: Bool[Tensor, "b v 64"]
    packed: Packed
    answer: Int64[Tensor, "n"]


def batch_at(
    samples: Samples, seed: int, step: int, *, scenes: int, questions: int, coordinates: Coordinates
) -> Batch:
    """The batch of one step."""
    rng = make_rng(seed, "batch", step)
    chosen = [samples.situations[k] for k in rng.integers(0, len(samples.situations), scenes).tolist()]
    views = max(len(s.views) for s in chosen)
    # A scan with few frames shows some of them again, so that the batch is rectangular.
    frames = np.array([[s.views[k % len(s.views)] for k in range(views)] for s in chosen])
    texts, answers = [], []
    for situation in chosen:
        picks = sorted(rng.permutation(len(situation.questions))[:questions].tolist())
        texts.append([situation.questions[k][0] for k in picks])
        answers += [situation.questions[k][1] for k in picks]
    xyz, valid = _coordinates(samples, chosen, frames, coordinates, make_rng(seed, "coordinates", step))
    return Batch(
        torch.from_numpy(frames),
        torch.from_numpy(xyz),
        torch.from_numpy(valid),
        pack(texts),
        torch.tensor(answers),
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
