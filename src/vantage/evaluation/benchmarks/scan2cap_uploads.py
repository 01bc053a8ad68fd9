"""Scan2Cap's upload format, proposals by scene, given to the annotated objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks.boxes import Extent, every_iou, read_box, stacked
from vantage.evaluation.benchmarks.files import Record, records
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.metrics.assignment import best_assignment


def read_upload(
    path: Path, value: Any, items: Sequence[Item[Any]]
) -> dict[str, tuple[str, Extent, int]] | None:
    """For each object that gets a proposal: its caption, its box, and how many of the scene's got no object.

    Objects and proposals of a scene are paired so that the total IoU is highest; pairs that do not touch
    are none. The published code pairs by a generalised IoU that is degenerate for boxes whose z is up.

    Returns:
        None if the value is not an object of lists.

    Raises:
        ContractError: a scene that the references do not have, a proposal without box or caption.
    """
    if not isinstance(value, dict) or not all(isinstance(rows, list) for rows in value.values()):
        return None
    by_scene: dict[str, list[Item[Any]]] = {}
    for item in items:
        by_scene.setdefault(item.scene, []).append(item)
    found: dict[str, tuple[str, Extent, int]] = {}
    for scene, rows in value.items():
        if scene not in by_scene:
            raise ContractError(f"the references have no scene {scene!r}", where=path)
        found |= _assign(by_scene[scene], [_proposal(row) for row in records(path, rows)])
    return found


def _proposal(row: Record) -> tuple[str, Extent]:
    box = read_box(row)
    if box is None:
        raise row.error("a box of eight corners", "none")
    return row.text("caption"), box


def _assign(
    items: Sequence[Item[Any]], proposals: Sequence[tuple[str, Extent]]
) -> dict[str, tuple[str, Extent, int]]:
    iou = every_iou(stacked([i.content.box for i in items]), stacked([box for _, box in proposals]))
    pairs = [(i, j) for i, j in zip(*best_assignment(iou), strict=True) if iou[i, j] > 0]
    spare = len(proposals) - len(pairs)
    found = {}
    for i, j in pairs:
        text, box = proposals[j]
        found[items[i].id] = (text, box, spare)
        spare = 0  # counted once for the scene
    return found
