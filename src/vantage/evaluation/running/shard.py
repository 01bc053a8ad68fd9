"""A run in several processes: who asks what, and in which file each keeps its answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.interface import Item

_TEXT = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of`."""

    number: int = 1
    of: int = 1

    @staticmethod
    def parse(text: str) -> Shard:
        """From "2/4"; `ParameterError` for anything else."""
        match = _TEXT.fullmatch(text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ParameterError(
                "not a part of a run", where="--shard", expected="K/N with K from 1 to N", found=text
            )
        return Shard(int(match[1]), int(match[2]))

    def file(self, out: Path) -> Path:
        """Where its answers go: the run's own file, or one beside it."""
        return out if self.of == 1 else out.with_name(f"{out.name}.{self.number}-of-{self.of}")

    def share(self, items: Sequence[Item[Any]]) -> list[Item[Any]]:
        """Its items: scenes take turns, so that a scan is opened by one process alone."""
        groups = {name: k for k, name in enumerate(dict.fromkeys(item.scene or item.id for item in items))}
        return [item for item in items if groups[item.scene or item.id] % self.of == self.number - 1]


def files_of(out: Path) -> list[Path]:
    """The files of a run that there are: its own, then those of its parts, in order."""
    parts = [p for p in out.parent.glob(f"{out.name}.*") if _part(p.name.removeprefix(f"{out.name}."))]
    ordered = sorted(parts, key=lambda p: [int(n) for n in re.findall(r"\d+", p.name[len(out.name) :])])
    return [path for path in (out, *ordered) if path.is_file()]


def _part(ending: str) -> bool:
    return re.fullmatch(r"\d+-of-\d+", ending) is not None
