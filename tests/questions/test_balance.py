from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.errors import ContractError
from vantage.questions.balance import Asked, choose
from vantage.questions.families import Candidate, family

YES_NO, DIRECTION, CATEGORY = family("nearest"), family("direction"), family("category")
POOLS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["yes", "no"])), max_size=60)


def asked(number: int, ego: int, answer: str, part: str = "") -> Asked:
    return Asked(ego, Candidate("family", part, f"question {number}", answer, (), ()))


def texts(chosen: list[Asked]) -> set[str]:
    return {one.candidate.text for one in chosen}


@given(POOLS, st.integers(0, 40))
def test_yes_and_no_are_equally_common(rows: list[tuple[int, str]], budget: int) -> None:
    pool = [asked(i, ego, answer) for i, (ego, answer) in enumerate(rows)]
    chosen = choose(pool, YES_NO, budget, 0, "scan")
    count = Counter(one.candidate.answer for one in chosen)
    have = Counter(answer for _, answer in rows)
    if min(have["yes"], have["no"]) and budget > 1:
        assert count["yes"] == count["no"] == min(have["yes"], have["no"], budget // 2)
    assert len(chosen) <= budget and texts(chosen) <= texts(pool)
    assert len(texts(chosen)) == len(chosen)


@given(POOLS, st.randoms())
def test_the_order_of_the_pool_does_not_matter(rows: list[tuple[int, str]], random: object) -> None:
    pool = [asked(i, ego, answer) for i, (ego, answer) in enumerate(rows)]
    shuffled = list(pool)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(pool, YES_NO, 12, 0, "scan") == choose(shuffled, YES_NO, 12, 0, "scan")


def test_situations_share_the_budget() -> None:
    pool = [asked(100 * ego + i, ego, a) for ego in range(6) for i, a in enumerate(["yes", "no"] * 10)]
    egos = Counter(one.ego for one in choose(pool, YES_NO, 12, 0, "scan"))
    assert egos == dict.fromkeys(range(6), 2)


def test_a_slice_never_takes_what_another_leaves() -> None:
    words = ("front-left", "front-right")
    pool = [asked(i, i, words[i % 2], "seen") for i in range(40)]
    pool += [asked(100 + i, i, words[i % 2], "unseen") for i in range(4)]
    slices = Counter(one.candidate.slice for one in choose(pool, DIRECTION, 20, 0, "scan"))
    assert slices == {"seen": 10, "unseen": 4}
    assert len(choose(pool[:40], DIRECTION, 20, 0, "scan")) == 10


def test_no_answer_takes_more_than_its_share() -> None:
    pool = [asked(i, i, "front-left", "seen") for i in range(40)]
    pool += [asked(100 + i, i, "back-left", "seen") for i in range(2)]
    counts = Counter(one.candidate.answer for one in choose(pool, DIRECTION, 40, 0, "scan"))
    assert counts == {"back-left": 2, "front-left": 3}  # 3 of 5 is 60 %
    same = [asked(i, i, "bed") for i in range(40)]
    assert len(choose(same, CATEGORY, 30, 0, "scan")) == 30


def test_a_slice_that_the_family_does_not_declare_is_an_error() -> None:
    with pytest.raises(ContractError, match="does not declare"):
        choose([asked(0, 0, "yes", "sideways")], YES_NO, 4, 0, "scan")


@pytest.mark.parametrize("key", ["seed", "scan"])
def test_the_draw_depends_on_the_seed_and_the_scan(key: str) -> None:
    pool = [asked(i, 0, a) for i, a in enumerate(["yes", "no"] * 30)]
    other = choose(pool, YES_NO, 10, int(key == "seed"), "scan" if key == "seed" else "other")
    assert texts(other) != texts(choose(pool, YES_NO, 10, 0, "scan"))
