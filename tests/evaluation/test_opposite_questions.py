"""Questions with opposite views, from files of a scan whose cameras stand around one object."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vantage.core.hashing import canonical_json
from vantage.evaluation.opposite_questions import opposite_pairs, opposite_questions, views_of
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Frame, PixelRef, read_frames, write_frames
from vantage.records.objects import SceneObject, write_objects
from vantage.records.patches import PatchCoordinates, write_patches
from vantage.records.predictions import Prediction
from vantage.records.questions import Question
from vantage.records.scan import ScanMeta, read_scan, write_scan

ANGLES_DEG = (0.0, 20.0, 90.0, 180.0)
"""Where the cameras stand, seen from the chair; the frames' ids are 10, 20, 30, 40."""
FRAMES = (10, 20, 30, 40)
CHAIR = SceneObject(7, "chair", 5, "chair", None, np.array([1.0, 2.0, 0.5]), np.ones(3), np.eye(3), 9)
BED = SceneObject(8, "bed", 4, "bed", None, np.array([9.0, 9.0, 0.5]), np.ones(3), np.eye(3), 9)
T_ALIGNED_RAW = np.array([[0, -1, 0, 3.0], [1, 0, 0, -1.0], [0, 0, 1, 0.5], [0, 0, 0, 1]])


def write(root: Path, scan: str, sees: tuple[bool, ...] = (True, True, True, True)) -> dict[str, Path]:
    """The frames around the chair; where `sees` is false the frame's one point on it is missing."""
    inputs = {"extract": root / "frames", "lift": root / "lift"}
    for folder in inputs.values():
        (folder / scan).mkdir(parents=True)
    camera = Pinhole(80, 60, 60.0, 60.0, 39.5, 29.5)
    write_scan(inputs["extract"] / scan, ScanMeta(scan, scan[:8], T_ALIGNED_RAW, camera, camera, 0.001, True))
    pixels, frames = PixelRef("x", 0, 1, "jpeg"), []
    for number, angle in zip(FRAMES, np.radians(ANGLES_DEG), strict=True):
        T_aligned_cam = np.eye(4)
        T_aligned_cam[:3, 3] = CHAIR.center + 2 * np.array([math.cos(angle), math.sin(angle), 0.3])
        pose = np.linalg.inv(T_ALIGNED_RAW) @ T_aligned_cam
        frames.append(Frame(number, True, "", pose, 0.0, pixels, pixels, 1.0, 1.0, 0.5))
    write_frames(inputs["extract"] / scan, frames)
    write_objects(inputs["extract"] / scan, [CHAIR, BED])
    xyz = np.full((4, 2, 2, 3), -5.0, dtype=np.float32)
    valid = np.ones((4, 2, 2), dtype=bool)
    xyz[:, 1, 0] = CHAIR.center + np.array([0.5, 0.0, 0.0])
    valid[~np.array(sees), 1, 0] = False
    flat = np.zeros((4, 2, 2), dtype=np.float32)
    write_patches(inputs["lift"] / scan, PatchCoordinates(np.array(FRAMES), xyz, valid, flat, flat))
    return inputs


def a_question(
    name: str, scan: str, views: list[int], objects: list[int], family: str = "direction"
) -> Question:
    return Question(
        name, scan, scan[:8], "heldout", family, "", "where?", "a", "", {"object_ids": objects}, views[0],
        "recorded_frame", False, np.eye(4), views, True,
    )  # fmt: skip


def test_pairs_of_views_more_than_150_degrees_apart(tmp_path: Path) -> None:
    inputs = write(tmp_path, "room0001_00")
    ask = [
        a_question("all", "room0001_00", [10, 20, 30, 40], [7]),  # 0 and 180, 20 and 180
        a_question("one", "room0001_00", [40, 20], [7]),
        a_question("near", "room0001_00", [10, 20, 30], [7]),
        a_question("alone", "room0001_00", [10], [7]),
        a_question("unseen", "room0001_00", [10, 40], [8]),
        a_question("both", "room0001_00", [10, 40], [8, 7, 7]),
        a_question("nothing", "room0001_00", [10, 40], []),
        a_question("unknown", "room0001_00", [10, 40], [99]),
    ]
    found = opposite_pairs(inputs, ask)
    assert found == {"all": 2, "one": 1, "near": 0, "both": 1}


