"""Detections in one colour image, from a JSON file of anybody's."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ScanError, VantageError
from vantage.geometry.camera import Pinhole
from vantage.lift.region import Region
from vantage.lift.run_lengths import mask_of_runs

_KEYS = {"bbox", "mask", "label", "score"}


@dataclass(frozen=True, eq=False)
class Detection:
    """What was detected where: a label ("" for none) and the detector's own score (None for none)."""

    region: Region
    label: str
    score: float | None


def read_detections(path: Path, camera: Pinhole) -> list[Detection]:
    """The detections of a file: a list, or an object with the list as `detections`.

    Each has `bbox` [x0, y0, x1, y1] (pixels of the colour image, integers at pixel centres), or `mask`
    {"size": [height, width], "counts": run lengths, a list or COCO's text}, or both (the mask then counts);
    `label` and `score` may be absent.

    Raises ScanError, naming file and record, for anything else: unknown keys, a mask of another size than
    the image, a box outside of it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScanError(f"cannot read the detections: {error.strerror}", where=path) from error
    except (ValueError, RecursionError) as error:
        raise ScanError("the detections are not JSON", where=path, found=error) from error
    rows = content.get("detections") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        expected = 'a list, or {"detections": [...]}'
        raise ScanError("not a file of detections", where=path, expected=expected, found=type(rows).__name__)
    return [_detection(row, camera, f"{path}, detection {i}") for i, row in enumerate(rows)]


def _detection(row: Any, camera: Pinhole, where: str) -> Detection:
    if not isinstance(row, dict) or not set(row) <= _KEYS or not {"bbox", "mask"} & set(row):
        expected = "bbox or mask, and perhaps label and score"
        found = sorted(row) if isinstance(row, dict) else type(row).__name__
        raise ScanError("not a detection", where=where, expected=expected, found=found)
    label, score = row.get("label", ""), row.get("score")
    if not isinstance(label, str):
        raise ScanError("not a label", where=where, expected="text", found=repr(label))
    if score is not None and not _is_number(score):
        raise ScanError("not a score", where=where, expected="a finite number", found=repr(score))
    try:
        region = (
            _of_mask(row["mask"], camera) if row.get("mask") is not None else _of_box(row.get("bbox"), camera)
        )
    except VantageError as error:
        place = where if error.where is None else f"{where}, {error.where}"
        raise ScanError(
            error.message, where=place, expected=error.expected, found=error.found, hint=error.hint
        ) from error
    return Detection(region, label, None if score is None else float(score))


def _of_box(box: Any, camera: Pinhole) -> Region:
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(edge) for edge in box):
        expected = "[x0, y0, x1, y1], finite numbers"
        raise ScanError("not a 2D box", where="bbox", expected=expected, found=_short(box))
    x0, y0, x1, y1 = (float(edge) for edge in box)
    if x1 < -0.5 or y1 < -0.5 or x0 > camera.width - 0.5 or y0 > camera.height - 0.5:
        expected = f"in the image of {camera.width}x{camera.height} pixels"
        raise ScanError("a 2D box outside of the image", where="bbox", expected=expected, found=box)
    return Region.of_box((x0, y0, x1, y1))


def _of_mask(mask: Any, camera: Pinhole) -> Region:
    keys = {"size", "counts"}
    if not isinstance(mask, dict) or set(mask) != keys:
        raise ScanError("not a mask", where="mask", expected="size and counts", found=_short(mask))
    size, counts = mask["size"], mask["counts"]
    if size != [camera.height, camera.width]:
        expected = f"[{camera.height}, {camera.width}] (height, width of the colour image)"
        raise ScanError("a mask of another size", where="mask, size", expected=expected, found=_short(size))
    whole = isinstance(counts, list) and all(
        isinstance(run, int) and not isinstance(run, bool) for run in counts
    )
    if not (isinstance(counts, str) or whole):
        expected = "a list of whole numbers, or COCO's packed text"
        raise ScanError("not run lengths", where="mask, counts", expected=expected, found=_short(counts))
    return Region.of_mask(mask_of_runs(counts, (camera.height, camera.width)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
