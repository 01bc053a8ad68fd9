"""Instance masks of frames: an image of object ids beside each one, and what the objects are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from vantage.core.errors import ScanError
from vantage.scans.annotation_json import bad, field, load, text
from vantage.scans.annotations import read_aggregation
from vantage.scans.codecs import decode_ids
from vantage.scans.layouts.parts import numbered
from vantage.scans.scannet import AGGREGATION, find

#: This project's own file of labels: `{"version": 1, "labels": {"7": "chair"}}`, by pixel value.
LABELS_FILE = "instance_labels.json"
#: Replica's own list of objects.
REPLICA_FILE = "info_semantic.json"


@dataclass(frozen=True)
class MaskKind:
    """Where masks lie: the folder, the names in it (the frame's number first), and pixel value less id.

    Pixels of value 0 belong to no object.
    """

    folder: str
    name: re.Pattern[str]
    offset: int


#: ScanNet's, cleaned and as projected: an object's id and 1. Those of Replica's renderings: the object's id.
KINDS = (
    MaskKind("instance-filt", re.compile(r"(\d{1,18})\.png", re.ASCII), 1),
    MaskKind("instance", re.compile(r"(\d{1,18})\.png", re.ASCII), 1),
    MaskKind("semantic_instance", re.compile(r"semantic_instance_(\d{1,18})\.png", re.ASCII), 0),
)


@dataclass(frozen=True)
class FrameMasks:
    """The masks of a scan: their kind, and the file of each frame by its id."""

    kind: MaskKind
    files: Mapping[int, Path]

    def ids(self, frame_id: int) -> Int64[np.ndarray, "h w"]:
        """Object ids of a frame's pixels, -1 for none; ScanError when the mask cannot be read."""
        path = self.files[frame_id]
        where = f"{self.kind.folder}/{path.name}"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ScanError(f"cannot read the mask: {error.strerror}", where=where) from error
        values = decode_ids(data, where)
        return np.where(values == 0, -1, values - self.kind.offset)


def find_masks(folder: Path) -> FrameMasks | None:
    """The masks beside a scan's frames, of the first kind there is; None without any."""
    for kind in KINDS:
        files = numbered(folder / kind.folder, {"mask": kind.name})["mask"]
        if files:
            return FrameMasks(kind, files)
    return None


def mask_labels(folder: Path, scan_id: str, kind: MaskKind) -> dict[int, str]:
    """Label by object id, from the first there is: our own file, ScanNet's aggregation, Replica's list."""
    if (own := folder / LABELS_FILE).is_file():
        return {value - kind.offset: label for value, label in _own_labels(own).items()}
    if (aggregation := find(folder, scan_id, AGGREGATION)) is not None:
        return {group.object_id: group.label for group in read_aggregation(aggregation).groups}
    if (replica := folder / REPLICA_FILE).is_file():
        return _replica_labels(replica)
    return {}


def label_files(folder: Path) -> list[Path]:
    """The files beside a capture that `mask_labels` reads, ScanNet's apart."""
    return [path for name in (LABELS_FILE, REPLICA_FILE) if (path := folder / name).is_file()]


def _own_labels(path: Path) -> dict[int, str]:
    value = load(path)
    if value.get("version") != 1 or isinstance(value["version"], bool):
        raise bad(path.name, "version", "1", ascii(value.get("version"))[:40])
    labels = field(value, "labels", dict, path.name, "the file")
    for key in labels:
        if not re.fullmatch(r"[1-9]\d{0,4}", key, re.ASCII):
            raise bad(path.name, "labels", "pixel values of 1 and more as keys", ascii(key)[:40])
    return {int(key): text(labels, key, path.name, "labels") for key in labels}


def _replica_labels(path: Path) -> dict[int, str]:
    labels: dict[int, str] = {}
    for k, row in enumerate(field(load(path), "objects", list, path.name, "the file")):
        at = f"objects[{k}]"
        if not isinstance(row, dict):
            raise bad(path.name, at, "an object", type(row).__name__)
        labels[field(row, "id", int, path.name, at)] = text(row, "class_name", path.name, at)
    return labels
