"""A file on its way: `.NAME.part` grows until it is NAME; `.NAME.json` remembers which content it is."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from vantage.core import atomic
from vantage.core.hashing import digest_file

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Note:
    """What is known about a file.

    Attributes:
        source: where it comes from, below the address.
        etag, modified: the server's names for this content; empty when it gave none.
        total: its size in bytes; None while nobody told.
        algorithm, digest: the server's checksum; empty when it gave none.
        sha256, mtime_ns: of the finished file; empty and 0 before.
    """

    source: str
    etag: str = ""
    modified: str = ""
    total: int | None = None
    algorithm: str = ""
    digest: str = ""
    sha256: str = ""
    mtime_ns: int = 0


class Part:
    """The file `target`, there, begun or missing. One process at a time may write it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._part = target.with_name(f".{target.name}.part")
        self._json = target.with_name(f".{target.name}.json")
        self._note = self._read()

    @property
    def note(self) -> Note | None:
        """What is known; None before the first answer."""
        return self._note

    @property
    def size(self) -> int:
        """Bytes of the finished file."""
        return self.target.stat().st_size

    def finished(self) -> bool:
        """Whether the file is there as it came, and was not changed since."""
        note = self._note
        if note is None or not note.sha256 or not self.target.is_file():
            return False
        state = self.target.stat()
        if state.st_size != note.total:
            return False
        return state.st_mtime_ns == note.mtime_ns or digest_file(self.target) == note.sha256

    def begun(self, source: str) -> int:
        """Bytes to go on from; 0 when nothing usable of `source` is there."""
        if self._note is None or self._note.source != source or not self._part.is_file():
            return 0
        return self._part.stat().st_size

    def begin(self, note: Note) -> None:
        """Start with nothing. The former bytes go first: they must never be taken for the new content."""
        self.drop()
        atomic.write_json(self._json, asdict(note))
        self._note = note

    def drop(self) -> None:
        """Forget what was begun."""
        self._part.unlink(missing_ok=True)

    def append(self) -> BinaryIO:
        """The part, opened to write on at its end; unbuffered, so that a kill loses nothing."""
        return self._part.open("ab", buffering=0)

    def mismatch(self) -> tuple[str, str] | None:
        """Expected and found where the whole part is not what its checksum says; None where it is."""
        note = self._note
        assert note is not None
        if not note.algorithm:
            return None
        state = hashlib.new(note.algorithm, usedforsecurity=False)
        with self._part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
        if state.hexdigest() == note.digest:
            return None
        return f"{note.algorithm} {note.digest}", state.hexdigest()

    def finish(self) -> None:
        """Give the whole part its name, flushed to disk."""
        assert self._note is not None
        with self._part.open("rb") as file:
            os.fsync(file.fileno())
            state = os.fstat(file.fileno())
        self._note = replace(
            self._note, total=state.st_size, sha256=digest_file(self._part), mtime_ns=state.st_mtime_ns
        )
        atomic.write_json(self._json, asdict(self._note))
        self._part.replace(self.target)
        atomic.sync_folder(self.target.parent)

    def _read(self) -> Note | None:
        try:
            return Note(**json.loads(self._json.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None  # without it nothing begun is used
