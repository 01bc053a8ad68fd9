"""The direction-critical subset and its complement, by rules, by a file, and in every score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from score_files import scored, values, write

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.subsets import by_substring, by_words, direction_subset


@pytest.mark.parametrize(
    ("text", "words", "substring"),
    [
        ("What is on my left?", True, True),
        ("the RIGHT-hand drawer", True, True),
        ("the leftmost chair", True, True),
        ("What is behind the chair?", True, False),
        ("the lamp in front of it", True, False),
        ("at my 6 o'clock", True, False),
        ("the plants on my right on top of the table", True, True),
        ("walk rightwards", True, True),
        ("a bright lamp", False, True),
        ("leftover food", False, True),
        ("it is right next to the bed", False, True),
        ("on the left side of the room", False, True),
        ("on the left side of the room, right of the door", True, True),
        ("What color is the chair with a back?", False, False),
        ("How many chairs are under the table?", False, False),
        ("uprights and frontage", False, True),
    ],
)
def test_rules(text: str, words: bool, substring: bool) -> None:
    assert by_words(text) is words
    assert by_substring(text) is substring


QUESTIONS = ["What is left of the bed?", "What is bright?", "What is under it?", "What is behind it?", "Why?"]
GIVEN = [
    {"scene_id": f"s{i % 3}", "question_id": f"q{i}", "question": q, "answers": ["red lamp", "lamp"]}
    for i, q in enumerate(QUESTIONS)
]
SAID = [{"question_id": f"q{i}", "text": t} for i, t in enumerate(["lamp", "bed", "red lamp", "no", ""])]


def part(folder: Path, keep: list[int]) -> dict[str, dict[str, float]]:
    return values(scored(folder, "scanqa", [SAID[i] for i in keep], [GIVEN[i] for i in keep]))


@pytest.mark.parametrize(("rule", "inside"), [("words", [0, 3]), ("substring", [0, 1])])
def test_each_part_scores_as_a_file_of_its_own(tmp_path: Path, rule: str, inside: list[int]) -> None:
    result = scored(tmp_path, "scanqa", SAID, GIVEN, subset=rule)
    found = result.record()["subsets"]
    outside = [i for i in range(5) if i not in inside]
    assert found["direction"]["variants"] == part(tmp_path / "a", inside)
    assert found["complement"]["variants"] == part(tmp_path / "b", outside)
    assert (found["direction"]["n"], found["complement"]["n"]) == (2, 3)
    assert values(result) == part(tmp_path / "c", list(range(5))), "the whole stays as it was"
    measure = result.parts["direction"].variants["raw"]["em"]
    assert measure.n == 2


def test_a_judge_s_file_leaves_undecided_items_out_of_both(tmp_path: Path) -> None:
    rows = [{"id": f"q{i}", "direction": v} for i, v in enumerate([True, None, False, True, False])]
    file = write(tmp_path / "judge.jsonl", rows)
    found = scored(tmp_path, "scanqa", SAID, GIVEN, subset=str(file)).record()["subsets"]
    assert (found["direction"]["n"], found["complement"]["n"]) == (2, 2)
    assert found["complement"]["variants"] == part(tmp_path / "b", [2, 4])


def test_a_part_without_items_is_empty(tmp_path: Path) -> None:
    found = scored(tmp_path, "scanqa", SAID[2:3], GIVEN[2:3], subset="words").record()["subsets"]
    assert found["direction"]["n"] == 0 and found["direction"]["variants"] == {}


def test_what_is_no_subset(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no subset 'lateral'"):
        direction_subset("lateral", ["a"], ["left"])
    short = write(tmp_path / "short.jsonl", [{"id": "a", "direction": True}])
    with pytest.raises(ContractError, match="lacks items"):
        direction_subset(str(short), ["a", "b"], ["", ""])
    odd = write(tmp_path / "odd.jsonl", [{"id": "a", "direction": "yes"}])
    with pytest.raises(ContractError, match="true, false or null"):
        direction_subset(str(odd), ["a"], [""])
    boxes = [{"question_id": "a", "text": "1"}]
    with pytest.raises(ParameterError, match="no answers or captions"):
        scored(tmp_path, "n3d_style", boxes, [{"question_id": "a", "question": "?", "answer": "1",
               "type": "numeric"}], subset="words")  # fmt: skip
    assert json.loads(short.read_text())["id"] == "a"
