"""Trajectories in text files, and pairing what was recorded at nearly the same time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float, Float64, Int64

from vantage.core.errors import ScanError
from vantage.scans.layouts.parts import read_text

#: A quaternion whose length is off one by less is brought to length one; any other is no rotation.
QUATERNION_TOL = 1e-3

#: Partners on either side that are looked at for each time: plenty for any rate, and a bound on the memory.
_NEIGHBOURS = 16


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Stored poses by rising time, or frame number.

    Attributes:
        keys: seconds, or numbers.
        poses: as stored, not yet by any convention.
        problems: why a pose cannot be used; empty where it can.
    """

    keys: Float64[np.ndarray, "n"]
    poses: Float64[np.ndarray, "n 4 4"]
    problems: tuple[str, ...]

    def stored(self, i: int) -> Float64[np.ndarray, "4 4"] | str:
        """Pose i, or its problem."""
        return self.problems[i] or self.poses[i]


def rows(path: Path) -> list[tuple[int, str]]:
    """Line number and text of each line that is neither empty nor a comment (#); commas count as spaces."""
    lines = read_text(path).replace(",", " ").splitlines()
    return [(n, line) for n, raw in enumerate(lines, 1) if (line := raw.split("#", 1)[0].strip())]


def read_table(path: Path, columns: int, meaning: str) -> Float64[np.ndarray, "n {columns}"]:
    """Rows of numbers; nan and inf are allowed. ScanError naming the line of a row that is none, or an
    empty file. `meaning` names the columns in it.
    """
    text = read_text(path).replace(",", " ")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # on an empty file, which is an error here
            table = np.loadtxt(io.StringIO(text), ndmin=2)
    except ValueError as error:
        _explain(path, columns, meaning)
        raise ScanError("not a trajectory", where=path.name, expected=meaning, found=error) from error
    if table.shape[1] != columns or not len(table):
        _explain(path, columns, meaning)
    return table


def _explain(path: Path, columns: int, meaning: str) -> None:
    """Raise the ScanError that names the first line without as many numbers as there should be."""
    lines = rows(path)
    if not lines:
        raise ScanError("an empty trajectory", where=path.name, expected=f"lines of {meaning}")
    for number, line in lines:
        if (found := len(line.split())) != columns:
            where, expected = f"{path.name}, line {number}", f"{columns} numbers: {meaning}"
            raise ScanError("not a pose", where=where, expected=expected, found=f"{found} numbers")


def read_quaternions(path: Path) -> Trajectory:
    """TUM's format: `time tx ty tz qx qy qz qw` a line; the time may be a frame's number."""
    table = _by_time(read_table(path, 8, "time tx ty tz qx qy qz qw"), path)
    length = np.linalg.norm(table[:, 4:], axis=1)
    off = ~(np.abs(length - 1) <= QUATERNION_TOL) & np.isfinite(length)
    problems = [
        f"the quaternion is not of length 1: {length[i]:.4g}" if off[i] else "" for i in range(len(off))
    ]
    return Trajectory(table[:, 0], _rigid(table[:, 4:], table[:, 1:4], "quaternion"), tuple(problems))


def read_rotation_vectors(path: Path) -> Trajectory:
    """ARKitScenes' format: `time rx ry rz tx ty tz` a line, the rotation as axis times angle (rad)."""
    table = _by_time(read_table(path, 7, "time rx ry rz tx ty tz"), path)
    return Trajectory(table[:, 0], _rigid(table[:, 1:4], table[:, 4:], "vector"), ("",) * len(table))


def _by_time(table: Float64[np.ndarray, "n c"], path: Path) -> Float64[np.ndarray, "m c"]:
    """Sorted by the first column; a line that occurs twice counts once."""
    if not np.isfinite(table[:, 0]).all():
        row = int(np.flatnonzero(~np.isfinite(table[:, 0]))[0])
        where = f"{path.name}, pose {row + 1}"
        raise ScanError("a time that is no number", where=where, expected="seconds", found=table[row, 0])
    table = table[np.argsort(table[:, 0], kind="stable")]
    repeated = (table[1:] == table[:-1]).all(axis=1)
    table = table[np.concatenate([[True], ~repeated])]
    require_distinct(table[:, 0], path.name)
    return table


