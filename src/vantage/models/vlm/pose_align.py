"""PoseAlign on samples: one function, for training and evaluation alike.

Published training and evaluation handle poses apart, and differ: a prompt that training never saw, strategies
mixed up between the two. Here there is nothing to keep in step.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from vantage.align.alignment import Alignment, Pose
from vantage.align.config import AlignConfig
from vantage.core.errors import ContractError
from vantage.geometry.transforms import is_rigid
from vantage.models.patch_geometry import PatchGrid
from vantage.models.vlm.sample import Place, Sample, Turn, View


def aligned(sample: Sample, pose: Pose, config: AlignConfig, seed: int, draw: int = 0) -> Sample:
    """The sample as the model is to see it.

    Args:
        sample: coordinates in the `aligned` world, or `raw` where the pose has the axis alignment.
        pose: that its questions are asked from, whatever strategy chose it.
        config: the way, the ego frame and the perturbation.
        seed: of the perturbation, with the pose's key.
        draw: which perturbation; training may count epochs, evaluation leaves it at 0.

    Raises:
        ContractError: as `Pose.aligning` raises; a view's pose that is not rigid (or mirrors), a point that
            is not finite, a sample that is aligned already, or one without the camera that `pose_view` needs.
    """
    alignment = pose.aligning(config, sample.frame, seed, draw)
    at = sample.place
    place = None if at is None else alignment.place(at.x, at.y, at.yaw)
    return replace(
        sample,
        views=tuple(_view(view, alignment, sample.sample_id) for view in sample.views),
        dialogs=tuple(_dialog(dialog, alignment) for dialog in sample.dialogs),
        frame=config.sample_frame,
        place=None if place is None else Place(*place),
    )


def _view(view: View, alignment: Alignment, sample_id: str) -> View:
    where = f"sample {sample_id}, view {view.name}"
    T = view.T_frame_cam
    if T is not None and not is_rigid(T):
        raise ContractError(
            "the pose is not a rigid transform", where=where,
            expected="a finite 4x4 matrix with a right-handed rotation", found=T.tolist(),
            hint="a mirrored world has to be turned round first (vantage.scans.conventions)",
        )  # fmt: skip
    pictures = view.pictures and tuple(_grid(grid, alignment, where) for grid in view.pictures)
    return replace(view, pictures=pictures, T_frame_cam=None if T is None else alignment.T_frame_world @ T)


def _grid(grid: PatchGrid, alignment: Alignment, where: str) -> PatchGrid:
    """One picture at a time, so that a picture's bytes do not depend on those beside it."""
    if grid.beside is not None:
        raise ContractError(
            "the points have numbers beside them already", where=where, expected="bare points",
            found=f"{grid.beside.shape[-1]} numbers a patch", hint="align a sample once",
        )  # fmt: skip
    valid = grid.valid.numpy()[..., None]
    points = np.where(valid, grid.xyz.numpy().astype(np.float64), 0.0)
    if not np.isfinite(points).all():
        raise ContractError(
            "a patch with a point that is not finite", where=where, expected="metres, or a patch not valid",
            found=f"{int((~np.isfinite(points)).any(axis=-1).sum())} such patches",
        )  # fmt: skip
    xyz = np.where(valid, alignment.points(points), 0.0).astype(np.float32)
    beside = alignment.beside(points)
    more = None if beside is None else torch.from_numpy(np.ascontiguousarray(beside))
    return PatchGrid(torch.from_numpy(xyz), grid.valid, more)


def _dialog(turns: tuple[Turn, ...], alignment: Alignment) -> tuple[Turn, ...]:
    """The pose before the first question: later turns have read it."""
    first, *rest = turns
    return (replace(first, question=alignment.question(first.question)), *rest)
