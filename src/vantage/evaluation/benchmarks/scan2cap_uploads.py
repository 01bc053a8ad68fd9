"""Proposals by scene, given to the annotated objects: Scan2Cap's upload format, and detectors' boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks.boxes import Extent, every_iou, read_box, stacked
from vantage.evaluation.benchmarks.files import HEADER, Record, records
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.metrics.assignment import best_assignment

PROPOSED = "proposed"
"""Among the settings in the header of `vantage predict`: number of proposals by scene."""


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption with its box, and how many further proposals of the scene stand for no object.

    Without a box it is no caption: it stands in a scene whose objects have none, for the proposals.
    """

    text: str
    box: Extent | None
    spare: int = 0


def read_upload(path: Path, value: Any, items: Sequence[Item[Any]]) -> dict[str, Caption] | None:
    """For each object that gets a proposal: its caption, its box, and how many of the scene's got no object.

    Returns:
        None if the value is not an object of lists.

    Raises:
        ContractError: a scene that the references do not have, a proposal without box or caption.
    """
    if not isinstance(value, dict) or not all(isinstance(rows, list) for rows in value.values()):
        return None
    found: dict[str, Caption] = {}
    given = {scene: [_proposal(row) for row in records(path, rows)] for scene, rows in value.items()}
    by_scene = scenes_of(items)
    for scene, proposals in given.items():
        if scene not in by_scene:
            raise ContractError(f"the references have no scene {scene!r}", where=path)
        own = by_scene[scene]
        for i, j in pairs([item.content.box for item in own], [one.box for one in proposals]):
            found[own[i].id] = Caption(proposals[j].text, proposals[j].box)
    return with_spare(found, items, {scene: len(proposals) for scene, proposals in given.items()})


def pairs(objects: Sequence[Extent], proposals: Sequence[Any]) -> list[tuple[int, int]]:
    """Objects and proposals of a scene, paired so that the total IoU is highest.

    Pairs that do not touch are none. The published code pairs by a generalised IoU that is degenerate for
    boxes whose z is up.
    """
    iou = every_iou(stacked(objects), stacked(proposals))
    return [(int(i), int(j)) for i, j in zip(*best_assignment(iou), strict=True) if iou[i, j] > 0]


def proposed_of(value: Any) -> Mapping[str, int] | None:
    """Number of proposals by scene, from the header of `vantage predict`; None where it tells none."""
    first = value[0] if isinstance(value, list) and value else None
    fields = first.fields if isinstance(first, Record) else first
    if not isinstance(fields, dict) or HEADER not in fields:
        return None
    found: Mapping[str, int] | None = fields.get("settings", {}).get(PROPOSED)
    return found


def with_spare(
    given: Mapping[str, Caption], items: Sequence[Item[Any]], proposed: Mapping[str, int]
) -> dict[str, Caption]:
    """Captions with the proposals of each scene that became none: counted once, at the scene's first caption.

    A scene without a caption has them at its first object.
    """
    found = dict(given)
    for scene, own in scenes_of(items).items():
        captioned = [item.id for item in own if item.id in given]
        spare = proposed.get(scene, 0) - len(captioned)
        if spare > 0:
            carrier = captioned[0] if captioned else own[0].id
            kept = found.get(carrier, Caption("", None))
            found[carrier] = Caption(kept.text, kept.box, spare)
    return found


def scenes_of(items: Sequence[Item[Any]]) -> dict[str, list[Item[Any]]]:
    """Items by scene, in order."""
    scenes: dict[str, list[Item[Any]]] = {}
    for item in items:
        scenes.setdefault(item.scene, []).append(item)
    return scenes


def _proposal(row: Record) -> Caption:
    box = read_box(row)
    if box is None:
        raise row.error("a box of eight corners", "none")
    return Caption(row.text("caption"), box)
