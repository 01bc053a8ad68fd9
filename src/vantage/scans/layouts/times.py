"""Pairing streams by their time stamps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64


def nearest(
    times_s: Float[np.ndarray, "n"], wanted_s: Float[np.ndarray, "m"], within_s: float
) -> Int64[np.ndarray, "m"]:
    """For each wanted time the index of the nearest of `times_s`, -1 where none is within `within_s`
    seconds."""
    if len(times_s) == 0:
        return np.full(len(wanted_s), -1)
    order = np.argsort(times_s, kind="stable")
    rising = np.asarray(times_s, dtype=np.float64)[order]
    right = np.clip(np.searchsorted(rising, wanted_s), 1, max(1, len(rising) - 1))
    left = right - 1
    right = np.minimum(right, len(rising) - 1)
    closer = np.where(np.abs(rising[left] - wanted_s) <= np.abs(rising[right] - wanted_s), left, right)
    near = np.abs(rising[closer] - wanted_s) <= within_s + 1e-9
    return np.where(near, order[closer], -1)


def paired(
    first_s: Float[np.ndarray, "n"], second_s: Float[np.ndarray, "m"], within_s: float
) -> Int64[np.ndarray, "n"]:
    """For each time of the first stream its partner in the second, -1 for none; no partner is taken twice.

    Pairs are made in the order of their difference, as TUM's `associate` does.
    """
    order = np.argsort(second_s, kind="stable")
    rising = np.asarray(second_s, dtype=np.float64)[order]
    low = np.searchsorted(rising, np.asarray(first_s) - within_s - 1e-9, side="left")
    high = np.searchsorted(rising, np.asarray(first_s) + within_s + 1e-9, side="right")
    candidates = [
        (abs(float(rising[j]) - float(first_s[i])), i, int(order[j]))
        for i in range(len(first_s))
        for j in range(int(low[i]), int(high[i]))
    ]
    partner, taken = np.full(len(first_s), -1), set()
    for _, i, j in sorted(candidates):
        if partner[i] < 0 and j not in taken:
            partner[i] = j
            taken.add(j)
    return partner
