"""Samples from the folders of four stages; the oracle is what was written there."""

from __future__ import annotations

import gc
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from question_folders import CAMERA, FRAMES, Folders, pose, question, questions, tiled

from vantage.align.config import AlignConfig, Mode
from vantage.core.errors import ContractError, ScanError
from vantage.geometry.transforms import level_ego
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Place, Sample, Turn
from vantage.records.frames import read_frames, write_frames
from vantage.records.patches import write_patches
from vantage.records.questions import Question, write_questions


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path)
    made.scan("room0000_00", "train", 40)
    made.scan("room0001_00", "heldout", 90)
    made.scan("room0002_00", "train", 140)
    made.index()
    return made


def points(sample: Sample, view: int) -> np.ndarray:
    """Of all pictures of a view, flat."""
    pictures = sample.views[view].pictures
    assert pictures is not None
    return np.concatenate([p.xyz.reshape(-1, 3).numpy() for p in pictures])


def test_a_sample_holds_the_views_of_an_ego_and_all_its_questions(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection())
    assert [s.sample_id for s in samples] == [
        "room0000_00/3/3-0-5", "room0000_00/9/9-0", "room0002_00/3/3-0-5", "room0002_00/9/9-0",
    ]  # fmt: skip
    first: Sample = samples[0]
    assert first.dialogs == (
        (Turn("count the beds", "two"),),
        (Turn("is there a box", "no"),),
        (Turn("where is the chair", "back-left"),),
    )
    assert samples.listed[0].question_ids == tuple(f"room0000_00-{d[0].question}" for d in first.dialogs), (
        "dialogs stand in the order of question ids"
    )
    assert [q.question for q in samples.questions(0)] == [d[0].question for d in first.dialogs]
    assert [view.name for view in first.views] == [f"room0000_00/frame {f}" for f in (3, 0, 5)]
    shades = [np.asarray(view.image()).mean() for view in samples[2].views]
    assert shades == [143, 140, 145] and samples[2].views[0].image().size == (96, 72)
    assert samples.facts() == {
        "samples": 4, "questions": 8, "scans": 2, "samples_without_points": 0, "questions_set_aside": 0
    }  # fmt: skip


@pytest.mark.parametrize("tiles", [False, True])
def test_points_and_cameras_come_in_the_samples_frame(tmp_path: Path, tiles: bool) -> None:
    made = Folders(tmp_path, warp=tiled(CAMERA) if tiles else None)
    patches = made.scan("room0000_00", "train", 40)
    made.index()
    level = QuestionSamples(made.inputs, Selection())
    world = QuestionSamples(made.inputs, Selection(frame="aligned"))
    assert (level[0].frame, world[0].frame) == ("ego_level", "aligned")
    T_aligned_ego = level_ego(pose(40, 3))
    for view, frame in enumerate((3, 0, 5)):
        row = FRAMES.index(frame)
        grids = [tuple(p.valid.shape) for p in level[0].views[view].pictures]
        assert grids == ([(4, 4), (4, 2), (2, 6)] if tiles else [(4, 6)])
        expected = patches.xyz_aligned[row].reshape(-1, 3).astype(np.float64)
        valid = patches.valid[row].reshape(-1)
        back = points(level[0], view) @ T_aligned_ego[:3, :3].T + T_aligned_ego[:3, 3]
        np.testing.assert_allclose(back[valid], expected[valid], atol=1e-5)
        assert not points(level[0], view)[~valid].any()
        np.testing.assert_array_equal(points(world[0], view), expected.astype(np.float32))
        np.testing.assert_allclose(world[0].views[view].T_frame_cam, pose(40, frame), atol=1e-9)
        np.testing.assert_allclose(
            T_aligned_ego @ level[0].views[view].T_frame_cam, pose(40, frame), atol=1e-9
        )
        found = np.concatenate([p.valid.reshape(-1).numpy() for p in level[0].views[view].pictures])
        np.testing.assert_array_equal(found, valid)


def test_the_place_is_the_egos_in_the_world_and_nothing_to_learn_in_its_own_frame(folders: Folders) -> None:
    assert QuestionSamples(folders.inputs, Selection())[0].place is None
    place = QuestionSamples(folders.inputs, Selection(frame="aligned"))[0].place
    assert isinstance(place, Place)
    T = pose(40, 3)
    assert np.allclose((place.x, place.y), T[:2, 3])
    assert np.allclose((np.cos(place.yaw), np.sin(place.yaw)), T[:2, 2])


