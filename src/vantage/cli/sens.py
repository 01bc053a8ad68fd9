"""`vantage sens`: what a .sens holds, its poses, its frames."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vantage.cli.show import watcher
from vantage.core.atomic import refused, write_bytes
from vantage.core.errors import ParameterError, ScanError
from vantage.geometry.transforms import is_rigid
from vantage.pipeline.watch import Position, Watcher
from vantage.scans.raw import is_identity
from vantage.scans.sens import SensReader
from vantage.scans.sens_export import Report, export_files, matrix_text
from vantage.scans.sens_pack import export_packed
from vantage.scans.sens_selection import Selection


def info(file: Path, as_json: bool, salvage: bool) -> None:
    """Print what the file says of itself, as text or JSON."""
    with SensReader(file, salvage=salvage) as sens:
        facts = describe(sens)
    if as_json:
        sys.stdout.write(json.dumps(facts, indent=2, allow_nan=False) + "\n")
        return
    for name, value in facts.items():
        shown = "  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        sys.stdout.write(f"{name.replace('_', ' '):<16} {'-' if shown is None else shown}\n")


def describe(sens: SensReader) -> dict[str, Any]:
    """Header and totals of a file, from its header and frame records alone."""
    head, table, tail = sens.header, sens.table, sens.tail
    poses, times = sens.poses(), table.records["t_color"].tolist()
    finite = [bool(np.isfinite(pose).all()) for pose in poses]
    cameras = {
        name: {
            "size": f"{width}x{height}",
            "stored": stored,
            **{key: round(float(K[at]), 4) for key, at in _INTRINSICS.items()},
            "extrinsic": "identity" if is_identity(extrinsic) else "recorded",
            "bytes": sum(table.records[name].tolist()),
        }
        for name, width, height, stored, K, extrinsic in (
            ("color", head.color_width, head.color_height, head.color_compression, head.intrinsic_color,
             head.extrinsic_color),
            ("depth", head.depth_width, head.depth_height, head.depth_compression, head.intrinsic_depth,
             head.extrinsic_depth),
        )
    }  # fmt: skip
    return {
        "file": sens.path.name,
        "sensor": head.sensor_name,
        "bytes": sens.file_bytes,
        "frames": len(table),
        "declared_frames": head.frame_count,
        "finite_poses": sum(finite),
        "rigid_poses": sum(is_rigid(pose) for pose, ok in zip(poses, finite, strict=True) if ok),
        "duration_s": (times[-1] - times[0]) / 1e6 if times else 0.0,
        "depth_units_per_m": float(head.depth_shift),
        **cameras,
        "motion_records": tail.motion_records,
        "unknown_bytes": tail.unknown,
        "cut": None if sens.cut is None else sens.cut.one_line(),
    }


_INTRINSICS = {"fx": (0, 0), "fy": (1, 1), "cx": (0, 2), "cy": (1, 2)}


def poses(file: Path, out: Path, salvage: bool) -> None:
    """Write every pose as text files, or all of them with ids and time stamps as one `.npz`."""
    with SensReader(file, salvage=salvage) as sens:
        ids, T_raw_cam, records = sens.frame_ids(), sens.poses(), sens.table.records
        _tell_cut(sens)
    try:
        if out.suffix == ".npz":
            import io

            buffer = io.BytesIO()
            np.savez(
                buffer,
                frame_id=ids,
                T_raw_cam=T_raw_cam,
                timestamp_color_us=records["t_color"],
                timestamp_depth_us=records["t_depth"],
            )
            write_bytes(out, buffer.getvalue())
        else:
            for frame_id, pose in zip(ids.tolist(), T_raw_cam, strict=True):
                write_bytes(out / f"{frame_id}.txt", matrix_text(pose).encode(), sync=False)
    except OSError as error:
        raise refused(error, out) from error
    lost = len(ids) - int(np.isfinite(T_raw_cam).all(axis=(1, 2)).sum())
    _tell(f"{len(ids)} poses, {lost} of them lost, written to {out}")


def export(
    file: Path,
    out: Path,
    stride: int,
    frames: str,
    color_size: str | None,
    form: str,
    workers: int | None,
    parts: str,
    salvage: bool,
    dry_run: bool,
) -> None:
    """Write frames as files or as a smaller `.sens`; ScanError at the end when an image was unreadable."""
    if form not in ("files", "packed"):
        raise ParameterError("no such form", where="--form", expected="files or packed", found=form)
    first, stop = _range(frames)
    names = tuple(dict.fromkeys(name.strip() for name in parts.split(",")))
    cpus = len(os.sched_getaffinity(0))
    selection = Selection(stride, first, stop, _size(color_size), names, workers or cpus)
    with SensReader(file, salvage=salvage) as sens:
        _tell_cut(sens)
        _tell(estimate(sens, out, selection))
        if dry_run:
            return
        shown = watcher()
        target = out if form == "files" else out / sens.path.name
        work = export_files if form == "files" else export_packed
        count = len(selection.indices(sens))
        shown.begin("export", count)
        try:
            report = work(sens, target, selection, _Shown(shown))
        finally:
            shown.end()
    _conclude(report, target, file)


def estimate(sens: SensReader, out: Path, selection: Selection) -> str:
    """What an export will take, in a line: exact for copied colour, about as large as stored for the rest."""
    indices = selection.indices(sens)
    sizes = {
        part: int(sens.table.records[part][indices].sum())
        for part in ("color", "depth")
        if part in selection.parts
    }
    if "color" in sizes and selection.color_size and selection.resizes(sens):
        width, height = selection.color_size
        sizes["color"] = round(
            sizes["color"] * width * height / (sens.header.color_width * sens.header.color_height)
        )
    folder = next((p for p in (out, *out.absolute().parents) if p.is_dir()), Path.cwd())
    text = ", ".join(f"{part} about {size / 1e6:.1f} MB" for part, size in sizes.items()) or "poses"
    free = shutil.disk_usage(folder).free
    return f"{len(indices)} of {len(sens)} frames into {out}: {text}; {free / 1e9:.1f} GB are free"


def _conclude(report: Report, target: Path, file: Path) -> None:
    kept = f", {report.kept} files kept from before" if report.kept else ""
    what = "files" if target.is_dir() else "frames"
    written = f"{report.written} {what} written, {report.size / 1e6:.1f} MB"
    _tell(f"{report.frames} frames: {written}{kept}, in {target}")
    for line in report.bad:
        _tell(f"warning: {line}")
    if report.bad:
        raise ScanError(
            "some images were unreadable; the others are exported",
            where=file.name,
            found=f"{len(report.bad)} unreadable images, listed above",
        )


class _Shown:
    """Progress of one export, to whoever watches."""

    def __init__(self, shown: Watcher) -> None:
        self._shown = shown

    def step(self, done: int, total: int, note: str = "") -> None:
        """Move the bar."""
        self._shown.at(Position(done, total, note=note))

    def say(self, text: str) -> None:
        """Print the line."""
        self._shown.say(text)


def _range(text: str) -> tuple[int, int | None]:
    match = re.fullmatch(r"(\d{0,12}):(\d{0,12})", text)
    if match is None:
        raise ParameterError("not a range of frames", where="--frames", expected="A:B, A: or :B", found=text)
    return int(match[1] or 0), int(match[2]) if match[2] else None


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise ParameterError(
            "not an image size", where="--color-size", expected="WxH, as 640x480", found=text
        )
    return int(match[1]), int(match[2])


def _tell_cut(sens: SensReader) -> None:
    if sens.cut is not None:
        _tell(f"warning: {len(sens)} of {sens.header.frame_count} frames are left: {sens.cut.one_line()}")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
