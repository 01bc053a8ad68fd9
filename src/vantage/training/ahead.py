"""Batches prepared ahead of the loop by threads, in the order of the steps.

Threads and not processes: decoding, resizing and tokenising release the interpreter's lock, pictures need no
copy between processes, samples may be closures, and a killed run leaves nobody behind.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """`make(step)` for each step in turn. The same for any number of workers; 0 makes each when asked for.

    Attributes:
        waited_s: seconds that the loop stood still for data.
    """

    def __init__(self, make: Callable[[int], T], steps: range, workers: int) -> None:
        self._make, self._steps, self._workers = make, steps, workers
        self.waited_s = 0.0

    def __iter__(self) -> Iterator[tuple[int, T]]:
        if self._workers == 0:
            for step in self._steps:
                yield step, self._timed(lambda step=step: self._make(step))  # type: ignore[misc]
            return
        pool = ThreadPoolExecutor(self._workers, "batches")
        coming: deque[tuple[int, Future[T]]] = deque()
        left = iter(self._steps)
        try:
            for step in left:
                coming.append((step, pool.submit(self._make, step)))
                if len(coming) > self._workers:  # one ready while each worker makes another
                    yield self._next(coming)
            while coming:
                yield self._next(coming)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _next(self, coming: deque[tuple[int, Future[T]]]) -> tuple[int, T]:
        step, future = coming.popleft()
        return step, self._timed(future.result)

    def _timed(self, get: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            return get()
        finally:
            self.waited_s += time.perf_counter() - started
