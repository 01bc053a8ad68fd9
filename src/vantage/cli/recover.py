"""`vantage recover`: which pose sees how much of which object, from files to a file."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from vantage.cli.cameras import camera_of
from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.intersections import Intersections, write_intersections
from vantage.records.objects import ScanPoints
from vantage.recover.pose_files import PoseFiles, read_pose_files
from vantage.recover.scene_file import read_scene_file
from vantage.recover.scores import Scores

MODES = ("reference", "calibrated")


def recover(
    points: Path, poses: Path, intrinsics: str, size: str, shrink: float, stride: int, mode: str, out: Path
) -> None:
    """Write the scores of every pose and object, with PoseRecover's published keys; tell what was done.

    Args:
        points: .npz with `coord` (N,3), metres, and `instance` (N,), -1 for no object.
        poses: folder of `25.txt`, camera to the world of the points.
        intrinsics: fx,fy,cx,cy of the full image, pixels.
        size: WxH of the full image.
        shrink: the depth buffer is so many times that size.
        stride: every so many poses, lost ones not counted.
        mode: `reference` or `calibrated`.
        out: the .npz file to write.

    Raises:
        ParameterError: an option that makes no sense.
        ScanError: points or poses that cannot be used.
        ResourceError: the file cannot be written.
    """
    if mode not in MODES:
        raise ParameterError("unknown mode", where="--mode", expected=" or ".join(MODES), found=mode)
    camera = camera_of(intrinsics, size)
    if not (np.isfinite(shrink) and 0 < shrink <= 1) or min(camera.width, camera.height) * shrink < 1:
        expected = "above 0, at most 1, and at least a pixel left"
        raise ParameterError("not a size of buffer", where="--shrink", expected=expected, found=shrink)
    if out.is_dir() or not out.parent.is_dir():
        raise ParameterError("cannot write there", where="--out", expected="a file in a folder", found=out)
    every = read_pose_files(poses)
    kept = every.strided(stride)
    if not kept.names:
        raise ScanError("no pose of the folder is finite", where=poses, found=f"{len(every.lost)} lost poses")
    scan = read_scene_file(points)
    _tell(f"scoring {len(kept.names)} poses, {len(scan.coord)} points")
    started = time.perf_counter()
    scores = _scores(scan, kept, camera, shrink, mode)
    seconds = time.perf_counter() - started
    extras = {"in_view": scores.in_view, "mode": np.array(mode)}
    _write(out, Intersections(kept.names, scores.object_ids, scores.score, extras))
    lost = f", {len(every.lost)} lost" if every.lost else ""
    _tell(f"poses   {len(kept.names)} of {len(every.names)} usable{lost}, stride {stride}")
    _tell(f"ids     {_listed(scores)}")
    _tell(f"scores  {mode}, {(scores.score > 0).mean():.0%} above 0, {seconds:.1f} s; written to {out}")


def _write(out: Path, found: Intersections) -> None:
    """Write beside, then rename: a kill or a full disk leaves no half file."""
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        write_intersections(beside, found)
        beside.replace(out)
    except OSError as error:
        raise ResourceError(f"cannot write the scores: {error.strerror}", where=out) from error
    finally:
        beside.unlink(missing_ok=True)


def _scores(scan: ScanPoints, poses: PoseFiles, camera: Pinhole, shrink: float, mode: str) -> Scores:
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cameras = [camera] * len(poses.names)
    if mode == "reference":
        from vantage.recover.device import gpu_for
        from vantage.recover.published import published_scores

        device = gpu_for(len(scan.coord) * len(cameras))
        return published_scores(
            scan.coord, scan.instance, poses.T_world_cam, cameras, shrink, threads=threads, device=device
        )
    from vantage.recover.calibrated import Tolerances, visible_fractions

    ids = np.unique(scan.instance[scan.instance >= 0]).astype(np.int64)
    if not len(ids):
        raise ScanError("no point belongs to an object", expected="ids of 0 or more", found="-1 alone")
    return visible_fractions(
        scan.coord, scan.instance, ids, poses.T_world_cam, cameras, shrink, Tolerances(), threads=threads
    )


def _listed(scores: Scores) -> str:
    objects = int((scores.object_ids >= 0).sum())
    background = ", and the background (-1)" if objects < len(scores.object_ids) else ""
    unseen = scores.object_ids[(scores.score == 0).all(axis=0) & (scores.object_ids >= 0)].tolist()
    never = f"; never seen: {' '.join(map(str, unseen[:20]))}" if unseen else ""
    return f"{objects} objects{background}{never}"


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
