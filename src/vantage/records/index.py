"""The index of a stage: every item, whether it is done, its output's digest, or why it was set aside."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.core.hashing import canonical_json

INDEX_FILE = "index.jsonl"


@dataclass(frozen=True, order=True)
class IndexRow:
    """One item of a stage.

    Attributes:
        item: scan id or arm name.
        status: `done`, or `set_aside` with a reason.
        digest: digest of the item's output folder; empty when set aside.
        reason: why it was set aside; empty when done.
    """

    item: str
    status: Literal["done", "set_aside"]
    digest: str = ""
    reason: str = ""


def write_index(folder: Path, rows: Iterable[IndexRow]) -> None:
    """Write `index.jsonl` into a stage's output folder, sorted by item."""
    text = "".join(canonical_json(asdict(row)) + "\n" for row in sorted(rows))
    atomic.write_text(folder / INDEX_FILE, text)


def read_index(folder: Path) -> list[IndexRow]:
    """Rows of a stage's index, sorted by item.

    Raises:
        ContractError: the index is missing or a line is not an index row.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        raise ContractError("a stage's output has no index", where=path, hint="run that stage first")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(IndexRow(**json.loads(line)))
        except (json.JSONDecodeError, TypeError) as error:
            raise ContractError("not an index row", where=f"{path}:{number}", found=line[:120]) from error
    return sorted(rows)


def done_items(folder: Path) -> list[str]:
    """Names of the finished items in a stage's output folder, sorted."""
    return [row.item for row in read_index(folder) if row.status == "done"]
