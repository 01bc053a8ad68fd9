"""A scan's points from one file of anybody's, for the `vantage recover` command."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from vantage.core.errors import ScanError
from vantage.records.objects import ScanPoints


def read_scene_file(path: Path) -> ScanPoints:
    """`coord` (N,3), taken as float32, and `instance` (N,) of an .npz file; ScanError for anything else."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
            found = {name: data[name] for name in ("coord", "instance")}
    except OSError as error:
        raise ScanError(f"cannot read the points: {error.strerror}", where=path) from error
    except KeyError as error:
        raise ScanError(
            "an array is missing", where=path, expected="coord and instance", found=error
        ) from error
    except (zipfile.BadZipFile, ValueError, EOFError, TypeError, AttributeError) as error:
        hint = "np.savez(FILE, coord=..., instance=...), plain numbers"
        raise ScanError("not a file of arrays (.npz)", where=path, found=error, hint=hint) from error
    coord, instance = found["coord"], found["instance"]
    shapes = f"{coord.dtype} {coord.shape} and {instance.dtype} {instance.shape}"
    if coord.ndim != 2 or coord.shape[1] != 3 or instance.shape != coord.shape[:1] or not len(coord):
        raise ScanError("points and ids do not fit", where=path, expected="(N, 3) and (N,)", found=shapes)
    if coord.dtype.kind != "f" or instance.dtype.kind not in "iu":
        expected = "coord in floating point (m), instance in whole numbers"
        raise ScanError("points of the wrong type", where=path, expected=expected, found=shapes)
    if bad := np.flatnonzero(~np.isfinite(coord).all(axis=1)).tolist():
        raise ScanError(
            f"{len(bad)} of {len(coord)} points are not finite",
            where=f"{path}, coord[{bad[0]}]",
            found=coord[bad[0]].tolist(),
            hint="drop them with their ids",
        )
    # The published program reads float32; larger ids than 32 bit would be cut.
    if instance.min() < -(1 << 31) or instance.max() >= 1 << 31:
        raise ScanError("an id of more than 32 bit", where=path, found=int(np.abs(instance).max()))
    return ScanPoints.plain(coord.astype(np.float32), instance.astype(np.int32))
