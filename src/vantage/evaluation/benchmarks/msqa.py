"""MSQA: situated questions by type (MSR3D). Its own score, 1 to 5, is a language model's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.captions import caption_variants
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item


@dataclass(frozen=True)
class Question:
    """A situated question, its accepted answers and its type (counting, existence, attribute, ...)."""

    question: str
    situation: str
    answers: tuple[str, ...]
    group: str


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items of `MSQA_*_SPLIT.json`: a list, or one under `data`."""
    return [_item(name, row) for name, row in unique(records(path, load(path), "data"), key).items()]


def _item(name: str, row: Record) -> Item[Question]:
    accepted = row.texts("answers", "answer")
    if not accepted:
        raise row.error("at least one answer", "none")
    scene, kind = row.note("scan_id", "scene_id"), row.note("type") or "others"
    content = Question(row.text("question"), row.note("situation"), accepted, kind)
    return Item(name, scene, row.where, content)


def key(row: Record) -> str:
    """The id, `question_id` or `index`."""
    return row.text("question_id", "index")


def prompt(question: Question) -> str:
    """Situation and question."""
    return f"{question.situation} {question.question}".strip()


BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="msqa",
    about="situated questions by type (MSR3D); its own score needs a judge and is not reported here",
    splits={},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=answers.reply_state,
    variants={**answers.exact_variants(), **caption_variants()},
    prompt=prompt,
)
