"""What the packaged model makes of a request: which view is me, where patches lie, errors with the key."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vantage.core.errors import ParameterError
from vantage.geometry.transforms import from_yaw, invert
from vantage.registry.request import read_views
from vantage.registry.serving import Answerer

K = np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]])
LOOK_X = np.array([[0, 0, 1, 0.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])


class Recorder:
    """Stands for the model."""

    def answer(self, images: Any, xyz: Any, valid: Any, questions: list[str]) -> list[str]:
        self.images, self.xyz, self.valid = images, xyz, valid
        return [f"answer to {q}" for q in questions]


def request(**changes: Any) -> dict[str, Any]:
    """Two views, from the origin along x and from (2, 1) along y, of walls 2 m away."""
    images = [np.full((48, 64, 3), level, np.uint8) for level in (50, 200)]
    poses = np.stack([LOOK_X, from_yaw(np.pi / 2, (2.0, 1.0, 0.0)) @ LOOK_X])
    made: dict[str, Any] = {
        "images": images, "poses": poses, "intrinsics": K, "frame": "aligned", "question": "how far?",
        "depth": np.full((2, 48, 64), 2.0, np.float32),
    }  # fmt: skip
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


def test_patches_lie_where_depth_and_pose_put_them() -> None:
    model = Recorder()
    (record,) = Answerer(model).answer(request())
    assert record["answer"] == "answer to how far?"
    assert record["patches_with_depth"] == 1.0
    np.testing.assert_allclose(model.xyz[0, ..., 0], 2.0, atol=1e-6)  # the wall before me
    np.testing.assert_allclose(model.xyz[1, ..., 1], 3.0, atol=1e-6)  # the second view's wall is at y = 3
    assert model.xyz[0, 0, 0, 1] > 0 > model.xyz[0, 0, -1, 1], "left of the picture is left of me"
    assert model.xyz[0, 0, 0, 2] > 1.5 > model.xyz[0, -1, 0, 2], "up is up, heights are above the floor"


def test_a_pocket_model_takes_no_situation() -> None:
    with pytest.raises(ParameterError, match="situation") as caught:
        Answerer(Recorder()).answer(request(situation="I sit."))
    assert caught.value.where == "keys of the input"


def test_the_ego_is_shown_first_and_everything_is_told_from_it() -> None:
    model = Recorder()
    (record,) = Answerer(model).answer(request(ego=1))
    assert record["views"] == [1, 0]
    assert (model.images[0] == 200).all()
    np.testing.assert_allclose(model.xyz[0, ..., 0], 2.0, atol=1e-6)
    np.testing.assert_allclose(record["T_aligned_ego"], from_yaw(np.pi / 2, (2.0, 1.0, 0.0)), atol=1e-9)


def test_an_ego_pose_beside_the_view() -> None:
    model = Recorder()
    Answerer(model).answer(request(ego_pose=from_yaw(0.0, (0.5, 0.0, 0.0)) @ LOOK_X))
    np.testing.assert_allclose(model.xyz[0, ..., 0], 1.5, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.floats(-3, 3), st.floats(-4, 4), st.floats(-1, 1))
def test_the_raw_world_with_its_alignment_says_the_same(yaw: float, x: float, z: float) -> None:
    T = from_yaw(yaw, (x, 1.0, z))
    raw = np.stack([invert(T) @ pose for pose in request()["poses"]])
    straight, detour = Recorder(), Recorder()
    Answerer(straight).answer(request())
    Answerer(detour).answer(request(poses=raw, frame="raw", T_aligned_raw=T))
    np.testing.assert_allclose(straight.xyz, detour.xyz, atol=1e-5)


def test_without_depth_no_patch_has_a_point() -> None:
    model = Recorder()
    (record,) = Answerer(model).answer(request(depth=None))
    assert record["patches_with_depth"] == 0
    assert not model.valid.any()


def test_depth_of_another_size_with_its_own_camera() -> None:
    depth = np.full((2, 24, 32), 2.0)
    half = np.array([[25.0, 0, 15.5], [0, 25, 11.5], [0, 0, 1]])
    model = Recorder()
    Answerer(model).answer(request(depth=depth, depth_intrinsics=half))
    np.testing.assert_allclose(model.xyz[0, ..., 0], 2.0, atol=1e-6)
    with pytest.raises(ParameterError, match="depth_intrinsics"):
        Answerer(model).answer(request(depth=depth))


def test_pictures_as_bytes_or_paths(tmp_path: Path) -> None:
    plain = request()["images"]
    buffer = io.BytesIO()
    Image.fromarray(plain[0]).save(buffer, "PNG")
    Image.fromarray(plain[1]).save(tmp_path / "b.png")
    views = read_views(request(images=[buffer.getvalue(), tmp_path / "b.png"]))
    for got, expected in zip(views.images, plain, strict=True):
        np.testing.assert_array_equal(got, expected)


SMALL = np.zeros((5, 4, 3), np.uint8)
SHEAR = np.array([[1, 1, 0, 0.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a key is missing": ({"poses": None}, "without poses"),
    "a key is misspelt": ({"dephts": 1}, "dephts"),
    "one picture instead of a list": ({"images": b"jpeg"}, "one picture per view"),
    "no picture": ({"images": []}, "1 to 8 views"),
    "too many pictures": ({"images": request()["images"] * 5}, "10 views"),
    "not a picture": ({"images": [b"abc", b"def"]}, r"images\[0\]"),
    "no such file": ({"images": ["/no/such.png", "/no.png"]}, "no file"),
    "float pictures": ({"images": [np.zeros((4, 4, 3))] * 2}, "uint8"),
    "pictures of two sizes": ({"images": [request()["images"][0], SMALL]}, r"images\[1\]"),
    "a pose too few": ({"poses": [LOOK_X]}, r"\(2, 4, 4\)"),
    "not rigid": ({"poses": [LOOK_X, SHEAR]}, r"poses\[1\]"),
    "lost tracking": ({"poses": [LOOK_X, np.full((4, 4), -np.inf)]}, r"poses\[1\]"),
    "ragged poses": ({"poses": [LOOK_X, [1, 2]]}, "not numbers"),
    "a frame that is none": ({"frame": "world"}, "'raw' or 'aligned'"),
    "raw without alignment": ({"frame": "raw"}, "T_aligned_raw"),
    "aligned with alignment": ({"T_aligned_raw": np.eye(4)}, "T_aligned_raw"),
    "ego out of range": ({"ego": 2}, "0 to 1"),
    "ego not an index": ({"ego": True}, "0 to 1"),
    "ego between views": ({"ego": 0.5}, "0 to 1"),
    "intrinsics of another shape": ({"intrinsics": [50, 50, 31, 23]}, "intrinsics"),
    "negative focal length": ({"intrinsics": -K}, "intrinsics"),
    "millimetres as integers": ({"depth": np.full((2, 48, 64), 2000, np.uint16)}, "divide millimetres"),
    "millimetres as floats": ({"depth": np.full((2, 48, 64), 2000.0)}, "divide millimetres"),
    "depth of one view": ({"depth": np.ones((1, 48, 64))}, "depth"),
    "no question": ({"question": []}, "question"),
    "a question that is none": ({"question": [3]}, "question"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "named"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_named(changes: dict[str, Any], named: str) -> None:
    wrong = request(**changes)
    for key, value in changes.items():
        if value is None:
            wrong.pop(key, None)
    with pytest.raises(ParameterError, match=named):
        Answerer(Recorder()).answer(wrong)
