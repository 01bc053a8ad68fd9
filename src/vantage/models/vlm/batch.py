"""Samples to what a model is called with, what it is to learn, and where everything lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from vantage.core.errors import ContractError
from vantage.models.families import Family
from vantage.models.patch_geometry import BatchGeometry, Grid, PatchGrid
from vantage.models.prompts import Preparer, Shown
from vantage.models.situated import Cameras, head_text
from vantage.models.situated.tokens import NAMES
from vantage.models.vlm.dialog import NOT_LEARNED, pieces, starts_with_special
from vantage.models.vlm.prefix_inputs import prefix_inputs
from vantage.models.vlm.sample import Sample, Turn, View
from vantage.models.vlm.shared_prefix import Dialog, pack_dialogs

Head = Callable[[Sample, Family], str]
"""What comes before the first question."""


def plain_head(sample: Sample, family: Family) -> str:
    """A placeholder for each view, then the situation if there is one."""
    situation = f"{sample.situation} " if sample.situation else ""
    return family.placeholder * len(sample.views) + situation


def situated_head(sample: Sample, family: Family) -> str:
    """Cameras, views, the situation and its two tokens."""
    return head_text(family.placeholder, len(sample.views), sample.situation)


@dataclass(frozen=True)
class Batch:
    """A batch; a row is a dialog.

    Attributes:
        sample_ids: of each row.
        inputs: what the model is called with.
        labels: ids to be learned at their own places, -100 elsewhere; the loss compares them with what the
            token before predicts.
        geometry: points of all pictures.
        cameras: each image's axes ahead and left and its place (m) in the sample's frame; zeros: unknown.
        places: x, y (m) and yaw (rad) of each row's `Sample.place`; NaN where there is none.
        draw: what a model that draws in training draws for; its step.
    """

    sample_ids: tuple[str, ...]
    inputs: dict[str, Tensor]
    labels: Int64[Tensor, "b t"]
    geometry: BatchGeometry
    cameras: Float32[Tensor, "images 9"]
    places: Float32[Tensor, "b 3"]
    draw: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens are learned."""
        return int((self.labels[:, 1:] != NOT_LEARNED).sum())

    @property
    def seen_from(self) -> Cameras:
        """The cameras of the rows' images."""
        return Cameras(self.cameras, self.geometry.samples, self.sample_ids, self.geometry.frame)

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return replace(
            self,
            inputs={name: _moved(value, device) for name, value in self.inputs.items()},
            labels=self.labels.to(device),
            geometry=self.geometry.to(device),
            cameras=self.cameras.to(device),
            places=self.places.to(device),
        )


def single_dialogs(samples: Sequence[Sample]) -> list[Sample]:
    """Every dialog as a sample of its own."""
    return [
        replace(sample, sample_id=f"{sample.sample_id}#{number}", dialogs=(dialog,))
        if len(sample.dialogs) > 1
        else sample
        for sample in samples
        for number, dialog in enumerate(sample.dialogs)
    ]


def collate(samples: Sequence[Sample], prepare: Preparer, head: Head = plain_head, draw: int = 0) -> Batch:
    """A batch, padded at the right: a row for each sample, its dialogs behind the views they share.

    Args:
        samples: where the model cannot share views, of one dialog each (`single_dialogs`).
        prepare: of the model.
        head: what comes before the first question.
        draw: see `Batch`.

    Raises:
        ContractError: points that are not those of the pictures the model sees, a token that the model has no
            row for; view and sample are named.
        ParameterError: a dialog longer than the model's context; a sample of several dialogs for a model that
            cannot share their views.
    """
    images = [[view.image() for view in sample.views] for sample in samples]
    shown = prepare.show(images)
    rows = [
        [encoded(sample, dialog, prepare, head, own) for dialog in sample.dialogs]
        for sample, own in zip(samples, shown.texts, strict=True)
    ]
    if all(len(dialogs) == 1 for dialogs in rows):
        inputs, labels = _plain(prepare, [dialogs[0] for dialogs in rows], shown)
    else:
        inputs, labels = _shared(prepare, rows, shown)
    return Batch(
        sample_ids=tuple(sample.sample_id for sample in samples),
        inputs=inputs,
        labels=labels,
        geometry=geometry_of(samples, shown.samples),
        cameras=cameras_of(samples).numbers,
        places=torch.tensor([_place(sample) for sample in samples], dtype=torch.float32),
        draw=draw,
    )


def _plain(
    prepare: Preparer, rows: Sequence[Dialog], shown: Shown
) -> tuple[dict[str, Tensor], Int64[Tensor, "b t"]]:
    """Inputs and labels of a dialog in each row."""
    pad = prepare.tokenizer.pad_token_id or 0
    length = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), length), pad)
    labels = torch.full((len(rows), length), NOT_LEARNED)
    mask = torch.zeros(len(rows), length, dtype=torch.int64)
    for row, (own, learned) in enumerate(rows):
        ids[row, : len(own)] = own
        labels[row, : len(own)] = torch.where(learned, own, NOT_LEARNED)
        mask[row, : len(own)] = 1
    extras = prepare.family.extra_inputs(ids, int(prepare.model.config.image_token_id))
    if "token_type_ids" in extras:
        # What comes after the first answer has begun is read from left to right.
        extras["token_type_ids"] = (labels != NOT_LEARNED).cumsum(1).clamp(max=1)
    return {"input_ids": ids, "attention_mask": mask, **extras, **shown.inputs}, labels


