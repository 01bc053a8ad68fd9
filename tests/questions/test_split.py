from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_rooms import random_scene, scan_task
from vantage.core.errors import ParameterError, ScanError
from vantage.core.memo import Memo
from vantage.questions.config import SplitLists, SynthesizeConfig
from vantage.questions.split import listed_rooms, listed_split, read_split_list, scan_split, split_of
from vantage.questions.stage import synthesize
from vantage.records.questions import read_questions
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


def lists(folder: Path, train: str, heldout: str) -> SynthesizeConfig:
    for name, text in {"train": train, "heldout": heldout}.items():
        (folder / f"{name}.txt").write_text(text)
    return SynthesizeConfig(splits=SplitLists(str(folder / "train.txt"), str(folder / "heldout.txt")))


def test_scannets_own_lists(shared_data: Path) -> None:
    meta = shared_data / "scannet_meta"
    train, val = (meta / f"scannetv2_{name}.txt" for name in ("train", "val"))
    assert [len(read_split_list(p, "x")) for p in (train, val)] == [1201, 312]
    assert len(read_split_list(meta / "scannetv2_test.txt", "x")) == 100
    config = SynthesizeConfig(held_out_share=1.0, splits=SplitLists(str(train), str(val)))
    assert (scan_split("scene0191", config), scan_split("scene0568", config)) == ("train", "heldout")
    with pytest.raises(ScanError, match=r"no split list[\s\S]*scene0707"):
        scan_split("scene0707", config)  # of the test set
    with pytest.raises(ParameterError, match="a room in two splits"):
        listed_rooms(SplitLists(str(train), str(train)))


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1), st.data())
def test_no_room_is_in_both_lists(
    tmp_path_factory: pytest.TempPathFactory, scans: set[tuple[int, int]], data: st.DataObject
) -> None:
    """Either the lists are refused, or each room's scans fall into the one list that names them."""
    names = [f"scene{room:04d}_{visit:02d}" for room, visit in sorted(scans)]
    held = {name: data.draw(st.booleans()) for name in names}
    text = {side: "".join(f"{name}\n" for name in names if held[name] is side) for side in (False, True)}
    config = lists(tmp_path_factory.mktemp("lists"), text[False] or "x\n", text[True] or "y\n")
    rooms = {
        room_of(name): {held[other] for other in names if room_of(other) == room_of(name)} for name in names
    }
    if any(len(sides) == 2 for sides in rooms.values()):
        with pytest.raises(ParameterError, match="a room in two splits"):
            listed_rooms(config.splits)
        return
    for name in names:
        assert listed_split(config, name, Memo()) == ("heldout" if held[name] else "train")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scene0000_00\nscene0000_00\n", "train, line 2"),
        ("scene0000_00 scene0000_01\n", "train, line 1"),
        ("a\n../b\n", "train, line 2"),
        ("\n \n", "an empty split list"),
    ],
)
def test_damaged_lists_name_key_and_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ParameterError) as caught:
        listed_rooms(lists(tmp_path, text, "scene0009_00\n").splits)
    assert expected in str(caught.value) and "synthesize.splits.train" in str(caught.value)


def test_lists_that_are_missing_or_alone(tmp_path: Path) -> None:
    config = lists(tmp_path, "a\n", "b\r\n\r\n")
    assert (
        listed_split(config, "b", Memo()) == "heldout" and listed_split(config, "b_07", Memo()) == "heldout"
    )
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ParameterError, match="not a split list"):
        listed_rooms(config.splits)
    (tmp_path / "train.txt").unlink()
    with pytest.raises(ParameterError, match="cannot read a split list"):
        listed_rooms(config.splits)
    with pytest.raises(ValueError, match=r"splits\.heldout is not set"):
        SplitLists(train="x")
    assert listed_split(SynthesizeConfig(), "a", Memo()) == ""


def test_an_edited_list_changes_the_scans_it_moves_and_no_other(tmp_path: Path) -> None:
    config = lists(tmp_path, "a\nb\n", "c\n")
    before = {scan: listed_split(config, scan, Memo()) for scan in "abc"}
    lists(tmp_path, "a\n", "c\nb\n")
    os.utime(tmp_path / "train.txt", ns=(1, 1))
    after = {scan: listed_split(config, scan, Memo()) for scan in "abc"}
    assert {scan for scan in "abc" if before[scan] != after[scan]} == {"b"}


def test_the_stage_follows_the_lists(tmp_path: Path) -> None:
    for name, split in {"room0001_00": "train", "room0002_00": "heldout"}.items():
        task = scan_task(tmp_path / split, name, random_scene(np.random.default_rng(1)))
        synthesize(task, lists(tmp_path, "room0001_00\n", "room0002_05\n"))
        assert {q.split for q in read_questions(task.out)} == {split}
    task = scan_task(tmp_path, "room0003_00", random_scene(np.random.default_rng(1)))
    with pytest.raises(ScanError, match="no split list"):
        synthesize(task, lists(tmp_path, "room0001_00\n", "room0002_05\n"))
