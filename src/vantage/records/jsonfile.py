"""Reading a record from a JSON file, with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError


def read_json_record(path: Path, record: str, version: int) -> dict[str, Any]:
    """The object in a JSON file whose `record` and `version` are as expected; else `ContractError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContractError(
            f"the {record} record is missing", where=path, hint="run the stage that writes it"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
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
