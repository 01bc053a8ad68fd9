"""The `.sens` reader under hostile bytes."""

from __future__ import annotations

import itertools
import random
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from mutations import HUGE, INTERESTING, any_bytes

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import decode_gray, decode_resized, encode_color
from vantage.scans.sens import SensReader, SensWriter
from vantage.scans.sens_selection import Selection
from vantage.scans.source import open_scan

_COLOR, _DEPTH = Pinhole(24, 16, 20.0, 21.0, 11.5, 7.5), Pinhole(12, 10, 9.0, 9.5, 5.5, 4.5)
_LOOKED_AT = 4  # frames whose images are decoded
_AFTER_NAME = 292
_Result = TypeVar("_Result")


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-sens-"))


@cache
def seeds() -> list[bytes]:
    """A small file of every kind: each colour with each depth, packed, lost poses, motion, no frame."""
    kinds = itertools.product(("raw", "png", "jpeg"), ("raw_ushort", "zlib_ushort"))
    found = [_file(color, depth, frames=2) for color, depth in kinds]
    found.append(_file("jpeg", "zlib_ushort", frames=3, keep_ids=True))
    found.append(_file("jpeg", "zlib_ushort", frames=0))
    motion = _file("jpeg", "zlib_ushort", frames=1)
    found.append(motion[:-8] + struct.pack("<Q", 2) + bytes(256))
    return found


def _file(color: str, depth: str, frames: int, keep_ids: bool = False) -> bytes:
    path = _folder() / "seed.sens"
    rng = np.random.default_rng(0)
    with SensWriter(
        path, _COLOR, _DEPTH, color_compression=color, depth_compression=depth, keep_ids=keep_ids
    ) as writer:
        for k in range(frames):
            rgb = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
            pose = np.full((4, 4), -np.inf) if k == 1 else np.eye(4)
            image = rng.integers(0, 5000, (10, 12), dtype=np.uint16)
            writer.add(encode_color(rgb, color), image, pose, 1000 * k, frame_id=3 * k if keep_ids else None)
    return path.read_bytes()


def run(data: bytes) -> None:
    """Open, list and decode; only ScanError may come out, and it must say where."""
    path = _folder() / "scan.sens"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # NumPy's, of numbers that nobody looked at
        _run(path)


def _run(path: Path) -> None:
    whole = _allowed(lambda: _look(path, salvage=False))
    left = _allowed(lambda: _look(path, salvage=True))
    if whole is not None:
        assert left == whole, f"{whole} frames, salvaged {left}"
    _allowed(lambda: open_scan(path.parent, "scan", 1, 1000.0))


def _look(path: Path, salvage: bool) -> int:
    with SensReader(path, salvage=salvage) as sens:
        head, count = sens.header, len(sens.table)
        assert count <= head.frame_count and len(sens) == count
        assert (count == head.frame_count) == (sens.cut is None)
        assert sens.poses().shape == (count, 4, 4) and sens.tail.size >= 0
        ids = sens.frame_ids()
        assert len(ids) == count and (np.diff(ids) > 0).all()
        color, depth = (head.color_height, head.color_width), (head.depth_height, head.depth_width)
        small = Selection(color_size=(8, 6))
        for index in range(min(count, _LOOKED_AT)):
            frame = sens.frame(index)
            assert frame.depth_offset + frame.depth_size <= sens.file_bytes
            _check(lambda index=index: sens.color(index), (*color, 3))
            _check(lambda index=index: sens.depth(index), depth)
            blob, kind = sens.color_blob(frame), head.color_compression
            _check(lambda blob=blob, kind=kind: decode_resized(blob, kind, color, "x", (8, 6)), (6, 8, 3))
            _allowed(lambda blob=blob, kind=kind: decode_gray(blob, kind, color, "x", 8))
            _allowed(lambda frame=frame: small.color(sens, frame))
        return count


def _check(decode: Callable[[], np.ndarray], shape: tuple[int, ...]) -> None:
    image = _allowed(decode)
    assert image is None or image.shape == shape, f"{image.shape} instead of {shape}"


def _allowed(work: Callable[[], _Result]) -> _Result | None:
    try:
        return work()
    except ScanError as error:
        assert error.where, f"an error that says nowhere: {error}"
        return None


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to four changes, most of them to fields of the header and of frame records, or inside images."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice((_header, _record, _depth, any_bytes, _in_image))(data, rng)
    return data


def _header(data: bytes, rng: random.Random) -> bytes:
    """A field of the header set to something interesting."""
    at = 12 + int.from_bytes(data[4:12], "little")
    if at + _AFTER_NAME > len(data):
        return any_bytes(data, rng)
    fields = [(0, 4), (4, 8), (at + 256, 4), (at + 260, 4), (at + 280, 4), (at + 284, 8)]
    fields += [(at + 264 + 4 * k, 4) for k in range(4)] + [(at + 4 * rng.randrange(64), 4)]
    return _put(data, *rng.choice(fields), rng)


def _record(data: bytes, rng: random.Random) -> bytes:
    """A time stamp, a size or a number of the pose of some frame."""
    starts = _records(data)
    if not starts:
        return any_bytes(data, rng)
    at = rng.choice(starts)
    fields = [(at + 80, 8), (at + 88, 8), (at + 64, 8), (at + 4 * rng.randrange(16), 4)]
    return _put(data, *rng.choice(fields), rng)


def _depth(data: bytes, rng: random.Random) -> bytes:
    """The depth of some frame replaced by another zlib stream, its size told truly."""
    starts = _records(data)
    if not starts:
        return any_bytes(data, rng)
    at = rng.choice(starts)
    color, depth = struct.unpack_from("<2Q", data, at + 80)
    size = rng.choice((0, 1, 239, 240, 241, 10_000, 3_000_000))
    packed = zlib.compress(bytes(size), rng.choice((0, 1, 9)))[: rng.choice((None, None, -1, 5))]
    begin = at + 96 + color
    patched = data[: at + 88] + struct.pack("<Q", len(packed)) + data[at + 96 : begin] + packed
    return patched + data[begin + depth :]


def _in_image(data: bytes, rng: random.Random) -> bytes:
    """Bytes inside the images, sizes kept: what a codec has to stand."""
    starts = _records(data)
    if not starts:
        return any_bytes(data, rng)
    begin = rng.choice(starts) + 96
    end = min(len(data), begin + rng.choice((40, 200, 700, 3000)))
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 5))):
        if begin < end:
            out[rng.randrange(begin, end)] = rng.choice((0, 0xFF, 0xC0, 0xDA, 0xE1, rng.randrange(256)))
    return bytes(out)


def _records(data: bytes) -> list[int]:
    at, found = 12 + int.from_bytes(data[4:12], "little") + _AFTER_NAME, []
    while at + 96 <= len(data) and len(found) < 8:
        found.append(at)
        color, depth = struct.unpack_from("<2Q", data, at + 80)
        at += 96 + color + depth
    return found


def _put(data: bytes, at: int, size: int, rng: random.Random) -> bytes:
    near = int.from_bytes(data[at : at + size], "little") + rng.choice((-1, 1, 8, -8, 96))
    floats = [int.from_bytes(struct.pack("<f", x), "little") for x in (-1.0, np.nan, np.inf, -np.inf, 1e-30)]
    value = rng.choice((near, rng.choice(INTERESTING), rng.choice(HUGE), rng.choice(floats)))
    return data[:at] + (value % (1 << (8 * size))).to_bytes(size, "little") + data[at + size :]
