"""Content digests: the same content gives the same digest on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def digest_bytes(data: bytes) -> str:
    """SHA-256 of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces, refusing NaN: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_json(value: Any) -> str:
    """Digest of a JSON-able value by its canonical text."""
    return digest_bytes(canonical_json(value).encode())


def digest_files(digests: Mapping[str, str]) -> str:
    """Digest of a folder from its files' digests, keyed by POSIX relative path."""
    return digest_json(dict(digests))


def file_digests(folder: Path) -> dict[str, str]:
    """Digest of every file below `folder`, keyed by POSIX relative path, in sorted order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in paths}


def digest_tree(path: Path) -> str:
    """Digest of a file, or of a folder by the names and contents of the files below it."""
    return digest_file(path) if path.is_file() else digest_files(file_digests(path))
