"""What a training process says to the one that started it, a line at a time on its standard output."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vantage.core import errors
from vantage.core.errors import VantageError

MARK: Final = "vantage training: "
_FIELDS: Final = ("message", "where", "expected", "found", "hint")
_TAIL = 15


def tell(kind: str, **said: Any) -> None:
    """Say one thing to the process that started this one."""
    left = (MARK + json.dumps({"kind": kind, **said}) + "\n").encode()
    while left:  # in one piece, but for a long table, whatever the other processes write
        left = left[os.write(1, left) :]


def heard(line: str) -> dict[str, Any] | None:
    """What a line says, `kind` among it; None for a line that was not told."""
    if not line.startswith(MARK):
        return None
    said: dict[str, Any] = json.loads(line.removeprefix(MARK))
    return said


def described_error(error: VantageError) -> dict[str, str | None]:
    """An error as it can be told."""
    fields = {name: getattr(error, name) for name in _FIELDS}
    return {"error": type(error).__name__, **{k: None if v is None else str(v) for k, v in fields.items()}}


def error_of(said: Mapping[str, Any]) -> VantageError:
    """The error that was told."""
    kind = getattr(errors, said["error"], VantageError)
    found: VantageError = kind(**{name: said[name] for name in _FIELDS})
    return found


def failure_of(output: str, log: Path) -> VantageError:
    """Why a process failed: the error that it told, or the end of what it wrote."""
    for line in output.splitlines():
        said = heard(line)
        if said is not None and said.pop("kind") == "error":
            return error_of(said)
    return without_a_word("a training process", log)


def without_a_word(who: str, log: Path, expected: str = "an end with 0") -> VantageError:
    """The error for a process that ended and told nothing."""
    return VantageError(
        "a training process ended without a word", where=who, expected=expected, found=tail(log),
        hint=f"the whole of what they wrote is in {log}",
    )  # fmt: skip


def tail(log: Path) -> str:
    """The last lines of a log."""
    with log.open(errors="replace") as lines:
        return "".join(deque(lines, _TAIL))
