"""Objects as 3D boxes in a file beside a capture."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.core.errors import ScanError
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import compose, from_yaw, invert
from vantage.scans.box_file import MARGIN_M, AnnotatedBox, members, read_boxes, write_boxes

T_ALIGNED_RAW = compose(Rotation.from_euler("xyz", [0.2, -0.1, 0.7]).as_matrix(), np.array([1.0, 2.0, -0.5]))


def a_box(seed: int, object_id: int = 0, color: str | None = None) -> AnnotatedBox:
    rng = np.random.default_rng(seed)
    box = OrientedBox(
        rng.normal(size=3), rng.uniform(0.1, 2, 3), Rotation.random(random_state=rng).as_matrix()
    )
    return AnnotatedBox(object_id, "chair", color, box)


def same(one: OrientedBox, other: OrientedBox) -> None:
    for name in ("center", "size", "rotation"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9)


def test_boxes_written_come_back(tmp_path: Path) -> None:
    boxes = [a_box(1, 4, "red"), a_box(2, 0)]
    write_boxes(tmp_path / "objects.json", boxes)
    found = read_boxes(tmp_path / "objects.json", T_ALIGNED_RAW)
    assert [(b.object_id, b.label, b.color) for b in found] == [(4, "chair", "red"), (0, "chair", None)]
    for one, other in zip(boxes, found, strict=True):
        same(one.box, other.box)


def test_a_box_of_the_raw_world_is_aligned(tmp_path: Path) -> None:
    box = a_box(3).box
    raw = box.transformed(invert(T_ALIGNED_RAW))
    row = {"id": 0, "label": "bed", "frame": "raw"}
    row |= {name: getattr(raw, name).tolist() for name in ("center", "size", "rotation")}
    (tmp_path / "objects.json").write_text(json.dumps({"version": 1, "objects": [row]}))
    same(read_boxes(tmp_path / "objects.json", T_ALIGNED_RAW)[0].box, box)
    del row["rotation"]
    (tmp_path / "objects.json").write_text(json.dumps({"version": 1, "objects": [row]}))
    found = read_boxes(tmp_path / "objects.json", T_ALIGNED_RAW)[0].box
    np.testing.assert_allclose(found.rotation, T_ALIGNED_RAW[:3, :3], atol=1e-9)


GOOD = {"id": 1, "label": "chair", "center": [0, 0, 1], "size": [1, 1, 2], "frame": "aligned"}


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"id": -1}, r"objects\[0\].id"),
        ({"id": 1.0}, "id of type int"),
        ({"label": 3}, "label of type str"),
        ({"center": [0, 0]}, r"objects\[0\].center"),
        ({"center": [0, 0, None]}, r"objects\[0\].center"),
        ({"center": [0, 0, float("nan")]}, r"objects\[0\].center"),
        ({"size": [1, 0, 1]}, r"objects\[0\].size"),
        ({"size": [[1], 2, 3]}, r"objects\[0\].size"),
        ({"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}, r"objects\[0\].rotation"),
        ({"rotation": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}, r"objects\[0\].rotation"),
        ({"frame": "world"}, r"objects\[0\].frame"),
        ({"frame": None}, "frame of type str"),
        ({"color": 5}, "color of type str"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, change: dict[str, Any], at: str) -> None:
    path = tmp_path / "objects.json"
    path.write_text(json.dumps({"version": 1, "objects": [GOOD | change]}))
    with pytest.raises(ScanError, match=at):
        read_boxes(path, np.eye(4))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    for value, at in (
        ({"objects": []}, "version"),
        ({"version": 2, "objects": []}, "version"),
        ({"version": 1}, "objects of type list"),
        ({"version": 1, "objects": [3]}, r"objects\[0\]"),
        ({"version": 1, "objects": [GOOD, GOOD]}, "1 twice"),
    ):
        path.write_text(json.dumps(value))
        with pytest.raises(ScanError, match=at):
            read_boxes(path, np.eye(4))


@given(st.integers(0, 2**32 - 1))
def test_members_against_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [a_box(seed % 1000 + k, k) for k in range(4)]
    points = rng.normal(size=(80, 3)) * 1.2
    found = members(points, boxes)
    for point, object_id in zip(points, found.tolist(), strict=True):
        inside = [
            one
            for one in boxes
            if (np.abs(one.box.rotation.T @ (point - one.box.center)) <= one.box.size / 2 + MARGIN_M).all()
        ]
        expected = min(inside, key=lambda one: (one.box.volume, one.object_id)).object_id if inside else -1
        assert object_id == expected


def test_a_lamp_on_a_table_is_the_lamps(tmp_path: Path) -> None:
    R = from_yaw(0.3)[:3, :3]
    table = AnnotatedBox(0, "table", None, OrientedBox(np.array([0, 0, 0.5]), np.array([2.0, 1, 1.6]), R))
    lamp = AnnotatedBox(1, "lamp", None, OrientedBox(np.array([0, 0, 1.0]), np.array([0.3, 0.3, 0.5]), R))
    points = np.array([[0, 0, 1.0], [0, 0, 0.5], [5, 0, 0]])
    assert members(points, [table, lamp]).tolist() == members(points, [lamp, table]).tolist() == [1, 0, -1]
