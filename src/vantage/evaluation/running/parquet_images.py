"""Pictures inside the parquet files of a benchmark, a row group at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.files import Record, load


class ParquetImages:
    """Pictures by item, as Hugging Face's data sets keep them: a column of `{bytes, path}`, or of lists.

    Args:
        references: a .parquet file, or a folder of some; anything else holds no picture.
        key: the id of a row.
    """

    def __init__(self, references: Path, key: Callable[[Record], str]) -> None:
        self._files = sorted(references.glob("*.parquet")) if references.is_dir() else [references]
        self._files = [path for path in self._files if path.suffix == ".parquet"]
        self._places: dict[str, tuple[Path, int]] = {}
        for path in self._files:
            for number, row in enumerate(load(path)):
                self._places[key(row)] = (path, number)
        self._group: tuple[Path, int] | None = None
        self._rows: list[dict[str, Any]] = []
        self._first = 0

    def __bool__(self) -> bool:
        """Whether there is any row."""
        return bool(self._places)

    def of(self, name: str) -> list[tuple[str, bytes]]:
        """Names and bytes of an item's pictures; `ParameterError` if its row has none."""
        path, number = self._places[name]
        row = self._row(path, number)
        found = []
        for column, value in row.items():
            for k, one in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(one, dict) and one.get("bytes"):
                    found.append((f"{path.name}, row {number + 1}, {column} {k + 1}", one["bytes"]))
        if not found:
            raise ParameterError("the row has no picture", where=f"{path.name}, row {number + 1}")
        return found

    def _row(self, path: Path, number: int) -> dict[str, Any]:
        import pyarrow.parquet as pq

        if self._group is not None and self._group[0] == path:
            place = number - self._first
            if 0 <= place < len(self._rows):
                return self._rows[place]
        with pq.ParquetFile(path) as file:
            pictured = [f.name for f in file.schema_arrow if "binary" in str(f.type)]
            first = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if number < first + rows:
                    self._group, self._first = (path, group), first
                    self._rows = file.read_row_group(group, columns=pictured).to_pylist()
                    return self._rows[number - first]
                first += rows
        raise ParameterError("the row has gone", where=f"{path.name}, row {number + 1}")
