"""A `.sens` as loose files: ScanNet's extracted layout.

`color/K.jpg` (or `.png`), `depth/K.png`, `pose/K.txt`, and `intrinsic/` with intrinsic and extrinsic
matrices; K is the frame's id, unpadded. Every file appears whole or not at all, so an export that was
interrupted goes on from where it was; `export.json` says what the folder holds, so that exports that differ
are not mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float

from vantage.core.atomic import is_temporary, refused, write_bytes
from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.core.hashing import canonical_json, digest_bytes
from vantage.core.progress import Progress
from vantage.scans.codecs import encode_png16
from vantage.scans.sens import SensFrame, SensReader
from vantage.scans.sens_format import pack_header
from vantage.scans.sens_selection import PARTS, Selection, in_order

_ENDS = {".jpg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82", ".txt": b"\n"}
_ENDING = {"jpeg": ".jpg", "png": ".png"}
_NOTE = "export.json"
_FOLDERS = (*PARTS, "intrinsic")


@dataclass
class Report:
    """What an export did: frames, files written and kept from before, bytes written, unreadable images."""

    frames: int = 0
    written: int = 0
    kept: int = 0
    size: int = 0
    bad: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count another one in."""
        self.written += other.written
        self.kept += other.kept
        self.size += other.size
        self.bad += other.bad


def export_files(sens: SensReader, out: Path, selection: Selection, progress: Progress) -> Report:
    """Write the selected frames of `sens` into the folder `out`.

    An unreadable image costs itself, and is told in the report. Depth pixels and poses are written as
    recorded, lost poses as -inf.

    Raises:
        ParameterError: `out` holds another export; no such frames.
        ResourceError: `out` cannot be written, the disk is full, or another export is at it.
        ScanError: the depth is of a kind that cannot be read.
    """
    indices = selection.indices(sens)
    _refuse_occi(sens, selection)
    report = Report(frames=len(indices))
    with _writing(out):
        _claim(sens, out, selection)
        _write_matrices(sens, out, selection)
        jobs = (_Job(sens, out, selection, index) for index in indices)
        for done, part in enumerate(in_order(_Job.run, jobs, selection.workers), start=1):
            report.add(part)
            progress.step(done, len(indices), f"{report.size / 1e6:.0f} MB written")
    return report


@dataclass(frozen=True)
class _Job:
    sens: SensReader
    out: Path
    selection: Selection
    index: int

    def run(self) -> Report:
        report, frame = Report(), self.sens.frame(self.index)
        for part in self.selection.parts:
            try:
                self._write(part, frame, report)
            except ScanError as error:
                report.bad.append(error.one_line())
        return report

    def _write(self, part: str, frame: SensFrame, report: Report) -> None:
        path = self.out / part / f"{frame.frame_id}{self._ending(part)}"
        if _is_whole(path, self._size(part, frame)):
            report.kept += 1
            return
        data = self._encoded(part, frame)
        write_bytes(path, data, sync=False)
        report.written += 1
        report.size += len(data)

    def _ending(self, part: str) -> str:
        if part == "color":
            return _ENDING[self.selection.color_encoding(self.sens)]
        return ".png" if part == "depth" else ".txt"

    def _size(self, part: str, frame: SensFrame) -> int | None:
        """The size that a copied image will have; None where it is not known before."""
        copied = self.sens.header.color_compression != "raw" and not self.selection.resizes(self.sens)
        return frame.color_size if part == "color" and copied else None

    def _encoded(self, part: str, frame: SensFrame) -> bytes:
        if part == "color":
            return self.selection.color(self.sens, frame)
        if part == "depth":
            return encode_png16(self.sens.depth(frame.index))
        return matrix_text(frame.T_raw_cam).encode()


def matrix_text(matrix: Float[np.ndarray, "r c"]) -> str:
    """Rows of numbers, the fewest digits that give the same float32 back; -inf stays -inf."""
    return "".join(" ".join(str(x) for x in row) + "\n" for row in np.asarray(matrix, dtype=np.float32))


def _is_whole(path: Path, size: int | None) -> bool:
    """Whether an earlier export finished this file: it has its size, or ends as its format does.

    Files appear by renaming; only a power cut can leave one empty or cut short.
    """
    try:
        with path.open("rb") as file:
            end = _ENDS[path.suffix]
            length = file.seek(0, 2)
            file.seek(max(length - len(end), 0))
            return length == size if size is not None else file.read() == end
    except FileNotFoundError:
        return False


def _refuse_occi(sens: SensReader, selection: Selection) -> None:
    if "depth" in selection.parts and sens.header.depth_compression == "occi_ushort":
        sens.depth(selection.indices(sens)[0])  # says what is wrong, and what to do


def _write_matrices(sens: SensReader, out: Path, selection: Selection) -> None:
    head = sens.header
    intrinsic_color = np.array(head.intrinsic_color)
    if selection.resizes(sens):
        intrinsic_color[:3, :3] = selection.cameras(sens)[0].matrix()
    matrices = {
        "intrinsic_color": intrinsic_color,
        "extrinsic_color": head.extrinsic_color,
        "intrinsic_depth": head.intrinsic_depth,
        "extrinsic_depth": head.extrinsic_depth,
    }
    for name, matrix in matrices.items():
        write_bytes(out / "intrinsic" / f"{name}.txt", matrix_text(matrix).encode(), sync=False)


def _claim(sens: SensReader, out: Path, selection: Selection) -> None:
    """Write down what the folder holds; refuse one that holds something else."""
    size = selection.color_size or (sens.header.color_width, sens.header.color_height)
    # The header and every record, sizes and time stamps included: no two recordings share them. A salvaged
    # file is the same recording as the whole one, up to where it was cut; it is another export all the same.
    content = digest_bytes(pack_header(sens.header) + sens.table.records.tobytes())
    note = canonical_json({"color_size": size, "recording": content})
    path = out / _NOTE
    held = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    if held and held != note:
        raise ParameterError(
            "the folder holds another export",
            where=path,
            expected=note,
            found=held[:200],
            hint="Choose another folder, or remove this one.",
        )
    if not held:
        if existing := [name for name in _FOLDERS if (out / name).exists()]:
            raise ParameterError(
                "the folder holds frames that are not of an export",
                where=out,
                found=", ".join(existing),
                hint="Choose another folder.",
            )
        write_bytes(path, f"{note}\n".encode())


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Hold the folder `out` for one export at a time, clear what a killed one left, explain refusals."""
    lock = FileLock(out / ".export.lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        try:
            for name in _leftovers(out):
                name.unlink(missing_ok=True)
            yield
        finally:
            lock.release()
    except Timeout as error:
        raise ResourceError(
            "another export is writing into this folder", where=out, hint="wait for it, or stop it"
        ) from error
    except OSError as error:
        raise refused(error, Path(error.filename2 or error.filename or out)) from error


def _leftovers(out: Path) -> Iterable[Path]:
    folders = (out, *(out / name for name in _FOLDERS))
    return [path for f in folders if f.is_dir() for path in f.iterdir() if is_temporary(path.name)]
