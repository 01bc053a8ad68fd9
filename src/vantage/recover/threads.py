"""Work for each pose, spread over threads that share nothing they write to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def for_each_pose(count: int, threads: int, worker: Callable[[], Callable[[int], None]]) -> None:
    """Call a function for the rows 0 to `count`, in up to `threads` threads.

    `worker` makes the function for one thread, with scratch of its own; each row is written by one thread, so
    the results do not depend on their number. An error of any row is raised.
    """
    threads = max(1, min(threads, count))

    def rows(first: int) -> None:
        do = worker()
        for row in range(first, count, threads):
            do(row)

    if threads == 1:
        rows(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(rows, first) for first in range(threads)]:
            done.result()
