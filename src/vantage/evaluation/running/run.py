"""Asking a model about a benchmark's items: answers kept as they come, going on where it stopped."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vantage.core.errors import ContractError, ParameterError
from vantage.core.hashing import digest_json
from vantage.core.progress import Progress, Silent
from vantage.evaluation.benchmarks.files import SET_ASIDE
from vantage.evaluation.benchmarks.interface import Benchmark, Item
from vantage.evaluation.running.ask import Answer, Answerer, Ask, SetAside
from vantage.evaluation.running.boxes.answering import RULE
from vantage.evaluation.running.journal import (
    Row,
    at_rest,
    opened,
    read_rows,
    row_of,
    short_digest,
    write_ordered,
)
from vantage.evaluation.running.shard import Shard, files_of

_AT_ONCE = 256  # items put together and planned in one go, whole scenes of them
_TRIED = 8  # items that an estimate is made from


@runtime_checkable
class Builder(Protocol):
    """Puts questions together with what is shown for them."""

    def settings(self) -> Mapping[str, Any]:
        """What the choice of pictures depends on."""

    def asks(self, items: Sequence[Item[Any]], prompts: Mapping[str, str]) -> list[Ask | SetAside]:
        """For items of one scene, each what to ask, or why that cannot be put together."""


@dataclass
class Tally:
    """What became of a run's items.

    Attributes:
        items: of this run, or its part.
        kept: of these, answered before it began.
        asked: answered now.
        reasons: how many were set aside, by the beginning of the reason.
        complete: whether every part is done, so that the file is in its final order.
        seconds: that it took.
    """

    items: int = 0
    kept: int = 0
    asked: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    complete: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """What a run will take: items in all, answered already, to ask, and seconds, extrapolated from a few."""

    items: int
    kept: int
    to_ask: int
    scenes: int
    tried: int
    seconds: float


class Run:
    """A benchmark's items, a model, and the file of its predictions.

    Args:
        benchmark, items: what is asked; `items` all of the references' file, in its order.
        answerer: the model.
        builder: what is shown.
        out: the file of predictions.
        limit: only the first so many items.
    """

    def __init__(
        self,
        benchmark: Benchmark[Any, Any],
        items: Sequence[Item[Any]],
        answerer: Answerer,
        builder: Builder,
        out: Path,
        limit: int | None = None,
    ) -> None:
        if out.is_dir():
            raise ParameterError("predictions are a file", where="--out", found=f"the folder {out}")
        self.answerer, self.builder, self.out, self._rule = answerer, builder, out, benchmark
        self.prompts = {item.id: answerer.prompt(benchmark, item.content) for item in items}
        self.items = list(items[:limit])
        self.header: dict[str, Any] = {
            "benchmark": benchmark.name,
            "questions": digest_json(list(self.prompts.items())),
            "model": dict(answerer.identity()),
            "settings": {**answerer.settings(), **builder.settings()},
        }
        if benchmark.boxes is not None:
            self.header["settings"]["boxes"] = RULE

    def estimate(self, shard: Shard) -> Estimate:
        """Ask a few items of one scene, keep nothing, and tell what all will take."""
        share, todo = self._work(shard)
        scenes = _by_scene(todo)
        asks: list[Ask] = []
        opened, start = 0, time.monotonic()
        for scene in scenes[:: max(1, len(scenes) // _TRIED)]:
            made = self._asks(scene[: _TRIED - len(asks)])
            asks += [ask for ask in made if isinstance(ask, Ask)]
            opened += 1
            if len(asks) == _TRIED:
                break
        opening = (time.monotonic() - start) / max(1, opened)
        self._ask(asks[:1])  # a model's first answer takes longer
        start = time.monotonic()
        self._ask(asks)
        asking = (time.monotonic() - start) / max(1, len(asks))
        seconds = opening * len(scenes) + asking * len(todo)
        return Estimate(len(share), len(share) - len(todo), len(todo), len(scenes), len(asks), seconds)

    def _ask(self, asks: Sequence[Ask]) -> None:
        if asks:
            for _ in self.answerer.answers(asks):
                pass

    def go(self, shard: Shard, progress: Progress | None = None) -> Tally:
        """Ask what has no answer yet; items set aside before are tried again.

        Raises:
            ContractError: the file is of another run.
            ResourceError: another process is at it, or the disk is full.
        """
        progress, start = progress or Silent(), time.monotonic()
        with opened(shard.file(self.out), self.header) as journal:
            share, todo = self._work(shard)
            tally = Tally(len(share), len(share) - len(todo))
            for chunk in _chunks(_by_scene(todo)):
                for batch, asks in self._answers(chunk):
                    journal.add(row_of(one, self.prompts[one.id], asks.get(one.id)) for one in batch)
                    _count(tally, batch)
                    _tell(progress, tally, len(todo), time.monotonic() - start)
        tally.complete = self._finish()
        tally.seconds = time.monotonic() - start
        return tally

    def _answers(
        self, chunk: Sequence[Sequence[Item[Any]]]
    ) -> Iterator[tuple[list[Answer | SetAside], Mapping[str, Ask]]]:
        made = [one for scene in chunk for one in self._asks(scene)]
        aside: list[Answer | SetAside] = [one for one in made if isinstance(one, SetAside)]
        asks = {one.id: one for one in made if isinstance(one, Ask)}
        if aside:
            yield aside, asks
        if asks:
            for batch in self.answerer.answers(list(asks.values())):
                yield batch, asks

    def _asks(self, scene: Sequence[Item[Any]]) -> list[Ask | SetAside]:
        content = {item.id: item.content for item in scene}
        return [
            self._told(one, content[one.id]) if isinstance(one, Ask) else one
            for one in self.builder.asks(scene, self.prompts)
        ]

    def _told(self, ask: Ask, content: Any) -> Ask:
        rule = self._rule
        own = rule.prompt(content)
        return replace(ask, own=own, content=content, wanted=rule.answered_with, boxes=rule.boxes)

    def _work(self, shard: Shard) -> tuple[list[Item[Any]], list[Item[Any]]]:
        """The items of a part, and those of them without an answer."""
        rows = self._rows()
        share = shard.share(self.items)
        return share, [item for item in share if SET_ASIDE in rows.get(item.id, {SET_ASIDE: ""})]

    def _rows(self) -> dict[str, Row]:
        """Every kept row of every part; an answer counts before a reason that there is none."""
        found: dict[str, Row] = {}
        for path in files_of(self.out):
            try:
                rows = read_rows(path, self.header)
            except FileNotFoundError:
                return self._rows()  # another process has just put the parts together
            for name, row in rows.items():
                self._require_same_prompt(path, name, row)
                if name not in found or SET_ASIDE in found[name]:
                    found[name] = row
        return found

    def _require_same_prompt(self, path: Path, name: str, row: Row) -> None:
        asked = self.prompts.get(name)
        if asked is None or row.get("prompt") != short_digest(asked):
            raise ContractError(
                "the file answers another question", where=f"{path}, item {name}",
                expected=asked or "one of the references' items", found=f"prompt {row.get('prompt')}",
                hint="give another --out, or remove the file",
            )  # fmt: skip

    def _finish(self) -> bool:
        """Once every part is done: all lines in the references' order, and no parts left beside them.

        A part that is still at work does this itself when it ends.
        """
        files = files_of(self.out)
        with at_rest(files) as alone:
            rows = self._rows() if alone else {}
            if any(item.id not in rows for item in self.items):
                return False
            write_ordered(self.out, self.header, [rows[name] for name in self.prompts if name in rows])
            for path in files:
                if path != self.out:
                    path.unlink()
        return True


def _by_scene(items: Sequence[Item[Any]]) -> list[list[Item[Any]]]:
    scenes: dict[str, list[Item[Any]]] = {}
    for item in items:
        scenes.setdefault(item.scene or item.id, []).append(item)
    return list(scenes.values())


def _chunks(scenes: Sequence[list[Item[Any]]]) -> Iterator[list[list[Item[Any]]]]:
    """Whole scenes together, up to about `_AT_ONCE` items."""
    chunk: list[list[Item[Any]]] = []
    for scene in scenes:
        if chunk and sum(map(len, chunk)) + len(scene) > _AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(scene)
    if chunk:
        yield chunk


def _count(tally: Tally, batch: Sequence[Answer | SetAside]) -> None:
    for one in batch:
        if isinstance(one, SetAside):
            tally.reasons[re.split("[;:]", one.reason)[0]] += 1
        else:
            tally.asked += 1


def _tell(progress: Progress, tally: Tally, total: int, seconds: float) -> None:
    aside = tally.reasons.total()
    done = tally.asked + aside
    left = seconds / done * (total - done)
    progress.step(done, total, f"{f'{aside} set aside, ' if aside else ''}about {duration(left)} left")


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, to two figures at most."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}" if seconds >= 10 * size else f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
