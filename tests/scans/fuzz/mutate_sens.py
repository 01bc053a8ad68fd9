"""Changes to a `.sens` that know its format: fields, images of other sizes, bytes inside images."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np

INTERESTING = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_AFTER_NAME = 292  # bytes of the header behind the sensor's name
HUGE = (1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def any_bytes(data: bytes, rng: random.Random) -> bytes:
    """One change: bits, bytes, a run inserted, removed, repeated or cut off."""
    if not data:
        return rng.randbytes(rng.randrange(1, 200))
    at, size = rng.randrange(len(data)), rng.choice((1, 1, 2, 4, 8, 32, 200))
    out = bytearray(data)
    kind = rng.randrange(7)
    if kind == 0:
        out[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        out[at : at + size] = rng.randbytes(min(size, len(out) - at))
    elif kind == 2:
        out[at:at] = rng.randbytes(size)
    elif kind == 3:
        del out[at : at + size]
    elif kind == 4:
        out[at:at] = out[at : at + size] * rng.choice((1, 2, 50))
    elif kind == 5:
        del out[at:]
    else:
        out[at : at + 4] = rng.choice(INTERESTING).to_bytes(4, rng.choice(("little", "big")))
    return bytes(out)


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
