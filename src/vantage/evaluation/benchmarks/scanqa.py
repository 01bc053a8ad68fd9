"""ScanQA: questions about a scan, several accepted answers each (ATR-DBI/ScanQA)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.captions import caption_variants
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, Variant
from vantage.evaluation.metrics.measure import Measure

_CLASSES = (  # case matters, and so does the order
    ("Where", "place"),
    ("How many", "number"),
    ("What color", "color"),
    ("What is the color", "color"),
    ("What shape", "object_nature"),
    ("What type", "object_nature"),
    ("What kind", "object_nature"),
    ("What is", "object"),
)


@dataclass(frozen=True)
class Question:
    """A question, its accepted answers, its class by the official script's words, and what it is about."""

    question: str
    answers: tuple[str, ...]
    group: str
    object_ids: tuple[int, ...] = ()

    def targets(self) -> tuple[int, ...]:
        """The annotated objects that the question is about; none where the file does not say."""
        return self.object_ids


def question_class(question: str) -> str:
    """The class of a question, as the official script tells it: the first of its words that occurs."""
    return next((name for words, name in _CLASSES if words in question), "other")


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items of `ScanQA_v1.0_SPLIT.json`, or of 3D-LLaVA's answers (JSON lines, `text` a list)."""
    rows = unique(records(path, load(path)), key)
    return [_item(name, row) for name, row in rows.items()]


def _item(name: str, row: Record) -> Item[Question]:
    question = row.note("question")
    accepted = row.texts("answers", "text")
    if not accepted:
        raise row.error("at least one answer", "none: the answers of the test splits are withheld")
    scene = row.note("scene_id")
    content = Question(question, accepted, question_class(question), _object_ids(row))
    return Item(name, scene, row.where, content)


def _object_ids(row: Record) -> tuple[int, ...]:
    value = row.fields.get("object_ids") or []
    if not isinstance(value, list) or not all(str(k).isdigit() for k in value):
        raise row.error("a list of numbers in object_ids", repr(value)[:80])
    return tuple(int(k) for k in value)


def key(row: Record) -> str:
    """The id, `question_id`; opaque text."""
    return row.text("question_id")


def _raw(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
    found = answers.exact_variants()["raw"].score(items, said)
    if any(reply is not None and reply.ranked for reply in said):
        found |= answers.best_of_ten(items, said)
    return found


def prompt(question: Question) -> str:
    """The question and LEO's suffix."""
    return f"{question.question} Answer the question simply."


_exact = answers.exact_variants()

BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="scanqa",
    about="questions about a scan with several accepted answers (ATR-DBI/ScanQA)",
    splits={"train": 25563, "val": 4675, "test_w_obj": 4976, "test_wo_obj": 6149},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=answers.reply_state,
    variants={**_exact, "raw": Variant(_exact["raw"].summary, _raw), **caption_variants()},
    prompt=prompt,
)
