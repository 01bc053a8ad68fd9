"""A depth image beside a picture of an item's own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float32

from vantage.core.hashing import digest_bytes, digest_json
from vantage.evaluation.running.ask import Ask

_UNIT_M = 0.001


def measured(ask: Ask, name: str, data: bytes) -> Ask:
    """The ask with the depth image of its picture.

    It is a PNG of 16 bits in millimetres, 0 and 65535 for holes, that shows what the picture shows, at a size
    of its own. `ScanError` for what is no such PNG.
    """
    depth(data, name)
    return replace(ask, depth=partial(depth, data, name), input=digest_json([ask.input, digest_bytes(data)]))


def depth(data: bytes, name: str) -> Float32[np.ndarray, "h w"]:
    """The image in metres, holes 0; `ScanError` for what is no PNG of 16 bits."""
    from vantage.scans.codecs import decode_depth
    from vantage.scans.pixels import metres

    return metres(decode_depth(data, "png", None, name), _UNIT_M)
