"""Samples read from records written by hand; the oracle is what was written."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vantage.core.errors import ContractError, ParameterError
from vantage.core.seeds import fraction
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import from_yaw
from vantage.models.tokens import answer_id, question_ids
from vantage.records.frames import Frame, PixelRef, write_frames
from vantage.records.index import IndexRow, write_index
from vantage.records.patches import PatchCoordinates, write_patches
from vantage.records.questions import Question, write_questions
from vantage.records.scan import ScanMeta, write_scan
from vantage.training.samples import Samples, load_samples, view_points

CAMERA = Pinhole(96, 72, 60.0, 60.0, 47.5, 35.5)
STAGES = ("download", "extract", "lift", "synthesize")
FRAMES = (0, 3, 5, 9)


def question(scan: str, split: str, family: str, text: str, answer: str, views: tuple[int, ...]) -> Question:
    T = from_yaw(0.3 * views[0], (1.0, 0.5 * views[0], 0.0))
    return Question(
        question_id=f"{scan}-{views[0]}-{family}", scan_id=scan, room_id=scan[:8], split=split, family=family,
        slice="", question=text, answer=answer, reasoning="", evidence={}, ego_frame_id=views[0],
        pose_source="recorded_frame", pose_uses_target=False, T_aligned_ego=T, views=list(views),
        learnable_by_pocket=True,
    )  # fmt: skip


def write_one(root: Path, scan: str, split: str, shade: int) -> PatchCoordinates:
    """A scan of plain pictures: frame f is grey `shade + f`."""
    folders = {stage: root / stage / scan for stage in STAGES}
    for folder in folders.values():
        folder.mkdir(parents=True)
    refs, blob = [], b""
    for frame in FRAMES:
        buffer = io.BytesIO()
        Image.new("RGB", (CAMERA.width, CAMERA.height), (shade + frame,) * 3).save(buffer, "png")
        refs.append(PixelRef("pixels.bin", len(blob), len(buffer.getvalue()), "png"))
        blob += buffer.getvalue()
    (folders["download"] / "pixels.bin").write_bytes(blob)
    write_scan(folders["extract"], ScanMeta(scan, scan[:8], np.eye(4), CAMERA, CAMERA, 0.001, True))
    frames = [
        Frame(f, True, "", np.eye(4), 0.0, ref, ref, 1.0, 99.0, 0.5)
        for f, ref in zip(FRAMES, refs, strict=True)
    ]
    write_frames(folders["extract"], frames)
    rng = np.random.default_rng(shade)
    grid = (len(FRAMES), 8, 8)
    patches = PatchCoordinates(
        np.array(FRAMES), rng.normal(0, 2, (*grid, 3)).astype(np.float32), rng.random(grid) < 0.8,
        np.zeros(grid, np.float32), np.ones(grid, np.float32),
    )  # fmt: skip
    write_patches(folders["lift"], patches)
    asked = [
        question(scan, split, "direction", "where is the red chair from me?", "back-left", (3, 0, 5)),
        question(scan, split, "exist", "is there a blue box?", "no", (3, 0, 5)),
        question(scan, split, "exist", "is there an orange bed?", "yes", (9, 0)),
        question(scan, split, "count", "how many beds are there?", "one", (9, 0)),
    ]
    write_questions(folders["synthesize"], asked)
    return patches


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    write_one(tmp_path, "room0000_00", "train", 40)
    write_one(tmp_path, "room0001_00", "heldout", 90)
    write_one(tmp_path, "room0002_00", "train", 140)
    for stage in STAGES:
        rows = [IndexRow(f"room000{k}_00", "done", "0" * 64) for k in range(3)]
        rows.append(IndexRow("room0003_00", "set_aside", "", "unreadable"))
        write_index(tmp_path / stage, rows)
    return {stage: tmp_path / stage for stage in STAGES}


def test_training_situations_hold_their_frames_points_and_questions(folders: dict[str, Path]) -> None:
    samples = load_samples(folders, ("direction", "exist"))
    assert len(samples.situations) == 4
    assert [s.room for s in samples.situations] == ["room0000"] * 2 + ["room0002"] * 2
    assert [s.name for s in samples.situations[:2]] == ["room0000_00/frame 3", "room0000_00/frame 9"]
    first, second = samples.situations[:2]
    assert first.questions == (
        (question_ids("where is the red chair from me?"), answer_id("back-left")),
        (question_ids("is there a blue box?"), answer_id("no")),
    )
    assert second.questions == ((question_ids("is there an orange bed?"), answer_id("yes")),)
    # Every picture is that of its frame: the ego's first.
    assert [int(samples.images[v].mean()) for v in first.views] == [43, 40, 45]
    assert [int(samples.images[v].mean()) for v in samples.situations[3].views] == [149, 140]
    assert samples.questions == 6


def test_points_come_out_in_the_frame_of_the_ego(folders: dict[str, Path]) -> None:
    from vantage.records.patches import read_patches

    samples = load_samples(folders, ("direction",))
    situation = samples.situations[1]
    patches = read_patches(folders["lift"] / "room0002_00")
    points, valid = view_points(samples, situation, np.array(situation.views))
    T_aligned_ego = from_yaw(0.9, (1.0, 1.5, 0.0))
    back = points @ T_aligned_ego[:3, :3].T + T_aligned_ego[:3, 3]
    rows = [FRAMES.index(frame) for frame in (3, 0, 5)]
    assert np.allclose(back, patches.xyz_aligned[rows].reshape(3, 64, 3), atol=1e-5)
    assert np.array_equal(valid, patches.valid[rows].reshape(3, 64))


def test_the_digest_follows_the_content(folders: dict[str, Path]) -> None:
    one, same = load_samples(folders, ("exist",)), load_samples(folders, ("exist",))
    assert one.digest() == same.digest()
    assert one.digest() != load_samples(folders, ("exist", "count")).digest()


def test_rooms_are_validated_on_or_trained_on_and_stay_where_they_are(folders: dict[str, Path]) -> None:
    samples = load_samples(folders, ("exist", "count"))
    share = next(s for s in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8) if len(_rooms(samples, s)) == 2)
    kept, aside = samples.split(share, seed=1)
    assert {s.room for s in kept.situations}.isdisjoint(s.room for s in aside.situations)
    assert len(kept.situations) + len(aside.situations) == len(samples.situations)
    alone = replace(samples, situations=aside.situations)
    with pytest.raises(ParameterError, match="0 situations to train on"):
        alone.split(share, seed=1)


def _rooms(samples: Samples, share: float) -> list[str]:
    """`kept` and `aside` as far as the share leaves any there."""
    sides = {fraction(1, "validation", s.room) < share for s in samples.situations}
    return [str(side) for side in sides]


def test_nothing_to_train_on_is_an_error_that_says_what_to_do(folders: dict[str, Path]) -> None:
    with pytest.raises(ContractError, match="nothing to train on") as caught:
        load_samples(folders, ("side",))
    assert "held_out_share" in str(caught.value)


def test_a_question_about_a_dropped_frame_is_an_error(folders: dict[str, Path]) -> None:
    folder = folders["synthesize"] / "room0000_00"
    (folder / "questions.parquet").unlink()
    write_questions(folder, [question("room0000_00", "train", "exist", "is there a red bed?", "no", (3, 4))])
    with pytest.raises(ContractError, match="was not kept"):
        load_samples(folders, ("exist",))


def test_scans_may_show_different_numbers_of_frames(folders: dict[str, Path]) -> None:
    folder = folders["synthesize"] / "room0000_00"
    write_questions(folder, [question("room0000_00", "train", "exist", "is there a red bed?", "no", (3, 0))])
    samples = load_samples(folders, ("exist", "direction"))
    assert len(samples.images) == len(samples.xyz_aligned) == len(samples.valid) == 6
