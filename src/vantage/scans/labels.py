"""Raw labels to NYU40 classes: a small table of our own, and ScanNet's `scannetv2-labels.combined.tsv`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vantage.core.errors import ParameterError

#: NYU40's names in the order of their ids, from 1; spelling as in the data set ("refridgerator").
NYU40 = (
    *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf"),
    *("picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror"),
    *("floor mat", "clothes", "ceiling", "books", "refridgerator", "television", "paper", "towel"),
    *("shower curtain", "box", "whiteboard", "person", "night stand", "toilet", "sink", "lamp"),
    *("bathtub", "bag", "otherstructure", "otherfurniture", "otherprop"),
)

_SYNONYMS = {
    "nightstand": "night stand",
    "refrigerator": "refridgerator",
    "tv": "television",
    "coffee table": "table",
    "couch": "sofa",
    "office chair": "chair",
    "armchair": "chair",
    "doorframe": "door",
    "bookcase": "bookshelf",
}


@dataclass(frozen=True)
class NyuClass:
    """An NYU40 class; id 0 and name "unknown" stand for a label without one."""

    nyu40_id: int
    nyu40: str


UNKNOWN = NyuClass(0, "unknown")

_OWN = {name: NyuClass(k, name) for k, name in enumerate(NYU40, start=1)}
_IDS = {str(k): k for k in range(1, len(NYU40) + 1)}
_OWN |= {raw: _OWN[name] for raw, name in _SYNONYMS.items()}


@dataclass(frozen=True)
class LabelRow:
    """One label of ScanNet's table.

    Attributes:
        label: the label as the annotations spell it.
        label_id: ScanNet's own id, shared by the spellings of a category; None where the table has none.
        nyu: the NYU40 class; `UNKNOWN` where the table has none.
        columns: every column of the row as text, by the table's own name: `category`, `ModelNet40`,
            `ShapeNetCore55`, `wnsynsetkey`, `mpcat40`, ...
    """

    label: str
    label_id: int | None
    nyu: NyuClass
    columns: Mapping[str, str]


@dataclass(frozen=True)
class LabelTable:
    """ScanNet's label table: its release, the names of its columns, and its rows by label."""

    release: Literal["v1", "v2"]
    columns: tuple[str, ...]
    rows: Mapping[str, LabelRow]


def nyu_class(label: str, table: LabelTable | None = None) -> NyuClass:
    """The NYU40 class of a raw label by `table` if there is one, else by ours; `UNKNOWN` when it lacks it."""
    if table is None:
        return _OWN.get(label, UNKNOWN)
    return table.rows[label].nyu if label in table.rows else UNKNOWN


def read_label_table(path: Path) -> LabelTable:
    """ScanNet's tab-separated label table, either release's.

    v2's (`scannetv2-labels.combined.tsv`) has the annotations' labels in `raw_category`; v1's
    (`scannet-labels.combined.tsv`) lacks that column and has them in `category`.

    Raises ParameterError naming file and line.
    """
    rows: dict[str, LabelRow] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
            names = tuple(reader.fieldnames or ())
            key = "raw_category" if "raw_category" in names else "category"
            if lacking := [name for name in (key, "nyu40id", "nyu40class") if name not in names]:
                lacking = [
                    name if name != "category" else "raw_category (v2) or category (v1)" for name in lacking
                ]
                expected = f"tab-separated columns {', '.join(lacking)}"
                found = ", ".join(names)[:200] or "an empty file"
                raise ParameterError("not a label table", where=path, expected=expected, found=found)
            for values in reader:
                row = _row(values, key, path, reader.line_num)
                if rows.setdefault(row.label, row) != row:
                    where, expected = f"{path}, line {reader.line_num}", f"one row for {row.label!r}"
                    raise ParameterError("bad label table", where=where, expected=expected, found="two")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParameterError("cannot read the label table", where=path, found=error) from error
    return LabelTable("v2" if key == "raw_category" else "v1", names, rows)


def write_label_table(path: Path, table: LabelTable, labels: Iterable[str]) -> None:
    """Write the rows of `labels` that the table has, sorted, with the table's own columns."""
    rows = [table.rows[label].columns for label in sorted(set(labels) & table.rows.keys())]
    lines = ["\t".join(row[name] for name in table.columns) for row in rows]
    text = "\n".join(["\t".join(table.columns), *lines]) + "\n"
    path.write_text(text, encoding="utf-8")


def _row(values: dict[str, str], key: str, path: Path, line: int) -> LabelRow:
    # What stands beyond the last column has no name.
    columns = {name: value for name, value in values.items() if name is not None}
    text = columns.get("id", "")
    label_id = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    nyu = UNKNOWN
    if columns["nyu40id"]:
        nyu = NyuClass(_nyu40_id(columns["nyu40id"], path, line), columns["nyu40class"])
    return LabelRow(columns[key], label_id, nyu, columns)


def _nyu40_id(text: str, path: Path, line: int) -> int:
    if text not in _IDS:
        where, expected = f"{path}, line {line}", f"an nyu40id of 1 to {len(NYU40)}"
        raise ParameterError("bad label table", where=where, expected=expected, found=text[:40])
    return _IDS[text]
