"""SQA3D: questions from a place and a heading in a scan, one accepted answer each (SilongYong/SQA3D)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.files import Record, beside, load, record, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, Variant
from vantage.evaluation.benchmarks.sqa3d_localization import heading_of, position_of
from vantage.evaluation.metrics.measure import Measure, mean_of
from vantage.evaluation.scorers import sqa3d_shared_word
from vantage.geometry.transforms import wrap

_TYPES = ("what", "is", "how", "can", "which")


@dataclass(frozen=True)
class Question:
    """A situated question.

    Attributes:
        question, situation: what is asked, and where from.
        answers: the one accepted answer.
        group: what, is, how, can, which or others.
        identity: what the official script for language models tells questions apart by.
        noted: the annotation's record, which holds the asker's place.
    """

    question: str
    situation: str
    answers: tuple[str, ...]
    group: str
    identity: str
    noted: Record = field(default_factory=lambda: Record("", {}))

    def place(self) -> tuple[float, float, float] | None:
        """Where the asker stands (x, y, metres) and which way it faces (radians), in the file's own frame.

        None where the annotation has no place. The asker faces the local -x axis: on 49 situations that face
        a unique object, that axis points 15 degrees beside it in the median, +x 165 degrees.

        Raises `ContractError` for a place that is not in the official form.
        """
        if not self.noted.has("position", "rotation"):
            return None
        x, y = position_of(self.noted, self.noted.get("position")).tolist()
        turned = heading_of(self.noted, self.noted.get("rotation"))
        return x, y, wrap(turned + math.pi)


def question_type(question: str) -> str:
    """The type by the question's first letters, as published: a prefix, not a word ("Island" is *is*)."""
    start = question.lstrip().lower()
    return next((name for name in _TYPES if start.startswith(name)), "others")


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items of `v1_balanced_sqa_annotations_*` and `v1_balanced_questions_*` beside it; either may be named.

    Raises:
        ContractError: a question without annotation or the other way round.
    """
    value, other = load(path), companion(path)
    both = [(path, value), (other, load(other))]
    if isinstance(value, dict) and "questions" in value:
        both.reverse()
    (noted_path, noted_value), (asked_path, asked_value) = both
    noted = unique(records(noted_path, noted_value, "annotations"), key)
    asked = unique(records(asked_path, asked_value, "questions"), key)
    if lonely := sorted(noted.keys() ^ asked.keys()):
        row = noted.get(lonely[0]) or asked[lonely[0]]
        raise ContractError(
            "questions and annotations are not of one split",
            where=row.where,
            expected="the same question ids in both files",
            found=f"{len(lonely)} ids in one only, the first {lonely[0]}",
        )
    return [_item(name, asked[name], row) for name, row in noted.items()]


def companion(path: Path) -> Path:
    """The questions beside the annotations, or the other way round; `ParameterError` if there are none."""
    return beside(path, {"sqa_annotations": "questions", "questions": "sqa_annotations"})


def _item(name: str, asked: Record, noted: Record) -> Item[Question]:
    question, situation = asked.text("question"), asked.text("situation")
    rows = noted.get("answers")
    if not isinstance(rows, list) or not rows:
        raise noted.error("answers with an answer each", repr(rows)[:80])
    accepted = tuple(record(f"{noted.where}, answers", row).text("answer") for row in rows)
    scene = asked.text("scene_id")
    place = noted.fields.get("rotation"), noted.fields.get("position")
    identity = repr((scene, place, question, situation))
    content = Question(question, situation, accepted, question_type(question), identity, noted)
    return Item(name, scene, noted.where, content)


def key(row: Record) -> str:
    """The id, `question_id`."""
    return row.text("question_id")


def _shared_word(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
    seen: dict[str, int] = {}
    for i, item in enumerate(items):
        seen.setdefault(item.content.identity, i)
    first = np.zeros(len(items), dtype=bool)
    first[list(seen.values())] = True
    pairs = zip(items, said, strict=True)
    hits = [r is not None and sqa3d_shared_word(r.text, i.content.answers) for i, r in pairs]
    values = np.array(hits, dtype=np.float64)
    return {"em": mean_of(values), "em_deduplicated": mean_of(values, first)}


def prompt(question: Question) -> str:
    """Situation, question and the usual suffix."""
    suffix = "Answer the question using a single word or phrase."
    return f"{question.situation} {question.question} {suffix}"


BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="sqa3d",
    about="questions from a place and a heading in a scan (SilongYong/SQA3D)",
    splits={"train": 26623, "3,519 questions": 3519, "3,261 questions": 3261},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=answers.reply_state,
    variants={
        **answers.exact_variants(),
        "sqa3d_llm": Variant(
            "SQA3D's rule for language models: one word in common is enough; repeated questions count once",
            _shared_word,
        ),
    },
    prompt=prompt,
)
