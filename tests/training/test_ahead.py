from __future__ import annotations

import threading
import time

import pytest

from vantage.training.ahead import Ahead


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_batches_come_in_the_order_of_the_steps(workers: int) -> None:
    def make(step: int) -> int:
        time.sleep(0.002 * (step % 3))  # later ones are often ready first
        return step * step

    assert list(Ahead(make, range(7, 31), workers)) == [(k, k * k) for k in range(7, 31)]


def test_only_as_many_are_made_ahead_as_there_are_workers() -> None:
    made: list[int] = []
    steps = iter(Ahead(lambda step: made.append(step), range(100), 2))
    for _ in range(3):
        next(steps)
    time.sleep(0.1)
    assert len(made) <= 3 + 2
    before = threading.active_count()
    steps.close()  # type: ignore[attr-defined]
    assert threading.active_count() < before, "its threads end with it"


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_at_its_own_step(workers: int) -> None:
    def make(step: int) -> int:
        if step == 4:
            raise OSError("picture 4 is gone")
        return step

    seen = []
    with pytest.raises(OSError, match="picture 4"):
        for step, _ in Ahead(make, range(9), workers):
            seen.append(step)
    assert seen == [0, 1, 2, 3]


def test_time_spent_waiting_is_what_the_loop_stood_still() -> None:
    def make(step: int) -> int:
        time.sleep(0.02)
        return step

    alone, helped = Ahead(make, range(12), 0), Ahead(make, range(12), 2)
    for ahead in (alone, helped):
        for _ in ahead:
            time.sleep(0.05)
    assert alone.waited_s > 12 * 0.02
    # The first is waited for; the others are made while the loop works.
    assert helped.waited_s < 0.5 * alone.waited_s
