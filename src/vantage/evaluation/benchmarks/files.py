"""Records of JSON, JSON lines and CSV files, each with the place it stands at, and errors that name it."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError, ParameterError
from vantage.records.jsonfile import parse_json

HEADER = "vantage_predictions"
"""The field by which the first line of `vantage predict`'s files is known; the line is no prediction."""
SET_ASIDE = "set_aside"
"""The field that tells why a model was not asked, or did not answer; such a line is no prediction either."""

_WHOLE = re.compile(r"-?[0-9]{1,18}")


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
        raise self.error(" or ".join(names), f"fields {', '.join(sorted(self.fields)) or 'none'}")

    def has(self, *names: str) -> bool:
        """Whether one of these fields is there."""
        return any(self.fields.get(name) is not None for name in names)

    def text(self, *names: str) -> str:
        """A field of text; numbers are taken as they are written."""
        value = self.get(*names)
        if not _is_text(value):
            raise self.error(f"text in {names[0]!r}", repr(value)[:80])
        return str(value)

    def note(self, *names: str) -> str:
        """A field of text that need not be there; "" where it is not."""
        return self.text(*names) if self.has(*names) else ""

    def whole(self, *names: str) -> int:
        """A field that holds a whole number, or the digits of one."""
        text = self.text(*names)
        if not _WHOLE.fullmatch(text):
            raise self.error(f"a whole number in {names[0]!r}", repr(text)[:80])
        return int(text)

    def texts(self, *names: str) -> tuple[str, ...]:
        """A field that lists texts; a single text is a list of one."""
        value = self.get(*names)
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(map(_is_text, listed)):
            raise self.error(f"a list of texts in {names[0]!r}", repr(value)[:80])
        return tuple(str(v) for v in listed)

    def error(self, expected: str, found: object) -> ContractError:
        """An error about this record."""
        return ContractError("a record breaks the format", where=self.where, expected=expected, found=found)


def _is_text(value: object) -> bool:
    """Text, or a number that can stand for it: NaN is what tables write where there is nothing."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def load(path: Path) -> Any:
    """The content of a .json, .jsonl, .csv or .parquet file: a list of records, or what a JSON file holds.

    A .json file that holds JSON lines is read as such. A folder is read as its .json files by name (a file
    for each scene), or as the rows of its .parquet files; columns of pictures are left out.

    Raises:
        ParameterError: there is no such file, or it cannot be read.
        ContractError: it is not text, JSON, JSON lines or CSV; the line is named.
    """
    if path.is_dir() and (scenes := sorted(path.glob("*.json"))):
        return {file.stem: load(file) for file in scenes}
    if path.suffix == ".parquet" or path.is_dir():
        return _parquet(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ParameterError("there is no such file", where=path, expected="a file of records") from error
    except OSError as error:
        raise ParameterError("the file cannot be read", where=path, found=error.strerror) from error
    except UnicodeDecodeError as error:
        raise ContractError("not a text file", where=path, expected="UTF-8", found=error.reason) from error
    if path.suffix == ".csv":
        return list(_rows(path, text))
    if path.suffix != ".jsonl":
        try:
            return parse_json(text)
        except ValueError as error:
            if "Extra data" not in str(error):
                raise _not_json(path, 1, error) from error
    return list(_lines(path, text))


def _rows(path: Path, text: str) -> Iterable[Record]:
    """The rows of a table by its header. A row of another length, or a quote that stays open, loses cells."""
    table = csv.reader(io.StringIO(text), strict=True)
    header: list[str] = []
    try:
        for cells in table:
            where = f"{path}:{table.line_num}"
            if not header:
                header = cells
                if len(set(header)) != len(header):
                    raise ContractError(
                        "a column comes twice",
                        where=where,
                        expected="a name for each",
                        found=", ".join(header),
                    )
            elif len(cells) == len(header):
                yield Record(where, dict(zip(header, cells, strict=True)))
            elif cells:
                raise ContractError(
                    "a row breaks the format", where=where, expected=f"{len(header)} cells", found=len(cells)
                )
    except csv.Error as error:
        raise ContractError("not a table", where=f"{path}:{table.line_num}", found=error) from error


def _parquet(path: Path) -> list[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    found = []
    for file in files:
        try:
            schema = pq.read_schema(file)
            names = [field.name for field in schema if "binary" not in str(field.type)]
            if len(set(names)) != len(names):
                raise ContractError("a column comes twice", where=file, found=", ".join(names))
            rows = pq.read_table(file, columns=names).to_pylist()
        except FileNotFoundError as error:
            raise ParameterError("there is no such file", where=file, expected="a parquet file") from error
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ContractError("not a parquet file", where=file, found=error) from error
        found += [Record(f"{file}, row {i}", row) for i, row in enumerate(rows, start=1)]
    if not files:
        raise ParameterError("there is no such file", where=path, expected="a file, or .parquet files in it")
    return found


def _lines(path: Path, text: str) -> Iterable[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = parse_json(line)
            except ValueError as error:
                raise _not_json(path, number, error) from error
            yield record(f"{path}:{number}", value)


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
        row if isinstance(row, Record) else record(f"{path}, record {i}", row)
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


def require_known(found: Mapping[str, Record], known: Collection[str]) -> None:
    """Raise `ContractError` for the first prediction whose id none of the references has."""
    for name, row in found.items():
        if name not in known:
            raise ContractError(
                f"the references have no item {name!r}",
                where=row.where,
                expected=f"one of {len(known)} ids, for instance {next(iter(known))!r}",
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


def record(where: str, value: Any) -> Record:
    """The record that a value is; `ContractError` for anything but an object."""
    if not isinstance(value, dict):
        raise ContractError("not a record", where=where, expected="an object", found=type(value).__name__)
    return Record(where, value)


def _not_json(path: Path, first: int, error: ValueError) -> ContractError:
    """`first`: the number of the line that the text begins at."""
    if not isinstance(error, json.JSONDecodeError):
        return ContractError("not JSON that can be read", where=f"{path}:{first}", found=error)
    line = first - 1 + error.lineno
    return ContractError("not JSON", where=f"{path}:{line}", found=f"{error.msg}, column {error.colno}")
