"""The majority's answers: the best that one answer for each kind of question can do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.benchmarks.scanqa import Question
from vantage.evaluation.running.ask import Answer, Ask
from vantage.evaluation.running.constant import Constant, Nothing

RULE = BENCHMARKS.get("scanqa")


def references(folder: Path, rows: Sequence[tuple[str, list[str]]]) -> list[Item[Question]]:
    path = folder / "ScanQA.json"
    path.write_text(
        json.dumps(
            [
                {"question_id": f"q{k}", "scene_id": "s", "question": question, "answers": answers}
                for k, (question, answers) in enumerate(rows)
            ]
        )
    )
    return RULE.references(path, None)


def said(who: Constant, items: Sequence[Item[Question]]) -> list[str]:
    asks = [Ask(item.id, "", (), (), "", content=item.content) for item in items]
    (batch,) = who.answers(asks)
    assert all(isinstance(one, Answer) and one.finish == "constant" for one in batch)
    return [one.text for one in batch if isinstance(one, Answer)]


ROWS = [
    ("Where is it?", ["left", "by the bed", "left"]), ("Where is he?", ["by the bed"]),
    ("Where am I?", ["left"]), ("Where are you?", ["by the bed", "here"]),
    ("How many chairs?", ["two"]), ("How many beds?", ["one", "two"]), ("How many?", ["one"]),
]  # fmt: skip


def test_no_other_constant_answers_score_more_on_their_own_references(tmp_path: Path) -> None:
    items = references(tmp_path, ROWS)

    def right(answers: Sequence[str]) -> int:
        return sum(a in item.content.answers for a, item in zip(answers, items, strict=True))

    everything = sorted({answer for _, answers in ROWS for answer in answers})
    best = max(right([where] * 4 + [many] * 3) for where, many in product(everything, repeat=2))
    assert right(said(Constant(items, "f", {}), items)) == best == 5


def test_answers_are_learned_by_kind_and_a_new_kind_gets_the_commonest(tmp_path: Path) -> None:
    learned = references(tmp_path, [*ROWS, ("Where now?", ["left"]), ("Where next?", ["left"])])
    asked = references(tmp_path, [("How many?", ["x"]), ("Where?", ["x"]), ("Is it?", ["x"])])
    assert said(Constant(learned, "f", {}), asked) == ["one", "left", "left"]


def test_its_settings_hold_the_answers_and_nothing_is_shown(tmp_path: Path) -> None:
    items = references(tmp_path, ROWS)
    who = Constant(items, "f", {"type": "majority"})
    assert who.identity() == {"type": "majority"}
    assert who.settings() == {"answers": {"number": "one", "place": "by the bed"}, "else": "by the bed"}
    (ask, *_) = Nothing().asks(items, {item.id: "p" for item in items})
    assert isinstance(ask, Ask) and ask.views == () and ask.scan is None


def test_references_without_answers_are_refused(tmp_path: Path) -> None:
    item = Item("a", "s", "f:1", object())
    with pytest.raises(ParameterError, match="no accepted answers"):
        Constant([item], "f", {})
    with pytest.raises(ParameterError, match="no answer to learn from"):
        Constant([], "f", {})
