"""MuirBench: multiple choice over several images, half of it unanswerable twins (muirbench/MuirBench)."""

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
from vantage.evaluation.metrics.measure import Measure, by_group, mean_of

_NONE = "none of the choices"


@dataclass(frozen=True)
class Question:
    """A question, its options, the right letter, its task and its twin's id ("" if it has none)."""

    question: str
    options: tuple[str, ...]
    letter: str
    task: str
    twin: str

    @property
    def answerable(self) -> bool:
        """Whether one of the options is an answer, not the refusal."""
        return not self.options[choices.LETTERS.index(self.letter)].lower().startswith(_NONE)


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items of the official .parquet files (name their folder) or of JSON with the same fields."""
    return [_item(name, row) for name, row in unique(records(path, load(path)), key).items()]


def _item(name: str, row: Record) -> Item[Question]:
    options, letter = answers.read_options(row, "options"), row.text("answer").strip().upper()
    if letter not in choices.LETTERS[: len(options)] or len(letter) != 1:
        raise row.error(f"the letter of one of {len(options)} options", letter)
    twin = row.note("counterpart_idx")
    content = Question(row.text("question"), options, letter, row.text("task"), "" if twin == "-1" else twin)
    return Item(name, "", row.where, content)


def key(row: Record) -> str:
    """The id, `idx` or `question_id`."""
    return row.text("question_id", "idx")


def _rule(
    value: Callable[[Question, str], float],
) -> Callable[[Sequence[Item[Question]], Sequence[Reply | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
        pairs = zip(items, said, strict=True)
        values = np.array(
            [0.0 if r is None else value(i.content, r.text) for i, r in pairs], dtype=np.float64
        )
        kinds = ["answerable" if item.content.answerable else "unanswerable" for item in items]
        tasks = group_masks([item.content.task for item in items])
        found = by_group("accuracy", values, {**group_masks(kinds), **tasks})
        return {**found, "paired_accuracy": _paired(items, values)}

    return score


def _paired(items: Sequence[Item[Question]], values: np.ndarray) -> Measure:
    """Ours: both twins right, one value for a pair, kept at the twin that comes first."""
    row = {item.id: i for i, item in enumerate(items)}
    both = np.zeros(len(items))
    first = np.zeros(len(items), dtype=bool)
    for i, item in enumerate(items):
        twin = row.get(item.content.twin)
        if twin is not None and i != twin and not first[twin]:
            first[i] = True
            both[i] = values[i] * values[twin]
    return mean_of(both, first)


def _official(question: Question, text: str) -> float:
    letter = choices.muirbench_official(text, question.options)
    return 1 / len(question.options) if letter is None else float(letter == question.letter)


def _official_without_guess(question: Question, text: str) -> float:
    return float(choices.muirbench_official(text, question.options) == question.letter)


def _lmms_eval(question: Question, text: str) -> float:
    return float(choices.letter_and_stop(text) == question.letter)


def _strict(question: Question, text: str) -> float:
    return float(choices.ours(text, question.options) == question.letter)


def prompt(question: Question) -> str:
    """The official words around question and options."""
    listed = "\n".join(f"({choices.LETTERS[i]}) {option}" for i, option in enumerate(question.options))
    hint = "Hint: Please provide the correct option letter, such as A, B, C, D, directly."
    return f"Question: {question.question}\nChoices:\n{listed}\n{hint}\nAnswer:"


BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="muirbench",
    about="multiple choice over several images, with unanswerable twins (muirbench/MuirBench)",
    splits={"test": 2600},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=answers.option_state,
    variants={
        "official": Variant(
            "the official parser; where it guesses at random, the expected value of its guess",
            _rule(_official),
        ),
        "official_no_guess": Variant(
            "the official parser; where it guesses at random, wrong", _rule(_official_without_guess)
        ),
        "lmms_eval": Variant(
            'a capital and a full stop at the start, or the letter alone; "(A)" is wrong', _rule(_lmms_eval)
        ),
        "strict": Variant("ours: the option that a reply names beyond doubt", _rule(_strict)),
    },
    prompt=prompt,
)
