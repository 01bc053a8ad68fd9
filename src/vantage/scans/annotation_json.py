"""Annotation files as JSON: loading them, and taking fields out of them, with errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from vantage.core.errors import ScanError

# About 30 million segment ids: far more than any mesh, and what a machine can still parse.
_MAX_BYTES = 1 << 28
_MOST = (1 << 31) - 1


def bad(file: str, at: str, expected: str, found: str, hint: str | None = None) -> ScanError:
    """The error for an annotation file: where in it, what should be there, what is."""
    return ScanError("bad annotation file", where=f"{file}, {at}", expected=expected, found=found, hint=hint)


def load(path: Path) -> dict[str, Any]:
    """The JSON object in a file; ScanError when it is none, is not UTF-8, or names a key twice."""
    try:
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise bad(path.name, "the file", f"at most {_MAX_BYTES} bytes", f"{size} bytes")
        value = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise ScanError(f"cannot open the annotation: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        hint = "Convert the file to UTF-8."
        raise bad(path.name, f"byte {error.start}", "text in UTF-8", error.reason, hint) from error
    except (ValueError, RecursionError) as error:
        raise bad(path.name, "the file", "JSON", str(error)[:200]) from error
    if not isinstance(value, dict):
        raise bad(path.name, "the file", "a JSON object", type(value).__name__)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)[:40]!a} twice in one object")
    return value


def field(row: dict[str, Any], key: str, kind: type, file: str, at: str) -> Any:
    """`row[key]` if it is of type `kind`; true and false are no numbers."""
    value = row.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        found = "no such key" if key not in row else f"{type(value).__name__} {_short(value)}"
        raise bad(file, at, f"{key} of type {kind.__name__}", found)
    return value


def text(row: dict[str, Any], key: str, file: str, at: str) -> str:
    """`row[key]` if it is a text that can be written again: JSON may escape half a surrogate pair."""
    value: str = field(row, key, str, file, at)
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise bad(file, at, f"{key} as text", f"half a surrogate pair in {_short(value)}")
    return value


def integers(rows: list[Any], file: str, at: str) -> Int64[np.ndarray, "n"]:
    """`rows` if all are whole numbers of 0 to 2^31 - 1; neither 1.0 nor true is one."""
    if set(map(type, rows)) <= {int}:
        try:
            values = np.array(rows, dtype=np.int64)
        except OverflowError:
            values = np.full(1, -1)
        if len(values) == 0 or (values.min() >= 0 and values.max() <= _MOST):
            return values
    k, value = next((k, v) for k, v in enumerate(rows) if type(v) is not int or not 0 <= v <= _MOST)
    raise bad(file, f"{at}[{k}]", f"a whole number of 0 to {_MOST}", _short(value))


def _short(value: Any) -> str:
    # The digits of a huge number, and a deep list, can be more than Python agrees to print.
    if isinstance(value, int) and abs(value) > 1 << 64:
        return f"a number of {value.bit_length()} bits"
    return ascii(value)[:40] if not isinstance(value, (list, dict)) else f"{len(value)} entries"
