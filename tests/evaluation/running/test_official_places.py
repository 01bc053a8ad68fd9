"""Places of SQA3D's official annotations: all are read, and face where the authors' formula says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks import sqa3d


def test_every_official_annotation_has_a_place(shared_data: Path) -> None:
    path = shared_data / "sqa3d" / "v1_balanced_sqa_annotations_val_scannetv2.json"
    noted = {str(row["question_id"]): row for row in json.loads(path.read_text())["annotations"]}
    items = sqa3d.references(path, None)
    assert len(items) == 3519
    for item in items:
        place = item.content.place()
        assert place is not None
        x, y, yaw = place
        row = noted[item.id]
        assert (x, y) == (row["position"]["x"], row["position"]["y"])
        turned = 2 * math.atan2(row["rotation"]["_z"], row["rotation"]["_w"])
        facing = (-math.cos(turned), -math.sin(turned))
        np.testing.assert_allclose((math.cos(yaw), math.sin(yaw)), facing, atol=1e-6)
    assert sqa3d.Question("?", "", ("a",), "what", "x").place() is None
