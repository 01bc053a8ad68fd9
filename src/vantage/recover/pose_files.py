"""A folder of pose files: `25.txt`, camera to world, 4x4, as PoseRecover reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError, ScanError
from vantage.geometry.transforms import is_rigid
from vantage.scans.layouts.parts import read_matrix


@dataclass(frozen=True)
class PoseFiles:
    """Poses of a folder, by rising frame number.

    Attributes:
        names: of the files.
        T_world_cam: metres.
        lost: names of files whose pose is not finite (tracking was lost), left out.
    """

    names: tuple[str, ...]
    T_world_cam: tuple[Float64[np.ndarray, "4 4"], ...]
    lost: tuple[str, ...]

    def strided(self, stride: int) -> PoseFiles:
        """Every so many of the poses that are left: as published, lost ones do not count."""
        return PoseFiles(self.names[::stride], self.T_world_cam[::stride], self.lost)


def read_pose_files(folder: Path) -> PoseFiles:
    """All poses of a folder; 7.txt comes before 25.txt, and before 010.txt.

    Raises:
        ParameterError: no such folder, no .txt file in it, or one whose name is no number.
        ScanError: an empty or misshapen file, two of one number, or a pose that is not rigid.
    """
    if not folder.is_dir():
        raise ParameterError("there is no such folder of poses", where=folder, expected="0.txt, 1.txt, ...")
    paths = [path for path in folder.glob("*.txt") if not path.name.startswith(".")]
    if not paths:
        raise ParameterError("no pose files in the folder", where=folder, expected="0.txt, 1.txt, ...")
    numbered: dict[int, Path] = {}
    for path in sorted(paths):
        if not (path.stem.isascii() and path.stem.isdigit()):
            raise ParameterError("a pose file's name is its frame's number", where=path, expected="25.txt")
        other = numbered.setdefault(int(path.stem), path)
        if other is not path:
            raise ScanError("two poses for one frame", where=folder, found=f"{other.name} and {path.name}")
    names, poses, lost = [], [], []
    for _, path in sorted(numbered.items()):
        T = _read(path)
        if not np.isfinite(T).all():
            lost.append(path.name)
            continue
        if not is_rigid(T):
            hint = "poses map camera to world, in metres; a frame without a pose has -inf or no file"
            raise ScanError("a pose is not a rigid transform", where=path, found=T.tolist(), hint=hint)
        names.append(path.name)
        poses.append(T)
    return PoseFiles(tuple(names), tuple(poses), tuple(lost))


def _read(path: Path) -> Float64[np.ndarray, "4 4"]:
    T = read_matrix(path)
    if T.shape != (4, 4):
        raise ScanError("not a pose", where=path, expected="4 rows of 4 numbers", found="a 3x3 matrix")
    return T
