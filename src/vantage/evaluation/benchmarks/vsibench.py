"""VSI-Bench: spatial questions about a video, a letter or a number each (vision-x-nyu/thinking-in-space)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks import answers
from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, State, Variant
from vantage.evaluation.metrics import choices, numbers
from vantage.evaluation.metrics.measure import Measure, macro_of, mean_of, slice_of

_DIRECTION = "object_rel_direction"
LEVELS = tuple(f"{_DIRECTION}_{level}" for level in ("easy", "medium", "hard"))
NUMERIC = ("object_counting", "object_abs_distance", "object_size_estimation", "room_size_estimation")
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+\.")
CHOICE = ("object_rel_distance", *LEVELS, "route_planning", "obj_appearance_order")


@dataclass(frozen=True)
class Question:
    """A question of one of ten types; `options` is empty where a number is asked for, which is `number`."""

    question: str
    type: str
    truth: str
    options: tuple[str, ...]
    number: float


def references(path: Path, _scans: Path | None) -> list[Item[Question]]:
    """Items of the official `test.jsonl` or .parquet."""
    return [_item(name, row) for name, row in unique(records(path, load(path)), key).items()]


def _item(name: str, row: Record) -> Item[Question]:
    kind, truth = row.text("question_type"), row.text("ground_truth")
    if kind not in NUMERIC + CHOICE:
        raise row.error(f"one of {', '.join(NUMERIC + CHOICE)}", kind)
    options = answers.read_options(row, "options") if kind in CHOICE else ()
    number = 0.0
    if kind in NUMERIC:
        number = float(truth) if _NUMBER.fullmatch(truth.strip()) else -1.0
        if not 0 <= number < math.inf:
            raise row.error("a number as ground truth", repr(truth)[:80])
    elif len(truth.strip()) != 1 or truth.strip().upper() not in choices.LETTERS[: len(options)]:
        raise row.error(f"the letter of one of {len(options)} options as ground truth", repr(truth)[:80])
    scene = f"{row.note('dataset')}/{row.text('scene_name')}"
    return Item(name, scene, row.where, Question(row.text("question"), kind, truth.strip(), options, number))


def key(row: Record) -> str:
    """The id, `id` or `question_id`."""
    return row.text("question_id", "id")


def _letter(reply: str, options: Sequence[str]) -> str | None:
    return choices.ours(reply, [_text(option) for option in options])


def _text(option: str) -> str:
    """An option without its letter."""
    return option[2:].strip() if option[1:2] == "." else option


def state(question: Question, reply: Reply) -> State:
    """Unparsed is a reply without one letter, or without one number."""
    if not reply.text.strip():
        return "empty"
    if question.type in CHOICE:
        return "answered" if _letter(reply.text, question.options) else "unparsed"
    return "unparsed" if numbers.only_number(reply.text) is None else "answered"


Letter = Callable[[str, Sequence[str]], str | None]
Number = Callable[[str], float | None]


def _rule(
    letter: Letter, number: Number
) -> Callable[[Sequence[Item[Question]], Sequence[Reply | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Question]], said: Sequence[Reply | None]) -> dict[str, Measure]:
        pairs = zip(items, said, strict=True)
        values = [0.0 if r is None else _value(i.content, r.text, letter, number) for i, r in pairs]
        return aggregate([item.content.type for item in items], np.array(values, dtype=np.float64))

    return score


def _value(question: Question, text: str, letter: Letter, number: Number) -> float:
    if question.type in CHOICE:
        return float(letter(text, question.options) == question.truth.upper())
    return numbers.mean_relative_accuracy(number(text), question.number)


def aggregate(types: Sequence[str], values: np.ndarray) -> dict[str, Measure]:
    """Macro over the eight tasks that occur (the three levels of direction are one), micro, and each type.

    Args:
        types: of each item.
        values: of each item: accuracy, or mean relative accuracy.
    """
    names = np.array(types)
    each = {kind: slice_of(values, names == kind) for kind in (*NUMERIC, *CHOICE)}
    direction = macro_of([each[level] for level in LEVELS])
    tasks = [direction, *(each[kind] for kind in (*NUMERIC, *CHOICE) if kind not in LEVELS)]
    shown = {kind: measure for kind, measure in each.items() if measure.n}
    if direction.n:
        shown[_DIRECTION] = direction
    return {"micro": mean_of(values), "macro": macro_of(tasks), **shown}


def prompt(question: Question) -> str:
    """The official words around the question."""
    lead = "These are frames of a video."
    if question.type in NUMERIC:
        return f"{lead}\n{question.question}\nPlease answer the question using a single word or phrase."
    listed = "\n".join(question.options)
    tail = "Answer with the option's letter from the given choices directly."
    return f"{lead}\n{question.question}\nOptions:\n{listed}\n{tail}"


def _token(reply: str, _options: Sequence[str]) -> str:
    return choices.first_token(reply)


BENCHMARK: Benchmark[Question, Reply] = Benchmark(
    name="vsibench",
    about="spatial questions about a video (vision-x-nyu/thinking-in-space)",
    splits={"test": 5130},
    references=references,
    key=key,
    prediction=answers.read_reply,
    state=state,
    variants={
        "official": Variant(
            "the first word by single spaces is the letter or the number (the benchmark's harness)",
            _rule(_token, numbers.whole_token),
        ),
        "lmms_eval": Variant(
            "the first word is the letter, the first number or number word anywhere the number",
            _rule(_token, numbers.first_number),
        ),
        "vlmevalkit": Variant(
            "numbers: the last one, 10-12 is -12 (VLMEvalKit); letters as in strict, for its language model",
            _rule(_letter, numbers.last_number),
        ),
        "strict": Variant(
            "ours: the letter or number that a reply names beyond doubt; ranges and two numbers are wrong",
            _rule(_letter, numbers.only_number),
        ),
    },
    prompt=prompt,
)
