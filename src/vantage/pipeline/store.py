"""Finished items by content: `.vantage/store/<stage>/<key>/` holds `out/` and `manifest.json`.

A key is the hash of all that decides an item's output: the stage, the item, the stage's code, its parameters,
the seed and the digests of the item's inputs. Entries appear whole, by a rename, and their files are
read-only; output folders are made of hard links to them.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from vantage.core import atomic
from vantage.core.hashing import digest_file, digest_files
from vantage.core.tasks import Facts

MANIFEST = "manifest.json"
OUT = "out"
_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class StoredFile:
    """One file of an entry; size in bytes and time tell quickly whether somebody changed it."""

    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Manifest:
    """What is known about a finished item.

    Attributes:
        stage: the stage that made it.
        item: scan id, arm, or the stage's name.
        status: `done`, or `set_aside` with a reason.
        digest: digest of the files, by name and content; empty when set aside.
        reason: why it was set aside.
        files: the files by POSIX path below the item's folder.
        facts: what the body reported.
        seconds: how long the body took.
    """

    stage: str
    item: str
    status: Literal["done", "set_aside"]
    digest: str = ""
    reason: str = ""
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


class Store:
    """The finished items of one stage.

    Args:
        folder: where the entries lie; made when the first one is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entry(self, key: str) -> Path:
        """The folder of an entry, there or not."""
        return self.folder / key

    def files(self, key: str) -> Path:
        """The folder that holds an entry's files."""
        return self.entry(key) / OUT

    def read(self, key: str) -> Manifest | None:
        """The manifest of an entry, unverified; None if there is no readable one."""
        try:
            value = json.loads((self.entry(key) / MANIFEST).read_text(encoding="utf-8"))
            files = {name: StoredFile(**file) for name, file in value.pop("files").items()}
            return Manifest(**value, files=files)
        except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
            return None

    def find(self, key: str) -> Manifest | None:
        """A verified entry, or None; an entry whose files were changed is discarded."""
        manifest = self.read(key)
        if manifest is not None and intact(self.files(key), manifest.files):
            return manifest
        if self.entry(key).exists():
            self.discard(key)
        return None

    def discard(self, key: str) -> None:
        """Remove an entry; a kill on the way leaves no half of it under its key."""
        gone = self.folder / f"{_TEMPORARY}{uuid.uuid4().hex[:8]}"
        self.entry(key).rename(gone)
        _remove(gone)

    def begin(self) -> Path:
        """A new temporary folder with an empty `out/` in it, to be given to `commit` or `abandon`."""
        temporary = self.folder / f"{_TEMPORARY}{uuid.uuid4().hex[:8]}"
        (temporary / OUT).mkdir(parents=True)
        return temporary

    def commit(self, temporary: Path, key: str, manifest: Manifest) -> Manifest:
        """Make `temporary` the entry of `key`; returns the manifest with its files and digest.

        Files are flushed to disk and made read-only before the entry appears under its key.
        """
        files = {} if manifest.status == "set_aside" else _seal(temporary / OUT)
        digest = digest_files({name: file.sha256 for name, file in files.items()}) if files else ""
        whole = Manifest(**{**_shallow(manifest), "files": files, "digest": digest})
        if manifest.status == "set_aside":
            _remove(temporary / OUT)
            (temporary / OUT).mkdir()
        atomic.write_json(temporary / MANIFEST, asdict(whole))
        if self.entry(key).exists():
            self.discard(key)
        temporary.rename(self.entry(key))
        atomic.sync_folder(self.folder)
        return whole

    def abandon(self, temporary: Path) -> None:
        """Remove a temporary folder."""
        _remove(temporary)

    def clean(self) -> None:
        """Remove what killed runs left half done; call it only while no other run works on the stage."""
        for left in self.folder.glob(f"{_TEMPORARY}*"):
            _remove(left)


def intact(folder: Path, files: Mapping[str, StoredFile]) -> bool:
    """Whether a folder holds exactly these files; content is read only where size or time differ."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if found != set(files):
        return False
    return all(_unchanged(folder / name, file) for name, file in files.items())


def _unchanged(path: Path, file: StoredFile) -> bool:
    state = path.stat()
    if (state.st_size, state.st_mtime_ns) == (file.size, file.mtime_ns):
        return True
    return state.st_size == file.size and digest_file(path) == file.sha256


def describe(folder: Path) -> dict[str, StoredFile]:
    """Every file below a folder, read and hashed."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        state = path.stat()
        name = path.relative_to(folder).as_posix()
        files[name] = StoredFile(digest_file(path), state.st_size, state.st_mtime_ns)
    return files


def _seal(folder: Path) -> dict[str, StoredFile]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    return describe(folder)


def _shallow(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
