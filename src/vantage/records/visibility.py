"""How much of every object every recorded pose sees, in PoseRecover's published file layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from vantage.core.errors import ContractError
from vantage.records.arrays import write_arrays

VISIBILITY_FILE = "visibility.npz"


@dataclass(frozen=True)
class Visibility:
    """Scores of poses against objects.

    Attributes:
        frame_ids: the scored frames, ascending; stored as `pose_files` ("25.txt").
        object_ids: the objects; stored as `valid_object_ids`.
        scores: share of an object's points that the pose sees; stored as `cam_object_intersections`.
        visible_px: pixels of the object in the view, in units of a 64 x 64 image of the colour camera.
    """

    frame_ids: Int64[np.ndarray, "p"]
    object_ids: Int64[np.ndarray, "o"]
    scores: Float32[np.ndarray, "p o"]
    visible_px: Float32[np.ndarray, "p o"]


def write_visibility(folder: Path, visibility: Visibility) -> None:
    """Write `visibility.npz` with the published keys, readable without pickle."""
    arrays = {
        "cam_object_intersections": visibility.scores.astype(np.float32),
        "pose_files": np.array([f"{frame}.txt" for frame in visibility.frame_ids], dtype=np.str_),
        "valid_object_ids": visibility.object_ids.astype(np.int64),
        "visible_px": visibility.visible_px.astype(np.float32),
    }
    write_arrays(folder / VISIBILITY_FILE, arrays)


def read_visibility(folder: Path) -> Visibility:
    """Visibility of a scan; `ContractError` when missing or misshapen."""
    path = folder / VISIBILITY_FILE
    if not path.is_file():
        raise ContractError("a scan's visibility is missing", where=path, hint="run recover again")
    with np.load(path, allow_pickle=False) as data:
        visibility = Visibility(
            frame_ids=np.array(
                [int(str(name).removesuffix(".txt")) for name in data["pose_files"]], dtype=np.int64
            ),
            object_ids=data["valid_object_ids"].astype(np.int64),
            scores=data["cam_object_intersections"],
            visible_px=data["visible_px"],
        )
    shape = (len(visibility.frame_ids), len(visibility.object_ids))
    if visibility.scores.shape != shape or visibility.visible_px.shape != shape:
        raise ContractError(
            "visibility arrays do not fit", where=path, expected=shape, found=visibility.scores.shape
        )
    return visibility
