"""Samples aligned to the pose they are asked from: the same bytes in training and in evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_prompts import preparer
from tiny_vlms import VOCABULARY
from vlm_samples import samples

from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig
from vantage.align.ego import EgoPose, ego_of_camera
from vantage.align.embed import additive_numbers, token_numbers
from vantage.align.perturbation import Perturbation
from vantage.align.prompt import split_pose
from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, apply, compose, from_yaw, invert
from vantage.models.encoders import EncoderConfig
from vantage.models.encoders.normalise import encoder_numbers, normalised
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import PatchGrid
from vantage.models.prompts import Preparer
from vantage.models.vlm.batch import NOT_LEARNED, Batch, collate, single_dialogs
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.sample import Sample, Turn
from vantage.models.vlm.trained import TrainedVlm

CAMERA = Pinhole(64, 48, 60.0, 60.0, 31.5, 23.5)
NOISE = Perturbation(0.2, 15.0)
WAYS = [
    AlignConfig("transform"),
    AlignConfig("transform", "ego_camera"),
    AlignConfig("prompt"),
    AlignConfig("prompt", "ego_camera", perturbation=NOISE),
    AlignConfig("embed"),
    AlignConfig("embed", "ego_camera", "pose_view", NOISE),
    AlignConfig("transform", perturbation=NOISE),
    AlignConfig("none"),
]
IDS = [f"{w.mode}-{w.frame}-{'noise' if w.perturbation != Perturbation() else 'exact'}" for w in WAYS]


def prepared(name: str) -> Preparer:
    """With a tokenizer that reads numbers figure by figure."""
    prepare = preparer(name)
    prepare.tokenizer.add_tokens(list("0123456789-."))
    assert len(prepare.tokenizer) <= VOCABULARY
    return prepare


def a_camera(seed: int) -> np.ndarray:
    yaw = from_yaw(0.7 * seed + 0.2)[:3, :3]
    return compose(yaw @ R_FLU_RDF, np.array([0.5 * seed, -1.0, 1.4]))


def in_world(prepare: Preparer) -> list[tuple[Sample, Pose]]:
    """The tests' samples in the aligned world, each asked from a pose that its first view was taken from."""
    found = []
    for number, sample in enumerate(samples(prepare)):
        T = a_camera(number)
        views = tuple(replace(view, T_frame_cam=T if k == 0 else view.T_frame_cam)
                      for k, view in enumerate(sample.views))  # fmt: skip
        pose = Pose(ego_of_camera(T, "aligned", "ego_camera"), f"question{number}", CAMERA)
        found.append((replace(sample, views=views, frame="aligned", place=None), pose))
    return found


def of(sample: Sample) -> list[PatchGrid]:
    return [grid for view in sample.views for grid in view.pictures or ()]


def told(batch: Batch, row: int) -> tuple[bytes, ...]:
    """All that a model reads of a row before it answers, and the points of the whole batch."""
    learned = (batch.labels[row] != NOT_LEARNED).nonzero()
    end = int(learned[0]) if len(learned) else int(batch.inputs["attention_mask"][row].sum())
    geometry = batch.geometry
    arrays = [batch.inputs["input_ids"][row][:end], geometry.xyz, geometry.valid, batch.cameras]
    if geometry.beside is not None:
        arrays.append(geometry.beside)
    return tuple(array.numpy().tobytes() for array in arrays)


@pytest.mark.parametrize("config", WAYS, ids=IDS)
def test_training_and_evaluation_read_the_same_bytes(config: AlignConfig) -> None:
    """Evaluation has no answers, sees one sample at a time, in another order; nothing else differs."""
    prepare = prepared("qwen2_5_vl")
    posed = in_world(prepare)
    trained = [aligned(sample, pose, config, seed=3) for sample, pose in posed]
    for sample, pose in reversed(posed):
        (row,) = [k for k, one in enumerate(trained) if one.sample_id == sample.sample_id]
        asked = replace(sample, dialogs=tuple((Turn(d[0].question),) for d in sample.dialogs))
        evaluated = aligned(asked, pose, config, seed=3)
        alone = collate([trained[row]], prepare)
        assert told(collate([evaluated], prepare), 0) == told(alone, 0)
        for mine, theirs in zip(of(evaluated), of(trained[row]), strict=True):
            assert mine.xyz.numpy().tobytes() == theirs.xyz.numpy().tobytes()
        for view, other in zip(evaluated.views, trained[row].views, strict=True):
            assert view.T_frame_cam is not None and other.T_frame_cam is not None
            assert view.T_frame_cam.tobytes() == other.T_frame_cam.tobytes()
    both = collate(trained, prepare)
    assert both.geometry.frame == config.sample_frame
    joined = b"".join(g.xyz.numpy().tobytes() for one in trained for g in of(one))
    assert both.geometry.xyz.numpy().tobytes() == joined


