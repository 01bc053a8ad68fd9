"""JSON that means one thing, and records in JSON files, with errors that name the file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from vantage.core.errors import ContractError

T = TypeVar("T")


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, gives a key twice in one object, holds half of a character (a lone
            surrogate, which no file holds) or an integer of more than 4300 digits, or is nested too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_each_key_once)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair") from error
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} comes twice")
    return found


def validated(kind: type[T], value: Any, message: str, where: object) -> T:
    """The dataclass that a value of JSON describes, with all its fields and no others as they are written.

    `ContractError` with `message` for a value that does not, or that describes one of another version.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        found: T = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ContractError(
            message, where=f"{where}, {place}" if place else where, expected=first["msg"],
            found=repr(first["input"])[:200],
        ) from error  # fmt: skip
    told = json.loads(json.dumps(asdict(found)))  # type: ignore[call-overload]
    if told != value:
        raise ContractError("settings of another version", where=where, expected=told, found=value)
    return found


def read_json_record(path: Path, record: str, version: int) -> dict[str, Any]:
    """The object in a JSON file whose `record` and `version` are as expected; else `ContractError`."""
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContractError(
            f"the {record} record is missing", where=path, hint="run the stage that writes it"
        ) from error
    except (OSError, ValueError) as error:
        raise ContractError(f"the {record} record is not JSON", where=path, found=error) from error
    if not isinstance(value, dict) or (value.get("record"), value.get("version")) != (record, version):
        found = (
            f"{value.get('record')} version {value.get('version')}"
            if isinstance(value, dict)
            else type(value)
        )
        raise ContractError(
            "another record or version", where=path, expected=f"{record} version {version}", found=found
        )
    return value
