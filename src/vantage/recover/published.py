"""PoseRecover's published visibility scores (PoseAlign3D, `pose_recover`), fast.

The published program loops over points in Python and always uses one colour camera, where this takes that of
each pose; its arithmetic is kept to the letter: intrinsics times `shrink`, truncation toward zero (so u in
(-1, 0) lands on column 0), a buffer of all points of the scan, an inclusive tolerance of 1 mm, and all points
of an object as the divisor. The score depends on point density and tilt: it compares poses of one object,
never objects; it is no visible fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from vantage.geometry.camera import Pinhole
from vantage.recover.cells import Cells
from vantage.recover.scores import Scores
from vantage.recover.shrunk import ShrunkCamera
from vantage.recover.threads import for_each_pose

TOLERANCE_M = 1e-3


def published_scores(
    coord: Float32[np.ndarray, "n 3"],
    instance: Int32[np.ndarray, "n"],
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    cameras: Sequence[Pinhole],
    shrink: float,
    *,
    threads: int = 1,
    device: str | None = None,
) -> Scores:
    """For every pose, the share of each object's points that it sees.

    The ids are those of `instance`, sorted, with -1 if present. `poses` map camera to the world of `coord`
    (metres, finite); `cameras` has the colour camera of each. Computed in float64, returned in float32; the
    same on any number of threads, and with PyTorch on `device` ("cuda", "cpu"). Memory does not
    grow with the number of poses.
    """
    ids, column = _ids(instance)
    totals = np.bincount(column, minlength=len(ids))
    inverses = [np.linalg.inv(T_world_cam) for T_world_cam in poses]
    shrunk = [ShrunkCamera.of(camera, shrink) for camera in cameras]
    if len(shrunk) != len(inverses):
        raise ValueError(f"{len(inverses)} poses and {len(shrunk)} cameras")
    if device is None:
        counts = _counts(Cells.of(coord, column), len(ids), inverses, shrunk, threads)
    else:
        from vantage.recover.with_torch import counts_on

        counts = counts_on(device, coord, column, len(ids), inverses, shrunk, TOLERANCE_M)
    hits, in_view = counts
    divisor = np.maximum(totals, 1)
    return Scores(ids, *((each / divisor).astype(np.float32) for each in (hits, in_view)))


def _ids(instance: Int32[np.ndarray, "n"]) -> tuple[Int64[np.ndarray, "ids"], Int64[np.ndarray, "n"]]:
    """The ids that occur, sorted, and the place of each point's among them."""
    lowest = int(instance.min(initial=0))
    if int(instance.max(initial=0)) - lowest > 1 << 20:
        ids, column = np.unique(instance, return_inverse=True)
        return ids.astype(np.int64), column
    # A table takes a tenth of the time of sorting.
    offset = instance.astype(np.int64) - lowest
    there = np.flatnonzero(np.bincount(offset))
    place = np.zeros(int(there.max(initial=0)) + 1, dtype=np.int64)
    place[there] = np.arange(len(there))
    return there + lowest, place[offset]


def _counts(
    cells: Cells,
    n_ids: int,
    inverses: Sequence[Float64[np.ndarray, "4 4"]],
    cameras: Sequence[ShrunkCamera],
    threads: int,
) -> tuple[Int64[np.ndarray, "p ids"], Int64[np.ndarray, "p ids"]]:
    """Hits and points in view of each object from each pose."""
    from vantage.recover import kernels

    hits, in_view = (np.zeros((len(inverses), n_ids), dtype=np.int64) for _ in range(2))
    pixels = max((camera.width * camera.height for camera in cameras), default=0)

    def worker() -> Callable[[int], None]:
        chosen = np.empty(len(cells.spheres), dtype=np.int64)
        buffer = np.empty(pixels)
        found, found_z = np.empty((len(cells.coord), 2), dtype=np.int32), np.empty(len(cells.coord))

        def score(row: int) -> None:
            T, camera = inverses[row], cameras[row]
            size, pinhole = np.array([camera.width, camera.height]), camera.intrinsics()
            scale = float(np.linalg.norm(T[:3, :3], 2))
            n = kernels.cells_in_view(cells.spheres, T, scale, pinhole, size, chosen)
            kernels.score_pose(
                cells.coord, cells.column, cells.starts, chosen[:n], T, pinhole, size, TOLERANCE_M,
                buffer, found, found_z, in_view[row], hits[row],
            )  # fmt: skip

        return score

    for_each_pose(len(inverses), threads, worker)
    return hits, in_view