def _shared(
    prepare: Preparer, rows: Sequence[Sequence[Dialog]], shown: Shown
) -> tuple[dict[str, Tensor], Int64[Tensor, "b t"]]:
    """Inputs and labels of several dialogs in a row."""
    pad, image = prepare.tokenizer.pad_token_id or 0, int(prepare.model.config.image_token_id)
    packed = pack_dialogs(rows, image, pad)
    return prefix_inputs(prepare.model, packed, shown.inputs), packed.labels


def encoded(
    sample: Sample, turns: Sequence[Turn], prepare: Preparer, head: Head, written: Sequence[str]
) -> Dialog:
    """Token ids of a dialog, and which of them the model is to write.

    `written` is what stands in the prompt for each image, see `Preparer.show`.
    """
    family, tokenizer = prepare.family, prepare.tokenizer
    ids: list[int] = []
    learned: list[bool] = []
    special = starts_with_special(tokenizer, family)
    for number, piece in enumerate(pieces(tokenizer, family, head(sample, family), turns)):
        text = prepare.expanded(piece.text, written) if number == 0 else piece.text
        found = tokenizer(text, add_special_tokens=special and number == 0)["input_ids"]
        ids += found
        learned += [piece.learned] * len(found)
    where = f"sample {sample.sample_id}"
    prepare.require_context(len(ids), where)
    prepare.require_known(ids, where, tokenizer.convert_tokens_to_ids(list(NAMES)))
    return torch.tensor(ids), torch.tensor(learned)


def geometry_of(samples: Sequence[Sample], grids: Sequence[Sequence[Sequence[Grid]]]) -> BatchGeometry:
    """The points of all views, which must be of the pictures that the model sees (`grids`).

    Raises `ContractError` for other pictures, and for samples in different frames.
    """
    frames = {sample.frame for sample in samples}
    if len(frames) > 1:
        raise ContractError(
            "a batch in several frames", expected="one frame", found=", ".join(sorted(frames))
        )
    rows = [
        [_pictures(sample, view, tiles) for view, tiles in zip(sample.views, own, strict=True)]
        for sample, own in zip(samples, grids, strict=True)
    ]
    return BatchGeometry.of(rows, samples[0].frame)


def _pictures(sample: Sample, view: View, tiles: Sequence[Grid]) -> Sequence[PatchGrid]:
    if view.pictures is None:
        return [PatchGrid.absent(*grid) for grid in tiles]
    found = [tuple(picture.valid.shape) for picture in view.pictures]
    if found != list(tiles):
        raise ContractError(
            "coordinates of other pictures than the model sees",
            where=f"sample {sample.sample_id}, view {view.name}",
            expected=" and ".join(f"{r}x{c}" for r, c in tiles) + " patches",
            found=" and ".join("x".join(map(str, grid)) for grid in found) or "none",
            hint="lift.processor, lift.image_size and lift.patch_size must be those of the base model",
        )
    lost = sum(int((~picture.xyz[picture.valid].isfinite()).any(-1).sum()) for picture in view.pictures)
    if lost:
        raise ContractError(
            "coordinates that are not finite",
            where=f"sample {sample.sample_id}, view {view.name}",
            found=f"{lost} patches",
            hint="mark patches without a point as not valid",
        )
    return view.pictures


def cameras_of(samples: Sequence[Sample]) -> Cameras:
    """The camera of every view; the samples are in one frame."""
    numbers = np.stack([camera_numbers(view.T_frame_cam) for sample in samples for view in sample.views])
    counts = tuple(len(sample.views) for sample in samples)
    names = tuple(sample.sample_id for sample in samples)
    return Cameras(torch.from_numpy(numbers), counts, names, samples[0].frame)


def _moved(value: Any, device: torch.device) -> Any:
    """An input, or a mask for each kind of layer."""
    if isinstance(value, dict):
        return {name: own.to(device) for name, own in value.items()}
    return value.to(device)


def camera_numbers(T_frame_cam: Float64[np.ndarray, "4 4"] | None) -> Float32[np.ndarray, "9"]:
    """A camera pose as `vantage.align.embed.pose_numbers` has it: ahead, left, place; zeros without one."""
    if T_frame_cam is None:
        return np.zeros(9, dtype=np.float32)
    right, ahead, place = T_frame_cam[:3, 0], T_frame_cam[:3, 2], T_frame_cam[:3, 3]
    return np.concatenate([ahead, -right, place]).astype(np.float32)


def _place(sample: Sample) -> tuple[float, float, float]:
    if sample.place is None:
        return (float("nan"),) * 3
    return sample.place.x, sample.place.y, sample.place.yaw
