"""What a benchmark is to lmms-eval: pictures of a question, answers collected, and our scores of them.

An exported task folder holds a copy of this module and of what it imports (`vantage export lmms-eval`), the
official references, and `questions.jsonl`: what is asked and shown, a line for each question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.interface import Benchmark, Item
from vantage.evaluation.metrics.measure import Measure

QUESTIONS = "questions.jsonl"
"""A line for each question: question_id, scene_id, prompt, images (paths in the folder), answers."""

Doc = Mapping[str, Any]
Said = Mapping[str, str]


@dataclass
class Task:
    """One benchmark in a folder.

    Attributes:
        folder: that was exported; paths of pictures are relative to it.
        benchmark: whose rules score.
        references: name of the official file in it.
    """

    folder: Path
    benchmark: Benchmark[Any, Any]
    references: str
    _scored: dict[str, tuple[Mapping[str, str], dict[str, Measure]]] = field(default_factory=dict)
    _opened: ClassVar[dict[Path, Task]] = {}

    @classmethod
    def of(cls, folder: Path, benchmark: Benchmark[Any, Any], references: str) -> Task:
        """The task in a folder, once in a process: lmms-eval runs a task's `utils.py` for every function."""
        return cls._opened.setdefault(folder, cls(folder, benchmark, references))

    def visual(self, doc: Doc) -> list[Any]:
        """The pictures of a question, Pillow RGB images in the order shown."""
        from PIL import Image

        shown = []
        for name in doc["images"]:
            with Image.open(self.folder / name) as image:
                shown.append(image.convert("RGB"))
        return shown

    def score(self, said: Sequence[Said], variant: str, metric: str) -> float:
        """One number of one variant; NaN where no question that was asked concerns it.

        Args:
            said: `id` and `text` of each answer, in any order; the last of several to one question counts.
            variant, metric: as in `vantage score --json`.

        Questions that could not be put together at export count as wrong once all others were asked; of a
        run over some of them, only those are scored.
        """
        texts = {one["id"]: one["text"] for one in said}
        known = self._scored.get(variant)
        if known is None or known[0] != texts:
            items = [item for item in self._items if item.id in texts or texts.keys() >= self._asked]
            replies = [Reply(texts[item.id]) if item.id in texts else None for item in items]
            known = self._scored[variant] = texts, self.benchmark.variants[variant].score(items, replies)
        return known[1][metric].value if metric in known[1] else float("nan")

    @cached_property
    def _items(self) -> list[Item[Any]]:
        return self.benchmark.references(self.folder / self.references, None)

    @cached_property
    def _asked(self) -> frozenset[str]:
        lines = (self.folder / QUESTIONS).read_text(encoding="utf-8").splitlines()
        return frozenset(json.loads(line)["question_id"] for line in lines)
