"""PoseRecover's file of scores for every pose and object, ours and published ones, without pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from vantage.core.errors import ContractError
from vantage.records.arrays import write_arrays

KEYS = ("cam_object_intersections", "pose_files", "valid_object_ids")
_CONVERT = (
    "where you trust the file, convert it once: numpy.load with pickles allowed, pose_files to an array of "
    "str, numpy.savez; docs/recover.md has the lines"
)


@dataclass(frozen=True)
class Intersections:
    """Scores of poses (rows) against objects (columns).

    Attributes:
        pose_files: name of each pose's file ("25.txt"); the number in it is the frame's id.
        object_ids: ascending; -1, if there, is the unlabelled background, which is no object.
        scores: finite, 0 to 1.
        extras: arrays beyond the published ones, by name.
    """

    pose_files: tuple[str, ...]
    object_ids: Int64[np.ndarray, "o"]
    scores: Float32[np.ndarray, "p o"]
    extras: Mapping[str, Shaped[np.ndarray, "..."]] = field(default_factory=dict)

    def frame_ids(self) -> Int64[np.ndarray, "p"]:
        """The numbers in the pose files' names."""
        return np.array([int(PurePosixPath(name).stem) for name in self.pose_files], dtype=np.int64)


def write_intersections(path: Path, found: Intersections) -> None:
    """Write the published keys and the extras; `numpy.load` reads them without pickle."""
    published = {
        "cam_object_intersections": found.scores.astype(np.float32),
        "pose_files": np.array(found.pose_files, dtype=np.str_),
        "valid_object_ids": found.object_ids.astype(np.int64),
    }
    write_arrays(path, {**published, **found.extras})


def read_intersections(path: Path) -> Intersections:
    """Read a file of ours or a published one.

    Raises ContractError when it is missing or no such file, needs pickle, or its arrays do not fit.
    """
    arrays = _load(path)
    lacking = [key for key in KEYS if key not in arrays]
    if lacking:
        raise ContractError("not a file of pose scores", where=path, expected=KEYS, found=sorted(arrays))
    names = tuple(PurePosixPath(str(name).replace("\\", "/")).name for name in arrays["pose_files"].ravel())
    ids, scores = arrays["valid_object_ids"], arrays["cam_object_intersections"]
    for name in names:
        stem = PurePosixPath(name).stem
        if not (stem.isascii() and stem.isdigit()):
            raise ContractError(
                "a pose file without a frame number", where=path, expected="25.txt", found=name
            )
    if scores.shape != (len(names), len(ids)) or ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ContractError(
            "arrays of pose scores do not fit",
            where=path,
            expected=f"{(len(names), len(ids))} scores for {len(names)} poses and whole ids",
            found=f"{scores.shape} scores, ids {ids.dtype} of shape {ids.shape}",
        )
    if scores.dtype.kind not in "fiu" or not ((scores >= 0) & (scores <= 1)).all():
        raise ContractError("pose scores that are no shares", where=path, expected="finite numbers in [0, 1]")
    if len(np.unique(ids)) < len(ids) or len(set(names)) < len(names):
        raise ContractError("a pose or an id occurs twice", where=path)
    order = np.argsort(ids)
    extras = {key: array for key, array in arrays.items() if key not in KEYS}
    return Intersections(names, ids[order].astype(np.int64), scores[:, order].astype(np.float32), extras)


def _load(path: Path) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
            if not isinstance(data, np.lib.npyio.NpzFile):
                raise ContractError("one array instead of an archive of arrays", where=path, expected=".npz")
            return {key: _array(data, key, path) for key in data.files}
    except OSError as error:
        reason = error.strerror or str(error)
        raise ContractError(f"cannot read the pose scores: {reason}", where=path) from error
    except (zipfile.BadZipFile, EOFError, TypeError) as error:
        raise ContractError("not a file of arrays (.npz)", where=path, found=error) from error
    except ValueError as error:
        raise ContractError("not a file of arrays (.npz)", where=path, found=error, hint=_CONVERT) from error


def _array(data: Any, key: str, path: Path) -> Any:
    try:
        return data[key]
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise ContractError(
            f"{key} holds Python objects, which only pickle can read, and a pickle can run any program",
            where=path,
            expected="plain arrays",
            hint=_CONVERT,
        ) from error