def test_epochs_draw_their_own_perturbations_and_evaluation_always_the_same() -> None:
    (sample, pose), _ = in_world(prepared("llava"))
    config = AlignConfig(perturbation=NOISE)

    def points(draw: int) -> bytes:
        return of(aligned(sample, pose, config, 3, draw))[0].xyz.numpy().tobytes()

    assert len({points(draw) for draw in range(4)}) == 4
    assert points(0) == of(aligned(sample, pose, config, 3))[0].xyz.numpy().tobytes()


@pytest.mark.parametrize("config", WAYS, ids=IDS)
def test_everything_that_is_not_told_a_pose_stays_as_it_was(config: AlignConfig) -> None:
    for sample, pose in in_world(prepared("internvl")):
        before = [(g.xyz.clone(), g.valid.clone()) for g in of(sample)]
        found = aligned(sample, pose, config, seed=0)
        assert found.frame == config.sample_frame
        assert (found.sample_id, found.situation) == (sample.sample_id, sample.situation)
        for view, other in zip(found.views, sample.views, strict=True):
            assert (view.name, view.image) == (other.name, other.image)
        for (xyz, valid), grid, own in zip(before, of(found), of(sample), strict=True):
            assert torch.equal(own.xyz, xyz) and torch.equal(own.valid, valid), "the sample itself is left"
            assert torch.equal(grid.valid, valid)
            assert not grid.xyz[~valid].any()
            if config.mode != "transform":
                assert torch.equal(grid.xyz[valid], xyz[valid])
            assert (grid.beside is None) == (config.mode != "embed")
        for dialog, own_dialog in zip(found.dialogs, sample.dialogs, strict=True):
            assert dialog[1:] == own_dialog[1:]
            assert dialog[0].answer == own_dialog[0].answer
            if config.mode != "prompt":
                assert dialog == own_dialog


@pytest.mark.parametrize("frame", ["ego_level", "ego_camera"])
def test_transformed_the_egos_own_view_is_taken_from_the_origin_along_x(frame: Any) -> None:
    for sample, pose in in_world(prepared("llava")):
        found = aligned(sample, pose, AlignConfig("transform", frame), seed=0)
        T = found.views[0].T_frame_cam
        assert T is not None
        place = T[:3, 3] if frame == "ego_camera" else T[:3, 3] * [1, 1, 0]
        np.testing.assert_allclose(place, 0, atol=1e-12)
        np.testing.assert_allclose(T[:3, 2], [1, 0, 0], atol=1e-12)
        np.testing.assert_allclose(T[:3, 0], [0, -1, 0], atol=1e-12)
        for view, other in zip(found.views, sample.views, strict=True):
            for grid, own in zip(view.pictures or (), other.pictures or (), strict=True):
                world = own.xyz[own.valid].numpy().astype(np.float64)
                expected = apply(invert(pose.ego.seen_as(frame).T_world_ego), world)
                np.testing.assert_allclose(grid.xyz[own.valid].numpy(), expected, atol=1e-6)


def test_every_dialog_is_told_the_pose_once_before_its_first_question() -> None:
    (sample, pose), _ = in_world(prepared("llava"))
    dialogs = ((Turn("where ?", "here"), Turn("and now ?", "there")), (Turn("what ?"),))
    found = aligned(replace(sample, dialogs=dialogs), pose, AlignConfig("prompt"), seed=0)
    asked = [[split_pose(first.question)[1], *(t.question for t in rest)] for first, *rest in found.dialogs]
    assert asked == [["where ?", "and now ?"], ["what ?"]]
    for one in single_dialogs([found]):
        ego, _ = split_pose(one.dialogs[0][0].question)
        np.testing.assert_allclose(ego.T_world_ego, pose.ego.seen_as("ego_level").T_world_ego, atol=0.006)
    with pytest.raises(ContractError, match="has a pose already"):
        aligned(found, pose, AlignConfig("prompt"), seed=0)


