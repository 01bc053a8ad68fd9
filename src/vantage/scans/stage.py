"""The `download` and `extract` stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.core.hashing import digest_file, digest_json
from vantage.core.memo import Memo
from vantage.core.progress import Progress
from vantage.core.tasks import Cost, Facts, Task
from vantage.records.capture import write_capture
from vantage.records.frames import Frame, write_frames
from vantage.records.objects import write_objects, write_points
from vantage.records.scan import ScanMeta, room_of, write_scan
from vantage.scans import layout
from vantage.scans.alignment import alignment, recorded_alignment
from vantage.scans.annotation_release import require_known_labels
from vantage.scans.annotations import read_aggregation
from vantage.scans.capture_objects import capture_annotations
from vantage.scans.config import DownloadConfig, ExtractConfig
from vantage.scans.diagnosis.check import check_capture, require_agreement
from vantage.scans.diagnosis.examine import Claim
from vantage.scans.frames import dropped_reasons, judge, jumps
from vantage.scans.generated.config import scan_ids
from vantage.scans.labels import read_label_table, write_label_table
from vantage.scans.objects import LABEL_TABLE, read_annotations
from vantage.scans.raw import RawScan
from vantage.scans.release.config import ScannetConfig
from vantage.scans.release.files import RELEASE
from vantage.scans.scannet import AGGREGATION, find, require_own_files
from vantage.scans.source import convention_of, open_scan


def list_scans(config: DownloadConfig, seed: int) -> list[str]:
    """The source's scans, sorted; ParameterError when a folder is missing or a name unsafe."""
    if config.source == "generated":
        return scan_ids(config.generated)
    if config.source == "scannet":
        from vantage.scans.release.listing import list_scannet

        return list_scannet(config.scannet)
    if config.folder.label_table:
        read_label_table(Path(config.folder.label_table).expanduser())  # a wrong path is told before any work
    return list(layout.scan_folders(config.folder))


def source_digest(config: DownloadConfig, scan_id: str, memo: Memo) -> str:
    """What a scan is outside the workspace: a digest of names and contents; empty for generated ones.

    A generated scan follows from seed and parameters alone. Contents are read again only where a file's size
    or time differs from when `memo` learned them: a raw ScanNet has more than a terabyte. ScanNet's
    release is frozen: its name tells all, at no cost.
    """
    if config.source == "generated":
        return ""
    if config.source == "scannet":
        return RELEASE
    files = layout.scan_files(layout.scan_folder(config.folder, scan_id), scan_id)
    if config.folder.label_table:
        files[LABEL_TABLE] = Path(config.folder.label_table).expanduser()
    try:
        signature = digest_json({name: _state(path) for name, path in files.items()})
        return memo.get(
            scan_id, signature, lambda: digest_json({n: digest_file(p) for n, p in files.items()})
        )
    except OSError as error:
        raise ScanError(f"cannot read a file of the scan: {error}", where=scan_id) from error


def _state(path: Path) -> list[str | int]:
    state = path.stat()
    return [str(path.absolute()), state.st_size, state.st_mtime_ns, state.st_ino]


def download(task: Task, config: DownloadConfig) -> Facts:
    """Put a scan's raw files into `task.out`: made and rendered here, taken from a folder, or fetched."""
    if config.source == "generated":
        from vantage.scans.generated.scan import generate_scan
        from vantage.scans.generated.scan import write_scan as write_raw

        write_raw(generate_scan(task.item, task.seed, config.generated), task.out)
        return {"files": sum(p.is_file() for p in task.out.rglob("*"))}
    if config.source == "scannet":
        return _fetch(task, config.scannet)
    files = layout.scan_files(layout.scan_folder(config.folder, task.item), task.item)
    size = layout.take(files, task.out, config.folder.link)
    if config.folder.label_table:
        _write_needed_labels(Path(config.folder.label_table).expanduser(), task.out, task.item)
    return {"files": len(files), "bytes": size}


