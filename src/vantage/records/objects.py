"""Objects of a scan: labels and oriented boxes in the aligned world, and the points behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int32

from vantage.core.errors import ContractError
from vantage.core.frames import Frame, require_frame
from vantage.records.arrays import write_arrays
from vantage.records.tables import read_table, write_table

OBJECTS_FILE = "objects.parquet"
POINTS_FILE = "points.npz"
VERSION = 1
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


@dataclass(frozen=True)
class ScanPoints:
    """Mesh vertices of a scan.

    Attributes:
        coord: metres, in the world as scanned (`raw`).
        instance: object id of each vertex, -1 where there is none.
    """

    coord: Float32[np.ndarray, "n 3"]
    instance: Int32[np.ndarray, "n"]


def write_points(folder: Path, points: ScanPoints) -> None:
    """Write `points.npz` into a scan's folder."""
    arrays = {"coord": points.coord.astype(np.float32), "instance": points.instance.astype(np.int32)}
    write_arrays(folder / POINTS_FILE, arrays)


def read_points(folder: Path) -> ScanPoints:
    """Vertices and instance ids of a scan; `ContractError` when missing or of the wrong shape."""
    path = folder / POINTS_FILE
    if not path.is_file():
        raise ContractError("a scan's points are missing", where=path, hint="run extract again")
    with np.load(path, allow_pickle=False) as data:
        coord, instance = data["coord"], data["instance"]
    if coord.ndim != 2 or coord.shape[1] != 3 or instance.shape != coord.shape[:1]:
        raise ContractError(
            "points and instance ids do not fit",
            where=path,
            expected="(n, 3) and (n,)",
            found=f"{coord.shape} and {instance.shape}",
        )
    return ScanPoints(coord=coord, instance=instance)
