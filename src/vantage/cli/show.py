"""Showing runs to a person: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from vantage.pipeline.watch import PlainWatcher, Position, Watcher


def watcher() -> Watcher:
    """What fits standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if console.is_terminal:
        return TerminalWatcher(console)
    return PlainWatcher(lambda text: console.print(text, markup=False))


class TerminalWatcher:
    """A bar that moves, with lines above it.

    Args:
        console: the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def say(self, text: str) -> None:
        """Print the line."""
        self._console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print the line so that it is seen."""
        self._console.print(f"warning: {text}", style="bold yellow", markup=False)

    def begin(self, stage: str, total: int) -> None:
        """Show the bar."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(
            *columns, TextColumn("{task.fields[note]}"), console=self._console, transient=True
        )
        self._task = self._bar.add_task(stage, total=total, note="")
        self._bar.start()

    def at(self, position: Position) -> None:
        """Move the bar."""
        if self._bar is not None:
            inner = position.step / position.steps if position.steps else 0.0
            note = Position(0, 0, position.item, position.step, position.steps, position.note).text()[5:]
            self._bar.update(self._task, completed=position.done + min(inner, 0.99), note=note)

    def end(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class WatchedProgress:
    """A `core.progress.Progress` over a watcher, for work outside a stage.

    Args:
        watcher: who shows it.
        what: what the work is, in a word.
    """

    def __init__(self, watcher: Watcher, what: str) -> None:
        self._watcher = watcher
        self._what = what
        self._begun = False

    def step(self, done: int, total: int, note: str = "") -> None:
        """Show the step."""
        if not self._begun:
            self._watcher.begin(self._what, total)
            self._begun = True
        self._watcher.at(Position(done, total, note=note))

    def say(self, text: str) -> None:
        """Show the line."""
        self._watcher.say(text)


@contextmanager
def progress(what: str) -> Iterator[WatchedProgress]:
    """Progress on standard error, a bar or plain lines, for the duration of the block."""
    shown = watcher()
    try:
        yield WatchedProgress(shown, what)
    finally:
        shown.end()
