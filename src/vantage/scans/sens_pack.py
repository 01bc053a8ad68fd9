"""A `.sens` as a smaller `.sens`: fewer frames, smaller colour, one file that every reader of `.sens` reads.

Other readers count its frames from 0; ours give them the ids they had (`vantage.scans.sens_tail`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vantage.core.atomic import refused
from vantage.core.errors import ParameterError, ScanError
from vantage.core.progress import Progress
from vantage.scans.codecs import encode_depth
from vantage.scans.sens import SensFrame, SensReader, SensWriter
from vantage.scans.sens_export import Report
from vantage.scans.sens_selection import PARTS, Selection, in_order


def export_packed(sens: SensReader, out: Path, selection: Selection, progress: Progress) -> Report:
    """Write the selected frames of `sens` into `out`, a new `.sens`; it appears when it is whole.

    Images are copied where they can be: depth unless it is raw, which is packed without loss, colour unless
    its size changes or it is raw. A frame whose colour is unreadable is left out, and told in the report.

    Raises:
        ParameterError: `out` exists; no such frames; not all parts are asked for.
        ResourceError: `out` cannot be written, or the disk is full.
        ScanError: the depth is of a kind that cannot be packed.
    """
    if set(selection.parts) != set(PARTS):
        found = ", ".join(selection.parts)
        raise ParameterError("a .sens holds every part", expected=", ".join(PARTS), found=found)
    if out.exists():
        raise ParameterError("the file exists", where=out, hint="Choose another folder, or remove the file.")
    if sens.header.depth_compression == "occi_ushort":
        sens.depth(selection.indices(sens)[0])  # says what is wrong, and what to do
    indices = selection.indices(sens)
    report = Report(frames=len(indices))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _writer(sens, out, selection) as writer:
            images = in_order(_images(sens, selection), indices, selection.workers)
            for done, (frame, pair) in enumerate(images, start=1):
                _add(writer, frame, pair, report)
                progress.step(done, len(indices), f"{report.size / 1e6:.0f} MB written")
    except OSError as error:
        raise refused(error, out) from error
    return report


@dataclass(frozen=True)
class _Pair:
    color: bytes
    depth: bytes


def _images(sens: SensReader, selection: Selection) -> Callable[[int], tuple[SensFrame, _Pair | ScanError]]:
    def images(index: int) -> tuple[SensFrame, _Pair | ScanError]:
        frame = sens.frame(index)
        try:
            color = selection.color(sens, frame)
            raw = sens.header.depth_compression == "raw_ushort"
            return frame, _Pair(color, encode_depth(sens.depth(index)) if raw else sens.depth_blob(frame))
        except ScanError as error:
            return frame, error

    return images


def _add(writer: SensWriter, frame: SensFrame, pair: _Pair | ScanError, report: Report) -> None:
    if isinstance(pair, ScanError):
        report.bad.append(pair.one_line())
        return
    writer.add_stored(
        pair.color,
        pair.depth,
        frame.T_raw_cam,
        frame.timestamp_color,
        frame.timestamp_depth,
        frame_id=frame.frame_id,
    )
    report.written += 1
    report.size += len(pair.color) + len(pair.depth)


def _writer(sens: SensReader, out: Path, selection: Selection) -> SensWriter:
    head = sens.header
    color, depth = selection.cameras(sens)
    return SensWriter(
        out,
        color,
        depth,
        sensor_name=head.sensor_name,
        depth_shift=head.depth_shift,
        color_compression=selection.color_encoding(sens),
        depth_compression="zlib_ushort",
        extrinsic_color=head.extrinsic_color,
        extrinsic_depth=head.extrinsic_depth,
        keep_ids=True,
    )
