"""Text files of recordings: tables of numbers, matrices, intrinsics, quaternions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Intrinsics


def read_text(path: Path) -> str:
    """A text file; ScanError when it cannot be read or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScanError(f"cannot read the file: {error.strerror}", where=path.name) from error
    except UnicodeDecodeError as error:
        raise ScanError("not a text file", where=path.name, expected="UTF-8") from error


def read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """The words of every line that is neither blank nor a comment (`#`), with its number from 1."""
    numbered = enumerate(read_text(path).split("\n"), start=1)
    return [(n, line.replace(",", " ").split()) for n, line in numbered if _has_words(line)]


def _has_words(line: str) -> bool:
    return bool(line.strip()) and line.lstrip()[0] != "#"


def read_table(path: Path, columns: int) -> Float64[np.ndarray, "n columns"]:
    """Rows of `columns` numbers; nan and inf are allowed. ScanError names the line that has others."""
    lines = read_lines(path)
    try:
        table = np.array([words for _, words in lines], dtype=np.float64)
        if table.size == 0 or table.shape == (len(lines), columns):
            return table.reshape(-1, columns)
    except ValueError:
        pass  # told below, with the line
    for number, words in lines:
        if len(words) != columns or not all(map(_is_number, words)):
            where, found = f"{path.name}, line {number}", " ".join(words)[:80]
            raise ScanError("a bad line", where=where, expected=f"{columns} numbers", found=found)
    raise AssertionError("unreachable: some line is bad")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_matrix(path: Path) -> Float64[np.ndarray, "r c"]:
    """A 3x3 or 4x4 matrix from a text file, one row a line; -inf and nan are allowed; else ScanError."""
    name = f"{path.parent.name}/{path.name}"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [[float(word) for word in line.split()] for line in lines if line.strip()]
    except OSError as error:
        raise ScanError(f"cannot read the matrix: {error.strerror}", where=name) from error
    except ValueError as error:
        raise ScanError("not a matrix", where=name, expected="rows of numbers", found=error) from error
    if len(rows) not in (3, 4) or any(len(row) != len(rows) for row in rows):
        found = f"rows of {', '.join(str(len(row)) for row in rows[:8])} numbers" if rows else "an empty file"
        raise ScanError("not a matrix", where=name, expected="4 rows of 4 numbers", found=found)
    return np.array(rows, dtype=np.float64)


def matrix_text(matrix: Float[np.ndarray, "r c"]) -> str:
    """A line a row; nine significant digits, which bring every float32 back."""
    return "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in matrix.tolist())


def square(camera: Pinhole) -> Float64[np.ndarray, "4 4"]:
    """The intrinsic matrix as 4x4, as ScanNet stores it."""
    matrix = np.eye(4)
    matrix[:3, :3] = camera.matrix()
    return matrix


def read_intrinsics(path: Path) -> Intrinsics:
    """fx, fy, cx, cy (pixels) from a file of these four numbers, or of a 3x3 or 4x4 matrix; else
    ScanError."""
    words = [word for _, line in read_lines(path) for word in line]
    expected = "fx fy cx cy, or a 3x3 or 4x4 matrix"
    if len(words) not in (4, 9, 16) or not all(map(_is_number, words)):
        found = f"{len(words)} words: {' '.join(words)[:60]}"
        raise ScanError("bad intrinsics", where=path.name, expected=expected, found=found)
    values = [float(word) for word in words]
    if len(values) == 4:
        fx, fy, cx, cy = values
        return fx, fy, cx, cy
    K = np.array(values).reshape(int(len(values) ** 0.5), -1)
    return float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])


def poses_of(
    t: Float[np.ndarray, "n 3"], quaternion_xyzw: Float[np.ndarray, "n 4"]
) -> Float64[np.ndarray, "n 4 4"]:
    """Matrices of translations and quaternions (x, y, z, w).

    A quaternion whose length is 1 within 1e-3 is normalised; the matrix of any other is not rigid, and shows
    so.
    """
    q = np.asarray(quaternion_xyzw, dtype=np.float64)
    length = np.linalg.norm(q, axis=1, keepdims=True)
    q = np.where(np.abs(length - 1) <= 1e-3, q / np.where(length > 0, length, 1), q)
    x, y, z, w = q.T
    T = np.zeros((len(q), 4, 4))
    T[:, 0, 0], T[:, 0, 1], T[:, 0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    T[:, 1, 0], T[:, 1, 1], T[:, 1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    T[:, 2, 0], T[:, 2, 1], T[:, 2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    T[:, :3, 3], T[:, 3, 3] = t, 1.0
    T[(length[:, 0] == 0) | ~np.isfinite(q).all(axis=1)] = np.nan
    return T


def quaternions_of(T: Float[np.ndarray, "n 4 4"]) -> Float64[np.ndarray, "n 4"]:
    """Quaternions (x, y, z, w) of the rotations of rigid matrices; NaN for those that are not finite."""
    from scipy.spatial.transform import Rotation

    finite = np.isfinite(T).all(axis=(1, 2))
    q = np.full((len(T), 4), np.nan)
    if finite.any():
        q[finite] = Rotation.from_matrix(T[finite, :3, :3]).as_quat()
    return q
