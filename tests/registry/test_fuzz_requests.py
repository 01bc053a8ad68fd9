"""Damaged requests to a packaged model, and the record of its base: an answer, or an error with the key."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from damaged import as_json, changed_bytes, changed_trees, examples, values
from vantage.core.errors import ContractError, ParameterError
from vantage.lift.config import LiftConfig
from vantage.registry.request import OPTIONAL, REQUIRED, aligned_points, read_questions, read_views
from vantage.registry.served_base import SERVED_FILE, ServedBase

LOOK_X = [[0, 0, 1, 0.0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]
K = [[5.0, 0, 3.5], [0, 5.0, 2.5], [0, 0, 1]]
GREY = np.full((6, 8, 3), 90, np.uint8)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, kind)
    return buffer.getvalue()


PICTURES = [encoded(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")]


def plain() -> dict[str, Any]:
    """A request as JSON has it, but for its pictures."""
    return {
        "images": ["a.png", "a.png"], "poses": [LOOK_X, LOOK_X], "intrinsics": K, "frame": "raw", "ego": 1,
        "question": ["how far?"], "ego_pose": LOOK_X, "T_aligned_raw": np.eye(4).tolist(),
        "depth": np.full((2, 3, 4), 2.0).tolist(), "depth_intrinsics": K,
    }  # fmt: skip


def call(request: Any) -> None:
    """What every packaged model does with a request before it is asked."""
    try:
        views, questions = read_views(request), read_questions(request["question"])
        warp = LiftConfig().warp(views.colors[0].width, views.colors[0].height)
        xyz, valid = aligned_points(views, warp, 0.5)
    except ParameterError as error:
        assert error.where and error.expected is not None, error
        return
    assert 1 <= len(views.images) == len(views.T_aligned_cams) <= 8 and questions
    assert np.isfinite(views.T_aligned_cams).all() and np.isfinite(views.ego.T_world_ego).all()
    assert np.isfinite(xyz).all() and (xyz[~valid] == 0).all()


@examples(300)
@given(tree=changed_trees(plain()))
def test_values_changed(tree: Any) -> None:
    given = {k: [GREY if i == "a.png" else i for i in v] if k == "images" and isinstance(v, list) else v
             for k, v in tree.items()} if isinstance(tree, dict) else tree  # fmt: skip
    call(given)


ARRAYS = st.sampled_from([
    np.zeros((0, 0, 3), np.uint8), np.zeros((6, 0, 3), np.uint8), np.zeros((1, 1, 3), np.uint8), np.zeros(3),
    np.float64("nan"), np.array(["x"]), np.array([[1, 2], None], dtype=object), np.full((2, 3, 4), np.nan),
    np.full((2, 3, 4), np.inf), np.full((2, 0, 0), 1.0), np.full((2, 3, 4), 1e300),
    np.zeros((2, 3, 4), complex),
    np.full((4, 4), 1e200), np.full((2, 4, 4), -np.inf), np.int64(1), np.array(1), np.array("aligned"),
    np.array(["aligned", "raw"]), b"", bytearray(b"abc"), Path(), Path("x" * 5000), "\x00", "x" * 5000,
    {}, {1: 2}, set(), object(), iter([]), 1j,
])  # fmt: skip


@examples(300)
@given(key=st.sampled_from([*REQUIRED, *OPTIONAL]), value=ARRAYS | values, listed=st.booleans())
def test_what_python_can_hold(key: str, value: Any, listed: bool) -> None:
    request = {**plain(), "images": [GREY, GREY]}
    if listed and isinstance(request[key], list):
        request[key] = [value, *request[key][1:]]
    else:
        request[key] = value
    call(request)


@examples(300)
@given(picture=st.sampled_from(PICTURES).flatmap(changed_bytes))
def test_pictures_changed(picture: bytes) -> None:
    call({**plain(), "images": [GREY, picture]})
    call({**plain(), "images": [picture, picture]})


@pytest.mark.parametrize("request_", [None, [], "text", 5, {}, {1: 2}, {"images": None}])
def test_what_is_no_request(request_: Any) -> None:
    with pytest.raises(ParameterError):
        read_views(request_)


def test_a_picture_of_a_billion_pixels_is_refused_unread() -> None:
    """A bomb: its header alone says so, and nothing is unpacked."""
    header = bytearray(encoded("PNG"))
    header[16:24] = (100_000).to_bytes(4, "big") * 2
    import zlib

    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    with pytest.raises(ParameterError, match=r"images\[0\]"):
        read_views({**plain(), "images": [bytes(header)] * 2})


SERVED = ServedBase("some/vlm", "main", "0" * 64, "bfloat16", 16, 4096)


def test_seeds_are_read(tmp_path: Path) -> None:
    SERVED.write(tmp_path)
    assert ServedBase.read(tmp_path) == SERVED
    views = read_views({**plain(), "images": [GREY, PICTURES[0]]})
    assert views.order == [1, 0] and views.depth is not None


@examples(200)
@given(data=st.data())
def test_the_record_of_a_base(data: st.DataObject, tmp_path: Path) -> None:
    SERVED.write(tmp_path)
    path = tmp_path / SERVED_FILE
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(changed_bytes(whole)))
    else:
        path.write_bytes(as_json(data.draw(changed_trees(json.loads(whole)))))
    try:
        found = ServedBase.read(tmp_path)
    except ContractError as error:
        assert error.where and (error.expected or error.found)
        return
    assert found.base and found.max_new_tokens > 0 and found.tokens > 0 and isinstance(found.digest, str)
    found.write(tmp_path)
    assert ServedBase.read(tmp_path) == found
