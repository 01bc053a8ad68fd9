"""Folders of the user: which scans they hold, which files make a scan, and taking those."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.scans.box_file import BOXES_FILE
from vantage.scans.config import FolderConfig
from vantage.scans.frame_masks import find_masks, label_files
from vantage.scans.layouts import LAYOUTS
from vantage.scans.layouts.parts import under
from vantage.scans.scannet import ANNOTATION_ENDINGS, stem
from vantage.scans.source import matching

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEY = "download.folder"
_WRITING = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)


def check_name(name: str) -> str:
    """`name` if it can be a scan's id and folder name; ParameterError when it could leave the folder."""
    if not _SAFE.fullmatch(name) or ".." in name:
        raise ParameterError(
            "not a safe name for a scan",
            where=f"{_KEY}.scans",
            expected="letters, digits, dots, dashes and underscores, starting with a letter or digit",
            found=repr(name),
            hint="Rename the scan's folder.",
        )
    return name


def is_scan(folder: Path) -> bool:
    """Whether `folder` holds a scan in a known layout."""
    try:
        return bool(matching(folder))
    except PermissionError:
        return True  # to be set aside with its reason, not overlooked


def scan_folders(config: FolderConfig) -> dict[str, Path]:
    """The scan folders to take, by name, sorted.

    Raises ParameterError naming the key when the path or a named scan is missing, or nothing is found.
    """
    root = _root(config)
    if is_scan(root):
        found = {check_name(root.resolve().name): root}
    else:
        folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        found = {check_name(p.name): p for p in folders if p.name in config.scans or is_scan(p)}
    for name in config.scans:
        if check_name(name) not in found:
            raise ParameterError(
                f"no scan folder {name!r}",
                where=f"{_KEY}.scans",
                expected=f"a folder of {root}",
                found=", ".join(list(found)[:8]) or "no scan folder at all",
                hint="Correct the name, or take it out of the list.",
            )
    found = {name: path for name, path in found.items() if not config.scans or name in config.scans}
    if not found:
        raise ParameterError(
            "no scans in the folder",
            where=f"{_KEY}.path",
            expected=f"a scan, in it or in its sub-folders, as {', '.join(LAYOUTS.names())}",
            found=f"{root} without any",
        )
    return found


def scan_folder(config: FolderConfig, scan_id: str) -> Path:
    """The folder of one scan; ScanError when it has gone since the scans were listed."""
    root = _root(config)
    if is_scan(root) and root.resolve().name == scan_id:
        return root
    folder = root / check_name(scan_id)
    if not folder.is_dir():
        raise ScanError(
            "the scan's folder is gone", where=folder, expected="a scan folder", found="nothing there"
        )
    return folder


def _root(config: FolderConfig) -> Path:
    hint = f"Set {_KEY}.path to the folder that holds your scans, or download.source to generated."
    if not config.path:
        raise ParameterError("the folder of scans is not set", where=f"{_KEY}.path", found="''", hint=hint)
    root = Path(config.path).expanduser()
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing there"
        raise ParameterError(
            f"no folder {config.path}", where=f"{_KEY}.path", expected="a folder", found=found, hint=hint
        )
    return root


def scan_files(folder: Path, scan_id: str) -> dict[str, Path]:
    """The files that make a scan, by POSIX path relative to its folder, sorted; the rest is left alone.

    ScanError when the folder cannot be read or holds none.
    """
    try:
        files = _files(folder, stem(folder, scan_id))
    except PermissionError as error:
        raise ScanError("cannot read the scan's folder", where=folder, found=error.strerror) from error
    if not files:
        raise ScanError("the scan folder holds no files of a scan", where=folder)
    return dict(sorted(files.items()))


def _files(folder: Path, prefix: str) -> dict[str, Path]:
    files = {name: path for layout in matching(folder) for name, path in layout.files(folder, prefix).items()}
    for ending in ANNOTATION_ENDINGS:
        if (path := folder / f"{prefix}{ending}").is_file():
            files[path.name] = path
    return files | _annotating(folder)


def _annotating(folder: Path) -> dict[str, Path]:
    """Masks of frames and what names their objects, and boxes, whatever the layout."""
    masks = find_masks(folder)
    found = [*(masks.files.values() if masks is not None else ()), *label_files(folder)]
    if (boxes := folder / BOXES_FILE).is_file():
        found.append(boxes)
    return under(folder, found)


def take(files: dict[str, Path], out: Path, link: bool) -> int:
    """Copy or hard-link `files` into `out` under their names; returns bytes.

    Symbolic links are followed: a capture made of links to a data disk is taken as what they point to.

    Raises:
        ScanError: a file of the scan cannot be read, or has gone.
        ResourceError: `out` cannot be written: read-only, or full.
    """
    total = 0
    for name, source in files.items():
        target = out / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(out, error) from error
        try:
            total += _take(source.resolve(), target, link)
        except OSError as error:
            raise _refusal(error, source, out) from error
    return total


def _refusal(error: OSError, source: Path, out: Path) -> ScanError | ResourceError:
    # Copying names the file that failed, and for a full disk both.
    named = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if name is not None]
    if error.errno in _WRITING or any(path.is_relative_to(out) for path in named):
        return _cannot_write(out, error)
    gone = isinstance(error, FileNotFoundError)
    message = "a file of the scan is gone" if gone else "cannot read a file of the scan"
    return ScanError(message, where=source, found=error.strerror)


def _cannot_write(out: Path, error: OSError) -> ResourceError:
    hint = "Free some space, or make the folder writable, and run again."
    return ResourceError("cannot write the scan's files", where=out, found=error.strerror, hint=hint)


def _take(source: Path, target: Path, link: bool) -> int:
    if link:
        try:
            os.link(source, target)
            return target.stat().st_size
        except OSError:
            pass  # another file system, or one without hard links: copy
    shutil.copyfile(source, target)
    return target.stat().st_size
