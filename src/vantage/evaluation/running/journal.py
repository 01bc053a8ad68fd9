"""A file of predictions that grows as answers come: a header, then a line for each item, whole or not there.

A kill in the middle of a write leaves a line without an end, which is cut off when the run goes on. `vantage
score` reads the file at any time: it knows the header, and items that were set aside have no prediction.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.core.errors import ContractError, ResourceError
from vantage.core.hashing import digest_bytes
from vantage.evaluation.benchmarks.files import HEADER, SET_ASIDE
from vantage.evaluation.running.ask import Answer, Ask, SetAside
from vantage.records.jsonfile import parse_json

VERSION = 1
_CAUSES = {
    "questions": "an item or a prompt differs from those that the file answers: ",
    "model.files": "tokenizer, template or image processor differ: ",
}
Row = Mapping[str, Any]


def short_digest(text: str) -> str:
    """A digest of a text, short enough to stand in every line."""
    return digest_bytes(text.encode())[:16]


def row_of(found: Answer | SetAside, prompt: str, ask: Ask | None) -> dict[str, Any]:
    """An item's line; `ask` is None where not even the question could be put together."""
    row: dict[str, Any] = {"question_id": found.id}
    if isinstance(found, Answer):
        row |= {"text": found.text, **found.fields, "finish": found.finish}
        row |= {"prompt_tokens": found.prompt_tokens, "tokens": found.tokens}
    else:
        row[SET_ASIDE] = found.reason
    row |= {} if ask is None else ask.fields
    return {**row, "prompt": short_digest(prompt), "input": "" if ask is None else ask.input[:16]}


def line_of(row: Row) -> str:
    """A line of the file."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def header_line(header: Mapping[str, Any]) -> str:
    """The first line: what the predictions are of, under a key that no prediction has."""
    return line_of({HEADER: VERSION, **header})


def read_rows(path: Path, header: Mapping[str, Any]) -> dict[str, Row]:
    """The items of a file by id, a later line in place of an earlier one; a line without an end is not read.

    Raises:
        ContractError: the file is of another run (the first difference is told), or a line is damaged.
    """
    try:
        lines = _whole(path.read_bytes()).decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise ContractError("not a text file", where=path, expected="UTF-8", found=error.reason) from error
    if not lines:
        return {}
    _require_same(path, _json(path, 1, lines[0]), {HEADER: VERSION, **header})
    rows = [_json(path, number, line) for number, line in enumerate(lines[1:], start=2)]
    return {str(row["question_id"]): row for row in rows}


class Journal:
    """The file that one process appends to; see `opened`."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    def add(self, rows: Iterable[Row]) -> None:
        """Append lines and see them onto the disk; `ResourceError` when that fails."""
        data = "".join(line_of(row) for row in rows).encode()
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            os.fsync(self._handle)
        except OSError as error:
            raise ResourceError("answers cannot be kept", where=self.path, found=error.strerror) from error


@contextmanager
def opened(path: Path, header: Mapping[str, Any]) -> Iterator[Journal]:
    """The file for appending: made with its header, or cut to whole lines; one process at a time.

    Raises:
        ContractError: the file is of another run.
        ResourceError: another process is appending to it, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or not _whole(path.read_bytes()):
            atomic.write_text(path, header_line(header))
        handle = os.open(path, os.O_RDWR | os.O_APPEND)
    except OSError as error:
        raise ResourceError("predictions cannot be written", where=path, found=error.strerror) from error
    try:
        _lock(path, handle)
        read_rows(path, header)
        os.ftruncate(handle, len(_whole(path.read_bytes())))
        yield Journal(path, handle)
    finally:
        os.close(handle)


@contextmanager
def at_rest(paths: Sequence[Path]) -> Iterator[bool]:
    """Whether no process appends to any of the files; none can begin to until the block ends."""
    handles: list[int] = []
    try:
        yield _all_locked(paths, handles)
    finally:
        for handle in handles:
            os.close(handle)


def _all_locked(paths: Sequence[Path], handles: list[int]) -> bool:
    try:
        for path in paths:
            handles.append(os.open(path, os.O_RDONLY))
            _lock(path, handles[-1])
    except (FileNotFoundError, ResourceError):
        return False  # another process is at work on one, or has just put all of them together
    return True


def write_ordered(path: Path, header: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """The whole file at once, in the order given: the same bytes for any number of processes and kills."""
    atomic.write_text(path, header_line(header) + "".join(line_of(row) for row in rows))


def _whole(data: bytes) -> bytes:
    """Everything up to the end of the last whole line."""
    return data[: data.rfind(b"\n") + 1]


def _lock(path: Path, handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ResourceError(
            "another process writes these predictions", where=path, hint="wait for it, or give --shard"
        ) from error
    except OSError:
        return  # no locks on this file system: two processes on one file are the user's care


def _json(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = parse_json(line)
        if not isinstance(value, dict) or (number > 1 and not _is_row(value)):
            raise ContractError("not a prediction", where=f"{path}:{number}", found=line[:80])
        line_of(value)  # what is read can be written again
    except ValueError as error:
        raise ContractError(
            "a damaged line", where=f"{path}:{number}", expected="an object in JSON", found=line[:80]
        ) from error
    return value


def _is_row(value: Mapping[str, Any]) -> bool:
    """Whether it is an item's line: its id, and a text or why there is none."""
    said = [value[name] for name in ("text", SET_ASIDE) if name in value]
    return isinstance(value.get("question_id"), str) and len(said) == 1 and isinstance(said[0], str)


def _require_same(path: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise `ContractError` for the first difference between two headers."""
    ours, theirs = _flat(json.loads(json.dumps(expected))), _flat(found)
    for name in [*ours, *(key for key in theirs if key not in ours)]:
        if ours.get(name) != theirs.get(name):
            raise ContractError(
                "the file holds the predictions of another run", where=f"{path}, {name}",
                expected=ours.get(name, "nothing"), found=theirs.get(name, "nothing"),
                hint=f"{_CAUSES.get(name, '')}give another --out, or remove the file",
            )  # fmt: skip


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """The values by their path, in the file's order; without recursion: files nest as deep as they like."""
    found: dict[str, Any] = {}
    todo = [("", value)]
    while todo:
        name, inner = todo.pop()
        if isinstance(inner, dict):
            todo += [(f"{name}.{key}" if name else key, part) for key, part in reversed(inner.items())]
        else:
            found[name] = inner
    return found
