"""SpatialRGPT-Bench: distances, sizes and directions of image regions (NVlabs/SpatialRGPT).

The published script lets GPT-4 read numbers out of replies and judge the qualitative half. Its local rules
for numbers are kept; reading is done by rules of ours, so that a reply scores the same every time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.answers import Reply, group_masks
from vantage.evaluation.benchmarks.files import Record, load, record, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, State, Variant
from vantage.evaluation.cleaning import clean_answer
from vantage.evaluation.metrics import numbers, spoken
from vantage.evaluation.metrics.measure import Measure, by_group, mean_of

Kind = Literal["length", "clock", "choice"]


@dataclass(frozen=True)
class Question:
    """A question, its answer as a sentence, whether a number is asked for, and its category."""

    question: str
    truth: str
    kind: Kind
    category: str


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items of the benchmark's JSON lines: `gt` (or the last turn of `conversations`) and `qa_info`."""
    return [_item(name, row) for name, row in unique(records(path, load(path)), key).items()]


def _item(name: str, row: Record) -> Item[Question]:
    info = row.get("qa_info")
    if not isinstance(info, dict) or info.get("type") not in ("qualitative", "quantitative"):
        raise row.error("qa_info with type qualitative or quantitative", repr(info)[:80])
    category = Record(row.where, info).note("category")
    truth = _turn(row, -1) if row.has("conversations") and not row.has("gt") else row.text("gt")
    asked = row.text("question", "text_q") if row.has("question", "text_q") else _turn(row, 0)
    kind: Kind = "choice"
    if info["type"] == "quantitative":
        kind = "clock" if category == "direction" else "length"
        number = (spoken.clock_hour if kind == "clock" else numbers.only_length_m)(truth)
        if number is None or not math.isfinite(number):
            raise row.error(f"one {'hour' if kind == 'clock' else 'length'} in the answer", repr(truth)[:80])
    return Item(name, "", row.where, Question(asked, truth, kind, category or kind))


def _turn(row: Record, which: int) -> str:
    turns = row.get("conversations")
    if not isinstance(turns, list) or not turns:
        raise row.error("conversations with turns", repr(turns)[:80])
    return record(f"{row.where}, conversations", turns[which]).text("value")


def key(row: Record) -> str:
    """The id, `question_id` or `id`."""
    return row.text("question_id", "id")


def read(question: Question, text: str) -> float | int | str | None:
    """What a reply says: metres, an hour, or which of the answers; None if it cannot be told."""
    if question.kind == "length":
        return numbers.only_length_m(text)
    if question.kind == "clock":
        return spoken.clock_hour(text)
    if spoken.polarity(question.truth) is not None:
        found = spoken.polarity(text)
        return None if found is None else str(found)
    if spoken.first_region(question.truth) is not None:
        region = spoken.first_region(text)
        return None if region is None else str(region)
    return clean_answer(text).strip() or None


def right(question: Question, text: str) -> bool:
    """Lengths within a quarter, hours at most one apart, the rest the same."""
    said, truth = read(question, text), read(question, question.truth)
    if said is None or truth is None:
        return False
    if question.kind == "length":
        return numbers.within_quarter(float(said), float(truth))
    if question.kind == "clock":
        return spoken.hours_apart(int(said), int(truth)) <= 1
    return said == truth


def state(question: Question, reply: Reply) -> State:
    """Unparsed is a reply that says nothing by the rules of `read`."""
    if not reply.text.strip():
        return "empty"
    return "unparsed" if read(question, reply.text) is None else "answered"


def _score(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
    pairs = list(zip(items, said, strict=True))
    hits = np.array([r is not None and right(i.content, r.text) for i, r in pairs], dtype=np.float64)
    choice = [item.content.kind == "choice" for item in items]
    halves = group_masks(["qualitative" if c else "quantitative" for c in choice])
    categories = group_masks([item.content.category for item in items])
    found = by_group("success", hits, {**halves, **categories})
    errors = np.array([np.nan if r is None else _error(i.content, r.text) for i, r in pairs])
    known = np.isfinite(errors)
    for kind, name in (("length", "relative_error"), ("clock", "error_deg")):
        within = known & np.array([item.content.kind == kind for item in items])
        if within.any():
            found[name] = mean_of(np.where(known, errors, 0.0), within)
    return found


def _error(question: Question, text: str) -> float:
    """Relative error of a length, degrees of a clock direction; NaN where there is none (as published)."""
    said, truth = read(question, text), read(question, question.truth)
    if question.kind == "choice" or said is None or truth is None:
        return float("nan")
    if question.kind == "clock":
        return 30.0 * spoken.hours_apart(int(said), int(truth))
    return abs(float(said) - float(truth)) / (float(truth) + 1e-4)


BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="spatialrgpt_bench",
    about="distances, sizes and directions of image regions (NVlabs/SpatialRGPT); no language model reads",
    splits={"test": 1406},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=state,
    variants={
        "rules": Variant(
            "the published rules (a quarter off, an hour off) on replies read by rules; errors of those read",
            _score,
        )
    },
    prompt=lambda question: question.question,
)
