"""What an export will cost, from a few of its frames: files, bytes and seconds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.scans.export import Selection, color_bytes, missing_files
from vantage.scans.sens import SensReader

_SAMPLES = 5


@dataclass(frozen=True)
class Estimate:
    """What is still to be written.

    Attributes:
        frames: of the selection.
        files: to write; 1 for a packed form.
        size: their bytes, about.
        seconds: about, with the workers given.
    """

    frames: int
    files: int
    size: int
    seconds: float


def estimate_files(sens: SensReader, out: Path, selection: Selection, workers: int) -> Estimate:
    """The cost of `export_files`; a few files of each part are made and thrown away.

    Raises ParameterError when the selection is empty.
    """
    chosen = selection.frames(len(sens))
    parts: dict[str, list[Callable[[], bytes]]] = defaultdict(list)
    for name, make in missing_files(sens, out, chosen, selection):
        parts[name.split("/", 1)[0]].append(make)
    sizes, seconds = 0.0, 0.0
    for makers in parts.values():
        size, taken = _sampled(makers)
        sizes, seconds = sizes + size, seconds + taken
    return Estimate(len(chosen), sum(map(len, parts.values())), round(sizes), seconds / workers)


def estimate_packed(sens: SensReader, selection: Selection) -> Estimate:
    """The cost of `export_packed`: depth is copied, so that its bytes are known."""
    chosen, table = selection.frames(len(sens)), sens.frames()
    makers = [partial(color_bytes, sens, table[index], selection.color_size) for index in chosen]
    size, seconds = _sampled(makers)
    return Estimate(len(chosen), 1, round(size) + sum(table[k].depth_size for k in chosen), seconds)


def _sampled(makers: Sequence[Callable[[], bytes]]) -> tuple[float, float]:
    """Bytes and seconds of all, from some that are spread over them; unreadable ones cost nothing."""
    if not makers:
        return 0.0, 0.0
    step = max(1, len(makers) // _SAMPLES)
    sample, size, started = makers[step // 2 :: step], 0, time.perf_counter()
    for make in sample:
        try:
            size += len(make())
        except ScanError:
            continue
    each = len(makers) / len(sample)
    return size * each, (time.perf_counter() - started) * each
