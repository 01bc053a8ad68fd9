"""References of Scan2Cap about generated rooms: every annotated object with two captions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from asked_rooms import Rooms

from vantage.scans.objects import read_annotations


def scan2cap(rooms: Rooms, path: Path, words: str = "", every: int = 1) -> Path:
    """The official form, boxes left to the scans; `words` go into names and captions, which no model gets."""
    rows: list[dict[str, Any]] = []
    for scan in rooms.made:
        found = read_annotations(rooms.scans / scan.scan_id, scan.scan_id, scan.T_aligned_raw)
        for box in found.objects[::every]:
            for k, text in enumerate(
                (f"this is a {box.label} {words} .", f"the {box.label} {words} is here .")
            ):
                rows.append(
                    {
                        "scene_id": scan.scan_id, "object_id": str(box.object_id), "ann_id": str(k),
                        "object_name": f"{box.label} {words}", "description": text, "token": text.split(),
                    }
                )  # fmt: skip
    path.write_text(json.dumps(rows))
    return path
