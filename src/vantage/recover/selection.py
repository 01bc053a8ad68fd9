"""Choosing a recorded pose for a question by its scores: `top`, `clip` and `random`.

What the released program ends with an exception or an unseeded draw has a documented result here: a seeded
random pose, and the reason in `fallback`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError
from vantage.core.frames import Frame
from vantage.core.seeds import rng
from vantage.records.intersections import Intersections
from vantage.recover import bands
from vantage.recover.choice import Fallback, Meaning, PoseChoice

Strategy = Literal["top", "clip", "random"]
Poses = Mapping[int, Float64[np.ndarray, "4 4"]]
"""Camera to world of every frame with a finite pose, scored or not, by frame id."""


@dataclass(frozen=True)
class Selection:
    """How to choose.

    Attributes:
        strategy: `top` takes the highest score; `clip` draws from the middle band; `random` from all poses.
        meaning: the paper's, or that of the released program (for comparing numbers). They differ in `clip`
            (`bands.released_clip`), and for an empty list of ids, which the released program answers with a
            pose of any frame, scored or not.
        cut: `clip` only: the share cut at either end, below 0.5.
        seed: of all draws, with the key of the question.
        ids_are_target: whether the ids are a ground-truth answer; such a choice is marked (`uses_target`).
    """

    strategy: Strategy = "clip"
    meaning: Meaning = "paper"
    cut: float = 0.3
    seed: int = 0
    ids_are_target: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.cut < 0.5:
            message = "nothing would be left of the middle band"
            raise ParameterError(message, expected="0 <= cut < 0.5", found=self.cut)


def choose_pose(
    found: Intersections,
    poses: Poses,
    object_ids: int | np.integer[Any] | Sequence[int],
    selection: Selection,
    *,
    key: str = "",
    world: Frame = "raw",
) -> PoseChoice:
    """The pose for a question about objects; never an exception for want of a pose or an object.

    Of several ids one is drawn first, as published. -1 and an empty list mean no object. `poses` must have
    the frames of `found`; `world` is what they map to. `key` names the question, so that each has its own
    draws. Without any pose `T_world_pose` is None (the released program answers with the identity).

    Raises ParameterError if a scored frame has no pose.
    """
    frames = found.frame_ids()
    if lacking := [int(frame) for frame in frames if int(frame) not in poses]:
        raise ParameterError("scored frames without a pose", expected="the scan's poses", found=lacking[:5])
    draw = rng(selection.seed, "pose", selection.strategy, selection.meaning, key)
    listed = [int(object_ids)] if isinstance(object_ids, int | np.integer) else [int(k) for k in object_ids]
    object_id = listed[int(draw.integers(len(listed)))] if listed else -1
    column = None if object_id < 0 else _column(found, object_id)
    rows, fallback = _candidates(found, object_id, column, selection)
    choice = PoseChoice(
        selection.strategy, selection.meaning, None, world, "camera", fallback=fallback, seed=selection.seed,
        uses_target=selection.ids_are_target and selection.strategy != "random" and object_id >= 0,
        object_id=object_id if object_id >= 0 and selection.strategy != "random" else None,
    )  # fmt: skip
    if fallback == "no_object" and selection.meaning == "released":
        candidates = sorted(poses)
    else:
        candidates = [int(frames[row]) for row in rows]
    return _drawn(choice, candidates, found, poses, column, draw)


def _column(found: Intersections, object_id: int) -> int | None:
    places = np.flatnonzero(found.object_ids == object_id)
    return int(places[0]) if len(places) else None


def _candidates(
    found: Intersections, object_id: int, column: int | None, selection: Selection
) -> tuple[bands.Rows, Fallback]:
    """Rows to draw from; all of them, and why, where the strategy cannot be followed."""
    everyone = np.arange(len(found.pose_files))
    if selection.strategy != "random" and object_id < 0:
        return everyone, "no_object"
    if not len(everyone):
        return everyone, "no_poses"
    if selection.strategy == "random":
        return everyone, ""
    if column is None:
        return everyone, "unknown_object"
    scores = found.scores[:, column]
    if selection.strategy == "top":
        rows = bands.top(scores)
    elif selection.meaning == "paper":
        rows = bands.paper_clip(scores, selection.cut)
    else:
        rows = bands.released_clip(scores, selection.cut)
    return (rows, "") if len(rows) else (everyone, "unseen")


def _drawn(
    choice: PoseChoice,
    frames: Sequence[int],
    found: Intersections,
    poses: Poses,
    column: int | None,
    draw: np.random.Generator,
) -> PoseChoice:
    """One of the candidate frames, with its score and rank."""
    if not frames:
        return replace(choice, drawn_from=0)
    frame = frames[int(draw.integers(len(frames)))]
    choice = replace(choice, frame_id=frame, T_world_pose=poses[frame], drawn_from=len(frames))
    rows = np.flatnonzero(found.frame_ids() == frame)
    if column is None or not len(rows) or choice.object_id is None:
        return choice
    scores, row = found.scores[:, column], int(rows[0])
    descending = np.argsort(-scores, kind="stable")
    rank = int(np.flatnonzero(descending == row)[0]) if scores[row] > 0 else None
    return replace(choice, score=float(scores[row]), rank=rank)