@pytest.mark.parametrize("mode", ["transform", "prompt", "embed"])
def test_the_pose_of_a_sample_is_the_cameras(folders: Folders, mode: Mode) -> None:
    """PoseAlign by transform gives what samples of the ego's frame are; every way takes the pose."""
    world = QuestionSamples(folders.inputs, Selection(frame="aligned"))
    own = QuestionSamples(folders.inputs, Selection())
    for index in range(len(world)):
        found = aligned(world[index], world.pose(index), AlignConfig(mode=mode, frame="ego_level"), 0)
        placeless = replace(world[index], place=None)
        camera = aligned(placeless, world.pose(index), AlignConfig(mode=mode, frame="ego_camera"), 0)
        if mode == "transform":
            np.testing.assert_allclose(points(found, 1), points(own[index], 1), atol=1e-5)
            ahead = camera.views[0].T_frame_cam @ [0.0, 0.0, 1.0, 1.0]
            np.testing.assert_allclose(ahead[:3], [1.0, 0.0, 0.0], atol=1e-9)
        else:
            np.testing.assert_array_equal(points(found, 1), points(world[index], 1))
        assert (found.dialogs == world[index].dialogs) == (mode != "prompt")


def turns(q: Question) -> tuple[Turn, ...]:
    return Turn("find it", "there"), Turn(q.question, q.answer)


def stance(q: Question) -> str:
    return "I stand by the bed." if q.family == "count" else ""


def test_questions_are_put_as_asked_for_and_situations_do_not_mix(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection(dialog=turns, situation=stance))
    assert len(samples) == 6 and len({s.sample_id for s in samples.listed}) == 6
    said = {s.situation: s for s in samples if s.sample_id.startswith("room0000_00/3/")}
    assert said["I stand by the bed."].dialogs == ((Turn("find it", "there"), Turn("count the beds", "two")),)
    assert len(said[""].dialogs) == 2


def test_split_and_families_choose(folders: Folders) -> None:
    held = QuestionSamples(folders.inputs, Selection("heldout"))
    assert {row.scan_id for row in held.listed} == {"room0001_00"}
    only = QuestionSamples(folders.inputs, Selection(families=("is",)))
    assert [len(s.dialogs) for s in only] == [1, 1, 1, 1]
    with pytest.raises(ContractError, match=r"(?s)no question to ask.*families why.*none in 3 scans"):
        QuestionSamples(folders.inputs, Selection(families=("why",)))


def test_the_digest_follows_files_selection_and_words(folders: Folders) -> None:
    first = QuestionSamples(folders.inputs, Selection()).digest()
    assert first == QuestionSamples(folders.inputs, Selection()).digest()
    others = [
        Selection("heldout"), Selection(families=("is",)), Selection(frame="aligned"),
        Selection(dialog=turns), Selection(situation=stance),
    ]  # fmt: skip
    digests = {QuestionSamples(folders.inputs, other).digest() for other in others}
    assert len(digests | {first}) == len(others) + 1
    for path in ("download/room0000_00/pixels.bin", "lift/room0002_00/views.json"):
        with (folders.root / path).open("ab") as file:
            file.write(b" ")
        folders.index()
        digests.add(QuestionSamples(folders.inputs, Selection()).digest())
    assert len(digests) == len(others) + 2
    (folders.root / "lift/room0001_00/views.json").write_text("held out: not seen by this run")
    folders.index()
    assert QuestionSamples(folders.inputs, Selection()).digest() in digests


def test_samples_travel_to_other_processes_without_their_arrays(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection())
    assert len(samples[0].views) == 3
    packed = pickle.dumps(samples)
    other = pickle.loads(packed)  # noqa: S301
    assert len(packed) < 20_000
    assert (points(other[3], 1) == points(samples[3], 1)).all()
    assert pickle.loads(pickle.dumps(samples[0])).views[1].image().size == (96, 72)  # noqa: S301


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [("nan", "points of frame 0 are not finite"), ("pose", "the pose of frame 0 is not a rigid transform"),
     ("pixels", "the colour image of frame 9 is cut short"), ("gone", "has no colour image"),
     ("ego", "its ego"), ("views", "it shows no view"), ("answer", "it has no answer to learn"),
     ("silence", "nothing is asked")],
)  # fmt: skip
def test_what_the_data_cannot_show_is_set_aside_and_counted(
    folders: Folders, spoil: str, reason: str
) -> None:
    scan = "room0002_00"
    asked = questions(scan, "train", 140)
    if spoil == "nan":
        patches = folders.patches(140)
        row, column = np.argwhere(patches.valid[0])[0]
        patches.xyz_aligned[0, row, column, 1] = np.nan
        write_patches(folders.inputs["lift"] / scan, patches)
    elif spoil == "pose":
        frames = read_frames(folders.inputs["extract"] / scan)
        frames[0] = replace(frames[0], T_raw_cam=frames[0].T_raw_cam * 1.5)
        write_frames(folders.inputs["extract"] / scan, frames)
    elif spoil in ("pixels", "gone"):
        path = folders.inputs["download"] / scan / "pixels.bin"
        whole = path.read_bytes()
        path.unlink() if spoil == "gone" else path.write_bytes(whole[:-1])
    else:
        changes: dict[str, object] = {
            "ego": {"T_aligned_ego": pose(140, 3)},
            "views": {"views": []},
            "answer": {"answer": ""},
            "silence": {"question": ""},
        }[spoil]  # type: ignore[assignment]
        asked[0] = replace(asked[0], **changes)
    write_questions(folders.inputs["synthesize"] / scan, asked)
    samples = QuestionSamples(folders.inputs, Selection())
    lost = {"nan": 4, "pose": 4, "gone": 4}.get(spoil, 1)
    assert len(samples.unusable) == lost == samples.facts()["questions_set_aside"]
    assert all(row.scan_id == scan and reason in row.reason for row in samples.unusable)
    assert reason in str(samples.facts()["first_set_aside"])
    left = {q for row in samples.listed for q in row.question_ids}
    assert len(left) == 8 - lost and not left & {row.question_id for row in samples.unusable}
    for sample in samples:
        assert all(np.isfinite(points(sample, k)).all() for k in range(len(sample.views)))