def test_an_encoder_is_given_the_papers_and_the_published_numbers_to_the_byte() -> None:
    prepare = prepared("llava")
    posed = in_world(prepare)
    for numbers in ("pose_point", "pose_view"):
        config = AlignConfig("embed", "ego_camera", numbers)  # type: ignore[arg-type]
        geometry = collate([aligned(s, p, config, seed=0) for s, p in posed], prepare).geometry
        settings = EncoderConfig(numbers)  # type: ignore[arg-type]
        found = encoder_numbers(normalised(geometry, settings), settings).numpy()
        rows = []
        for sample, pose in posed:
            for grid in of(sample):
                p = np.where(grid.valid[..., None].numpy(), grid.xyz.numpy().astype(np.float64), 0.0)
                one = (
                    additive_numbers(p, "aligned", pose.ego)
                    if numbers == "pose_point"
                    else token_numbers(p, "aligned", pose.ego, CAMERA)
                )
                rows.append(one.reshape(-1, settings.numbers))
        assert found.tobytes() == np.concatenate(rows).tobytes()


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "internvl"])
def test_a_model_is_told_the_pose_in_every_way_and_reads_none_without(name: str) -> None:
    """Two poses for one scene: what the model says of it differs in all ways but `none`."""
    prepare = prepared(name)
    posed = in_world(prepare)
    turned = [(s, replace(p, ego=p.ego.turned(1.0))) for s, p in posed]
    for config in (AlignConfig("transform"), AlignConfig("prompt"), AlignConfig("embed"),
                   AlignConfig("embed", "ego_camera", "pose_view"), AlignConfig("none")):  # fmt: skip
        kind = config.numbers if config.mode == "embed" else "sinusoid_mlp"
        injector = woken(prepare.model, InjectionConfig("post_vit", config.sample_frame, EncoderConfig(kind)))
        said = []
        for poses in (posed, turned):
            batch = collate([aligned(s, p, config, seed=0) for s, p in poses], prepare)
            with torch.no_grad(), injector.bind(batch.geometry):
                out = prepare.model(**batch.inputs).logits
            last = batch.inputs["attention_mask"].sum(1) - 1
            said.append(out[torch.arange(len(out)), last])
        assert torch.equal(*said) == (config.mode == "none"), config


def woken(model: Any, config: InjectionConfig) -> Injector:
    injector = Injector.fresh(model, config, seed=1)
    with torch.no_grad():
        for number, parameter in enumerate(injector.encoder.parameters()):
            generator = torch.Generator().manual_seed(number)
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return injector


def test_samples_aligned_in_different_ways_do_not_make_a_batch() -> None:
    prepare = prepared("llava")
    one, two = in_world(prepare)
    point = aligned(*one, AlignConfig("embed"), seed=0)
    with pytest.raises(ContractError, match="several frames"):
        collate([point, aligned(*two, AlignConfig("transform"), seed=0)], prepare)
    for other in (AlignConfig("none"), AlignConfig("embed", "ego_camera", "pose_view")):
        with pytest.raises(ParameterError, match="different numbers beside"):
            collate([point, aligned(*two, other, seed=0)], prepare)
    unknown = replace(two[0], views=tuple(replace(v, pictures=None) for v in two[0].views))
    batch = collate([point, aligned(unknown, two[1], AlignConfig("embed"), seed=0)], prepare)
    assert batch.geometry.beside is not None
    assert not batch.geometry.valid[len(of(point)) * of(point)[0].valid.numel() :].any()


