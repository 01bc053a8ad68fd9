"""Where image patches lie in space: the geometry of a batch, as a model is given it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from vantage.core.errors import ParameterError
from vantage.core.frames import Frame

Grid = tuple[int, int]
"""Rows and columns of patches."""


@dataclass(frozen=True)
class PatchGrid:
    """The points of one picture that a vision tower sees: a whole image, or a tile of one.

    Attributes:
        xyz: (rows, columns, 3) metres, whatever at patches without a point.
        valid: whether a patch has a point.
        beside: (rows, columns, k) further numbers of every patch, for encoders that read some beside the
            point; None: there are none.
    """

    xyz: Float32[Tensor, "h w 3"]
    valid: Bool[Tensor, "h w"]
    beside: Float32[Tensor, "h w k"] | None = None

    @staticmethod
    def absent(rows: int, columns: int) -> PatchGrid:
        """A picture nothing is known about: every patch gets the null vector."""
        return PatchGrid(torch.zeros(rows, columns, 3), torch.zeros(rows, columns, dtype=torch.bool))


@dataclass(frozen=True)
class BatchGeometry:
    """Points of all pictures of a batch, patch after patch.

    Attributes:
        xyz: (patches, 3) metres in `frame`; pictures in the order of samples, images and tiles, each row by
            row.
        valid: whether a patch has a point.
        grids: rows and columns of every picture.
        images: how many pictures (tiles) every image has.
        samples: how many images every sample has.
        frame: that the coordinates are in.
        beside: (patches, k) further numbers of every patch; None: there are none.
    """

    xyz: Float32[Tensor, "n 3"]
    valid: Bool[Tensor, "n"]
    grids: tuple[Grid, ...]
    images: tuple[int, ...]
    samples: tuple[int, ...]
    frame: Frame = "ego_level"
    beside: Float32[Tensor, "_ k"] | None = None

    def __post_init__(self) -> None:
        patches = sum(rows * columns for rows, columns in self.grids)
        beside = patches if self.beside is None else len(self.beside)
        if not len(self.xyz) == len(self.valid) == beside == patches:
            raise ParameterError(
                "the points do not fill the grids", where="patch geometry",
                expected=f"{patches} patches in grids {self.grids}",
                found=f"{len(self.xyz)} points, {len(self.valid)} marks, {beside} rows of numbers beside",
            )  # fmt: skip
        if sum(self.images) != len(self.grids) or sum(self.samples) != len(self.images):
            raise ParameterError(
                "pictures, images and samples do not add up", where="patch geometry",
                expected=f"{len(self.grids)} pictures",
                found=f"images of {self.images} pictures, samples of {self.samples} images",
            )  # fmt: skip

    @staticmethod
    def of(samples: Sequence[Sequence[Sequence[PatchGrid]]], frame: Frame = "ego_level") -> BatchGeometry:
        """From the pictures (tiles) of the images of the samples.

        A picture without any point needs no numbers beside.

        Raises `ParameterError` when there is no picture at all, or when pictures differ in how many numbers
        stand beside their points.
        """
        pictures = [picture for images in samples for tiles in images for picture in tiles]
        if not pictures:
            raise ParameterError("no picture", where="patch geometry", expected="at least one", found="none")
        return BatchGeometry(
            torch.cat([p.xyz.float().reshape(-1, 3) for p in pictures]),
            torch.cat([p.valid.reshape(-1) for p in pictures]),
            tuple((p.valid.shape[0], p.valid.shape[1]) for p in pictures),
            tuple(len(tiles) for images in samples for tiles in images),
            tuple(len(images) for images in samples),
            frame,
            _beside(pictures),
        )

    @staticmethod
    def uniform(
        xyz: Float32[Tensor, "b v p 3"], valid: Bool[Tensor, "b v p"], grid: Grid, frame: Frame = "ego_level"
    ) -> BatchGeometry:
        """From samples that all have the same number of images of one picture of the same grid."""
        batch, views = valid.shape[:2]
        pictures = batch * views
        return BatchGeometry(
            xyz.flatten(0, 2), valid.flatten(), (grid,) * pictures, (1,) * pictures, (views,) * batch, frame
        )

    def sample_of_patch(self) -> Tensor:
        """Number of the sample that each patch belongs to."""
        sizes = [rows * columns for rows, columns in self.grids]
        counts, picture, image = [], 0, 0
        for images in self.samples:
            pictures = sum(self.images[image : image + images])
            counts.append(sum(sizes[picture : picture + pictures]))
            picture, image = picture + pictures, image + images
        return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)).to(self.xyz.device)

    def with_xyz(self, xyz: Float32[Tensor, "n 3"]) -> BatchGeometry:
        """The same patches elsewhere."""
        return replace(self, xyz=xyz)

    def to(self, device: torch.device) -> BatchGeometry:
        """The same on another device."""
        beside = None if self.beside is None else self.beside.to(device)
        return replace(self, xyz=self.xyz.to(device), valid=self.valid.to(device), beside=beside)


def _beside(pictures: Sequence[PatchGrid]) -> Float32[Tensor, "n k"] | None:
    """The numbers beside the points of all pictures; zeros in pictures without a point that have none."""
    counts = [None if p.beside is None else p.beside.shape[-1] for p in pictures]
    width = next((count for count in counts if count is not None), None)
    if width is None:
        return None
    for number, (picture, count) in enumerate(zip(pictures, counts, strict=True)):
        if count != width and not (count is None and not picture.valid.any()):
            raise ParameterError(
                "pictures with different numbers beside their points", where=f"picture {number} of the batch",
                expected=f"{width} numbers a patch, as picture {counts.index(width)}", found=count or "none",
                hint="align every sample of a batch in the same way",
            )  # fmt: skip
    parts = [torch.zeros(*p.valid.shape, width) if p.beside is None else p.beside for p in pictures]
    return torch.cat([part.float().reshape(-1, width) for part in parts])
