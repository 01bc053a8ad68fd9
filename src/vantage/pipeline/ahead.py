"""What a run would do, told before it does anything: items, bytes from outside, disk, time."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vantage.core.names import load
from vantage.core.tasks import Cost
from vantage.pipeline.estimate import Estimate, estimate, require_space, sample
from vantage.pipeline.plan import Item, Plan
from vantage.pipeline.watch import Position, Watcher
from vantage.pipeline.workspace import Workspace

_SHOWN = 10


@dataclass(frozen=True)
class Ahead:
    """What processing some items will take.

    Attributes:
        todo: names of the items to process.
        kept: how many are in the store.
        workers: items at a time.
        expected: time and disk, by earlier items; None where `cost` tells the disk.
        cost: what comes from outside; None for a stage that brings in nothing.
        free: bytes free on the workspace's disk.
    """

    todo: tuple[str, ...]
    kept: int
    workers: int
    expected: Estimate
    cost: Cost | None
    free: int

    def lines(self, stage: str) -> list[str]:
        """In words, a line or two."""
        if not self.todo:
            return [f"{stage}: all {self.kept} items are in the store"]
        kept = f", {self.kept} from the store" if self.kept else ""
        expected = "" if self.cost is not None else f"; {self.expected.text()}"
        first = f"{stage}: {len(self.todo)} to process{kept}, {self.workers} at a time{expected}"
        return [first] if self.cost is None else [first, f"{stage}: {cost_text(self.cost, self.free)}"]


def look_ahead(
    workspace: Workspace, plan: Plan, todo: Sequence[Item], wanted: int, workers: int, watcher: Watcher
) -> Ahead:
    """Find out; nothing is processed or fetched. Raises what the source's own cost function raises."""
    cost = _cost(workspace, plan, todo, watcher) if todo else None
    by_earlier = estimate(sample(plan.store), len(todo), workers)
    return Ahead(
        todo=tuple(item.name for item in todo),
        kept=wanted - len(todo),
        workers=workers,
        # Files that are there already are linked, so that earlier items say nothing about the disk.
        expected=by_earlier if cost is None else Estimate(None, float(cost.size)),
        cost=cost,
        free=shutil.disk_usage(workspace.root).free,
    )


def require_room(workspace: Workspace, ahead: Ahead) -> None:
    """Raise `ResourceError` if what is ahead does not fit on the disk."""
    if ahead.todo:
        require_space(workspace.root, ahead.expected)


def tell_dry(workspace: Workspace, stage: str, ahead: Ahead, watcher: Watcher) -> None:
    """Show what a run would do, with the items' names."""
    for line in ahead.lines(stage):
        watcher.say(line)
    if ahead.todo:
        watcher.say(f"{stage}: would process {some(ahead.todo)}")
    if ahead.todo and ahead.expected.size is not None and ahead.expected.size > ahead.free:
        watcher.warn(f"{stage}: the disk of {workspace.root} has no room for that")
    watcher.say(f"{stage}: a dry run, nothing was done")


def cost_text(cost: Cost, free: int) -> str:
    """What comes from outside, beside what is there and what is free."""
    unknown = f" and {cost.unknown} of unknown size" if cost.unknown else ""
    absent = f"; {cost.absent} that the source does not have" if cost.absent else ""
    return (
        f"{cost.files} files to fetch, {size_text(cost.size)}{unknown}; "
        f"{cost.present_files} files ({size_text(cost.present)}) are here already{absent}; "
        f"{size_text(free)} of disk are free"
    )


def size_text(size: float) -> str:
    """`512 B`, `3.2 MB`, `1.3 TB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def some(names: Iterable[str]) -> str:
    """The first names, and how many more."""
    listed = sorted(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _cost(workspace: Workspace, plan: Plan, todo: Sequence[Item], watcher: Watcher) -> Cost | None:
    if plan.body.cost is None:
        return None
    asking = _Asking(plan.stage.name, watcher)
    try:
        names = [item.name for item in todo]
        found: Cost | None = load(plan.body.cost)(
            plan.config, names, workspace.cache(plan.stage.name), asking
        )
        return found
    finally:
        asking.end()


class _Asking:
    """Shows the progress of asking for sizes as that of a run."""

    def __init__(self, stage: str, watcher: Watcher) -> None:
        self._stage, self._watcher, self._begun = stage, watcher, False

    def step(self, done: int, total: int, note: str = "") -> None:
        if not self._begun:
            self._watcher.begin(self._stage, total)
            self._begun = True
        self._watcher.at(Position(done, total, note=note))

    def say(self, text: str) -> None:
        self._watcher.say(f"{self._stage}: {text}")

    def end(self) -> None:
        if self._begun:
            self._watcher.end()
