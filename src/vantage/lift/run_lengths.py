"""Masks as run lengths, as COCO writes them: down the columns, starting with the pixels that are not set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from vantage.core.errors import ContractError


def mask_of_runs(counts: Sequence[int] | str, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """The mask of `size` (height, width) with these runs, a list of numbers or COCO's packed text.

    Raises ContractError: negative runs, runs that do not add up to the image, text that is not packed.
    """
    runs = _unpacked(counts) if isinstance(counts, str) else list(counts)
    height, width = size
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        expected = f"runs of 0 or more that add up to {height} x {width} = {height * width}"
        found = f"{len(runs)} runs, sum {sum(runs)}, least {min(runs, default=0)}"
        raise ContractError("run lengths do not fit the image", expected=expected, found=found)
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T.copy()


def runs_of_mask(mask: Bool[np.ndarray, "H W"]) -> list[int]:
    """The run lengths of a mask, the first of pixels that are not set (perhaps 0)."""
    flat = mask.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0], ends, [flat.size]])
    runs: list[int] = np.diff(edges).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def _unpacked(text: str) -> list[int]:
    """Numbers of five bits a character, low bits first; from the fourth on, differences to two before."""
    runs: list[int] = []
    value = shift = 0
    for place, character in enumerate(text):
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            where = f"character {place}"
            raise ContractError(
                "not packed run lengths", where=where, expected="'0' to 'o'", found=repr(character)
            )
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise ContractError("packed run lengths end in the middle of a number", found=text[-8:])
    return runs
