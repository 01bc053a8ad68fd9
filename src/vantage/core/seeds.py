"""Randomness that depends on a seed and on names only, never on order or on global state."""

from __future__ import annotations

import hashlib

import numpy as np


def priority(*keys: str | int) -> int:
    """A stable 64-bit number for a tuple of keys: the same in every process, version and machine."""
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def fraction(*keys: str | int) -> float:
    """A stable number in [0, 1) for a tuple of keys; used for splits."""
    return (priority(*keys) >> 11) / (1 << 53)


def rng(seed: int, *keys: str | int) -> np.random.Generator:
    """A generator of its own for a purpose, for instance `rng(seed, "path", scan_id)`."""
    return np.random.default_rng(priority(seed, *keys))
