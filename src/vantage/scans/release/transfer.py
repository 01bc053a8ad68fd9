"""One file from the server to its place: begun, gone on with, checked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import urllib3

from vantage.core.errors import ScanUnavailableError, VantageError
from vantage.core.patience import FaultError, Patience
from vantage.scans.release.client import Client, body, is_absent, refused
from vantage.scans.release.headers import checksum, content_length, content_range, if_range
from vantage.scans.release.meter import Meter
from vantage.scans.release.part import Note, Part
from vantage.scans.release.patience import persist
from vantage.scans.release.rate import RateLimit


class StoppedError(Exception):
    """Another file failed, so that this one is left for the next run."""


@dataclass(frozen=True)
class Transfer:
    """What fetching any file needs.

    Attributes:
        client: the server.
        patience: for tries that fail.
        rate: how fast.
        meter: where bytes are counted.
        tell: told of tries that fail.
        stop: set when the work is to end.
        error: raised when a file cannot be had.
    """

    client: Client
    patience: Patience
    rate: RateLimit
    meter: Meter
    tell: Callable[[str], object] = lambda text: None
    stop: threading.Event = field(default_factory=threading.Event)
    error: type[VantageError] = ScanUnavailableError

    def fetch(self, part: Part, sources: tuple[str, ...]) -> bool:
        """Bring the file to its place from the first of `sources` that has it; False when none has.

        Raises:
            VantageError: as `error`, `persist` and `Client.request` say.
            StoppedError: `stop` was set.
        """
        if part.finished():
            self.meter.there(part.target.name, part.size)
            return True
        for source in sources:
            attempt = partial(self._attempt, part, source)
            reached = partial(part.begun, source)
            if persist(attempt, source, self.patience, reached=reached, tell=self.tell, error=self.error):
                return True
        return False

    def _attempt(self, part: Part, source: str) -> bool:
        have, note = part.begun(source), part.note
        if note is None or have == 0 or have != note.total:
            headers = {}
            if have and note is not None:
                headers["Range"] = f"bytes={have}-"
                if version := if_range(note.etag, note.modified):
                    headers["If-Range"] = version
            with self.client.request("GET", source, headers) as answer:
                if is_absent(answer):
                    return False
                if not _complete(part, answer, have):
                    _open(part, source, answer, have)
                    self._receive(part, source, answer)
        _check(part)
        part.finish()
        self.meter.there(part.target.name, part.size)
        return True

    def _receive(self, part: Part, source: str, answer: urllib3.BaseHTTPResponse) -> None:
        assert part.note is not None
        total, done = part.note.total, part.begun(source)
        with part.append() as file:
            for piece in body(answer):
                if done == 0 and piece.lstrip()[:1] == b"<":
                    # No file of the release begins so: a page for logging in, whatever its type says.
                    raise refused(source, "a web page instead of the file")
                if self.stop.is_set():
                    raise StoppedError
                done += len(piece)
                if total is not None and done > total:
                    part.drop()
                    raise FaultError(
                        "the server sends more than it says", expected=f"{total} bytes", found="more"
                    )
                _write(file.write, piece)
                self.meter.received(part.target.name, done, total, len(piece))
                self.rate.take(len(piece))
        if total is not None and done < total:
            raise FaultError("the file ends early", expected=f"{total} bytes", found=f"{done} bytes")


def _write(write: Callable[[bytes], int | None], piece: bytes) -> None:
    view = memoryview(piece)
    while view:  # an unbuffered file may take less than it is given
        view = view[write(bytes(view)) or 0 :]


def _complete(part: Part, answer: urllib3.BaseHTTPResponse, have: int) -> bool:
    """Whether the server says that nothing lies beyond what is there; if it has less, start again."""
    if answer.status != 416:
        return False
    told = content_range(answer.headers.get("Content-Range"))
    if have and told is not None and told.total == have and _same(part, answer):
        return True
    part.drop()
    found = "no size" if told is None or told.total is None else f"{told.total} bytes"
    raise FaultError(
        "the file is another than the one begun", expected=f"{have} bytes or more", found=found, wait_s=0.0
    )


def _open(part: Part, source: str, answer: urllib3.BaseHTTPResponse, have: int) -> None:
    """Begin, or go on with, the part by what the answer says; FaultError when the two do not fit."""
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FaultError("the server encodes the file", expected="it as it is", found="Content-Encoding")
    if answer.status == 206:
        told = content_range(answer.headers.get("Content-Range"))
        note = part.note
        fits = told is not None and have and told.first == have and _same(part, answer)
        if not fits or note is None or told is None or told.total not in (None, note.total):
            part.drop()
            expected, found = f"bytes from {have} of the same content", answer.headers.get("Content-Range")
            raise FaultError("the file changed on the server", expected=expected, found=found, wait_s=0.0)
        return
    if answer.status != 200:
        raise FaultError(f"the server answers {answer.status}", expected="200 or 206", found=answer.status)
    part.begin(_note(source, answer))


def _note(source: str, answer: urllib3.BaseHTTPResponse) -> Note:
    headers = answer.headers
    chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    total = None if chunked else content_length(headers.get("Content-Length"))
    algorithm, digest = checksum(headers, whole=True) or ("", "")
    if total == 0:
        raise FaultError("the file is empty", expected="a file with content", found="0 bytes")
    if total is None and not chunked and not digest:
        expected = "Content-Length, a chunked body or a checksum"
        raise FaultError("the server does not tell the file's size", expected=expected, found="none of them")
    etag, modified = headers.get("ETag", ""), headers.get("Last-Modified", "")
    return Note(source, etag, modified, total, algorithm, digest)


def _same(part: Part, answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether an answer speaks of the content that was begun, as far as both tell."""
    assert part.note is not None
    etag = answer.headers.get("ETag", "")
    return not (etag and part.note.etag) or etag.removeprefix("W/") == part.note.etag.removeprefix("W/")


def _check(part: Part) -> None:
    if part.note is None or part.begun(part.note.source) == 0:
        raise FaultError("the file is empty", expected="a file with content", found="0 bytes")
    if (differs := part.mismatch()) is not None:
        part.drop()
        raise FaultError("the checksum differs", expected=differs[0], found=differs[1])
