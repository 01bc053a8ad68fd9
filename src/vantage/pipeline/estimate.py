"""What a run will cost, from what earlier items of the stage cost, and how many workers fit the machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from vantage.core.errors import ParameterError, ResourceError
from vantage.pipeline.graph import Resources
from vantage.pipeline.store import Manifest, Store

_SAMPLE = 50
_MEBIBYTE = 1 << 20
WORKERS_VARIABLE = "VANTAGE_WORKERS"


@dataclass(frozen=True)
class Estimate:
    """Expected cost of some items; None where nothing earlier tells.

    Attributes:
        seconds: time on the clock.
        size: bytes of new outputs.
    """

    seconds: float | None
    size: float | None

    def text(self) -> str:
        """In words."""
        if self.seconds is None or self.size is None:
            return "no earlier run to estimate the cost from"
        return f"about {duration(self.seconds)} and {self.size / _MEBIBYTE:.1f} MiB of disk"


def estimate(earlier: Iterable[Manifest], items: int, workers: int) -> Estimate:
    """Expected cost of `items` items, by the median of earlier ones."""
    done = [manifest for manifest in earlier if manifest.status == "done"]
    if not done:
        return Estimate(None, None)
    each, size = median(m.seconds for m in done), median(m.size for m in done)
    return Estimate(each * items / max(1, min(workers, items)), float(size * items))


def sample(store: Store) -> list[Manifest]:
    """Some entries of a store, unverified."""
    if not store.folder.is_dir():
        return []
    keys = [path.name for path in sorted(store.folder.iterdir()) if not path.name.startswith(".")][:_SAMPLE]
    return [manifest for key in keys if (manifest := store.read(key)) is not None]


def require_space(folder: Path, expected: Estimate) -> None:
    """Raise `ResourceError` before any work if the outputs will not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if expected.size is not None and expected.size > free:
        raise ResourceError(
            "the disk has no room for the outputs",
            where=folder,
            expected=f"{expected.size / _MEBIBYTE:.0f} MiB free",
            found=f"{free / _MEBIBYTE:.0f} MiB",
            hint="free space, or process fewer scans",
        )


def worker_count(resources: Resources, asked: int | None = None) -> int:
    """How many items to work on at a time: as asked, by VANTAGE_WORKERS, or what CPUs and memory allow."""
    if asked is None and (text := os.environ.get(WORKERS_VARIABLE)):
        if not text.isdigit() or int(text) < 1:
            raise ParameterError(
                f"{WORKERS_VARIABLE} is no count", expected="a whole number from 1", found=text
            )
        asked = int(text)
    if asked is not None:
        return asked
    by_memory = _memory_bytes() / (resources.memory_gb * 1e9)
    return max(1, min(len(os.sched_getaffinity(0)) // resources.cpu, int(by_memory)))


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
