"""The `.sens` reader under changes that know the format, and what holds of whatever can still be read."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mutate_sens import mutate
from targets import TARGETS, as_file

from vantage.core.errors import ScanError
from vantage.scans.codecs import decode_gray
from vantage.scans.export import Selection, color_bytes, depth_png
from vantage.scans.sens import SensReader

_Result = TypeVar("_Result")
_SMALL = (7, 5)


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_what_is_read_holds_together(seed: int) -> None:
    rng = random.Random(seed)
    data = rng.choice(TARGETS["sens"].seeds)
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = mutate(data, rng)
    look(data)


def look(data: bytes) -> None:
    """Read all of it both ways: ScanError alone may come out, it says where, and NumPy warns of nothing."""
    with as_file(data) as path, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        whole = _allowed(lambda: _read(path, salvage=False))
        left = _allowed(lambda: _read(path, salvage=True))
    assert whole is None or left == whole


def _read(path: Path, salvage: bool) -> int:
    with SensReader(path, salvage) as sens:
        head, frames = sens.header, sens.frames()
        assert len(frames) == len(sens) == len(sens.poses()) <= head.frame_count
        assert (len(frames) == head.frame_count) == (sens.damage is None)
        color, depth = (head.color_height, head.color_width), (head.depth_height, head.depth_width)
        for frame in frames[:3]:
            assert frame.depth_offset + frame.depth_size <= len(path.read_bytes())
            _check(lambda frame=frame: sens.color(frame.index), (*color, 3))
            _check(lambda frame=frame: sens.depth(frame.index), depth)
            for size in (None, _SMALL):
                _allowed(lambda frame=frame, size=size: color_bytes(sens, frame, size, as_file=True))
            _allowed(lambda frame=frame: depth_png(sens, frame))
            blob = sens.blob(frame.color_offset, frame.color_size)
            _allowed(lambda blob=blob: decode_gray(blob, head.color_compression, color, "x", 8))
        if frames:
            assert Selection(stride=2).frames(len(frames))[0] == 0
        return len(frames)


def _check(decode: Callable[[], np.ndarray], shape: tuple[int, ...]) -> None:
    image = _allowed(decode)
    assert image is None or image.shape == shape, f"{image.shape} instead of {shape}"


def _allowed(work: Callable[[], _Result]) -> _Result | None:
    try:
        return work()
    except ScanError as error:
        assert error.where, f"an error that says nowhere: {error}"
        return None
