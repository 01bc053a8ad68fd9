"""Samples with something taken from them: the controls of `align.controls`, for training and evaluation.

Pure functions: a sample in, another one out; its dialogs, situation and place stay. Camera poses count as
coordinates, and go the way the points go. A control comes before PoseAlign (`pose_align.aligned`), which then
tells a pose that is not the one the points are about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from vantage.align.controls import GREY, ShownControl, as_seen_by, lender, moved_ego, turned_ego
from vantage.align.ego import EgoPose
from vantage.align.sources import ego_of_question
from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.transforms import apply, invert
from vantage.models.patch_geometry import PatchGrid
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Sample, View


def blind(sample: Sample) -> Sample:
    """Plain grey pictures of the same sizes, no points, no poses."""
    _require_bare(sample)
    return replace(sample, views=tuple(unseen(view) for view in sample.views))


def unseen(view: View) -> View:
    """A view as `blind` shows it."""
    grids = None if view.pictures is None else tuple(_absent(picture) for picture in view.pictures)
    return replace(view, image=partial(_grey, view.image), pictures=grids, T_frame_cam=None)


def moved(sample: Sample, T: Float64[np.ndarray, "4 4"]) -> Sample:
    """Every point and camera carried by the rigid transform `T` (metres, in the sample's frame).

    `ContractError` for points with numbers beside them, which would not go along.
    """
    _require_bare(sample)

    def carried(view: View) -> View:
        pictures = view.pictures
        if pictures is not None:
            pictures = tuple(PatchGrid(_carried(T, p.xyz, p.valid), p.valid) for p in pictures)
        T_cam = None if view.T_frame_cam is None else T @ view.T_frame_cam
        return replace(view, pictures=pictures, T_frame_cam=T_cam)

    return replace(sample, views=tuple(carried(view) for view in sample.views))


def seen_by(sample: Sample, ego: EgoPose, other: EgoPose) -> Sample:
    """The coordinates as they lie about another ego, given as if they lay about the sample's own.

    Both poses are `ego_level` in the aligned world. In `ego_level` the points are those of the other ego's
    frame; in `aligned` the room is moved so that the other ego comes to stand and look as the own one does.

    Raises:
        ContractError: a sample in any other frame.
    """
    if sample.frame == "ego_level":
        return moved(sample, invert(other.T_world_ego) @ ego.T_world_ego)
    if sample.frame == "aligned":
        return moved(sample, as_seen_by(ego, other))
    raise ContractError(
        "no control for samples of this frame", where=f"sample {sample.sample_id}",
        expected="ego_level or aligned", found=sample.frame,
    )  # fmt: skip


def with_points_of(sample: Sample, other: Sample) -> Sample:
    """The views with another sample's points and poses, view by view; they repeat if it has fewer.

    Raises:
        ContractError: the points are of another frame, or of pictures of other grids.
    """
    if sample.frame != other.frame:
        raise ContractError(
            "points of another frame", where=f"sample {sample.sample_id}", expected=sample.frame,
            found=f"{other.frame} of sample {other.sample_id}",
        )  # fmt: skip
    views = []
    for number, view in enumerate(sample.views):
        lent = other.views[number % len(other.views)]
        if _grids(lent) != _grids(view):
            raise ContractError(
                "points of pictures of another shape", where=f"sample {sample.sample_id}, view {view.name}",
                expected=_grids(view), found=f"{_grids(lent)} of view {lent.name}",
                hint="other_sample takes scans whose colour images have one size",
            )  # fmt: skip
        views.append(replace(view, pictures=lent.pictures, T_frame_cam=lent.T_frame_cam))
    return replace(sample, views=tuple(views))


def controlled(
    samples: QuestionSamples, index: int, control: ShownControl | str, seed: int, *draw: str | int
) -> Sample:
    """A sample as a control shows it.

    Args:
        samples: of the run.
        index: which of them.
        control: "" for none.
        seed: of the run; with the sample's id it decides every choice.
        draw: tells one time from another, for instance a training step; without it the choice is that of
            evaluation.

    Raises:
        ParameterError: no such control.
    """
    sample: Sample = samples[index]
    if control == "":
        return sample
    if control == "blind":
        return blind(sample)
    key = sample.sample_id
    if control == "other_sample":
        return with_points_of(sample, samples[_lender(samples, index, seed, *draw)])
    ego = ego_of_question(samples.questions(index)[0])
    if control == "random_yaw":
        return seen_by(sample, ego, turned_ego(ego, seed, key, *draw))
    if control == "random_pose":
        return seen_by(sample, ego, moved_ego(ego, samples.other_cameras(index), seed, key, *draw))
    known = "blind, other_sample, random_yaw, random_pose"
    raise ParameterError("no such control of what a model is shown", expected=known, found=repr(control))


def _lender(samples: QuestionSamples, index: int, seed: int, *draw: str | int) -> int:
    """A sample of another room among those whose pictures have the same shape."""
    own = samples.listed[index]
    fitting = [k for k, other in enumerate(samples.listed) if other.grids == own.grids]
    rooms = [samples.listed[k].room_id for k in fitting]
    return fitting[lender(fitting.index(index), rooms, seed, own.sample_id, *draw)]


def _grids(view: View) -> list[tuple[int, ...]] | None:
    return None if view.pictures is None else [tuple(p.valid.shape) for p in view.pictures]


def _require_bare(sample: Sample) -> None:
    pictures = [picture for view in sample.views for picture in view.pictures or ()]
    if any(picture.beside is not None for picture in pictures):
        raise ContractError(
            "a control of a sample that is aligned already", where=f"sample {sample.sample_id}",
            expected="points without numbers beside them", hint="align the sample after the control",
        )  # fmt: skip


def _absent(picture: PatchGrid) -> PatchGrid:
    rows, columns = picture.valid.shape
    return PatchGrid.absent(rows, columns)


def _carried(T: Float64[np.ndarray, "4 4"], xyz: Tensor, valid: Tensor) -> Tensor:
    points = torch.from_numpy(apply(T, xyz.double().numpy()).astype(np.float32))
    return torch.where(valid[..., None], points, torch.zeros(()))


def _grey(image: Callable[[], Any]) -> Any:
    from PIL import Image

    return Image.new("RGB", image().size, (GREY,) * 3)
