"""Per-patch 3D coordinates of a scan's kept frames, and its general view sets."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.geometry.warp import ImageWarp
from vantage.records.arrays import map_arrays, write_arrays
from vantage.records.jsonfile import read_json_record

PATCHES_FILE = "patches.npz"
VIEWS_FILE = "views.json"
VERSION = 1
WITH_WARP = 2
"""The version of patches that carry their warp; without one the format is `VERSION`."""


@dataclass(frozen=True)
class PatchCoordinates:
    """A 3D point for each patch of each kept frame.

    The patches of a frame have the shape of the warp: (rows, columns) for one tile; (patches,) for more, tile
    after tile and row after row. `tile` gives one tile's patches as (rows, columns).

    Attributes:
        frame_ids: the frames, ascending.
        xyz_aligned: metres, aligned world; zeros where invalid.
        valid: whether the patch has a point.
        spread: difference of the 90th and 10th percentile of the patch's depths, metres; 0 where invalid.
        valid_share: share of the patch's depth pixels that hold a measurement.
        warp: what the image processor makes of the scan's colour images; None for the whole image squashed,
            so that the patches divide it evenly.
    """

    frame_ids: Int64[np.ndarray, "f"]
    xyz_aligned: Float32[np.ndarray, "f *patches 3"]
    valid: Bool[np.ndarray, "f *patches"]
    spread: Float32[np.ndarray, "f *patches"]
    valid_share: Float32[np.ndarray, "f *patches"]
    warp: ImageWarp | None = None

    def row_of(self) -> dict[int, int]:
        """Row of each frame id."""
        return {int(frame_id): row for row, frame_id in enumerate(self.frame_ids)}

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of the patches of every tile."""
        if self.warp is not None:
            return self.warp.grids
        rows, columns = self.valid.shape[1:]
        return ((rows, columns),)

    def tile(self, number: int) -> PatchCoordinates:
        """The patches of one tile, its arrays (frames, rows, columns, ...)."""
        grids = self.grids
        start = sum(rows * columns for rows, columns in grids[:number])
        rows, columns = grids[number]
        count = len(self.frame_ids)

        def part(array: Shaped[np.ndarray, "f *rest"], *last: int) -> Any:
            flat = array.reshape(count, -1, *last)[:, start : start + rows * columns]
            return flat.reshape(count, rows, columns, *last)

        return replace(
            self,
            xyz_aligned=part(self.xyz_aligned, 3),
            valid=part(self.valid),
            spread=part(self.spread),
            valid_share=part(self.valid_share),
            warp=None if self.warp is None else replace(self.warp, tiles=(self.warp.tiles[number],)),
        )


_ARRAYS = ("frame_ids", "xyz_aligned", "valid", "spread", "valid_share")


def write_patches(folder: Path, patches: PatchCoordinates) -> None:
    """Write `patches.npz` into a scan's folder."""
    arrays = {name: getattr(patches, name) for name in _ARRAYS}
    version = VERSION
    if patches.warp is not None:
        version, arrays["warp"] = WITH_WARP, np.array(json.dumps(patches.warp.to_dict()))
    write_arrays(folder / PATCHES_FILE, {"version": np.array(version, np.int64), **arrays})


def read_patches(folder: Path, mapped: bool = False) -> PatchCoordinates:
    """Patch coordinates of a scan (aligned world, metres); `ContractError` when missing or misshapen.

    With `mapped` the arrays stay on the disk until rows of them are looked at.
    """
    path = folder / PATCHES_FILE
    if not path.is_file():
        raise ContractError("a scan's patch coordinates are missing", where=path, hint="run lift again")
    with np.load(path, allow_pickle=False) as data:
        version = int(data["version"])
        if version not in (VERSION, WITH_WARP):
            known = f"{VERSION} or {WITH_WARP}"
            raise ContractError("another version", where=path, expected=known, found=version)
        arrays = map_arrays(path, _ARRAYS) if mapped else {name: data[name] for name in _ARRAYS}
        warp = ImageWarp.from_dict(json.loads(str(data["warp"]))) if version == WITH_WARP else None
    valid = arrays["valid"]
    shape = (len(arrays["frame_ids"]), *(valid.shape[1:] if warp is None else warp.shape))
    for name in _ARRAYS[1:]:
        expected = (*shape, 3) if name == "xyz_aligned" else shape
        if arrays[name].shape != expected or (warp is None and valid.ndim != 3):
            found = f"{name} {arrays[name].shape}"
            raise ContractError("patch arrays do not fit", where=path, expected=expected, found=found)
    return PatchCoordinates(**arrays, warp=warp)


def read_squashed_patches(folder: Path, grid: tuple[int, int]) -> PatchCoordinates:
    """Patch coordinates for a model that sees the whole image, squashed to `grid` = (rows, columns) patches.

    Raises ContractError when they are missing, of another grid, or made for another image processor.
    """
    patches = read_patches(folder)
    squashed = patches.warp is None or patches.warp.whole
    if not squashed or patches.valid.shape[1:] != grid:
        found = " and ".join(f"{rows}x{columns}" for rows, columns in patches.grids)
        raise ContractError(
            "the model wants other patches",
            where=folder,
            expected=f"{grid[0]}x{grid[1]} patches of the whole image",
            found=found if squashed else f"{found} patches of another image processor",
            hint="set lift.processor to squash, and lift.image_size and lift.patch_size to the model's",
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
