"""Plain progress, estimates and worker counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from vantage.core.errors import ParameterError, ResourceError
from vantage.pipeline.estimate import Estimate, duration, estimate, require_space, worker_count
from vantage.pipeline.graph import Resources
from vantage.pipeline.store import Manifest, StoredFile
from vantage.pipeline.watch import PlainWatcher, Position


def test_plain_lines_come_every_few_seconds_and_say_where_the_run_is() -> None:
    lines: list[str] = []
    now = [0.0]
    watcher = PlainWatcher(lines.append, clock=lambda: now[0])
    watcher.begin("lift", 10)
    for second in range(12):
        now[0] = float(second)
        watcher.at(Position(second, 10, "room1", second, 24, "frame 7"))
    watcher.end()
    assert lines == ["lift: 5/10, room1 5/24 frame 7", "lift: 10/10, room1 10/24 frame 7"]


def test_the_estimate_is_the_median_shared_by_the_workers() -> None:
    def item(seconds: float, size: int) -> Manifest:
        return Manifest("s", "i", "done", files={"f": StoredFile("", size, 0)}, seconds=seconds)

    found = estimate([item(1.0, 10), item(3.0, 30), item(100.0, 1000)], items=4, workers=2)
    assert found == Estimate(seconds=6.0, size=120.0)
    assert estimate([], 4, 2).text() == "no earlier run to estimate the cost from"
    assert estimate([item(60.0, 1 << 20)], 4, 1).text() == "about 4 min and 4.0 MiB of disk"


def test_outputs_that_cannot_fit_are_refused_before_any_work(tmp_path: Path) -> None:
    require_space(tmp_path, Estimate(1.0, 1.0))
    require_space(tmp_path, Estimate(None, None))
    with pytest.raises(ResourceError, match="no room"):
        require_space(tmp_path, Estimate(1.0, 1e18))


def test_workers_are_as_asked_or_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VANTAGE_WORKERS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3})
    assert worker_count(Resources(cpu=2, memory_gb=0.001)) == 2
    assert worker_count(Resources(cpu=8, memory_gb=0.001)) == 1
    assert worker_count(Resources(cpu=1, memory_gb=1e6)) == 1
    assert worker_count(Resources(), asked=7) == 7
    monkeypatch.setenv("VANTAGE_WORKERS", "3")
    assert worker_count(Resources()) == 3
    monkeypatch.setenv("VANTAGE_WORKERS", "many")
    with pytest.raises(ParameterError, match="no count"):
        worker_count(Resources())


def test_durations_read_well() -> None:
    assert [duration(s) for s in (2.0, 89.0, 600.0, 9000.0)] == ["2 s", "89 s", "10 min", "2.5 h"]