def download_cost(
    config: DownloadConfig, scans: Sequence[str], cache: Path, progress: Progress
) -> Cost | None:
    """What fetching `scans` will cost; None for sources that fetch nothing."""
    if config.source != "scannet":
        return None
    from vantage.scans.release.cost import fetch_cost

    return fetch_cost(config.scannet, scans, cache, progress)


def extract(task: Task, config: ExtractConfig) -> Facts:
    """Write `scan.json`, `frames.parquet`, `objects.parquet`, `points.npz` and `capture.json` of a raw scan.

    A scan without a mesh gets the points of its fused depth. A frame that cannot be used stays in the table
    with its reason. Raises ScanError when the scan is damaged, no frame is left, or its poses are bad.
    """
    raw_dir = task.inputs["download"]
    require_own_files(raw_dir, task.item)
    scan = open_scan(raw_dir, task.item, config.stride, config.capture, config.require_depth)
    recorded = recorded_alignment(raw_dir, task.item)
    cameras = ScanMeta(
        scan_id=task.item,
        room_id=room_of(task.item),
        T_aligned_raw=alignment(recorded, scan.up)[0],
        color=scan.color,
        depth=scan.depth,
        depth_unit_m=scan.depth_unit_m,
        labelled=False,
    )
    frames = []
    for done, (raw, jump) in enumerate(zip(scan.frames, jumps(scan.frames), strict=True)):
        task.progress.step(done, len(scan.frames), f"frame {raw.frame_id}")
        frames.append(judge(raw_dir, cameras, raw, jump, config))
    _require_kept(frames, task.item)
    claim = Claim(convention_of(raw_dir, scan, config.capture), recorded)
    checked = check_capture(raw_dir, scan, {f.frame_id for f in frames if f.kept}, claim)
    capture = checked.capture
    require_agreement(capture, config.min_depth_agreement, task.item)
    T_aligned_raw, rests_on = alignment(recorded, scan.up, checked.floor_m)
    annotations = read_annotations(raw_dir, task.item, T_aligned_raw)
    meta = replace(cameras, T_aligned_raw=T_aligned_raw, labelled=annotations.labelled)
    if not annotations.labelled:
        annotations = capture_annotations(task, meta, frames, annotations.points, config.fusion)
        meta = replace(meta, labelled=annotations.labelled)
    write_capture(task.out, capture)
    write_scan(task.out, meta)
    write_frames(task.out, frames)
    write_objects(task.out, annotations.objects)
    write_points(task.out, annotations.points)
    unknown = ", ".join(f"{label} {count}" for label, count in annotations.unknown.items())
    if unknown:
        task.progress.say(f"{task.item}: labels without an NYU40 class, by number of objects: {unknown}")
    task.progress.step(len(frames), len(frames), "written")
    return {
        **_counts(frames, scan),
        "layout": scan.layout,
        "alignment": rests_on,
        "capture": capture.verdict,
        "depth_agreement": capture.share,
        "objects": len(annotations.objects),
        "unknown_labels": unknown,
        "objects_without_points": len(annotations.empty),
        **annotations.facts,
    }


def _fetch(task: Task, config: ScannetConfig) -> Facts:
    from vantage.scans.release.scan import fetch_scan

    fetched = fetch_scan(task, config)
    # The files stay in the stage's cache as well: another parameter or version of the code links them again.
    layout.take(fetched.files, task.out, link=True)
    if fetched.label_table is not None:
        _write_needed_labels(fetched.label_table, task.out, task.item)
    return fetched.facts


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


def _write_needed_labels(table: Path, out: Path, scan_id: str) -> None:
    """The rows of the label table that this scan uses: its outputs then depend on those alone."""
    aggregation = find(out, scan_id, AGGREGATION)
    if aggregation is not None:
        known, labels = (
            read_label_table(table),
            {group.label for group in read_aggregation(aggregation).groups},
        )
        require_known_labels(aggregation.name, labels, known, table.name)
        write_label_table(out / LABEL_TABLE, known, labels)