def test_a_sample_is_aligned_once_from_a_world_and_with_whole_poses_and_points() -> None:
    (sample, pose), _ = in_world(prepared("llava"))
    with pytest.raises(ContractError, match="not of a world"):
        aligned(aligned(sample, pose, AlignConfig(), 0), pose, AlignConfig(), 0)
    embedded = aligned(sample, pose, AlignConfig("embed"), 0)
    with pytest.raises(ContractError, match="beside them already"):
        aligned(embedded, pose, AlignConfig("embed"), 0)
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    mirrored = replace(sample.views[1], T_frame_cam=mirror @ a_camera(0))
    with pytest.raises(ContractError, match="not a rigid transform") as caught:
        aligned(replace(sample, views=(sample.views[0], mirrored)), pose, AlignConfig(), 0)
    assert caught.value.where == f"sample {sample.sample_id}, view {sample.views[1].name}"
    grid = of(sample)[0]
    holed = PatchGrid(grid.xyz.clone(), torch.ones_like(grid.valid))
    holed.xyz[0, 0, 1] = torch.nan
    view = replace(sample.views[0], pictures=(holed,))
    with pytest.raises(ContractError, match="not finite"):
        aligned(replace(sample, views=(view,)), pose, AlignConfig(), 0)
    hole = PatchGrid(holed.xyz, grid.valid & ~torch.isnan(holed.xyz).any(-1))
    found = aligned(replace(sample, views=(replace(view, pictures=(hole,)),)), pose, AlignConfig(), 0)
    assert bool(of(found)[0].xyz.isfinite().all())


def test_a_raw_sample_goes_through_its_alignment() -> None:
    (sample, pose), _ = in_world(prepared("llava"))
    T_aligned_raw = from_yaw(0.9, (2.0, -3.0, 0.4))
    views = []
    for view in sample.views:
        raw = [
            PatchGrid(
                torch.from_numpy(apply(invert(T_aligned_raw), g.xyz.numpy()).astype(np.float32)), g.valid
            )
            for g in view.pictures or ()
        ]
        assert view.T_frame_cam is not None
        T = invert(T_aligned_raw) @ view.T_frame_cam
        views.append(replace(view, pictures=tuple(raw), T_frame_cam=T))
    there = replace(sample, views=tuple(views), frame="raw")
    for config in WAYS:
        with pytest.raises(ContractError, match="not of a world"):
            aligned(there, pose, config, 0)
        found = aligned(there, replace(pose, T_aligned_raw=T_aligned_raw), config, 0)
        expected = aligned(sample, pose, config, 0)
        assert found.frame == expected.frame
        assert found.dialogs == expected.dialogs
        for mine, theirs in zip(found.views, expected.views, strict=True):
            np.testing.assert_allclose(mine.T_frame_cam, theirs.T_frame_cam, atol=1e-9)
        for grid, other in zip(of(found), of(expected), strict=True):
            assert torch.allclose(grid.xyz, other.xyz, atol=1e-5)


def test_a_place_stays_in_the_world_and_is_not_told_where_the_asker_is_the_origin() -> None:
    sample = replace(samples(prepared("llava"))[1], frame="aligned")
    assert sample.place is not None
    level = EgoPose(from_yaw(sample.place.yaw, (sample.place.x, sample.place.y, 0.0)), "aligned", "ego_level")
    assert aligned(sample, Pose(level, "q"), AlignConfig("transform"), 0).place is None
    stays = aligned(sample, Pose(level, "q"), AlignConfig("prompt"), 0).place
    assert stays is not None
    assert (stays.x, stays.y, stays.yaw) == pytest.approx((sample.place.x, sample.place.y, sample.place.yaw))


@pytest.mark.parametrize("way", [way for way in WAYS if way.perturbation != Perturbation()])
def test_a_pose_that_a_user_gives_is_told_as_it_is(way: AlignConfig) -> None:
    """Training disturbs poses so that a model bears it; in use that would answer from another place."""
    prepare = prepared("llava")
    sample, pose = in_world(prepare)[0]
    vlm = TrainedVlm(SpatialVlm(prepare.model, VlmConfig(None), 0), prepare, way, "single")
    asked = vlm.asked_from(sample, a_camera(0), CAMERA)
    exact = aligned(sample, pose, replace(way, perturbation=Perturbation()), seed=0)
    assert asked.dialogs == exact.dialogs and asked.frame == exact.frame
    for found, wanted in zip(of(asked), of(exact), strict=True):
        assert torch.equal(found.xyz, wanted.xyz)
        assert (found.beside is None) == (wanted.beside is None)
        assert found.beside is None or wanted.beside is None or torch.equal(found.beside, wanted.beside)
