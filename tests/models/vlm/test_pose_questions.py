"""The pipeline's questions told their pose: the ego frame's own, whichever are asked, controls first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from question_folders import CAMERA, Folders, pose, question, tiled
from tiny_prompts import preparer
from vlm_samples import stepped

from vantage.align.config import AlignConfig
from vantage.align.perturbation import Perturbation
from vantage.align.prompt import split_pose
from vantage.core.errors import ContractError
from vantage.geometry.transforms import camera_ego, from_yaw, level_ego
from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig
from vantage.models.loading.load import BaseIdentity, LoadedBase
from vantage.models.vlm.batch import collate, single_dialogs
from vantage.models.vlm.checkpoint import CONFIG_FILE, load_adapter, save_adapter
from vantage.models.vlm.controls import controlled, moved
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Sample
from vantage.models.vlm.showing import aligned_question

NOISE = Perturbation(0.2, 15.0)
IDENTITY = BaseIdentity("someone/some-vlm", "main", "llava", "0" * 64)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "stages", warp=tiled(CAMERA))
    for number, shade in enumerate((40, 90)):
        made.scan(f"room{number:04d}_00", "train", shade)
    made.index()
    return made


def opened(folders: Folders, families: tuple[str, ...] | None = None) -> QuestionSamples:
    return QuestionSamples(folders.inputs, Selection(families=families, frame="aligned"))


def points(sample: Sample) -> torch.Tensor:
    return torch.cat([g.xyz.reshape(-1, 3) for view in sample.views for g in view.pictures or ()])


def beside(sample: Sample) -> torch.Tensor:
    grids = [g.beside for view in sample.views for g in view.pictures or () if g.beside is not None]
    return torch.cat([grid.reshape(-1, grid.shape[-1]) for grid in grids])


def test_a_samples_pose_is_its_ego_frames_camera(folders: Folders) -> None:
    samples = opened(folders)
    for index, listed in enumerate(samples.listed):
        shade = 40 if listed.room_id == "room0000" else 90
        found = samples.pose(index)
        np.testing.assert_allclose(
            found.ego.T_world_ego, camera_ego(pose(shade, listed.ego_frame_id)), atol=1e-9
        )
        assert (found.camera, found.key) == (CAMERA, listed.sample_id)


def test_transform_at_level_gives_what_samples_of_the_ego_frame_are(folders: Folders) -> None:
    """Two ways to one thing: `lift`'s points straight into the ego frame, and through the aligned world."""
    level = QuestionSamples(folders.inputs, Selection(frame="ego_level"))
    samples = opened(folders)
    for index in range(len(samples)):
        found, expected = aligned_question(samples, index, AlignConfig(), 0), level[index]
        assert (found.frame, found.place, found.dialogs) == (expected.frame, None, expected.dialogs)
        assert torch.allclose(points(found), points(expected), atol=1e-6)
        for view, other in zip(found.views, expected.views, strict=True):
            np.testing.assert_allclose(view.T_frame_cam, other.T_frame_cam, atol=1e-9)


def test_the_pose_is_told_the_same_whichever_questions_are_asked(folders: Folders) -> None:
    config = AlignConfig("prompt", perturbation=NOISE)
    everything, some = opened(folders), opened(folders, ("count",))
    (index,) = [k for k, one in enumerate(everything.listed) if one.sample_id == some.listed[0].sample_id]
    whole = aligned_question(everything, index, config, 5)
    assert len(whole.dialogs) == 3
    told = {split_pose(dialog[0].question)[0].T_world_ego.tobytes() for dialog in whole.dialogs}
    assert len(told) == 1
    (alone,) = aligned_question(some, 0, config, 5).dialogs
    assert alone in whole.dialogs
    assert aligned_question(some, 0, config, 5, draw=1).dialogs != (alone,)


