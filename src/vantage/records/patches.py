"""Per-patch 3D coordinates of a scan's kept frames, and its general view sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.records.arrays import write_arrays
from vantage.records.jsonfile import read_json_record

PATCHES_FILE = "patches.npz"
VIEWS_FILE = "views.json"
VERSION = 1


@dataclass(frozen=True)
class PatchCoordinates:
    """A 3D point for each patch of each kept frame.

    Attributes:
        frame_ids: the frames, ascending.
        xyz_aligned: metres, aligned world; zeros where invalid.
        valid: whether the patch has a point.
        spread: difference of the 90th and 10th percentile of the patch's depths, metres; 0 where invalid.
        valid_share: share of the patch's depth pixels that hold a measurement.
    """

    frame_ids: Int64[np.ndarray, "f"]
    xyz_aligned: Float32[np.ndarray, "f gh gw 3"]
    valid: Bool[np.ndarray, "f gh gw"]
    spread: Float32[np.ndarray, "f gh gw"]
    valid_share: Float32[np.ndarray, "f gh gw"]

    def row_of(self) -> dict[int, int]:
        """Row of each frame id."""
        return {int(frame_id): row for row, frame_id in enumerate(self.frame_ids)}


_ARRAYS = ("frame_ids", "xyz_aligned", "valid", "spread", "valid_share")


def write_patches(folder: Path, patches: PatchCoordinates) -> None:
    """Write `patches.npz` into a scan's folder."""
    arrays = {name: getattr(patches, name) for name in _ARRAYS}
    write_arrays(folder / PATCHES_FILE, {"version": np.array(VERSION, np.int64), **arrays})


def read_patches(folder: Path) -> PatchCoordinates:
    """Patch coordinates of a scan (aligned world, metres); `ContractError` when missing or misshapen."""
    path = folder / PATCHES_FILE
    if not path.is_file():
        raise ContractError("a scan's patch coordinates are missing", where=path, hint="run lift again")
    with np.load(path, allow_pickle=False) as data:
        if int(data["version"]) != VERSION:
            raise ContractError("another version", where=path, expected=VERSION, found=int(data["version"]))
        patches = PatchCoordinates(**{name: data[name] for name in _ARRAYS})
    grid = patches.valid.shape
    if patches.xyz_aligned.shape != (*grid, 3) or grid[0] != len(patches.frame_ids):
        raise ContractError(
            "patch arrays do not fit", where=path, expected=(*grid, 3), found=patches.xyz_aligned.shape
        )
    return patches


@dataclass(frozen=True)
class ViewSet:
    """Frames that stand for the room.

    Attributes:
        frame_ids: in the order of choice.
        gains: newly covered voxels at each choice.
        voxels: voxels that all kept frames cover together.
        voxel_m: edge of a voxel, metres.
        method: how they were chosen: "greedy_coverage", "uniform" or "random".
    """

    frame_ids: list[int]
    gains: list[int]
    voxels: int
    voxel_m: float
    method: str = "greedy_coverage"


def write_views(folder: Path, views: ViewSet) -> None:
    """Write `views.json` into a scan's folder."""
    atomic.write_json(folder / VIEWS_FILE, {"record": "views", "version": VERSION, **vars(views)})


def read_views(folder: Path) -> ViewSet:
    """The general view set of a scan."""
    value = read_json_record(folder / VIEWS_FILE, "views", VERSION)
    return ViewSet(**{k: v for k, v in value.items() if k not in ("record", "version")})
