"""ScanQA: questions about a scan, several accepted answers each (ATR-DBI/ScanQA)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.boxes import Scenes
from vantage.evaluation.benchmarks.captions import caption_variants
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, Variant
from vantage.evaluation.benchmarks.scanqa_boxes import Target, box_variants, read_located
from vantage.evaluation.metrics.measure import Measure, by_group
from vantage.evaluation.metrics.unigram_f import Lemma, f_value, wordnet, wordnet_lacks

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
    target: Target | None = None

    def targets(self) -> tuple[int, ...]:
        """The annotated objects that the question is about; none where the file does not say."""
        return () if self.target is None else self.target.ids


def question_class(question: str) -> str:
    """The class of a question, as the official script tells it: the first of its words that occurs."""
    return next((name for words, name in _CLASSES if words in question), "other")


def references(path: Path, scans: Path | None) -> list[Item[Question]]:
    """Items of `ScanQA_v1.0_SPLIT.json`, or of 3D-LLaVA's answers (JSON lines, `text` a list)."""
    rows, scenes = unique(records(path, load(path)), key), Scenes(scans)
    return [_item(name, row, scenes) for name, row in rows.items()]


def _item(name: str, row: Record, scenes: Scenes) -> Item[Question]:
    question = row.note("question")
    accepted = row.texts("answers", "text")
    if not accepted:
        raise row.error("at least one answer", "none: the answers of the test splits are withheld")
    scene = row.note("scene_id")
    content = Question(question, accepted, question_class(question), Target(row, scenes))
    return Item(name, scene, row.where, content)


def key(row: Record) -> str:
    """The id, `question_id`; opaque text."""
    return row.text("question_id")


def _raw(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
    found = answers.exact_variants()["raw"].score(items, said)
    if any(reply is not None and reply.ranked for reply in said):
        found |= answers.best_of_ten(items, said)
    return found


def prediction(row: Record) -> Reply:
    """A text or a ranked list, with the box of an upload."""
    return read_located(row, answers.read_reply(row))


def f_variant(lemma: Callable[[], Lemma], lacks: Callable[[], str | None]) -> Variant[Question, Reply]:
    """The official F-value with a lemmatiser; a reply that is missing, empty or without a word is 0."""

    def score(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
        base = lemma()
        values = [
            0.0
            if reply is None or not reply.text.split()
            else f_value(reply.text, item.content.answers, base)
            for item, reply in zip(items, said, strict=True)
        ]
        groups = answers.group_masks([item.content.group for item in items])
        return by_group("f", np.array(values, dtype=np.float64), groups)

    summary = "ScanQA's F-value: 1 for an exact match, else words in common after WordNet's lemmatiser"
    return Variant(summary, score, lacks)


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
    prediction=prediction,
    state=answers.reply_state,
    variants={
        **_exact,
        "raw": Variant(_exact["raw"].summary, _raw),
        **caption_variants(),
        "f_value": f_variant(wordnet, wordnet_lacks),
        **box_variants(),
    },
    prompt=prompt,
)
