"""CV-Bench: multiple choice about one image; 3D is depth order and distance (nyu-visionx/CV-Bench)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.answers import Reply, group_masks
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, Variant
from vantage.evaluation.metrics import choices
from vantage.evaluation.metrics.measure import Measure, by_group, macro_of, slice_of


@dataclass(frozen=True)
class Question:
    """A question, its options, the right letter, its task (Depth, Distance, ...), its image's source."""

    question: str
    options: tuple[str, ...]
    letter: str
    task: str
    source: str
    prompt: str


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items of the official .parquet or .jsonl files."""
    return [_item(name, row) for name, row in unique(records(path, load(path)), key).items()]


def _item(name: str, row: Record) -> Item[Question]:
    options, letter = answers.read_options(row, "choices"), row.text("answer").strip().strip("()").upper()
    if letter not in choices.LETTERS[: len(options)] or len(letter) != 1:
        raise row.error(f'the letter of one of {len(options)} choices, as "(A)"', row.text("answer"))
    asked = row.text("question")
    content = Question(
        asked, options, letter, row.text("task"), row.text("source"), row.note("prompt") or asked
    )
    return Item(name, "", row.where, content)


def key(row: Record) -> str:
    """The id, `idx` or `question_id`."""
    return row.text("question_id", "idx")


def _rule(
    letter: Callable[[str, Sequence[str]], str | None],
) -> Callable[[Sequence[Item[Question]], Sequence[Reply | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
        pairs = zip(items, said, strict=True)
        hits = [r is not None and letter(r.text, i.content.options) == i.content.letter for i, r in pairs]
        values = np.array(hits, dtype=np.float64)
        sources = np.array([item.content.source.casefold() for item in items])
        found = by_group("accuracy", values, group_masks([item.content.task for item in items]))
        flat = macro_of([slice_of(values, sources == name) for name in ("ade20k", "coco")])
        solid = slice_of(values, sources == "omni3d")
        if flat.n:
            found["2d"] = flat
        if solid.n:
            found["3d"] = solid
        if flat.n and solid.n:
            found["overall"] = macro_of([flat, solid])
        return found

    return score


def _first_letter(reply: str, _options: Sequence[str]) -> str:
    return choices.first_letter(reply)


BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="cv_bench",
    about="multiple choice about one image; 3d is depth order and distance (nyu-visionx/CV-Bench)",
    splits={"test": 2638, "test, 2D": 1438, "test, 3D": 1200},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=answers.option_state,
    variants={
        "lmms_eval": Variant('the first letter at the start, "the lamp" is T', _rule(_first_letter)),
        "strict": Variant("ours: the option that a reply names beyond doubt", _rule(choices.ours)),
    },
    prompt=lambda question: question.prompt,
)
