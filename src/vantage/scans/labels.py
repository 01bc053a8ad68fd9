"""Raw labels to NYU40 classes: a small table of our own, and the user's `scannetv2-labels.combined.tsv`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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

_COLUMNS = ("raw_category", "nyu40id", "nyu40class")


@dataclass(frozen=True)
class NyuClass:
    """An NYU40 class; id 0 and name "unknown" stand for a label that no table knows."""

    nyu40_id: int
    nyu40: str


UNKNOWN = NyuClass(0, "unknown")

_OWN = {name: NyuClass(k, name) for k, name in enumerate(NYU40, start=1)}
_OWN |= {raw: _OWN[name] for raw, name in _SYNONYMS.items()}


def nyu_class(label: str, table: Mapping[str, NyuClass] | None = None) -> NyuClass:
    """The NYU40 class of a raw label by `table`, then by our own; `UNKNOWN` when neither has it."""
    if table is not None and label in table:
        return table[label]
    return _OWN.get(label, UNKNOWN)


def read_label_table(path: Path) -> dict[str, NyuClass]:
    """NYU40 class by raw category from ScanNet's tab-separated label table.

    Rows without an NYU40 id are left out. Raises ParameterError naming file and line.
    """
    table: dict[str, NyuClass] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if lacking := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
                found = ", ".join(rows.fieldnames or ()) or "an empty file"
                expected = f"tab-separated columns {', '.join(lacking)}"
                raise ParameterError("not a label table", where=path, expected=expected, found=found[:200])
            for row in rows:
                if row["nyu40id"]:
                    table[row["raw_category"]] = NyuClass(
                        _id(row["nyu40id"], path, rows.line_num), row["nyu40class"]
                    )
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError("cannot read the label table", where=path, found=error) from error
    return table


def write_label_table(path: Path, table: Mapping[str, NyuClass]) -> None:
    """Write the columns that `read_label_table` reads, sorted by raw category."""
    rows = [f"{raw}\t{nyu.nyu40_id}\t{nyu.nyu40}\n" for raw, nyu in sorted(table.items())]
    path.write_text("\t".join(_COLUMNS) + "\n" + "".join(rows), encoding="utf-8")


def _id(text: str, path: Path, line: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= len(NYU40):
        where, expected = f"{path}, line {line}", f"an nyu40id of 1 to {len(NYU40)}"
        raise ParameterError("bad label table", where=where, expected=expected, found=text)
    return int(text)
