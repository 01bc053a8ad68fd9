"""Every record comes back as it was written, with the same bytes each time, and refuses what it is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from vantage.core.errors import ContractError
from vantage.core.hashing import digest_tree
from vantage.geometry.camera import Pinhole
from vantage.records import frames, index, objects, patches, predictions, questions, scan, visibility

RNG = np.random.default_rng(0)
POSE = np.vstack([np.hstack([np.eye(3), RNG.normal(size=(3, 1))]), [[0, 0, 0, 1]]])
LOST = np.full((4, 4), -np.inf)
OLD_POSE = ("pose_source", "pose_uses_target")


def a_frame(frame_id: int, pose: np.ndarray, reason: str) -> frames.Frame:
    color = frames.PixelRef("s.sens", 100 * frame_id, 50, "jpeg")
    depth = frames.PixelRef("s.sens", 100 * frame_id + 50, 50, "zlib_ushort")
    own = (500.0 + frame_id, 501.0, 319.5, 239.5) if frame_id % 2 else None
    jump = (0.01 * frame_id, 0.02)
    return frames.Frame(
        frame_id, not reason, reason, pose, 0.5 * frame_id, color, depth, 0.8, 12.0, 0.4, *jump, own, None
    )


def an_object(object_id: int, color: str | None) -> objects.SceneObject:
    size = np.array([1.0, 2.0, 0.5])
    return objects.SceneObject(object_id, "sofa", 6, "sofa", color, np.zeros(3), size, np.eye(3), 99)


def a_question(number: int) -> questions.Question:
    return questions.Question(
        question_id=f"room0000_00-{number}",
        scan_id="room0000_00",
        room_id="room0000",
        split="train",
        family="direction",
        slice="unseen",
        question="where is the red chair from me?",
        answer="back-left",
        reasoning="x = -1.0 m, y = 0.5 m: back-left",
        evidence={"object_ids": [3], "x_m": -1.0, "y_m": 0.5},
        ego_frame_id=4,
        pose_source="recorded_frame",
        pose_uses_target=False,
        T_aligned_ego=POSE,
        views=[4, 0, 7],
        learnable_by_pocket=True,
    )


def a_chosen_pose(question: questions.Question) -> questions.Question:
    return replace(
        question, pose_source="clip", pose_uses_target=True, pose_meaning="paper", pose_object_id=3,
        pose_score=0.37, pose_rank=2, pose_drawn_from=5, pose_seed=7, pose_fallback="unseen",
    )  # fmt: skip


def same(a: object, b: object) -> None:
    """Equality of records field by field, arrays bit for bit (infinities included)."""
    assert type(a) is type(b)
    for name, value in vars(a).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(b, name), err_msg=name)
        else:
            assert value == getattr(b, name), name


def listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def write_all(folder: Path) -> dict[str, object]:
    folder.mkdir()
    camera = Pinhole(width=384, height=288, fx=250.0, fy=251.0, cx=191.5, cy=143.5)
    written: dict[str, object] = {
        "scan": scan.ScanMeta("room0000_00", "room0000", POSE, camera, camera.resized(320, 240), 0.001, True),
        "frames": [a_frame(0, POSE, ""), a_frame(3, LOST, "pose is not finite")],
        "objects": [an_object(0, "red"), an_object(5, None)],
        "points": objects.ScanPoints(
            RNG.normal(size=(7, 3)).astype(np.float32),
            np.arange(-1, 6, dtype=np.int32),
            np.array([1, 0, 0, 2, 2, 1, 0], dtype=np.int32),
        ),
        "patches": patches.PatchCoordinates(
            np.array([0, 3]),
            np.ones((2, 8, 8, 3), np.float32),
            np.ones((2, 8, 8), bool),
            np.ones((2, 8, 8), np.float32),
            np.ones((2, 8, 8), np.float32),
        ),
        "views": patches.ViewSet([3, 0], [10, 4], 14, 0.1),
        "visibility": visibility.Visibility(
            np.array([0, 3]), np.array([0, 5]), *(np.eye(2, dtype=np.float32) * k for k in (0.5, 1, 2))
        ),
        "questions": [a_question(1), a_chosen_pose(a_question(2))],
        "predictions": [predictions.Prediction("q", "s", "r", "f", "", "is there?", "yes", "no")],
        "index": [
            index.IndexRow("a", "done", "d1"),
            index.IndexRow("b", "set_aside", "", "no frame is usable"),
        ],
    }
    for name, value in written.items():
        module = {"points": objects, "views": patches}.get(name) or globals()[name]
        getattr(module, f"write_{name}")(folder, value)
    return written


def test_round_trip_and_same_bytes(tmp_path: Path) -> None:
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state
    written = write_all(tmp_path / "one")
    for name, value in written.items():
        module = {"points": objects, "views": patches}.get(name) or globals()[name]
        read = getattr(module, f"read_{name}")(tmp_path / "one")
        for a, b in zip(listed(value), listed(read), strict=True):
            same(a, b)
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state
    write_all(tmp_path / "two")
    assert digest_tree(tmp_path / "one") == digest_tree(tmp_path / "two")


def test_readers_name_what_is_wrong(tmp_path: Path) -> None:
    write_all(tmp_path / "s")
    (tmp_path / "s/frames.parquet").write_bytes((tmp_path / "s/objects.parquet").read_bytes())
    with pytest.raises(ContractError, match="another record") as caught:
        frames.read_frames(tmp_path / "s")
    assert (caught.value.expected, caught.value.found) == ("frames version 2", "objects version 1")
    (tmp_path / "s/objects.parquet").write_bytes(b"PAR1 rubbish")
    with pytest.raises(ContractError, match="cannot be read"):
        objects.read_objects(tmp_path / "s")
    with pytest.raises(ContractError, match="missing"):
        questions.read_questions(tmp_path / "elsewhere")
    (tmp_path / "s/scan.json").write_text("[]")
    with pytest.raises(ContractError, match="another record"):
        scan.read_scan(tmp_path / "s")
    (tmp_path / "s/index.jsonl").write_text('{"item": "a"}\nnot json\n')
    with pytest.raises(ContractError) as caught:
        index.read_index(tmp_path / "s")
    assert caught.value.where is not None and caught.value.where.endswith("index.jsonl:1")


def test_a_question_in_another_ego_frame_is_refused(tmp_path: Path) -> None:
    questions.write_questions(tmp_path, [replace(a_question(1), ego_frame="ego_camera")])
    with pytest.raises(ContractError, match="wrong frame"):
        questions.read_questions(tmp_path)


def test_questions_of_the_version_before_are_refused(tmp_path: Path) -> None:
    questions.write_questions(tmp_path, [a_question(1)])
    path = tmp_path / "questions.parquet"
    table = pq.read_table(path)
    kept = [name for name in table.column_names if not name.startswith("pose_") or name in OLD_POSE]
    old = table.select(kept).replace_schema_metadata({"vantage.record": "questions", "vantage.version": "1"})
    pq.write_table(old, path)
    with pytest.raises(ContractError, match="another record or version") as caught:
        questions.read_questions(tmp_path)
    assert (caught.value.expected, caught.value.found) == ("questions version 2", "questions version 1")
    assert caught.value.hint == "run the stage that writes it again"
