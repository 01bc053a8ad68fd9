"""How much of every object every recorded pose sees, in PoseRecover's published file layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from vantage.core.errors import ContractError
from vantage.records.intersections import Intersections, read_intersections, write_intersections

VISIBILITY_FILE = "visibility.npz"


@dataclass(frozen=True)
class Visibility:
    """Scores of poses against objects.

    Attributes:
        frame_ids: the scored frames, ascending; stored as `pose_files` ("25.txt").
        object_ids: the objects; stored as `valid_object_ids`.
        scores: share of an object's points that the pose sees; stored as `cam_object_intersections`.
        in_view: share of an object's points in the picture, hidden ones included.
        visible_px: pixels of the object in the view, in units of a 64 x 64 image of the colour camera.
    """

    frame_ids: Int64[np.ndarray, "p"]
    object_ids: Int64[np.ndarray, "o"]
    scores: Float32[np.ndarray, "p o"]
    in_view: Float32[np.ndarray, "p o"]
    visible_px: Float32[np.ndarray, "p o"]

    def intersections(self) -> Intersections:
        """The same as the published file has it."""
        names = tuple(f"{frame}.txt" for frame in self.frame_ids)
        extras = {name: getattr(self, name).astype(np.float32) for name in _EXTRAS}
        return Intersections(names, self.object_ids, self.scores, extras)


_EXTRAS = ("in_view", "visible_px")


def write_visibility(folder: Path, visibility: Visibility) -> None:
    """Write `visibility.npz` with the published keys, readable without pickle."""
    write_intersections(folder / VISIBILITY_FILE, visibility.intersections())


def read_visibility(folder: Path) -> Visibility:
    """Visibility of a scan; `ContractError` when missing or misshapen."""
    path = folder / VISIBILITY_FILE
    if not path.is_file():
        raise ContractError("a scan's visibility is missing", where=path, hint="run recover again")
    found = read_intersections(path)
    extras = {name: found.extras.get(name, np.zeros(0, dtype=np.float32)) for name in _EXTRAS}
    for name, array in extras.items():
        if array.shape != found.scores.shape:
            expected = f"{name} of shape {found.scores.shape}"
            raise ContractError(
                "visibility arrays do not fit", where=path, expected=expected, found=array.shape
            )
    return Visibility(found.frame_ids(), found.object_ids, found.scores, **extras)
