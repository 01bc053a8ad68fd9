"""Lifted boxes in Omni3D's fields: the same corners, its meaning of the axes, -1 for what is not there."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from box_room import COLOR
from vantage.geometry.box_corners import boxes_of_corners
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import R_FLU_RDF, apply, compose, from_yaw, invert
from vantage.lift.confidence import Evidence
from vantage.lift.detections import Detection
from vantage.lift.exchange import annotation, omni3d_axes
from vantage.lift.objects2d import LiftedBox
from vantage.lift.region import Region

EVIDENCE = Evidence(1, 0, 100, 90, 1, 2, 0, 0.1, thinned=50, points=80)
DETECTION = Detection(Region.of_box((10.0, 20.0, 30.0, 40.0)), "chair", 0.7)


def level(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return from_yaw(rng.uniform(-3, 3), rng.normal(size=3)) @ compose(R_FLU_RDF, np.zeros(3))


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_the_corners_are_those_of_the_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T = level(seed)
    center = apply(T, np.array([[0.1, 0.2, 3.0]]))[0]
    box = OrientedBox(center, rng.uniform(0.2, 1, 3), from_yaw(rng.uniform(-3, 3))[:3, :3])
    row = annotation(5, DETECTION, LiftedBox(box, "", 0.6, (), EVIDENCE), COLOR, T)
    json.dumps(row, allow_nan=False)
    corners = np.array(row["bbox3D_cam"])
    expected = apply(invert(T), box.corners())
    gap = np.linalg.norm(corners[:, None] - expected[None], axis=2)
    assert gap.min(axis=1).max() < 1e-9
    assert gap.min(axis=0).max() < 1e-9
    width, height, length = row["dimensions"]
    np.testing.assert_allclose([length, width, height], box.size)
    back = boxes_of_corners(corners[None], "omni3d")[0]  # refuses any other order of corners
    np.testing.assert_allclose(back.size, [length, height, width])
    np.testing.assert_allclose(back.rotation, row["R_cam"], atol=1e-9)
    # The camera is level: the box's height runs along the camera's y, which points down.
    np.testing.assert_allclose(np.array(row["R_cam"])[:, 1], [0, 1, 0], atol=1e-9)
    x0, y0, x1, y1 = row["bbox2D_trunc"]
    assert 0 <= x1 - x0 <= COLOR.width
    assert 0 <= y1 - y0 <= COLOR.height
    assert row["valid3D"] and not row["behind_camera"]


def test_the_axes_of_omni3d_are_right_handed_and_the_box_the_same() -> None:
    box = OrientedBox(np.array([1.0, 2.0, 3.0]), np.array([0.4, 0.5, 0.6]), from_yaw(0.3)[:3, :3])
    other = omni3d_axes(box)
    assert np.isclose(np.linalg.det(other.rotation), 1)
    assert other.contains(box.corners(), 1e-9).all()
    assert np.isclose(other.volume, box.volume)
    np.testing.assert_allclose(other.rotation[:, 1], [0, 0, -1], atol=1e-12)


def test_a_refused_detection_keeps_its_place_and_reason() -> None:
    row = annotation(3, DETECTION, LiftedBox(None, "no depth", 0.0, (), EVIDENCE), COLOR, level(0))
    json.dumps(row, allow_nan=False)
    assert (row["id"], row["valid3D"], row["category_name"], row["score"]) == (3, False, "chair", 0.7)
    assert row["center_cam"] == [-1, -1, -1]
    assert np.shape(row["bbox3D_cam"]) == (8, 3)
    assert row["bbox2D_tight"] == [10, 20, 30, 40]
    assert row["vantage"]["reason"] == "no depth"
    assert row["vantage"]["confidence"] == 0
