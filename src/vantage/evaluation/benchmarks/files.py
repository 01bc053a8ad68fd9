"""Records of JSON, JSON lines and CSV files, each with the place it stands at, and errors that name it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError, ParameterError

HEADER = "vantage_predictions"
"""The field by which the first line of `vantage predict`'s files is known; the line is no prediction."""
SET_ASIDE = "set_aside"
"""The field that tells why a model was not asked, or did not answer; such a line is no prediction either."""


@dataclass(frozen=True)
class Record:
    """An object of a file and where it stands: `file:line`, or `file, record 3`, counted from 1."""

    where: str
    fields: Mapping[str, Any]

    def get(self, *names: str) -> Any:
        """The value of the first of these fields that there is; `ContractError` if there is none."""
        for name in names:
            if self.fields.get(name) is not None:
                return self.fields[name]
        raise self.error(" or ".join(names), f"fields {', '.join(sorted(map(str, self.fields))) or 'none'}")

    def has(self, *names: str) -> bool:
        """Whether one of these fields is there."""
        return any(self.fields.get(name) is not None for name in names)

    def text(self, *names: str) -> str:
        """A field of text; numbers are taken as they are written."""
        value = self.get(*names)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self.error(f"text in {names[0]!r}", type(value).__name__)
        return str(value)

    def texts(self, *names: str) -> tuple[str, ...]:
        """A field that lists texts; a single text is a list of one."""
        value = self.get(*names)
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(v, (str, int, float)) for v in listed):
            raise self.error(f"a list of texts in {names[0]!r}", repr(value)[:80])
        return tuple(str(v) for v in listed)

    def error(self, expected: str, found: object) -> ContractError:
        """An error about this record."""
        return ContractError("a record breaks the format", where=self.where, expected=expected, found=found)


def load(path: Path) -> Any:
    """The content of a .json, .jsonl, .csv or .parquet file: a list of records, or what a JSON file holds.

    A .json file that holds JSON lines is read as such. A folder is read as its .json files by name (a file
    for each scene), or as the rows of its .parquet files; columns of pictures are left out.

    Raises:
        ParameterError: there is no such file.
        ContractError: it is not text, JSON, JSON lines or CSV; the line is named.
    """
    if path.is_dir() and (scenes := sorted(path.glob("*.json"))):
        return {file.stem: load(file) for file in scenes}
    if path.suffix == ".parquet" or path.is_dir():
        return _parquet(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ParameterError("there is no such file", where=path) from error
    except UnicodeDecodeError as error:
        raise ContractError("not a text file", where=path, expected="UTF-8", found=error.reason) from error
    if path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(text))
        return [Record(f"{path}:{rows.line_num}", row) for row in rows]
    if path.suffix != ".jsonl":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            if "Extra data" not in error.msg:
                raise _not_json(path, error.lineno, error) from error
    return list(_lines(path, text))


def _parquet(path: Path) -> list[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    found = []
    for file in files:
        try:
            schema = pq.read_schema(file)
            names = [field.name for field in schema if "binary" not in str(field.type)]
            rows = pq.read_table(file, columns=names).to_pylist()
        except FileNotFoundError as error:
            raise ParameterError("there is no such file", where=file) from error
        except pa.ArrowInvalid as error:
            raise ContractError("not a parquet file", where=file, found=error) from error
        found += [Record(f"{file}, row {i}", row) for i, row in enumerate(rows, start=1)]
    if not files:
        raise ParameterError("there is no such file", where=path, expected="a file, or .parquet files in it")
    return found


def _lines(path: Path, text: str) -> Iterable[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise _not_json(path, number, error) from error
            yield _record(f"{path}:{number}", value)


def records(path: Path, value: Any, key: str | None = None) -> list[Record]:
    """Records of what `load` gave: a list, or the list under `key` of an object.

    Raises:
        ContractError: it is neither.
    """
    if isinstance(value, dict) and key is not None and key in value:
        value = value[key]
    if not isinstance(value, list):
        under = f", or an object with one under {key!r}" if key else ""
        raise ContractError(
            "not a list of records", where=path, expected=f"a list{under}", found=type(value).__name__
        )
    return [
        row if isinstance(row, Record) else _record(f"{path}, record {i}", row)
        for i, row in enumerate(value, start=1)
    ]


def predicted(path: Path, value: Any, benchmark: str) -> list[Record]:
    """The records of a file of predictions, without the header and the items set aside by `vantage predict`.

    Raises:
        ContractError: it is no list of records, or its header names another benchmark.
    """
    found = []
    for row in records(path, value):
        if row.has(HEADER):
            if row.fields.get("benchmark") != benchmark:
                raise ContractError(
                    "predictions for another benchmark", where=row.where, expected=benchmark,
                    found=row.fields.get("benchmark"),
                )  # fmt: skip
        elif not row.has(SET_ASIDE):
            found.append(row)
    return found


def unique(rows: Sequence[Record], key: Callable[[Record], str]) -> dict[str, Record]:
    """Records by key, in the file's order; `ContractError` naming both places if one comes twice."""
    found: dict[str, Record] = {}
    for row in rows:
        name = key(row)
        if name in found:
            raise ContractError(
                f"the id {name!r} comes twice", where=row.where, found=f"first in {found[name].where}"
            )
        found[name] = row
    return found


def require_known(rows: Mapping[str, Record], ids: Sequence[str]) -> None:
    """Raise `ContractError` naming the first record whose key is not one of the references' ids."""
    known = set(ids)
    for name, row in rows.items():
        if name not in known:
            raise ContractError(
                f"the references have no item {name!r}",
                where=row.where,
                expected=f"one of {len(known)} ids, for instance {ids[0]!r}",
                hint="are predictions and references of the same split?",
            )


def beside(path: Path, names: Mapping[str, str]) -> Path:
    """The file beside `path` whose name differs by the first replacement that fits.

    Raises:
        ParameterError: no replacement fits, or there is no such file.
    """
    for old, new in names.items():
        if old in path.name:
            other = path.with_name(path.name.replace(old, new))
            if other.is_file():
                return other
            raise ParameterError("its companion is missing", where=path, expected=f"{other.name} beside it")
    raise ParameterError("not a name of this benchmark's files", where=path, expected=" or ".join(names))


def _record(where: str, value: Any) -> Record:
    if not isinstance(value, dict):
        raise ContractError("not a record", where=where, expected="an object", found=type(value).__name__)
    return Record(where, value)


def _not_json(path: Path, line: int, error: json.JSONDecodeError) -> ContractError:
    return ContractError("not JSON", where=f"{path}:{line}", found=f"{error.msg}, column {error.colno}")
