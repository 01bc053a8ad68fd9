"""N3D-style questions, whose published benchmark has neither data nor code: our own rules, declared here.

A number (`type: numeric`) is right within a quarter of the truth; an open answer (`type: open`) if it
says the same yes or no as the truth, else the same directions, else matches as whole words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.answers import Reply, group_masks
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, State, Variant
from vantage.evaluation.metrics import numbers, spoken
from vantage.evaluation.metrics.measure import Measure, by_group
from vantage.evaluation.scorers import em_refined_strict
from vantage.records.thinking import split_thinking

_DIRECTION = re.compile(r"\b(left|right|front|behind|above|below|near|far)(?:er|est|most)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Question:
    """A question, its answer and whether that is a number (metres, or a count)."""

    question: str
    truth: str
    numeric: bool


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items with `question_id`, `question`, `answer`, `type` (numeric or open) and perhaps `scene_id`."""
    return [_item(name, row) for name, row in unique(records(path, load(path)), key).items()]


def _item(name: str, row: Record) -> Item[Question]:
    kind, truth = row.text("type"), row.text("answer")
    if kind not in ("numeric", "open"):
        raise row.error("type numeric or open", kind)
    wanted = numbers.only_length_m(truth)
    if kind == "numeric" and (wanted is None or not math.isfinite(wanted)):
        raise row.error("one number in the answer", repr(truth)[:80])
    content = Question(row.text("question"), truth, kind == "numeric")
    return Item(name, row.note("scene_id"), row.where, content)


def key(row: Record) -> str:
    """The id, `question_id`."""
    return row.text("question_id")


def state(question: Question, reply: Reply) -> State:
    """Unparsed is a reply to a numeric question without one number."""
    text = split_thinking(reply.text).answer
    if not text:
        return "empty"
    return "unparsed" if question.numeric and numbers.only_length_m(text) is None else "answered"


def right(question: Question, reply: str) -> bool:
    """Whether a reply is right by the rules at the top."""
    text, truth = split_thinking(reply).answer, question.truth
    if question.numeric:
        wanted = numbers.only_length_m(truth)
        return wanted is not None and numbers.within_quarter(numbers.only_length_m(text), wanted)
    if spoken.polarity(truth) is not None:
        return spoken.polarity(text) == spoken.polarity(truth)
    if directions(truth):
        return directions(text) == directions(truth)
    return bool(em_refined_strict(text, [truth]))


def directions(text: str) -> frozenset[str]:
    """The words of direction in a text, without their endings."""
    return frozenset(word.lower() for word in _DIRECTION.findall(text))


def _score(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
    pairs = zip(items, said, strict=True)
    hits = np.array([r is not None and right(i.content, r.text) for i, r in pairs], dtype=np.float64)
    groups = group_masks(["numeric" if item.content.numeric else "open" for item in items])
    return by_group("success", hits, groups)


BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="n3d_style",
    about="numbers and open answers about a scene, in the manner of N3D-Bench, by rules of ours",
    splits={},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=state,
    variants={"rules": Variant("ours: a quarter off; the same yes or no; the same directions", _score)},
    prompt=lambda question: question.question,
)
