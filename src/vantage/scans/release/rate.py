"""One limit on bytes a second for every process and thread that shares a file."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path

#: A time further ahead than this, and than a thousand others in line, is of another boot of the machine.
_BELIEVABLE_S, _IN_LINE = 60.0, 1000


class RateLimit:
    """Makes those who took bytes wait, so that all together stay under the limit.

    Args:
        path: holds the time at which the line is free again, under a lock.
        bytes_per_s: the limit; 0 for none.
        clock: seconds, the same for all processes of the machine.
        sleep: waits.
    """

    def __init__(
        self,
        path: Path,
        bytes_per_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._path, self._limit, self._clock, self._sleep = path, bytes_per_s, clock, sleep

    def take(self, count: int) -> None:
        """Account for `count` bytes, and wait until they are paid for."""
        if self._limit <= 0:
            return
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            now, free = self._clock(), _number(file.read())
            own = count / self._limit
            begin = free if now < free < now + _BELIEVABLE_S + _IN_LINE * own else now
            end = begin + own
            file.truncate(0)
            file.write(f"{end:.6f}")
        self._sleep(max(0.0, end - now))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
