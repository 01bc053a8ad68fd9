"""References of the benchmarks of boxes for the two generated rooms, and a writer of the true boxes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from asked_rooms import Rooms
from scipy.spatial.transform import Rotation

from vantage.evaluation.benchmarks.boxes import Scenes, extent
from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.running.boxes.eyes import Eye, eyes_of_scan
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import invert
from vantage.models.vlm.request import Generated, Request
from vantage.records.box_lattice import METRIC
from vantage.records.box_text import write_boxes
from vantage.records.view_boxes import ViewBox

VIEWS = 4
THIN_M, WIDE_M = 0.15, 4.9
"""Floor and walls are no things: the text has sizes up to 5 m, in steps that are a share of what is thin."""


@dataclass(frozen=True, eq=False)
class Boxed:
    """References by benchmark, and what they mean: boxes (aligned world) by item, eyes by view."""

    scans: Path
    files: dict[str, Path]
    truth: dict[str, list[OrientedBox]]
    eyes: dict[str, Eye]


def boxed(rooms: Rooms, folder: Path) -> Boxed:
    """Written below `folder`; every object that one of the views shown has its centre in is asked for."""
    found = Boxed(rooms.scans, {}, {}, {})
    referred: list[dict[str, Any]] = []
    several: list[dict[str, Any]] = []
    uttered: list[dict[str, Any]] = []
    for made in rooms.made:
        scan, scenes = made.scan_id, Scenes(rooms.scans)
        recorded = MeasuredScan.open(rooms.scans / scan)
        shown = ScanViews(recorded.folder, recorded.meta, recorded.chosen(VIEWS))
        eyes = eyes_of_scan(shown)
        found.eyes.update({eye.name: eye for eye in eyes})
        scenes.points(scan, Record("made", {}))
        boxes = {k: upright(*own) for k, own in scenes._boxes[scan].items()}
        things = {k: box for k, box in boxes.items() if box.size.min() > THIN_M and box.size.max() < WIDE_M}
        seen = [k for k, box in things.items() if any(eye.sees(box) for eye in eyes)]
        assert len(seen) >= 3
        for k in seen:
            name = f"{scan}-{k}_0"
            found.truth[name] = [boxes[k]]
            referred.append(
                {"scene_id": scan, "object_id": str(k), "ann_id": "0", "object_name": "chair",
                 "description": f"the thing {k} of {scan}"}
            )  # fmt: skip
            others = [str(j) for j in seen if j != k][:3]
            stimulus = "-".join([scan, "chair", str(len(others) + 1), str(k), *others])
            uttered.append(
                {"scan_id": scan, "stimulus_id": stimulus, "target_id": str(k), "assignmentid": f"n-{name}",
                 "utterance": f"the thing {k}", "tokens": "['the', 'thing']", "mentions_target_class": "True"}
            )  # fmt: skip
            found.truth[f"n-{name}"] = [boxes[k]]
        for number, ids in enumerate(([], seen[:1], seen[:2], seen)):
            row = {"scene_id": scan, "object_ids": ids, "ann_id": number, "description": f"things {number}",
                   "eval_type": ("zt_w_d", "st_w_d", "mt", "mt")[number]}  # fmt: skip
            several.append(row)
            found.truth[f"{scan}-{number}"] = [boxes[k] for k in ids]
    for name, file, rows in (
        ("scanrefer", "ScanRefer_filtered_val.json", referred),
        ("multi3drefer", "multi3drefer_val.json", several),
        ("nr3d", "nr3d.json", uttered),
    ):
        found.files[name] = folder / file
        found.files[name].write_text(json.dumps(rows))
    return found


def upright(low: np.ndarray, high: np.ndarray) -> OrientedBox:
    return OrientedBox((low + high) / 2, high - low, np.eye(3))


Write = Callable[[Sequence[OrientedBox], Eye], str]
"""Boxes of an eye's frame as text about its view."""


def in_text(boxes: Sequence[OrientedBox], eye: Eye) -> str:
    """As grounded models are taught to."""
    own = [ViewBox.of(k, "thing", box, eye.T_frame_cam) for k, box in enumerate(boxes)]
    written = write_boxes(own, METRIC, eye.camera)
    assert written.outside == ()
    return written.text or "none"


def in_json(boxes: Sequence[OrientedBox], eye: Eye) -> str:
    """As stock models are asked to."""
    rows = []
    for box in boxes:
        own = box.transformed(invert(eye.T_frame_cam))
        turns = Rotation.from_matrix(own.rotation).as_euler("xyz", degrees=True)
        rows.append({"bbox_3d": [*own.center, *own.size, *turns], "label": "thing"})
    return f"```json\n{json.dumps(rows)}\n```"


class Scripted:
    """Writes in place of a model's own generator what a model that knows the truth would.

    Args:
        truth: boxes by item.
        eyes: by the name of the view.
        write: how.
        spoil: changes what is said of a view, by its number from 0.
    """

    def __init__(
        self, truth: Mapping[str, Sequence[OrientedBox]], eyes: Mapping[str, Eye], write: Write,
        spoil: Callable[[str, int, str], str] = lambda _item, _view, text: text,
    ) -> None:  # fmt: skip
        self.truth, self.eyes, self.write, self.spoil = truth, eyes, write, spoil
        self.asked: list[Request] = []
        self.calls = 0

    def answers(self, requests: Sequence[Request]) -> Iterator[list[Generated]]:
        self.calls += 1
        self.asked += requests
        for start in range(0, len(requests), 5):
            yield [self._one(request) for request in requests[start : start + 5]]

    def _one(self, request: Request) -> Generated:
        match = re.fullmatch(r"(.*) from view (\d+)", request.id)
        item, view = (match[1], int(match[2]) - 1) if match else (request.id, 0)
        eye = self.eyes[request.views[0].name]
        text = self.write([box for box in self.truth[item] if eye.sees(box)], eye)
        return Generated(request.id, self.spoil(item, view, text), "eos", (1, 2), 7, (1.0, 1.0))


def extents(boxes: Sequence[OrientedBox]) -> list[list[list[float]]]:
    return [extent(box).tolist() for box in boxes]
