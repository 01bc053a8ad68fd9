from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.questions.split import split_of
from vantage.records.scan import room_of

ROOMS = st.from_regex(r"[a-z]{1,12}[0-9]{0,6}", fullmatch=True)
VISITS = st.integers(0, 99)
SHARES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("scan", "room"),
    [
        ("scene0000_01", "scene0000"),
        ("room0042_00", "room0042"),
        ("office_hololens", "office_hololens"),
        ("lab_1", "lab_1"),
        ("a_01_02", "a_01"),
    ],
)
def test_room_of(scan: str, room: str) -> None:
    assert room_of(scan) == room


@given(ROOMS, VISITS, VISITS, SHARES)
def test_no_room_is_in_two_splits(room: str, a: int, b: int, share: float) -> None:
    first, second = (split_of(room_of(f"{room}_{visit:02d}"), share) for visit in (a, b))
    assert first == second


@given(ROOMS, SHARES, SHARES)
def test_a_larger_share_only_adds_held_out_rooms(room: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert not (split_of(room, low) == "heldout" and split_of(room, high) == "train")


def test_the_share_holds_on_average() -> None:
    held = sum(split_of(f"room{i:04d}", 0.2857) == "heldout" for i in range(4000))
    assert held / 4000 == pytest.approx(0.2857, abs=0.03)
    assert split_of("room0000", 0.0) == "train" and split_of("room0000", 1.0) == "heldout"
