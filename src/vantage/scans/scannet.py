"""ScanNet's raw scan folder: the names of its files, and their readers and writers in one place."""

from __future__ import annotations

from pathlib import Path

from vantage.core.errors import ScanError
from vantage.scans.annotations import (
    Group,
    read_aggregation,
    read_attributes,
    read_segments,
    write_aggregation,
    write_attributes,
    write_segments,
)
from vantage.scans.ply import Mesh, read_ply, write_ply
from vantage.scans.scan_txt import axis_alignment, read_scan_txt, write_scan_txt

__all__ = [
    "AGGREGATION",
    "ANNOTATION_ENDINGS",
    "ATTRIBUTES",
    "LABELS",
    "MESH",
    "SEGMENTS",
    "SENS",
    "TXT",
    "Group",
    "Mesh",
    "axis_alignment",
    "find",
    "read_aggregation",
    "read_attributes",
    "read_ply",
    "read_scan_txt",
    "read_segments",
    "require_own_files",
    "stem",
    "write_aggregation",
    "write_attributes",
    "write_ply",
    "write_scan_txt",
    "write_segments",
]

# A file is named by the scan's id followed by one of these.
SENS = ".sens"
MESH = "_vh_clean_2.ply"
LABELS = "_vh_clean_2.labels.ply"
SEGMENTS = "_vh_clean_2.0.010000.segs.json"
AGGREGATION = ".aggregation.json"
TXT = ".txt"
ATTRIBUTES = ".attributes.json"

ANNOTATION_ENDINGS = (MESH, LABELS, SEGMENTS, AGGREGATION, TXT, ATTRIBUTES)


def stem(folder: Path, scan_id: str) -> str:
    """What the scan's files are named by: the stem of its `.sens` or mesh, else `scan_id`.

    A folder may have been renamed, so its own name says nothing. ScanError when two scans share the folder.
    """
    for ending in (SENS, MESH):
        found = sorted(
            p.name for p in folder.iterdir() if p.name.endswith(ending) and not p.name.startswith(".")
        )
        if len(found) > 1:
            expected, names = f"one *{ending}", ", ".join(found)
            raise ScanError("a folder holds several scans", where=scan_id, expected=expected, found=names)
        if found:
            return found[0].removesuffix(ending)
    return scan_id


def find(folder: Path, scan_id: str, ending: str) -> Path | None:
    """The scan's file with this ending, None when there is none."""
    name = stem(folder, scan_id)
    if Path(name).name != name or name == "..":
        raise ScanError("not a scan's id", where=scan_id, expected="a name without folders", found=repr(name))
    path = folder / f"{name}{ending}"
    return path if path.is_file() else None


def require_own_files(folder: Path, scan_id: str) -> None:
    """ScanError when a symbolic link in a raw scan's folder leads out of it.

    `download` follows the links of a user's folder and takes what they point to; in what it wrote there are
    none. One that leaves the folder would make a scan depend on what is not part of it.
    """
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise ScanError(
                "a link out of the scan's folder",
                where=f"{scan_id}, {path.relative_to(folder).as_posix()}",
                expected="files of the scan itself",
                found="a symbolic link to a place outside",
                hint="Let download take the scan: it follows links and copies what they point to.",
            )
