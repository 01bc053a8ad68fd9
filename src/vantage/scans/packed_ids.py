"""The ids of a packed `.sens`: its frames are numbered anew, and a file beside it tells which they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vantage.core import atomic
from vantage.core.errors import ScanError
from vantage.core.hashing import digest_bytes

ENDING = ".frames.json"


def beside(sens: Path) -> Path:
    """`scan.frames.json` of `scan.sens`."""
    return sens.with_suffix(ENDING)


def write_ids(sens: Path, source: str, ids: Sequence[int], T_raw_cam: Float[np.ndarray, "n 4 4"]) -> None:
    """Note which frames of `source` the packed file holds; their poses tie the two files together."""
    atomic.write_json(beside(sens), {"source": source, "frames": list(ids), "poses": _digest(T_raw_cam)})


def read_ids(sens: Path, T_raw_cam: Float[np.ndarray, "n 4 4"]) -> list[int]:
    """Ids of the frames of a `.sens`: those noted beside it, else positions in the file.

    Raises ScanError when the note is damaged, or of another file.
    """
    path = beside(sens)
    if not path.is_file():
        return list(range(len(T_raw_cam)))
    hint = f"Export again, or remove {path.name}: ids are then positions in the file."
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        ids, poses = noted["frames"], noted["poses"]
    except (ValueError, KeyError, TypeError) as error:
        raise ScanError("not a note of frame ids", where=path.name, found=repr(error), hint=hint) from error
    if not isinstance(ids, list) or len(ids) != len(T_raw_cam) or poses != _digest(T_raw_cam):
        raise ScanError(
            "the note of frame ids is of another file",
            where=path.name,
            expected=f"the ids of the {len(T_raw_cam)} frames of {sens.name}",
            found=f"{len(ids)} ids" if isinstance(ids, list) else type(ids).__name__,
            hint=hint,
        )
    if not all(type(k) is int and k >= 0 for k in ids) or sorted(set(ids)) != ids:
        raise ScanError("frame ids do not rise", where=path.name, found=str(ids[:8]), hint=hint)
    return ids


def _digest(T_raw_cam: Float[np.ndarray, "n 4 4"]) -> str:
    return digest_bytes(np.ascontiguousarray(T_raw_cam, dtype="<f4").tobytes())
