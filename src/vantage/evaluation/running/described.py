"""The box that stands for each object to be described: the annotated one, or a detector's proposal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vantage.core.errors import VantageError
from vantage.core.hashing import digest_json
from vantage.evaluation.benchmarks.boxes import Extent, read_box
from vantage.evaluation.benchmarks.files import load, records
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.benchmarks.scan2cap_uploads import PROPOSED, pairs, scenes_of

Source = Literal["annotated", "proposal"]


@dataclass(frozen=True)
class Boxes:
    """Boxes by item.

    Attributes:
        source: where they come from.
        of: by item id; an item that no proposal is paired with has none.
        proposed: number of proposals by scene of the references.
        elsewhere: number of proposals in other scenes, which are left out.
    """

    source: Source
    of: Mapping[str, Extent]
    proposed: Mapping[str, int] = field(default_factory=dict)
    elsewhere: int = 0

    @classmethod
    def annotated(cls, items: Sequence[Item[Any]]) -> Boxes:
        """The references' own: captions on ground-truth boxes."""
        return cls("annotated", {item.id: item.content.box for item in items})

    @classmethod
    def proposals(cls, path: Path, items: Sequence[Item[Any]]) -> Boxes:
        """A detector's, JSON lines of `scene_id` and a box, paired with objects as uploads are scored.

        Raises:
            ParameterError: no such file.
            ContractError: a record without scene or box.
        """
        by_scene: dict[str, list[Extent]] = {}
        for row in records(path, load(path)):
            box = read_box(row)
            if box is None:
                raise row.error("a box: bbox, box or aabb_bound", "none")
            by_scene.setdefault(row.text("scene_id"), []).append(box)
        of = {}
        scenes = scenes_of(items)
        for scene, own in scenes.items():
            proposed = by_scene.get(scene, [])
            for i, j in pairs([item.content.box for item in own], proposed):
                of[own[i].id] = proposed[j]
        counts = Counter({scene: len(proposed) for scene, proposed in by_scene.items()})
        here = {scene: counts[scene] for scene in scenes if counts[scene]}
        return cls("proposal", of, here, counts.total() - sum(here.values()))

    def settings(self) -> Mapping[str, Any]:
        """For the header of the predictions: the source, the boxes' digest, and the number of proposals."""
        digest = digest_json({name: box.tolist() for name, box in self.of.items()})
        counts = {PROPOSED: dict(self.proposed)} if self.source == "proposal" else {}
        return {"boxes": self.source, "boxes_digest": digest, **counts}

    def box(self, item: str) -> Extent:
        """The box of an item; `VantageError` where no proposal is paired with it."""
        if item not in self.of:
            raise VantageError("no proposal touches the object, or all that do are other objects'")
        return self.of[item]
