"""Each control changes what it should and nothing else, the same as the evaluate stage's samples have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asked_rooms import CONFIG, Rooms
from pictured import muirbench

from vantage.align.controls import GREY, moved_ego, turned_ego
from vantage.align.ego import ego_of_camera
from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.controls import CONTROLS, Control, require_moved, under, with_points_of
from vantage.evaluation.running.located import located
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.geometry.warp import ImageWarp, squash
from vantage.lift.config import LiftConfig
from vantage.models.vlm import controls as of_samples
from vantage.models.vlm.sample import Sample, Turn, View
from vantage.registry.request import aligned_points, read_views

COORDINATES = [name for name in CONTROLS if name != "blind"]


def warp(width: int, height: int, _together: int) -> ImageWarp:
    return squash(width, height, 64, 8)


@cache
def posed(scans: Path, views: int = 3) -> PosedViews:
    """Opens each scan once."""
    return PosedViews(scans, views=views, origin="aligned")


def items_of(rooms: Rooms, benchmark: str = "sqa3d") -> list[Item[Any]]:
    references = rooms.sqa3d if benchmark == "sqa3d" else rooms.scanqa
    return BENCHMARKS.get(benchmark).references(references, None)


def asked(
    rooms: Rooms, control: str = "", seed: int = 0, benchmark: str = "sqa3d", views: int = 3
) -> list[Ask]:
    items = items_of(rooms, benchmark)
    builder: Any = posed(rooms.scans, views)
    if control:
        builder = under(Control(control, seed), builder, items)  # type: ignore[arg-type]
    prompts = {item.id: item.content.question for item in items}
    own = [item for item in items if item.scene == "room0000_00"]
    return require_asks(builder.asks(own[:3], prompts))


def require_asks(found: Sequence[Ask | SetAside]) -> list[Ask]:
    assert not [one for one in found if isinstance(one, SetAside)], found
    return [one for one in found if isinstance(one, Ask)]


def sample_of(scan: ScanViews) -> Sample:
    return Sample("s", located(scan, "ego_level", warp), ((Turn("?"),),))


def scan_of(ask: Ask) -> ScanViews:
    assert ask.scan is not None
    return ask.scan


def require_same(views: Sequence[View], expected: Sequence[View]) -> None:
    assert [view.name for view in views] == [view.name for view in expected]
    for view, other in zip(views, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(view.image()), np.asarray(other.image()))
        assert (view.T_frame_cam is None) == (other.T_frame_cam is None)
        if view.T_frame_cam is not None:
            np.testing.assert_allclose(
                view.T_frame_cam, other.T_frame_cam, atol=1e-5
            )  # poses of files are float32
        assert view.pictures is not None and other.pictures is not None
        for ours, theirs in zip(view.pictures, other.pictures, strict=True):
            assert torch.equal(ours.valid, theirs.valid)
            torch.testing.assert_close(ours.xyz, theirs.xyz, atol=2e-5, rtol=0)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_vlm_is_shown_what_the_evaluate_stage_shows_under_the_control(
    asked_rooms: Rooms, control: str
) -> None:
    recorded = MeasuredScan.open(asked_rooms.scans / "room0000_00")
    for plain, ask in zip(asked(asked_rooms), asked(asked_rooms, control, seed=5), strict=True):
        before, scan = scan_of(plain), scan_of(ask)
        sample, ego = sample_of(before), ego_of_camera(before.T_aligned_me, "aligned", "ego_level")
        if control == "blind":
            expected = of_samples.blind(sample)
        elif control == "random_yaw":
            expected = of_samples.seen_by(sample, ego, turned_ego(ego, 5, plain.input))
        elif control == "random_pose":
            T = before.meta.T_aligned_raw
            others = [T @ f.T_raw_cam for f in recorded.kept if f.frame_id != before.frames[0].frame_id]
            expected = of_samples.seen_by(sample, ego, moved_ego(ego, np.array(others), 5, plain.input))
        else:
            lending = [scan_of(one) for one in asked_other(asked_rooms)]
            options = [[frame.frame_id for frame in one.frames] for one in lending]
            assert {at.meta.scan_id for at in scan.measured} == {"room0001_00"}
            lent = lending[options.index([at.frame.frame_id for at in scan.measured])]
            expected = of_samples.with_points_of(sample, sample_of(lent))
        require_same(located(scan, "ego_level", warp), expected.views)
        np.testing.assert_array_equal(scan.T_aligned_me, before.T_aligned_me)
        assert (ask.id, ask.prompt, ask.sizes) == (plain.id, plain.prompt, plain.sizes)
        assert ask.input != plain.input


def asked_other(rooms: Rooms) -> list[Ask]:
    items = [item for item in items_of(rooms) if item.scene == "room0001_00"]
    return require_asks(posed(rooms.scans).asks(items, {item.id: "" for item in items}))


CHANGED = {
    "blind": {"images", "poses", "depth", "depth_intrinsics"},
    "random_yaw": {"poses"},
    "random_pose": {"poses"},
    "other_sample": {"poses", "depth"},  # both rooms have one camera
}


@pytest.mark.parametrize("control", CONTROLS)
def test_a_request_is_changed_in_these_keys_alone(asked_rooms: Rooms, control: str) -> None:
    for plain, ask in zip(asked(asked_rooms), asked(asked_rooms, control), strict=True):
        before, after = scan_of(plain).request("q"), scan_of(ask).request("q")
        changed = {
            key
            for key in before.keys() | after.keys()
            if key not in before or key not in after or not np.array_equal(before[key], after[key])
        }
        assert changed == CHANGED[control]
        if control == "blind":
            assert all((image == GREY).all() for image in after["images"])
            assert [i.shape for i in after["images"]] == [i.shape for i in before["images"]]
            assert np.array_equal(after["poses"], [before["ego_pose"]] * 3)


@pytest.mark.parametrize("control", COORDINATES)
def test_a_registered_model_and_a_vlm_get_the_same_points(asked_rooms: Rooms, control: str) -> None:
    for ask in asked(asked_rooms, control):
        views = read_views(scan_of(ask).request("q"))
        lens = warp(CONFIG.color_width, CONFIG.color_height, 3)
        xyz, valid = aligned_points(views, lens, LiftConfig().min_valid_share)
        ego = views.ego.to_ego(xyz.astype(np.float64), "aligned")
        for number, view in enumerate(located(scan_of(ask), "ego_level", warp)):
            assert view.pictures is not None
            (grid,) = view.pictures
            both = grid.valid.numpy() & valid[number]
            assert both.mean() > 0.3
            np.testing.assert_allclose(grid.xyz.numpy()[both], ego[number][both], atol=1e-4)


def test_where_nobody_stands_anywhere_the_first_view_stays_me(asked_rooms: Rooms) -> None:
    plain = asked(asked_rooms, benchmark="scanqa")[0]
    request = scan_of(plain).request("q")
    assert "ego_pose" not in request
    for control in CONTROLS:
        changed = asked(asked_rooms, control, benchmark="scanqa")
        assert np.array_equal(scan_of(changed[0]).request("q")["ego_pose"], request["poses"][0])
        assert len({ask.input for ask in changed}) == 1, "questions about the same views stay together"


@pytest.mark.parametrize("control", COORDINATES)
def test_draws_follow_from_the_seed(asked_rooms: Rooms, control: str) -> None:
    def inputs(seed: int) -> list[str]:
        return [ask.input for ask in asked(asked_rooms, control, seed)]

    assert inputs(1) == inputs(1)
    assert any(inputs(1) != inputs(seed) for seed in (2, 3, 4))


def test_points_of_pictures_of_another_size_are_lent_to_the_same_patches(asked_rooms: Rooms) -> None:
    """A camera of twice the size that sees the same lends the same points; views repeat if there are few."""
    own = scan_of(asked(asked_rooms)[0])
    recorded = MeasuredScan.open(asked_rooms.scans / "room0001_00")
    meta, frames = recorded.meta, tuple(recorded.kept[:2])
    large = replace(meta, color=meta.color.resized(2 * meta.color.width, 2 * meta.color.height))
    scans = [with_points_of(own, ScanViews(recorded.folder, m, frames)) for m in (meta, large)]
    for scan in scans:
        assert [at.frame.frame_id for at in scan.measured] == [frames[k].frame_id for k in (0, 1, 0)]
    require_same(*(located(scan, "ego_level", warp) for scan in scans))


def test_a_control_stands_in_the_header_and_its_seed_where_it_draws(asked_rooms: Rooms) -> None:
    posed, items = PosedViews(asked_rooms.scans), items_of(asked_rooms)
    assert "control" not in posed.settings()
    for name in CONTROLS:
        settings = under(Control(name, 3), posed, items).settings()
        drawn = {} if name == "blind" else {"control_seed": 3}
        assert settings == {**posed.settings(), "control": name, **drawn}


def test_pictures_of_their_own_turn_grey_and_have_no_coordinates_to_change(tmp_path: Path) -> None:
    references = muirbench(tmp_path / "muir", 4)
    rule = BENCHMARKS.get("muirbench")
    builder = OwnImages(rule, references, tmp_path / "muir" / "images")
    items = rule.references(references, None)
    prompts = {item.id: rule.prompt(item.content) for item in items}
    plain = require_asks(builder.asks(items, prompts))
    blind = require_asks(under(Control("blind", 0), builder, items).asks(items, prompts))
    for before, ask in zip(plain, blind, strict=True):
        assert (ask.prompt, ask.sizes) == (before.prompt, before.sizes)
        for view, size in zip(ask.views, ask.sizes, strict=True):
            pixels = np.asarray(view.image())
            assert pixels.shape == (size[1], size[0], 3) and (pixels == GREY).all()
    with pytest.raises(ParameterError, match="have none"):
        under(Control("random_yaw", 0), builder, items)


def test_a_control_that_cannot_work_is_refused(asked_rooms: Rooms) -> None:
    class Told:
        def __init__(self, coordinates: bool) -> None:
            self.uses_coordinates = lambda: coordinates

    for name in COORDINATES:
        with pytest.raises(ParameterError, match="moves nothing"):
            require_moved(Control(name, 0), Told(False))
        require_moved(Control(name, 0), Told(True))
    require_moved(Control("blind", 0), Told(False))
    one = [item for item in items_of(asked_rooms) if item.scene == "room0000_00"]
    with pytest.raises(ParameterError, match="no other room"):
        under(Control("other_sample", 0), PosedViews(asked_rooms.scans), one)


def test_a_scan_that_cannot_lend_sets_the_questions_aside(asked_rooms: Rooms, tmp_path: Path) -> None:
    (tmp_path / "room0000_00").symlink_to(asked_rooms.scans / "room0000_00")
    items = items_of(asked_rooms)
    builder = under(Control("other_sample", 0), PosedViews(tmp_path), items)
    own = [item for item in items if item.scene == "room0000_00"]
    found = builder.asks(own, {item.id: "" for item in items})
    assert all(isinstance(one, SetAside) and "room0001_00" in one.reason for one in found)
    assert all(str(tmp_path) not in one.reason for one in found if isinstance(one, SetAside))
