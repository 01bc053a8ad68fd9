"""Coordinates for a model that was trained with them: those of `lift`, in the asker's frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asked_rooms import Rooms
from pictured import model, muirbench

from vantage.core.errors import ParameterError
from vantage.core.tasks import Task
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Answer, Ask
from vantage.evaluation.running.ask_vlm import VlmAnswerer
from vantage.evaluation.running.located import located
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.posed import PosedViews
from vantage.geometry.transforms import camera_ego, invert, level_ego
from vantage.lift.config import LiftConfig
from vantage.lift.processors.block import lift_block
from vantage.lift.processors.table import processor_warp
from vantage.lift.stage import lift
from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig
from vantage.models.loading import load_vlm
from vantage.models.vlm.checkpoint import save_adapter
from vantage.models.vlm.generate import Decoding
from vantage.models.vlm.lifted_scan import LiftedScan
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.scans.config import ExtractConfig
from vantage.scans.stage import extract

EGOS = {"ego_level": level_ego, "ego_camera": camera_ego}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("model"), "nvila_3x3")


@pytest.fixture
def trained(base: Path, tmp_path: Path) -> Path:
    """An adapter whose encoder is far from zero."""
    loaded = load_vlm(base)
    config = VlmConfig(InjectionConfig("pre_vit", encoder=EncoderConfig("mlp")))
    whole = SpatialVlm(loaded.model, config, seed=0)
    assert whole.encoder is not None
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in whole.encoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_adapter(folder, whole, loaded.identity, {})
    return folder


def asks(rooms: Rooms) -> list[Ask]:
    items = BENCHMARKS.get("sqa3d").references(rooms.sqa3d, None)
    prompts = {item.id: item.content.question for item in items}
    views = PosedViews(rooms.scans, views=3, origin="aligned")
    own = [item for item in items if item.scene == "room0000_00"]
    return [ask for ask in views.asks(own, prompts) if isinstance(ask, Ask)]


@pytest.mark.parametrize("frame", ["ego_level", "ego_camera"])
def test_points_are_those_of_lift_in_the_askers_frame(
    asked_rooms: Rooms, base: Path, tmp_path: Path, frame: Any
) -> None:
    scan = "room0000_00"
    inputs = {"download": asked_rooms.scans, "extract": tmp_path / "extract", "lift": tmp_path / "lift"}
    for stage in ("extract", "lift", "work"):
        (tmp_path / stage / scan).mkdir(parents=True)
    raw = {"download": asked_rooms.scans / scan}
    extract(Task(scan, raw, tmp_path / "extract" / scan, tmp_path / "work", 0), ExtractConfig())
    config = LiftConfig(**lift_block(base, 3))
    lifted = {**raw, "extract": tmp_path / "extract" / scan}
    lift(Task(scan, lifted, tmp_path / "lift" / scan, tmp_path / "work", 0), config)
    recorded = LiftedScan.read(inputs, scan)
    for ask in asks(asked_rooms):
        assert ask.scan is not None and ask.scan.T_raw_me is not None
        T = invert(EGOS[frame](ask.scan.meta.T_aligned_raw @ ask.scan.T_raw_me))
        views = located(ask.scan, frame, lambda w, h, n: processor_warp(base, w, h, n))
        for view, shown in zip(views, ask.scan.frames, strict=True):
            expected = recorded.view(shown.frame_id, T)
            assert view.name == expected.name
            assert view.pictures is not None and expected.pictures is not None
            assert any(bool(grid.valid.any()) for grid in view.pictures)
            for ours, theirs in zip(view.pictures, expected.pictures, strict=True):
                assert torch.equal(ours.valid, theirs.valid)
                torch.testing.assert_close(ours.xyz, theirs.xyz, atol=1e-5, rtol=0)
            np.testing.assert_allclose(view.T_frame_cam, expected.T_frame_cam, atol=1e-9)


def test_a_frame_that_is_not_the_askers_is_refused(asked_rooms: Rooms, base: Path) -> None:
    scan = asks(asked_rooms)[0].scan
    assert scan is not None
    with pytest.raises(ParameterError, match="cannot be given"):
        located(scan, "camera", lambda w, h, n: processor_warp(base, w, h, n))


def texts(answers: Iterator[list[Any]]) -> dict[str, str]:
    found = [one for batch in answers for one in batch]
    assert all(isinstance(one, Answer) for one in found), found
    return {one.id: one.text for one in found}


def test_a_trained_model_is_given_coordinates_in_any_batch(
    asked_rooms: Rooms, base: Path, trained: Path
) -> None:
    asked = asks(asked_rooms)

    def said(adapter: Path | None, **decoding: Any) -> dict[str, str]:
        settings = Decoding(max_new_tokens=6, **decoding)
        return texts(VlmAnswerer.load(base, None, "float32", "cpu", settings, adapter).answers(asked))

    alone = said(trained, batch=1)
    assert alone == said(trained)
    plain = said(None)
    assert alone.keys() == plain.keys()
    assert alone != plain
    one, other = (
        VlmAnswerer.load(base, None, "float32", "cpu", Decoding(), adapter).identity()
        for adapter in (None, trained)
    )
    assert {key for key in one if one[key] != other[key]} == {"adapter"}


def test_pictures_without_poses_are_shown_to_it_as_unknown(base: Path, trained: Path, tmp_path: Path) -> None:
    references = muirbench(tmp_path / "muir", 3)
    rule = BENCHMARKS.get("muirbench")
    builder = OwnImages(rule, references, tmp_path / "muir" / "images")
    items = rule.references(references, None)
    asked = builder.asks(items, {item.id: rule.prompt(item.content) for item in items})
    whole = VlmAnswerer.load(base, None, "float32", "cpu", Decoding(max_new_tokens=4), trained)
    assert texts(whole.answers([ask for ask in asked if isinstance(ask, Ask)])).keys() == {"m0", "m1", "m2"}