@pytest.mark.parametrize("control", ["random_yaw", "random_pose", "other_sample", "blind"])
def test_a_control_takes_from_the_points_and_leaves_the_pose_that_is_told(
    folders: Folders, control: str
) -> None:
    samples = opened(folders)
    level = QuestionSamples(folders.inputs, Selection(frame="ego_level"))
    for config in (AlignConfig(), AlignConfig("embed"), AlignConfig("prompt")):
        own = aligned_question(samples, 1, config, 7)
        found = aligned_question(samples, 1, config, 7, control)
        assert found.dialogs == own.dialogs
        assert not torch.equal(points(found), points(own))
        if config.mode == "embed":
            assert torch.equal(beside(found), beside(own))
    if control in ("random_yaw", "random_pose"):
        found = aligned_question(samples, 1, AlignConfig(), 7, control)
        assert torch.allclose(points(found), points(controlled(level, 1, control, 7)), atol=1e-5)


def test_what_was_aligned_is_not_moved_afterwards_nor_opened_in_another_frame(folders: Folders) -> None:
    embedded = aligned_question(opened(folders), 0, AlignConfig("embed"), 0)
    with pytest.raises(ContractError, match="aligned already"):
        moved(embedded, from_yaw(0.3))
    level = QuestionSamples(folders.inputs, Selection(frame="ego_level"))
    with pytest.raises(ContractError, match="not of a world") as caught:
        aligned_question(level, 0, AlignConfig(), 0)
    assert caught.value.where == level.listed[0].sample_id


def test_a_question_whose_frame_has_another_camera_is_refused(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    one = question("room0000_00", "train", 40, "where is it", "back-left", (3, 0))
    wrong = replace(one, T_aligned_ego=level_ego(pose(40, 5)))
    folders.scan("room0000_00", "train", 40, asked=[wrong])
    folders.index()
    with pytest.raises(ContractError, match="tell of different poses"):
        opened(folders).pose(0)


@pytest.mark.parametrize("numbers", ["pose_point", "pose_view"])
def test_a_model_learns_from_aligned_questions_and_its_adapter_knows_the_kind(
    tmp_path: Path, numbers: str
) -> None:
    prepare = preparer("llava")
    folders = Folders(tmp_path / "stages", grid=(4, 4))
    folders.scan("room0000_00", "train", 40)
    folders.index()
    align = AlignConfig("embed", "ego_camera", numbers)  # type: ignore[arg-type]
    told = [aligned_question(opened(folders), k, align, 0) for k in range(2)]
    batch = collate(single_dialogs(told), prepare)
    injection = InjectionConfig("post_vit", align.sample_frame, EncoderConfig(numbers, hidden=16))  # type: ignore[arg-type]
    model = SpatialVlm(prepare.model, VlmConfig(injection), seed=1)
    fresh = {name: value.clone() for name, value in model.state_dict().items() if "encoder.mlp" in name}
    stepped(model, batch, 3)
    assert all(not torch.equal(fresh[name], model.state_dict()[name]) for name in fresh)
    model.eval()
    with torch.no_grad():
        found = model.logits(batch)
    save_adapter(tmp_path / "adapter", model, IDENTITY, {"recipe": "posealign"})
    encoder = json.loads((tmp_path / "adapter" / CONFIG_FILE).read_text())["config"]["injection"]["encoder"]
    assert encoder["kind"] == numbers

    def loaded(expected: InjectionConfig) -> SpatialVlm:
        return load_adapter(
            tmp_path / "adapter", LoadedBase(preparer("llava").model, tmp_path, IDENTITY), expected
        )

    with torch.no_grad():
        assert torch.equal(loaded(injection).logits(batch), found)
    for kind in ("pose_point", "pose_view", "sinusoid_mlp"):
        if kind != numbers:
            other = replace(injection, encoder=EncoderConfig(kind, hidden=16))  # type: ignore[arg-type]
            with pytest.raises(ContractError, match="another embedding"):
                loaded(other)
    with pytest.raises(ContractError, match="wrong frame"):
        loaded(replace(injection, frame="ego_level"))