def test_a_view_that_does_not_see_the_object_does_not_count(tmp_path: Path) -> None:
    inputs = write(tmp_path, "room0001_00", sees=(True, True, True, False))
    ask = [a_question("all", "room0001_00", [10, 20, 30, 40], [7])]
    assert opposite_pairs(inputs, ask) == {"all": 0}
    inputs = write(tmp_path / "one", "room0001_00", sees=(True, False, False, False))
    assert opposite_pairs(inputs, ask) == {}


def test_a_point_counts_within_five_centimetres_of_the_box() -> None:
    xyz = np.zeros((2, 1, 1, 3), dtype=np.float32)
    xyz[:, 0, 0] = CHAIR.center + np.array([[0.54, 0, 0], [0.56, 0, 0]])
    ones = np.ones((2, 1, 1))
    patches = PatchCoordinates(np.array([1, 2]), xyz, ones.astype(bool), *[ones.astype(np.float32)] * 2)
    assert views_of(patches, CHAIR).tolist() == [True, False]


def answers(right: dict[str, bool], family: str = "direction") -> list[Prediction]:
    return [
        Prediction(
            name, f"room{i % 4:04d}_00", f"room{i % 4:04d}", family, "", "where?", "a", "a" if ok else "b"
        )
        for i, (name, ok) in enumerate(sorted(right.items()))
    ]


def test_scores_of_both_kinds_by_hand() -> None:
    pairs = {f"o{i}": 1 + i % 2 for i in range(8)} | {f"p{i}": 0 for i in range(12)}
    ours = answers({name: not name.startswith("o") or name in ("o0", "o1") for name in pairs})
    theirs = answers(dict.fromkeys(pairs, True))
    ours += answers({"elsewhere": False}, "exist")  # no two views see its object: it is not asked about
    found = opposite_questions(pairs, {"arm": ours, "base": theirs}, ["arm", "base"], 0, 300)
    assert found is not None
    assert (found.asked, found.opposite, found.pairs) == (20, 8, 12)
    row, other = found.rows
    assert (row.family, row.item, row.opposite.n, row.others.n) == ("direction", "arm", 8, 12)
    assert (row.opposite.percent, row.others.percent, row.gain.points) == (25, 100, -75)
    assert row.gain.high < 0 and other.gain.points == 0 and other.item == "base"
    assert json.loads(canonical_json(found.record())) == found.record()


def test_nothing_is_told_without_opposite_views() -> None:
    pairs = {"a": 0, "b": 0}
    assert opposite_questions(pairs, {"arm": answers({"a": True, "b": True})}, ["arm"], 0, 100) is None
    assert opposite_questions({}, {"arm": []}, ["arm"], 0, 100) is None


def test_a_family_of_one_kind_has_no_row_but_counts() -> None:
    found = opposite_questions({"a": 3}, {"arm": answers({"a": True})}, ["arm"], 0, 100)
    assert found is not None and (found.opposite, found.pairs, list(found.rows)) == (1, 3, [])


@pytest.mark.parametrize("turn", [0.0, 2.0])
def test_the_raw_world_does_not_matter(tmp_path: Path, turn: float) -> None:
    """Poses are stored raw: a scan that was turned as a whole has the same pairs."""
    inputs = write(tmp_path, "room0001_00")
    meta_T = np.eye(4)
    meta_T[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    extract = inputs["extract"] / "room0001_00"
    meta, frames = read_scan(extract), read_frames(extract)
    write_scan(extract, replace(meta, T_aligned_raw=meta.T_aligned_raw @ np.linalg.inv(meta_T)))
    write_frames(extract, [replace(f, T_raw_cam=meta_T @ f.T_raw_cam) for f in frames])
    ask = [a_question("all", "room0001_00", [10, 20, 30, 40], [7])]
    assert opposite_pairs(inputs, ask) == {"all": 2}
