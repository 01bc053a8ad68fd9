"""Trajectories in text files, and pairing by time, against brute force and SciPy."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.core.errors import ScanError
from vantage.scans.layouts.trajectory import (
    associate,
    read_list,
    read_quaternions,
    read_rotation_vectors,
    read_table,
    require_pairs,
)
from vantage.scans.layouts.writing import quaternion_lines


def by_hand(a: np.ndarray, b: np.ndarray, within: float) -> list[int]:
    """The benchmark's procedure: all pairs close enough, the closest first, each time once."""
    pairs = sorted(
        (abs(s - t), i, j) for i, s in enumerate(a) for j, t in enumerate(b) if abs(s - t) < within
    )
    partner, taken = [-1] * len(a), set()
    for _, i, j in pairs:
        if partner[i] < 0 and j not in taken:
            partner[i] = j
            taken.add(j)
    return partner


times = st.lists(st.integers(0, 2000), unique=True, max_size=40).map(
    lambda ms: np.array(ms, dtype=float) / 1000
)


@given(times, times, st.sampled_from([0.0045, 0.0205, 0.1005]))
def test_pairs_are_those_of_the_benchmarks_procedure(a: np.ndarray, b: np.ndarray, within: float) -> None:
    # At most 16 partners on either side are looked at: a rate above 800 Hz is no recording's.
    if within > 0.05:
        a, b = a[::8], np.sort(b)[::8]
    assert associate(a, b, within).tolist() == by_hand(a, b, within)


def test_many_times_at_once_stay_small() -> None:
    """Ten thousand times within a millisecond must not make a hundred million pairs."""
    crowd = np.arange(10_000) * 1e-7
    assert (associate(crowd, crowd, 0.02) == np.arange(10_000)).all()


def test_no_pair_names_both_files_and_their_spans() -> None:
    a, b = np.array([1.0, 2.0]), np.array([101.0, 102.5])
    with pytest.raises(ScanError) as caught:
        require_pairs(associate(a, b, 0.02), ("rgb.txt", "depth.txt"), (a, b), 0.02)
    assert caught.value.where == "rgb.txt and depth.txt"
    assert caught.value.found == "rgb.txt 1.000 to 2.000 s; depth.txt 101.000 to 102.500 s"
    require_pairs(associate(a, a, 0.02), ("rgb.txt", "depth.txt"), (a, a), 0.02)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "poses.txt"
    path.write_text(text)
    return path


def test_quaternions_and_rotation_vectors_against_scipy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    R, t = Rotation.random(50, random_state=rng), rng.normal(size=(50, 3))
    rows = np.column_stack([np.arange(50), t, R.as_quat()])
    np.savetxt(tmp_path / "q.txt", rows, header="a comment", fmt="%.12f")
    np.savetxt(tmp_path / "v.txt", np.column_stack([np.arange(50), R.as_rotvec(), t]), fmt="%.12f")
    for found in (read_quaternions(tmp_path / "q.txt"), read_rotation_vectors(tmp_path / "v.txt")):
        np.testing.assert_allclose(found.poses[:, :3, :3], R.as_matrix(), atol=1e-10)
        np.testing.assert_allclose(found.poses[:, :3, 3], t, atol=1e-10)
        assert (found.poses[:, 3] == (0, 0, 0, 1)).all() and not any(found.problems)


def test_the_writer_is_the_inverse_of_the_reader(tmp_path: Path) -> None:
    T = np.tile(np.eye(4), (2, 1, 1))
    T[1] = -np.inf  # lost: no line
    assert quaternion_lines(["0.5", "1.0"], T) == ["0.5 0 0 0 0 0 0 1"]


def test_a_quaternion_nearly_of_length_one_is_brought_to_it_and_another_is_a_problem(tmp_path: Path) -> None:
    lines = (
        "1 0 0 0 0 0 0 1.0009\n2 0 0 0 0 0 0 1.002\n3 0 0 0 0 0 0 0\n4 0 0 0 nan 0 0 1\n5 nan 0 0 0 0 0 1\n"
    )
    found = read_quaternions(written(tmp_path, lines))
    assert np.array_equal(found.poses[0], np.eye(4))
    assert [bool(problem) for problem in found.problems] == [False, True, True, False, False]
    assert found.problems[1] == found.stored(1) == "the quaternion is not of length 1: 1.002"
    assert not np.isfinite(found.poses[3]).all() and not np.isfinite(found.poses[4]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty trajectory"),
        ("# only a comment\n\n", "an empty trajectory"),
        ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0\n", r"not a pose[\s\S]*line 2[\s\S]*7 numbers"),
        ("1 0 0 0 0 0 0 1 9\n", r"line 1[\s\S]*9 numbers"),
        ("1 0 0 0 0 0 0 one\n", "not a trajectory"),
        ("nan 0 0 0 0 0 0 1\n", "a time that is no number"),
        ("1 0 0 0 0 0 0 1\n1 5 0 0 0 0 0 1\n", "a time stamp twice"),
    ],
)
def test_damaged_trajectories(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ScanError, match=message):
        read_quaternions(written(tmp_path, text))


def test_not_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "poses.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScanError, match=r"not a text file[\s\S]*poses\.txt"):
        read_quaternions(tmp_path / "poses.txt")
    with pytest.raises(ScanError, match="cannot read the file"):
        read_quaternions(tmp_path / "none.txt")


def test_order_comments_commas_and_a_line_twice(tmp_path: Path) -> None:
    text = "# t tx\n2,1,0,0,0,0,0,1 # late\n1\t0\t0\t0\t0\t0\t0\t1\r\n2,1,0,0,0,0,0,1\n"
    found = read_quaternions(written(tmp_path, text))
    assert found.keys.tolist() == [1, 2] and found.poses[:, 0, 3].tolist() == [0, 1]


def test_lists_of_images(tmp_path: Path) -> None:
    stamps, names = read_list(written(tmp_path, "# timestamp filename\n2.5 rgb/b c.png\n1.5 rgb/a.PNG\n"))
    assert stamps.tolist() == [2.5, 1.5] and [str(n) for n in names] == ["rgb/b c.png", "rgb/a.PNG"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty list of images"),
        ("1.0\n", "not an image of a list"),
        ("x rgb/a.png\n", "not a time stamp"),
        ("nan rgb/a.png\n", "not an image of a list"),
        ("1 rgb/a.png\n1 rgb/b.png\n", "a time stamp twice"),
        ("1 ../a.png\n", "outside the scan's folder"),
        ("1 rgb/../../a.png\n", "outside the scan's folder"),
        ("1 /etc/a.png\n", "outside the scan's folder"),
        ("1 ..\\a.png\n", "outside the scan's folder"),
        ("1 rgb/passwd\n", "not an image's name"),
    ],
)
def test_damaged_or_hostile_lists(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ScanError, match=message):
        read_list(written(tmp_path, text))


def test_tens_of_thousands_of_lines_are_quick(tmp_path: Path) -> None:
    """Beside a plain loop over the same text, in one run; about half of its time is measured."""
    table = np.random.default_rng(0).normal(size=(30_000, 8))
    path = tmp_path / "long.txt"
    path.write_text("".join(" ".join(f"{x:.6f}" for x in row) + "\n" for row in table))
    ours, plain = [], []
    for _ in range(3):
        start = time.perf_counter()
        found = read_table(path, 8, "numbers")
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        rows = np.array([[float(word) for word in line.split()] for line in path.read_text().splitlines()])
        plain.append(time.perf_counter() - start)
        assert np.array_equal(found, rows)
    assert min(ours) < 2 * min(plain)
