"""Two files of predictions against each other: by hand, by all resamples there are, by other libraries."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from score_files import scored

from vantage.core.errors import ContractError
from vantage.evaluation.against import Difference, Key, both_outcomes, changed, differences, less
from vantage.evaluation.benchmarks.captions import caption_measures
from vantage.evaluation.metrics.measure import Measure, mean_of, slice_of
from vantage.evaluation.scoring import Scored
from vantage.evaluation.significance import detectable_points

TEXTS = ("chair", "Chair.", "a red chair", "the table", "two", "")
QUESTIONS = ("What is left of it?", "How many are there?", "What color is it?")


def references(n: int, scenes: int) -> list[dict[str, Any]]:
    return [
        {
            "scene_id": f"scene{i % scenes:04d}_00",
            "question_id": f"q{i}",
            "question": QUESTIONS[i % 3],
            "answers": ["chair", "the red chair by the wall"],
        }
        for i in range(n)
    ]


def said(n: int, seed: int) -> list[dict[str, str]]:
    draw = random.Random(seed)
    return [{"question_id": f"q{i}", "text": draw.choice(TEXTS)} for i in range(n - 1)]


def two_files(folder: Path, n: int = 40, scenes: int = 4, **options: Any) -> tuple[Scored, Scored]:
    given = references(n, scenes)
    first = scored(folder / "a", "scanqa", said(n, 1), given, **options)
    return first, scored(folder / "b", "scanqa", said(n, 2), given, **options)


@pytest.fixture
def found(tmp_path: Path) -> tuple[Scored, Scored, dict[Key, Difference]]:
    ours, theirs = two_files(tmp_path, subset="words")
    return ours, theirs, differences(ours, theirs, 0, 400)


def test_values_counts_and_p_by_hand(found: tuple[Scored, Scored, dict[Key, Difference]]) -> None:
    ours, theirs, table = found
    a, b = ours.per_item(), theirs.per_item()
    pairs = [(x["clean.em"], y["clean.em"]) for x, y in zip(a, b, strict=True)]
    difference = table["", "clean", "em"]
    assert difference.ours == pytest.approx(sum(x for x, _ in pairs) / 40)
    assert difference.difference == pytest.approx(sum(x - y for x, y in pairs) / 40)
    test = difference.test
    assert test is not None
    only = (sum(x > y for x, y in pairs), sum(x < y for x, y in pairs))
    assert (test.ours_only, test.theirs_only) == only and min(only) > 0
    assert test.p == pytest.approx(binomtest(only[0], sum(only)).pvalue)
    assert difference.detectable == pytest.approx((detectable_points(40, sum(only)) or 0) / 100)
    assert difference.n == 40


def test_a_class_of_questions_is_tested_on_its_own_items(
    found: tuple[Scored, Scored, dict[Key, Difference]],
) -> None:
    table = found[2]
    groups = [key for key in table if key[:2] == ("", "clean") and "." in key[2]]
    assert groups
    total = [0, 0]
    for key in groups:
        test = table[key].test
        assert test is not None and test.n == table[key].n < 40
        total[0] += test.ours_only
        total[1] += test.theirs_only
    whole = table["", "clean", "em"].test
    assert whole is not None and total == [whole.ours_only, whole.theirs_only]


def test_holm_is_over_all_tests_of_the_call(found: tuple[Scored, Scored, dict[Key, Difference]]) -> None:
    table = found[2]
    tests = {key: d.test for key, d in table.items() if d.test is not None}
    assert {key[0] for key in tests} == {"", "direction", "complement"}
    order = sorted(tests.values(), key=lambda t: t.p)
    least = 0.0
    for i, test in enumerate(order):
        least = max(least, min(1.0, (len(order) - i) * test.p))
        assert test.p_holm == pytest.approx(least)


def test_what_is_not_right_or_wrong_has_an_interval_and_no_p(
    found: tuple[Scored, Scored, dict[Key, Difference]],
) -> None:
    difference = found[2]["", "captions_ptb", "bleu_1"]
    assert difference.test is None and difference.interval is not None
    low, high = difference.interval
    assert low < difference.difference < high
    error = (high - low) / 2 / norm.ppf(0.975)
    assert difference.detectable == pytest.approx(error * (norm.ppf(0.975) + norm.ppf(0.8)))


@pytest.mark.parametrize("name", ["em", "bleu_2"])
def test_the_interval_is_that_of_all_resamples_of_scenes(tmp_path: Path, name: str) -> None:
    """Four scenes have 256 samples; percentiles of 4,000 draws lie between neighbours of the exact ones."""
    variant = "clean" if name == "em" else "captions_plain"
    ours, theirs = two_files(tmp_path, n=20, variant=variant)
    difference = differences(ours, theirs, 3, 4000)["", variant, name]
    scenes = [[i for i in range(20) if i % 4 == k] for k in range(4)]
    texts = [[row.get("text", "") for row in (*said(20, seed), {})] for seed in (1, 2)]
    accepted = [["chair", "the red chair by the wall"]] * 20
    values = [[row[f"{variant}.{name}"] for row in some.per_item()] for some in (ours, theirs)]

    def value(which: int, items: list[int]) -> float:
        if name == "em":
            return float(np.mean([values[which][i] for i in items]))
        return caption_measures([texts[which][i] for i in items], [accepted[i] for i in items])[name].value

    exact = []
    for drawn in itertools.product(range(4), repeat=4):
        items = [i for scene in drawn for i in scenes[scene]]
        exact.append(value(0, items) - value(1, items))
    assert difference.interval is not None
    low, high = difference.interval
    slack = 1e-9
    assert np.quantile(exact, 0.015) - slack <= low <= np.quantile(exact, 0.035) + slack
    assert np.quantile(exact, 0.965) - slack <= high <= np.quantile(exact, 0.985) + slack


def test_a_file_against_itself_and_the_other_way_round(tmp_path: Path) -> None:
    ours, theirs = two_files(tmp_path)
    for difference in differences(ours, ours, 0, 200).values():
        assert difference.difference == 0 and difference.interval in ((0.0, 0.0), None)
        assert difference.test is None or (difference.test.p, difference.test.p_holm) == (1, 1)
    there, back = differences(ours, theirs, 0, 200), differences(theirs, ours, 0, 200)
    assert there.keys() == back.keys()
    for key, difference in there.items():
        assert back[key].difference == -difference.difference
        if difference.interval is not None:
            low, high = back[key].interval or (0, 0)
            assert (-high, -low) == pytest.approx(difference.interval)


def test_pairing_makes_the_interval_narrow(tmp_path: Path) -> None:
    """Both answer alike but for two items: paired draws know it, independent ones could not."""
    given = references(40, 40)
    first = said(40, 1)
    second = [dict(row, text="chair") if i < 2 else row for i, row in enumerate(first)]
    ours = scored(tmp_path / "a", "scanqa", first, given, variant="raw")
    theirs = scored(tmp_path / "b", "scanqa", second, given, variant="raw")
    low, high = differences(ours, theirs, 0, 2000)["", "raw", "em"].interval or (0, 0)
    assert high <= 0 and high - low < 0.15


def test_other_items_are_refused(tmp_path: Path) -> None:
    ours, _ = two_files(tmp_path)
    other, _ = two_files(tmp_path / "other", n=39)
    with pytest.raises(ContractError, match="different items"):
        differences(ours, other, 0, 100)


def test_which_measures_are_right_or_wrong() -> None:
    values = np.array([1.0, 0.0, 1.0, 0.0])
    inside = np.array([True, True, False, False])
    whole, part = mean_of(values), slice_of(values, inside)
    assert both_outcomes(whole, whole) is not None
    a, _ = both_outcomes(part, part) or (None, None)
    assert a is not None and a.tolist() == [1, 0]
    assert both_outcomes(whole, part) is None, "not the same items"
    assert both_outcomes(whole, mean_of(values / 2)) is None
    assert both_outcomes(mean_of(values, ~inside), part) is None
    assert both_outcomes(slice_of(values, inside & False), slice_of(values, inside & False)) is None
    other = Measure(np.ones((4, 1)), lambda s: s[..., 0], values, 4)
    assert both_outcomes(other, other) is None, "its items' mean is not its value"


def test_a_difference_is_a_measure() -> None:
    values = np.array([1.0, 0.0, 0.5])
    found = less(mean_of(values), mean_of(1 - values, np.array([True, False, True])))
    assert found.value == pytest.approx(0.5 - 0.25)


def test_items_that_are_answered_otherwise_are_listed_boxes_too(tmp_path: Path) -> None:
    given = [
        {"scene_id": "s", "object_id": "1", "ann_id": str(k), "object_name": "chair",
         "description": "a chair", "box": [0, 0, 0, 1, 1, 1]}
        for k in range(3)
    ]  # fmt: skip
    ours = [{"question_id": f"s-1_{k}", "box": [0, 0, 0, 1, 1, 1]} for k in range(3)]
    theirs = [ours[0], {"question_id": "s-1_1", "box": [0, 0, 0, 1, 1, 1.001]}]
    a = scored(tmp_path, "scanrefer", ours, given)
    b = scored(tmp_path, "scanrefer", theirs, given)
    assert changed(a, b) == ["s-1_1", "s-1_2"]
    assert changed(a, a) == []
