"""Changes to bytes that know nothing of a format."""

from __future__ import annotations

import random

INTERESTING = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
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
