"""A `.sens` as loose files in ScanNet's extracted layout, or as a smaller `.sens`.

What is skipped is never read: stride and range come before the images, and a smaller colour image is unpacked
at reduced scale. A JPEG that keeps its size is copied byte for byte, depth keeps its pixels.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vantage.core.errors import ParameterError, ScanError
from vantage.core.progress import Progress
from vantage.geometry.camera import Pinhole
from vantage.records.arrays import write_arrays
from vantage.scans.codecs import (
    decode_color,
    decode_depth,
    encode_png,
    encode_png16,
    image_size,
    shrink_color,
)
from vantage.scans.export_folder import at_work, claim, write_whole, writing
from vantage.scans.layouts.writing import matrix_text, square
from vantage.scans.packed_ids import write_ids
from vantage.scans.raw import pinhole
from vantage.scans.sens import SensFrame, SensReader, SensWriter

PARTS = ("color", "depth", "pose")
_ENDS = {".jpg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82", ".txt": b"\n"}


@dataclass(frozen=True)
class Selection:
    """Which frames, and how.

    Attributes:
        stride: every so many frames, counted from `first`.
        first, last: from frame `first` up to, not including, `last`; to the end for None.
        color_size: width and height of the colour images; None to keep them.
        parts: of `color`, `depth`, `pose`; files only.
    """

    stride: int = 1
    first: int = 0
    last: int | None = None
    color_size: tuple[int, int] | None = None
    parts: tuple[str, ...] = PARTS

    def frames(self, total: int) -> range:
        """Indices of the frames chosen from `total`; ParameterError when there is none."""
        chosen = range(self.first, total if self.last is None else min(self.last, total), self.stride)
        if not chosen:
            found = f"{self.first} to {self.last}"
            raise ParameterError(
                "no frame is left to export", expected=f"frames 0 to {total - 1}", found=found
            )
        return chosen


def export_files(
    sens: SensReader, out: Path, selection: Selection, progress: Progress, workers: int = 2
) -> int:
    """Write `color/K.jpg`, `depth/K.png`, `pose/K.txt` and `intrinsic/*.txt`; K is the index in the `.sens`.

    Every file appears whole, by a rename: an export that was stopped goes on where it was, and two into one
    folder do no harm. Lost poses are written as -inf. Returns the number of files written now.

    Raises ParameterError when the folder holds another export, ResourceError when it cannot be written, and
    ScanError after all others are written when images were unreadable.
    """
    chosen = selection.frames(len(sens))
    with writing(out):
        claim(out, _identity(sens, selection))
        with at_work(out), ThreadPoolExecutor(workers) as pool:
            _write_cameras(out / "intrinsic", sens, selection.color_size)
            jobs, bad = list(missing_files(sens, out, chosen, selection)), []
            for done, error in enumerate(pool.map(partial(_done, out), jobs), start=1):
                bad += [error] if error else []
                progress.step(done, len(jobs), "files")
    _tell_unreadable(bad, sens)
    return len(jobs)


def export_packed(sens: SensReader, out: Path, selection: Selection, progress: Progress) -> int:
    """Write the chosen frames as a smaller `.sens`; depth is copied as it is packed. Returns their number.

    Frames are numbered anew in it: `<out>.frames.json` beside it tells which they were, and whoever reads it
    as a scan gets those ids. Raises ScanError after the file is written when frames were left out because
    their colour was unreadable.
    """
    chosen, head = selection.frames(len(sens)), sens.header
    color, depth = cameras(sens, selection.color_size)
    bad, taken = [], []
    with (
        writing(out),
        SensWriter(
            out,
            color,
            depth,
            sensor_name=head.sensor_name,
            color_compression="jpeg" if selection.color_size else head.color_compression,
            depth_compression=head.depth_compression,
            extrinsic_color=head.extrinsic_color,
            extrinsic_depth=head.extrinsic_depth,
            depth_shift=head.depth_shift,
        ) as writer,
    ):
        for done, index in enumerate(chosen):
            frame = sens.frame(index)
            packed = sens.blob(frame.depth_offset, frame.depth_size)
            times = frame.timestamp_color, frame.timestamp_depth
            try:
                image = color_bytes(sens, frame, selection.color_size)
            except ScanError as error:
                bad.append(error)
            else:
                writer.add_packed(image, packed, frame.T_raw_cam, *times)
                taken.append(index)
            progress.step(done + 1, len(chosen), "frames")
        # Before the file appears: a sidecar alone says nothing wrong, a file alone would.
        write_ids(out, sens.path.name, taken, sens.poses()[taken])
    _tell_unreadable(bad, sens)
    return len(taken)


def write_poses(sens: SensReader, out: Path) -> int:
    """Write every pose: an NPZ (`T_raw_cam`, `frame_ids`, `timestamps_us`), or a folder of `K.txt`."""
    frames = sens.frames()
    with writing(out):
        if out.suffix == ".npz":
            part = out.with_name(f".{out.stem}.{uuid.uuid4().hex[:8]}.npz")
            times = np.array([frame.timestamp_color for frame in frames], dtype=np.int64)
            ids = np.arange(len(frames))
            write_arrays(part, {"T_raw_cam": sens.poses(), "frame_ids": ids, "timestamps_us": times})
            part.replace(out)
        else:
            out.mkdir(parents=True, exist_ok=True)
            for frame in frames:
                write_whole(out / f"{frame.index}.txt", matrix_text(frame.T_raw_cam).encode())
    return len(frames)


def cameras(sens: SensReader, color_size: tuple[int, int] | None) -> tuple[Pinhole, Pinhole]:
    """The colour camera at the wanted size, and the depth camera."""
    head, file = sens.header, sens.path.name
    color = pinhole(head.color_width, head.color_height, head.intrinsic_color, f"{file}, intrinsic_color")
    depth = pinhole(head.depth_width, head.depth_height, head.intrinsic_depth, f"{file}, intrinsic_depth")
    return (color if color_size is None else color.resized(*color_size)), depth


_Job = tuple[str, Callable[[], bytes]]


def missing_files(sens: SensReader, out: Path, chosen: range, selection: Selection) -> Iterator[_Job]:
    """Names of the files that `out` lacks, and what makes their bytes."""
    table, size = sens.frames(), selection.color_size
    jpeg = size is not None or sens.header.color_compression == "jpeg"
    makers: dict[str, tuple[str, Callable[[SensFrame], bytes]]] = {
        "color": (".jpg" if jpeg else ".png", partial(color_bytes, sens, size=size, as_file=True)),
        "depth": (".png", partial(depth_png, sens)),
        "pose": (".txt", lambda frame: matrix_text(frame.T_raw_cam).encode()),
    }
    for index in chosen:
        for part in selection.parts:
            suffix, make = makers[part]
            copied = part == "color" and size is None and sens.header.color_compression != "raw"
            if not _is_whole(out / part / f"{index}{suffix}", table[index].color_size if copied else None):
                yield f"{part}/{index}{suffix}", partial(make, table[index])


def _is_whole(path: Path, size: int | None) -> bool:
    """Whether the file is there with the size that is known, or ends as its format does.

    Files appear by renaming, so only a power cut can leave one empty or short.
    """
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(length - len(_ENDS[path.suffix]), 0))
            return length == size if size is not None else file.read() == _ENDS[path.suffix]
    except FileNotFoundError:
        return False


def _done(out: Path, job: _Job) -> ScanError | None:
    """Write a file; what its image's reader raises, if it does."""
    name, make = job
    try:
        write_whole(out / name, make())
    except ScanError as error:
        return error
    return None