def test_a_frame_without_any_point_is_shown_and_counted(folders: Folders) -> None:
    patches = folders.patches(140)
    patches.valid[[FRAMES.index(9), FRAMES.index(0)]] = False
    write_patches(folders.inputs["lift"] / "room0002_00", patches)
    samples = QuestionSamples(folders.inputs, Selection())
    assert [row.has_points for row in samples.listed] == [True, True, True, False]
    assert samples.facts()["samples_without_points"] == 1
    assert not any(p.valid.any() for view in samples[3].views for p in view.pictures)


@pytest.mark.parametrize("stage", ["extract", "lift"])
def test_stages_out_of_step_are_an_error_that_names_question_and_frame(folders: Folders, stage: str) -> None:
    scan = "room0000_00"
    if stage == "extract":
        frames = read_frames(folders.inputs["extract"] / scan)
        write_frames(folders.inputs["extract"] / scan, [replace(f, kept=f.frame_id != 5) for f in frames])
    else:
        patches = folders.patches(40)
        keep = [0, 1, 3]
        arrays = ("frame_ids", "xyz_aligned", "valid", "spread", "valid_share")
        kept = {name: getattr(patches, name)[keep] for name in arrays}
        write_patches(folders.inputs["lift"] / scan, replace(patches, **kept))
    with pytest.raises(ContractError, match="was not kept" if stage == "extract" else "no patches") as caught:
        QuestionSamples(folders.inputs, Selection())
    assert "question room0000_00-" in str(caught.value) and f"frame 5 of {scan}" in str(caught.value)


def test_nothing_left_tells_why(folders: Folders) -> None:
    for scan in ("room0000_00", "room0002_00"):
        (folders.inputs["download"] / scan / "pixels.bin").write_bytes(b"short")
    with pytest.raises(ContractError, match=r"(?s)8 set aside, first question room0000_00-.*cut short"):
        QuestionSamples(folders.inputs, Selection())


def test_an_image_that_breaks_later_names_scan_and_frame(folders: Folders) -> None:
    samples = QuestionSamples(folders.inputs, Selection())
    view = samples[0].views[0]
    path = folders.inputs["download"] / "room0000_00" / "pixels.bin"
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(ScanError) as caught:
        view.image()
    assert "room0000_00, frame 3" in str(caught.value)


def test_memory_does_not_grow_with_the_scans_read(tmp_path: Path) -> None:
    """40 scans with 5 MB of points and pictures each; reading them all keeps less than three of them."""
    made = Folders(tmp_path, grid=(200, 300))
    made.scan("room0000_00", "train", 10)
    first = {stage: path / "room0000_00" for stage, path in made.inputs.items()}
    for number in range(1, 40):
        scan = f"room{number:04d}_00"
        for stage, folder in first.items():
            (made.inputs[stage] / scan).mkdir()
            for path in folder.iterdir():
                (made.inputs[stage] / scan / path.name).hardlink_to(path)
        folder = made.inputs["synthesize"] / scan
        (folder / "questions.parquet").unlink()
        write_questions(folder, [question(scan, "train", 10, "is it", "yes", (9, 0))])
    made.index(digests=False)
    samples = QuestionSamples(made.inputs, Selection())
    assert len(samples) == 41
    assert samples[0].views and samples[1].views
    gc.collect()
    before = anonymous_bytes()
    for sample in samples:
        assert sample.views[0].pictures[0].valid.any()
        sample.views[0].image()
    gc.collect()
    assert anonymous_bytes() - before < 15_000_000


def anonymous_bytes() -> int:
    """Resident memory of this process that no file backs."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) * 1024
