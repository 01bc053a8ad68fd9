"""References of `grounding3d`: pictures of the items' own with intrinsics, some with a depth image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pictured import picture

from vantage.evaluation.running.boxes.eyes import Eye, eye_of_picture
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_png16, image_size

BOXES = ([0.2, 0.1, 2.5, 0.6, 0.8, 0.5], [-0.4, -0.2, 3.0, 1.0, 0.5, 0.7], [0.0, 0.3, 1.5, 0.4, 0.4, 0.4])


def grounding3d(folder: Path) -> Path:
    """Three items; the first and the last have depth images, of another size than the picture."""
    images = folder / "images"
    images.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for k, box in enumerate(BOXES):
        (images / f"{k}.png").write_bytes(data := picture(k))
        height, width = image_size(data, "made")
        row = {
            "question_id": f"g{k}", "description": f"the thing {k}", "box": box, "image": f"{k}.png",
            "intrinsics": [30.0, 31.0, width / 2, height / 2],
        }  # fmt: skip
        if k != 1:
            millimetres = np.full((height // 2, width // 2), 1000 * k + 1500, np.uint16)
            millimetres[0] = 0
            (images / f"{k}.depth.png").write_bytes(encode_png16(millimetres))
            row["depth"] = f"{k}.depth.png"
        rows.append(row)
    path = folder / "grounding.json"
    path.write_text(json.dumps(rows))
    return path


def truth(path: Path) -> tuple[dict[str, list[OrientedBox]], dict[str, Eye]]:
    """Boxes by item in the frame of the eye, and eyes by picture."""
    boxes, eyes = {}, {}
    for row in json.loads(path.read_text()):
        height, width = image_size((path.parent / "images" / row["image"]).read_bytes(), "made")
        eye = eye_of_picture(row["image"], Pinhole(width, height, *row["intrinsics"]), None)
        box = np.array(row["box"])
        own = OrientedBox(box[:3], box[3:], np.eye(3)).transformed(eye.T_frame_cam)
        boxes[row["question_id"]], eyes[row["image"]] = [own], eye
    return boxes, eyes