def _tell_unreadable(bad: list[ScanError], sens: SensReader) -> None:
    if bad:
        shown = [error.one_line() for error in bad[:5]]
        raise ScanError(
            "some images are unreadable; the others are exported",
            where=sens.path.name,
            found="\n    ".join([f"{len(bad)}, the first:", *shown]),
        )


def color_bytes(
    sens: SensReader, frame: SensFrame, size: tuple[int, int] | None, as_file: bool = False
) -> bytes:
    """A frame's colour: the bytes as recorded, or a JPEG of another size; raw colour as PNG for a file.

    ScanError when it is no image of the header's size; one that is copied is looked at by its header alone.
    """
    data, kind = sens.blob(frame.color_offset, frame.color_size), sens.header.color_compression
    where = f"{sens.path.name}, frame {frame.index}, byte {frame.color_offset}"
    shape = (sens.header.color_height, sens.header.color_width)
    if kind == "raw":
        rgb = decode_color(data, kind, shape, where)
        data = encode_png(rgb) if as_file or size is not None else data
    elif size is None and (found := image_size(data, where)) != shape:
        expected, told = (f"{w}x{h} pixels" for h, w in (shape, found))
        raise ScanError("an image of the wrong size", where=where, expected=expected, found=told)
    return data if size is None else shrink_color(data, size, shape, where)


def depth_png(sens: SensReader, frame: SensFrame) -> bytes:
    """A frame's depth as a 16 bit PNG of the same pixels."""
    head = sens.header
    where = f"{sens.path.name}, frame {frame.index}, byte {frame.depth_offset}"
    data = sens.blob(frame.depth_offset, frame.depth_size)
    shape = (head.depth_height, head.depth_width)
    return encode_png16(decode_depth(data, head.depth_compression, shape, where))


def _write_cameras(folder: Path, sens: SensReader, color_size: tuple[int, int] | None) -> None:
    color, depth = cameras(sens, color_size)
    matrices = {
        "intrinsic_color": square(color),
        "intrinsic_depth": square(depth),
        "extrinsic_color": sens.header.extrinsic_color,
        "extrinsic_depth": sens.header.extrinsic_depth,
    }
    for name, matrix in matrices.items():
        write_whole(folder / f"{name}.txt", matrix_text(matrix).encode())


def _identity(sens: SensReader, selection: Selection) -> dict[str, Any]:
    """What makes two exports into one folder the same."""
    head = sens.header
    return {
        "source": sens.path.name,
        "bytes": sens.path.stat().st_size,
        "frames": head.frame_count,
        "color_size": selection.color_size and list(selection.color_size),
        "depth_shift": head.depth_shift,
    }
