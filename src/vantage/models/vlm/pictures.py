"""The pictures that a model sees of a view: what its image processor makes of them, and their points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64

from vantage.geometry.transforms import apply
from vantage.geometry.warp import ImageWarp
from vantage.lift.processors.table import PROCESSORS, processor_warp
from vantage.models.families.base import patch_edge
from vantage.models.patch_geometry import Grid, PatchGrid
from vantage.models.prompts import Preparer


def model_warp(prepare: Preparer, width: int, height: int, views: int) -> ImageWarp | None:
    """What a model's image processor makes of colour images (pixels) shown together.

    None for a kind of processor that is not known; `ParameterError` for settings that cannot be followed.
    """
    kind = type(prepare.image_processor).__name__.removesuffix("Fast").removesuffix("Pil")
    if kind not in PROCESSORS.names():
        return None
    return processor_warp(prepare.image_processor, width, height, views, patch_edge(prepare.model))


def picture_grids(
    xyz_aligned: Float32[np.ndarray, "*n 3"],
    valid: Bool[np.ndarray, "*n"],
    grids: Sequence[Grid],
    T_frame_aligned: Float64[np.ndarray, "4 4"],
) -> tuple[PatchGrid, ...]:
    """The points of pictures one after another, as `grids` divides them.

    Metres, in the frame that `T_frame_aligned` leads to; computed in float64 and kept in float32; a patch
    without a point has zeros.
    """
    there = np.array(valid).reshape(-1)
    xyz = np.zeros((len(there), 3), dtype=np.float32)
    xyz[there] = apply(T_frame_aligned, np.asarray(xyz_aligned).reshape(-1, 3)[there])
    found, start = [], 0
    for rows, columns in grids:
        part = slice(start, start + rows * columns)
        found.append(
            PatchGrid(
                torch.from_numpy(xyz[part].reshape(rows, columns, 3)),
                torch.from_numpy(there[part].reshape(rows, columns)),
            )
        )
        start = part.stop
    return tuple(found)
