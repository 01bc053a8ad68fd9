"""Objects of a scan: labels and oriented boxes in the aligned world, and the points behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32

from vantage.core.errors import ContractError
from vantage.core.frames import Frame, require_frame
from vantage.geometry.boxes import OrientedBox, axis_box
from vantage.geometry.transforms import apply
from vantage.records.arrays import write_arrays
from vantage.records.tables import read_table, write_table

OBJECTS_FILE = "objects.parquet"
POINTS_FILE = "points.npz"
VERSION = 1
POINTS_VERSION = 2
_NAMES = ("object_id", "label", "nyu40_id", "nyu40", "color", "frame", "center", "size", "rotation", "points")


@dataclass(frozen=True)
class SceneObject:
    """An annotated object.

    Attributes:
        object_id: the annotation's own id.
        label: raw category ("nightstand").
        nyu40_id, nyu40: its NYU40 class; 0 and "unknown" when the label is not in the table.
        color: colour word where the scan carries one, else None.
        center, size: of the box, metres; `size` is along the box's own axes.
        rotation: box axes as columns, in `frame`.
        frame: always `aligned`.
        points: number of mesh vertices of the object.
    """

    object_id: int
    label: str
    nyu40_id: int
    nyu40: str
    color: str | None
    center: Float64[np.ndarray, "3"]
    size: Float64[np.ndarray, "3"]
    rotation: Float64[np.ndarray, "3 3"]
    points: int
    frame: Frame = "aligned"


def _schema() -> object:
    import pyarrow as pa

    kinds = [pa.int64(), pa.string(), pa.int64(), pa.string(), pa.string(), pa.string()]
    kinds += [pa.list_(pa.float64(), 3), pa.list_(pa.float64(), 3), pa.list_(pa.float64(), 9), pa.int64()]
    return pa.schema(list(zip(_NAMES, kinds, strict=True)))


def write_objects(folder: Path, objects: Sequence[SceneObject]) -> None:
    """Write `objects.parquet`, sorted by object id, into a scan's folder."""
    rows = sorted(objects, key=lambda item: item.object_id)
    columns: dict[str, list[object]] = {}
    for name in _NAMES:
        values = [getattr(row, name) for row in rows]
        columns[name] = [v.astype(float).ravel().tolist() if isinstance(v, np.ndarray) else v for v in values]
    write_table(folder / OBJECTS_FILE, "objects", VERSION, columns, _schema())


def read_objects(folder: Path) -> list[SceneObject]:
    """Objects of a scan, sorted by id, boxes in the aligned world; `ContractError` when unreadable."""
    columns = read_table(folder / OBJECTS_FILE, "objects", VERSION, _NAMES)
    objects = []
    for i in range(len(columns["object_id"])):
        row = {name: columns[name][i] for name in _NAMES}
        require_frame(row["frame"], "aligned", f"{folder / OBJECTS_FILE}, object {row['object_id']}")
        row["center"] = np.asarray(row["center"], dtype=np.float64)
        row["size"] = np.asarray(row["size"], dtype=np.float64)
        row["rotation"] = np.asarray(row["rotation"], dtype=np.float64).reshape(3, 3)
        objects.append(SceneObject(**row))
    return objects


@dataclass(frozen=True, eq=False)
class ScanPoints:
    """Mesh vertices of a scan.

    Attributes:
        coord: metres, in the world as scanned (`raw`).
        instance: object id of each vertex, -1 where there is none.
        superpoint: the vertex's segment in the scan's over-segmentation, numbered from 0 without gaps; -1
            throughout where the scan has none.
    """

    coord: Float32[np.ndarray, "n 3"]
    instance: Int32[np.ndarray, "n"]
    superpoint: Int32[np.ndarray, "n"]

    @classmethod
    def plain(cls, coord: Float32[np.ndarray, "n 3"], instance: Int32[np.ndarray, "n"]) -> ScanPoints:
        """Points without an over-segmentation."""
        return cls(coord, instance, np.full(len(coord), -1, dtype=np.int32))


def write_points(folder: Path, points: ScanPoints) -> None:
    """Write `points.npz` into a scan's folder."""
    arrays = {
        "version": np.array(POINTS_VERSION, dtype=np.int32),
        "coord": points.coord.astype(np.float32),
        "instance": points.instance.astype(np.int32),
        "superpoint": points.superpoint.astype(np.int32),
    }
    write_arrays(folder / POINTS_FILE, arrays)


def read_points(folder: Path) -> ScanPoints:
    """Vertices, instance ids and superpoints of a scan.

    `ContractError` when missing, of another version, or of the wrong shape.
    """
    path = folder / POINTS_FILE
    if not path.is_file():
        raise ContractError("a scan's points are missing", where=path, hint="run extract again")
    with np.load(path, allow_pickle=False) as data:
        version = int(data["version"]) if "version" in data else 1
        if version != POINTS_VERSION:
            expected, found = f"points version {POINTS_VERSION}", f"version {version}"
            hint = "run extract again"
            raise ContractError("another version", where=path, expected=expected, found=found, hint=hint)
        coord, instance, superpoint = (data[name] for name in ("coord", "instance", "superpoint"))
    rows = coord.shape[:1]
    if coord.ndim != 2 or coord.shape[1] != 3 or not instance.shape == superpoint.shape == rows:
        found = f"{coord.shape}, {instance.shape} and {superpoint.shape}"
        message = "points, instance ids and superpoints do not fit"
        raise ContractError(message, where=path, expected="(n, 3), (n,) and (n,)", found=found)
    used = np.unique(superpoint)
    if not np.array_equal(used, np.arange(len(used))) and used.tolist() != [-1]:
        expected = "numbers from 0 without gaps, or -1 throughout"
        found = f"{len(used)} numbers, {used[0]} to {used[-1]}"
        raise ContractError("superpoints have gaps", where=path, expected=expected, found=found)
    return ScanPoints(coord, instance, superpoint)


def axis_boxes(points: ScanPoints, T_a_raw: Float[np.ndarray, "4 4"] | None = None) -> dict[int, OrientedBox]:
    """Axis-aligned boxes of the objects by id: the least and greatest coordinates of their vertices, metres.

    With `T_aligned_raw` they are in the aligned world, as ScanNet's detection benchmark has them; without, in
    the raw one. Unlike `SceneObject`'s they do not turn with the object.
    """
    order = np.argsort(points.instance, kind="stable")
    ids, starts = np.unique(points.instance[order], return_index=True)
    coord = points.coord if T_a_raw is None else apply(T_a_raw, points.coord)
    groups = np.split(coord[order], starts[1:])
    found = {int(object_id): axis_box(own) for object_id, own in zip(ids, groups, strict=True) if len(own)}
    found.pop(-1, None)
    return found
