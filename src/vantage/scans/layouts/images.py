"""Numbered images of a recording: finding them, pointing at them, and the camera that took them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.records.frames import PixelRef
from vantage.scans.codecs import image_size
from vantage.scans.raw import NOWHERE

_ENCODING = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}


def by_number(paths: Iterable[Path], pattern: str, where: str) -> dict[int, Path]:
    """The paths whose whole name matches `pattern`, by the number that is its first group.

    Padded and unpadded names may be mixed. Raises ScanError when two files claim one number.
    """
    found: dict[int, Path] = {}
    for path in sorted(paths):
        match = re.fullmatch(pattern, path.name, re.ASCII | re.IGNORECASE)
        if match is None:
            continue
        other = found.setdefault(int(match[1]), path)
        if other is not path:
            names = f"{other.name} and {path.name}"
            raise ScanError("two files for one frame", where=where, expected="one file an id", found=names)
    return found


def ref(folder: Path, path: Path | None) -> PixelRef:
    """Where an image file lies in its scan's folder; nowhere for None."""
    if path is None or not path.is_file():
        return NOWHERE
    name = path.relative_to(folder).as_posix()
    return PixelRef(name, 0, path.stat().st_size, _ENCODING[path.suffix.lower()])


def size_of(images: Iterable[Path], part: str) -> tuple[int, int]:
    """Width and height of the first image that can be read; the first one's ScanError when none can."""
    reason: ScanError | None = None
    for path in images:
        try:
            height, width = image_size(path.read_bytes(), f"{part}/{path.name}")
            return width, height
        except ScanError as error:
            reason = reason or error
        except OSError as error:
            reason = reason or ScanError(f"cannot read an image: {error.strerror}", where=path.name)
    if reason is not None:
        raise reason
    raise ScanError(f"no {part} images", where=f"{part}/", expected="one image a frame", found="none")


def lacking(**parts: PixelRef | None) -> str:
    """What a frame lacks, in words; empty when it has every part. None stands for a part that is there."""
    names = [name for name, part in parts.items() if part is not None and part == NOWHERE]
    return f"no {' and no '.join(names)} file" if names else ""
