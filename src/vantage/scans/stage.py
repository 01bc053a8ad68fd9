"""The `download` and `extract` stages."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.core.hashing import digest_file, digest_json
from vantage.core.tasks import Facts, Task
from vantage.records.capture import write_capture
from vantage.records.frames import Frame, write_frames
from vantage.records.objects import write_objects, write_points
from vantage.records.scan import ScanMeta, write_scan
from vantage.scans import layout
from vantage.scans.alignment import alignment, recorded_alignment
from vantage.scans.annotations import read_aggregation
from vantage.scans.config import DownloadConfig, ExtractConfig
from vantage.scans.diagnosis.check import check_capture, require_agreement
from vantage.scans.diagnosis.examine import Claim
from vantage.scans.frames import dropped_reasons, judge, jumps
from vantage.scans.generated.config import scan_ids
from vantage.scans.labels import read_label_table, write_label_table
from vantage.scans.objects import LABEL_TABLE, read_annotations
from vantage.scans.raw import RawScan
from vantage.scans.scannet import AGGREGATION, find
from vantage.scans.source import convention_of, open_scan


def list_scans(config: DownloadConfig, seed: int) -> list[str]:
    """The source's scans, sorted; ParameterError when a folder is missing or a name unsafe."""
    if config.source == "generated":
        return scan_ids(config.generated)
    if config.folder.label_table:
        read_label_table(Path(config.folder.label_table).expanduser())  # a wrong path is told before any work
    return list(layout.scan_folders(config.folder))


def source_digest(config: DownloadConfig, scan_id: str) -> str:
    """What a scan is outside the workspace: a digest of names and contents; empty for generated ones.

    A generated scan follows from seed and parameters alone.
    """
    if config.source == "generated":
        return ""
    files = layout.scan_files(layout.scan_folder(config.folder, scan_id), scan_id)
    try:
        digests = {name: digest_file(path) for name, path in files.items()}
        if config.folder.label_table:
            table = Path(config.folder.label_table).expanduser()
            digests[LABEL_TABLE] = _digest_once(table, table.stat().st_mtime_ns)
    except OSError as error:
        raise ScanError(f"cannot read a file of the scan: {error}", where=scan_id) from error
    return digest_json(digests)


def download(task: Task, config: DownloadConfig) -> Facts:
    """Put a scan's raw files into `task.out`: made and rendered here, or taken from the user's folder."""
    if config.source == "generated":
        from vantage.scans.generated.scan import generate_scan
        from vantage.scans.generated.scan import write_scan as write_raw

        write_raw(generate_scan(task.item, task.seed, config.generated), task.out)
        return {"files": sum(p.is_file() for p in task.out.rglob("*"))}
    files = layout.scan_files(layout.scan_folder(config.folder, task.item), task.item)
    size = layout.take(files, task.out, config.folder.link)
    if config.folder.label_table:
        _write_needed_labels(Path(config.folder.label_table).expanduser(), task.out, task.item)
    return {"files": len(files), "bytes": size}


def extract(task: Task, config: ExtractConfig) -> Facts:
    """Write `scan.json`, `frames.parquet`, `objects.parquet`, `points.npz` and `capture.json` of a raw scan.

    A frame that cannot be used stays in the table with its reason. Raises ScanError when the scan is damaged,
    no frame is left, or its poses are bad.
    """
    raw_dir = task.inputs["download"]
    scan = open_scan(raw_dir, task.item, config.stride, config.capture)
    recorded = recorded_alignment(raw_dir, task.item)
    T_aligned_raw, rests_on = alignment(recorded, scan.up)
    annotations = read_annotations(raw_dir, task.item, T_aligned_raw)
    meta = ScanMeta(
        scan_id=task.item,
        room_id=room_of(task.item),
        T_aligned_raw=T_aligned_raw,
        color=scan.color,
        depth=scan.depth,
        depth_unit_m=scan.depth_unit_m,
        labelled=annotations.labelled,
    )
    frames = []
    for done, (raw, jump) in enumerate(zip(scan.frames, jumps(scan.frames), strict=True)):
        task.progress.step(done, len(scan.frames), f"frame {raw.frame_id}")
        frames.append(judge(raw_dir, meta, raw, jump, config))
    _require_kept(frames, task.item)
    claim = Claim(convention_of(raw_dir, scan, config.capture), recorded)
    capture = check_capture(raw_dir, scan, {f.frame_id for f in frames if f.kept}, claim)
    require_agreement(capture, config.min_depth_agreement, task.item)
    write_capture(task.out, capture)
    write_scan(task.out, meta)
    write_frames(task.out, frames)
    write_objects(task.out, annotations.objects)
    write_points(task.out, annotations.points)
    task.progress.step(len(frames), len(frames), "written")
    return {
        **_counts(frames, scan),
        "layout": scan.layout,
        "alignment": rests_on,
        "capture": capture.verdict,
        "depth_agreement": capture.share,
        "objects": len(annotations.objects),
        "unknown_labels": ", ".join(annotations.unknown),
        "objects_without_points": len(annotations.empty),
    }


def room_of(scan_id: str) -> str:
    """The room a scan was taken in: ScanNet numbers repeated scans of a room `_00`, `_01`, ..."""
    return re.sub(r"_\d\d$", "", scan_id)


def _require_kept(frames: list[Frame], scan_id: str) -> None:
    if not any(frame.kept for frame in frames):
        raise ScanError(
            "no usable frame",
            where=scan_id,
            expected="at least one frame with a pose, colour and depth",
            found=f"{len(frames)} frames dropped: {dropped_reasons(frames)}",
            hint="Look at the capture, or relax the thresholds of extract.",
        )


def _counts(frames: list[Frame], scan: RawScan) -> dict[str, int | str]:
    kept = sum(frame.kept for frame in frames)
    return {
        "recorded": scan.recorded,
        "frames": len(frames),
        "kept": kept,
        "dropped": len(frames) - kept,
        "dropped_reasons": dropped_reasons(frames),
        "extrinsics_ignored": int(scan.extrinsics),
    }


@functools.lru_cache(maxsize=4)
def _digest_once(path: Path, mtime_ns: int) -> str:
    """The digest of a file that every scan shares; `mtime_ns` tells when to take it anew."""
    return digest_file(path)


def _write_needed_labels(table: Path, out: Path, scan_id: str) -> None:
    """The rows of the label table that this scan uses: its outputs then depend on those alone."""
    aggregation = find(out, scan_id, AGGREGATION)
    if aggregation is not None:
        known = read_label_table(table)
        used = {group.label for group in read_aggregation(aggregation)}
        write_label_table(out / LABEL_TABLE, {label: known[label] for label in used & known.keys()})