def require_distinct(times: Float[np.ndarray, "n"], file: str) -> None:
    """ScanError when two entries of a file share a time: which of them is meant cannot be told."""
    ordered = np.sort(times)
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(same):
        found = f"{len(same)}, the first at {ordered[same[0]]:.6f}"
        raise ScanError("a time stamp twice", where=file, expected="every time stamp once", found=found)


def _rigid(
    rotation: Float64[np.ndarray, "n k"], t: Float64[np.ndarray, "n 3"], kind: str
) -> Float64[np.ndarray, "n 4 4"]:
    """Poses; NaN in place of a rotation that is none."""
    from scipy.spatial.transform import Rotation

    T = np.full((len(t), 4, 4), np.nan)
    T[:, 3] = (0.0, 0.0, 0.0, 1.0)
    T[:, :3, 3] = t
    sound = np.isfinite(rotation).all(axis=1)
    if kind == "quaternion":
        sound &= np.linalg.norm(rotation, axis=1) > 0
    make = Rotation.from_quat if kind == "quaternion" else Rotation.from_rotvec
    if sound.any():
        T[sound, :3, :3] = make(rotation[sound]).as_matrix()
    return T


def read_list(path: Path) -> tuple[Float64[np.ndarray, "n"], list[PurePosixPath]]:
    """TUM's lists of images: time stamps (s) and file names, in the file's order.

    ScanError when a line is not `time name`, a name leaves the folder, a time occurs twice, or there is none.
    """
    times, names = [], []
    for number, line in rows(path):
        where, words = f"{path.name}, line {number}", line.split(maxsplit=1)
        try:
            times.append(float(words[0]))
        except ValueError:
            raise ScanError("not a time stamp", where=where, expected="time name", found=words[0]) from None
        if len(words) != 2 or not np.isfinite(times[-1]):
            raise ScanError("not an image of a list", where=where, expected="time name", found=line)
        names.append(inside(words[1], where))
    if not times:
        raise ScanError("an empty list of images", where=path.name, expected="lines of time and name")
    stamps = np.array(times)
    require_distinct(stamps, path.name)
    return stamps, names


def inside(name: str, where: str) -> PurePosixPath:
    """A file name out of a file of the scan; ScanError when it leaves the folder or is no image."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        expected = "a name below the scan's folder"
        raise ScanError(
            "an image outside the scan's folder", where=where, expected=expected, found=repr(name)
        )
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ScanError("not an image's name", where=where, expected="a .png or .jpg", found=repr(name))
    return path


def associate(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"], within: float) -> Int64[np.ndarray, "n"]:
    """The partner in `b` of each time in `a`, -1 for none; the closest pairs are made first, one to one.

    That is what TUM's associate.py does. Pairs are less than `within` seconds apart.
    """
    order = np.argsort(b, kind="stable")
    ordered = b[order]
    middle = np.searchsorted(ordered, a)
    low = np.maximum(np.searchsorted(ordered, a - within, "right"), middle - _NEIGHBOURS)
    high = np.minimum(np.searchsorted(ordered, a + within, "left"), middle + _NEIGHBOURS)
    count = np.maximum(high - low, 0)
    i = np.repeat(np.arange(len(a)), count)
    j = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    j = order[j]
    partner = np.full(len(a), -1, dtype=np.int64)
    taken = np.zeros(len(b), dtype=bool)
    for k in np.lexsort((j, i, np.abs(a[i] - b[j]))).tolist():
        if partner[i[k]] < 0 and not taken[j[k]]:
            partner[i[k]] = j[k]
            taken[j[k]] = True
    return partner


def require_pairs(
    partner: Int64[np.ndarray, "n"],
    files: Sequence[str],
    times: Sequence[Float[np.ndarray, "_"]],
    within: float,
) -> None:
    """ScanError naming both files and their time spans when nothing in one has a partner in the other."""
    if (partner >= 0).any():
        return
    spans = (f"{name} {t.min():.3f} to {t.max():.3f} s" for name, t in zip(files, times, strict=True))
    raise ScanError(
        f"no time stamp of {files[0]} is near one of {files[1]}",
        where=f"{files[0]} and {files[1]}",
        expected=f"time stamps less than {within:g} s apart",
        found="; ".join(spans),
        hint="If the clocks differ, set extract.capture.pose_delay_s.",
    )
