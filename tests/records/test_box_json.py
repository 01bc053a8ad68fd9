"""Boxes as JSON: what is declared is what is read, tolerant of what stands around, not of nonsense."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry.camera import Pinhole
from vantage.records.box_json import FIELDS, box_request, camera_line, read_json_boxes, turned

GOOD = [0.1, -0.2, 2.5, 0.5, 0.6, 0.7, 0, 0, 0]


def entry(*numbers: float, label: str = "chair") -> dict[str, object]:
    return {"bbox_3d": list(numbers) or GOOD, "label": label}


AROUND = [
    "{}", "```json\n{}\n```", "Here is the box [as asked]:\n{}\nI hope this helps {{or not}}.", "\n\n {} ",
    'The key "bbox" is {{"a": [1, 2}} {}',
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
def test_text_around_does_not_matter(around: str) -> None:
    read = read_json_boxes(around.format(json.dumps([entry(), entry(1, 2, 3, 1, 1, 1, 0, 30, 0)])))
    assert len(read.boxes) == 2 and read.bad == () and not read.nothing
    assert read.boxes[0].center.tolist() == GOOD[:3] and read.boxes[0].size.tolist() == GOOD[3:6]
    assert np.array_equal(read.boxes[0].rotation, np.eye(3))


def test_single_objects_and_a_list_that_breaks_off() -> None:
    two = "\n".join(json.dumps(entry()) for _ in range(2))
    assert len(read_json_boxes(two).boxes) == 2
    whole = json.dumps([entry(), entry(), entry()])
    read = read_json_boxes(whole[: whole.rfind("2.5")])
    assert len(read.boxes) == 2
    assert [bad.reason for bad in read.bad] == ["JSON that breaks off"]


def test_nothing_said_nothing_found_and_nonsense_are_told_apart() -> None:
    for text in ("[]", "```json\n[]\n```", "There is none: []"):
        read = read_json_boxes(text)
        assert read.nothing and read.boxes == () and read.bad == ()
    empty = read_json_boxes(" \n")
    assert not empty.nothing and empty.bad == ()
    for text in ("the chair", "[[1, 2, 3, 4, 5, 6, 7, 8, 9]]", "{", "[" * 3000):
        read = read_json_boxes(text)
        assert not read.nothing and [bad.reason for bad in read.bad] == ["no JSON with bbox_3d"]


NONSENSE = {
    "no numbers": {"bbox_2d": [1, 2, 3, 4]},
    "8 numbers": entry(*GOOD[:8]),
    "size_y is not a number": {"bbox_3d": [*GOOD[:4], "wide", *GOOD[5:]]},
    "roll is not a number": {"bbox_3d": [*GOOD[:6], True, 0, 0]},
    "x is not a number": {"bbox_3d": [1e300, *GOOD[1:]]},
    "not above 0": entry(0, 0, 2, 1, 0, 1, 0, 0, 0),
    "beyond 100 m": entry(0, 0, 2500, 400, 400, 400, 0, 0, 0),
    "not before the camera": entry(0, 0, -2, 1, 1, 1, 0, 0, 0),
}


@pytest.mark.parametrize("reason", NONSENSE)
def test_an_entry_that_is_no_box_is_named_and_drops_no_other(reason: str) -> None:
    read = read_json_boxes("boxes:\n" + json.dumps([entry(), NONSENSE[reason], entry()]))
    assert len(read.boxes) == 2
    (bad,) = read.bad
    assert reason in bad.reason and bad.line == 2


def test_numbers_that_are_none_break_off() -> None:
    read = read_json_boxes(json.dumps([entry(float("nan"), *GOOD[1:])]))
    assert read.boxes == () and len(read.bad) == 1


@given(st.lists(st.floats(-360, 360), min_size=3, max_size=3))
def test_turns_are_those_of_scipy(angles: list[float]) -> None:
    ours = turned(*np.radians(angles).tolist())
    assert np.allclose(ours, Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), atol=1e-12)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    read = read_json_boxes(text)
    assert bool(read.boxes or read.bad or read.nothing) == bool(text.strip())


def test_the_request_is_kept_to_the_letter() -> None:
    assert box_request("the red chair", several=False) == (
        "Locate in 3D the one object that this description means: the red chair\n"
        'Answer with JSON only: [{"bbox_3d": [x, y, z, size_x, size_y, size_z, roll, pitch, yaw], '
        '"label": "name"}], one entry for each object, [] for none.\n'
        "x, y, z: centre in metres in the frame of the first image's camera, x right, y down, z forward. "
        "size_x, size_y, size_z: full edge lengths in metres along the box's own axes. "
        "roll, pitch, yaw: degrees by which the box is turned about the camera's x, y and z axis, in this "
        "order."
    )
    assert "every object, if there is any, that" in box_request("chairs", several=True)
    assert all(name in box_request("chairs", True) for name in FIELDS)
    assert camera_line(Pinhole(640, 480, 577.870605, 577.8, 319.5, 239.5)) == (
        "The first image has 640 x 480 pixels; its camera has fx = 577.871, fy = 577.8, cx = 319.5, "
        "cy = 239.5 pixels."
    )
