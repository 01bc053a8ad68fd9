"""The class sets of ScanNet's benchmarks, and where a raw label belongs in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from vantage.scans.labels import LabelTable, nyu_class
from vantage.scans.scannet200 import SCANNET200_NAMES


@dataclass(frozen=True)
class SetClass:
    """A class of a set: its id there, its place in the set's order from 0, its name."""

    class_id: int
    index: int
    name: str


@dataclass(frozen=True)
class ClassSet:
    """A benchmark's classes.

    Attributes:
        name: the set's name.
        names: class name by id, in the benchmark's order.
        ids: what an id is: NYU40's, or the label table's own column `id`.
    """

    name: str
    names: Mapping[int, str]
    ids: Literal["nyu40", "table"]

    def find(self, class_id: int) -> SetClass | None:
        """The class with this id; None when the set leaves it out."""
        if class_id not in self.names:
            return None
        return SetClass(class_id, list(self.names).index(class_id), self.names[class_id])


#: Semantic and instance segmentation: 20 of NYU40's classes, under the benchmark's spelling.
SCANNET20: Final = ClassSet(
    "ScanNet-20",
    {
        **{1: "wall", 2: "floor", 3: "cabinet", 4: "bed", 5: "chair", 6: "sofa", 7: "table", 8: "door"},
        **{9: "window", 10: "bookshelf", 11: "picture", 12: "counter", 14: "desk", 16: "curtain"},
        **{24: "refrigerator", 28: "shower curtain", 33: "toilet", 34: "sink", 36: "bathtub"},
        39: "otherfurniture",
    },
    "nyu40",
)

#: Object detection: the same without wall and floor. Detectors call class 39 "garbagebin".
SCANNET18: Final = ClassSet("ScanNet-18", {k: v for k, v in SCANNET20.names.items() if k > 2}, "nyu40")

#: ScanNet200: the label table's own ids, which several spellings of a category share.
SCANNET200: Final = ClassSet("ScanNet200", SCANNET200_NAMES, "table")

CLASS_SETS: Final = (SCANNET18, SCANNET20, SCANNET200)


def class_in(classes: ClassSet, label: str, table: LabelTable | None = None) -> SetClass | None:
    """The class of a raw label in a set; None when the set, or the table, does not have it.

    Without a table the project's own NYU40 names count, and for ScanNet200 labels that are a class's name.
    """
    if classes.ids == "nyu40":
        return classes.find(nyu_class(label, table).nyu40_id)
    if table is None:
        own = next((k for k, name in classes.names.items() if name == label), None)
        return None if own is None else classes.find(own)
    row = table.rows.get(label)
    return None if row is None or row.label_id is None else classes.find(row.label_id)
