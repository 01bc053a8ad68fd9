"""Counting bytes while several threads receive them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Meter:
    """Bytes of some files: there, expected, and received now.

    Args:
        clock: seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock, self._began = clock, clock()
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self._last = ""
        self._received = 0

    @property
    def fetched(self) -> int:
        """Bytes received by this run."""
        return self._received

    def there(self, name: str, size: int) -> None:
        """A file is in its place."""
        with self._lock:
            self._done[name] = self._total[name] = size

    def received(self, name: str, done: int, total: int | None, piece: int) -> None:
        """`piece` more bytes of a file came; `done` of `total` are there."""
        with self._lock:
            self._done[name], self._total[name] = done, max(total or 0, done)
            self._received += piece
            self._last = name

    def state(self) -> tuple[int, int, str]:
        """Megabytes there, megabytes expected as far as known, and a note with speed and file."""
        with self._lock:
            speed = self._received / 1e6 / max(self._clock() - self._began, 1e-3)
            done, total = sum(self._done.values()) // 1_000_000, sum(self._total.values()) // 1_000_000
            return done, total, f"MB, {speed:.1f} MB/s, {self._last}"
