"""`grounding3d`: boxes in the frame of a picture's own camera, depth beside it, replies without a box."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from boxed_rooms import Scripted, in_json
from pictured import model as tiny_model
from pictured_boxes import BOXES, grounding3d, truth

from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.ask_vlm import VlmAnswerer
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.run import Run
from vantage.evaluation.running.shard import Shard
from vantage.evaluation.scoring import score
from vantage.models.vlm.generate import Decoding

RULE = BENCHMARKS.get("grounding3d")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"), "llava")


def run(path: Path, base: Path, out: Path, spoil: Callable[[str, int, str], str] | None = None) -> Run:
    answerer = VlmAnswerer.load(base, None, "float32", "cpu", Decoding(max_new_tokens=4))
    script = Scripted(*truth(path), in_json, *([] if spoil is None else [spoil]))
    answerer._generator = script  # type: ignore[assignment]
    builder = OwnImages(RULE, path, path.parent / "images")
    return Run(RULE, RULE.references(path, None), answerer, builder, out)


def rows(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["question_id"]: row for row in lines[1:]}


def test_true_boxes_are_given_back_in_the_cameras_frame(base: Path, tmp_path: Path) -> None:
    path, out = grounding3d(tmp_path), tmp_path / "out.jsonl"
    assert run(path, base, out).go(Shard()).complete
    for row, box in zip(rows(out).values(), BOXES, strict=True):
        corners = np.array(row["bbox"])
        assert np.allclose(corners.mean(0), box[:3], atol=1e-5)
        assert np.allclose(np.ptp(corners, axis=0), box[3:], atol=1e-5)
    found = score(RULE, out, path).variants["as_predicted"]
    assert found["iou_3d"].value == pytest.approx(1.0, abs=1e-4)
    assert found["offset_3d_m"].value == pytest.approx(0.0, abs=1e-5)


def test_replies_without_a_box_are_counted(base: Path, tmp_path: Path) -> None:
    path, out = grounding3d(tmp_path), tmp_path / "out.jsonl"
    said = {"g0": "", "g1": "to the left"}
    run(path, base, out, lambda item, _view, text: said.get(item, text)).go(Shard())
    found = score(RULE, out, path)
    assert (found.missing, found.empty, found.unparsed) == (0, 1, 1)
    measures = found.variants["as_predicted"]
    assert measures["iou_3d@0.5"].value == pytest.approx(1 / 3) and measures["iou_3d@0.5"].n == 3


def asks(path: Path) -> dict[str, Ask | SetAside]:
    builder = OwnImages(RULE, path, path.parent / "images")
    items = RULE.references(path, None)
    return {one.id: one for one in builder.asks(items, {item.id: "?" for item in items})}


def test_a_depth_image_is_read_in_metres_and_is_part_of_the_input(tmp_path: Path) -> None:
    path = grounding3d(tmp_path)
    before = asks(path)
    first, second = before["g0"], before["g1"]
    assert isinstance(first, Ask) and isinstance(second, Ask) and second.depth is None
    assert first.depth is not None
    image = first.depth()
    assert image.dtype == np.float32 and (image[0] == 0).all() and np.allclose(image[1:], 1.5)
    listed = json.loads(path.read_text())
    del listed[0]["depth"]
    listed[1]["depth"] = "none.png"
    listed[2]["depth"] = "2.png"
    path.write_text(json.dumps(listed))
    after = asks(path)
    without, missing, wrong = after["g0"], after["g1"], after["g2"]
    assert isinstance(without, Ask) and without.depth is None and without.input != first.input
    assert isinstance(missing, SetAside) and "picture is missing" in missing.reason
    assert isinstance(wrong, SetAside) and "not a depth image" in wrong.reason
