"""`vantage doctor scan` on a room recorded by each data set's own cameras and stored in its layout."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.cli import doctor_scan
from vantage.core.seeds import rng
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose, invert
from vantage.scans.conventions import level_rotation
from vantage.scans.generated.config import NoiseConfig
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.path import camera_path
from vantage.scans.generated.render import Scene
from vantage.scans.generated.sensor import measured_color, measured_depth, noise_tile
from vantage.scans.layouts import LAYOUTS, icl_nuim, seven_scenes
from vantage.scans.layouts.base import Recording

WIDTH, HEIGHT, FRAMES = 320, 240, 24
NOISE = NoiseConfig(exposure=0.0, blurred=0.0, lost=0.0)

PRIME_SENSE = Pinhole(640, 480, 525.0, 525.0, 319.5, 239.5)
#: Colour and depth camera of the data set; a folder of ICL-NUIM or 7-Scenes does not tell them.
CAMERAS = dict.fromkeys(
    ("arkitscenes", "extracted", "posed_images", "redwood", "replica", "tum"), (PRIME_SENSE, PRIME_SENSE)
) | {"icl_nuim": (icl_nuim.CAMERA, icl_nuim.CAMERA), "seven_scenes": (seven_scenes.COLOR, seven_scenes.DEPTH)}


def record(layout: str) -> Recording:
    """A room with a sensor's noise, in a world whose up is the layout's."""
    color_camera, depth_camera = (eye.resized(WIDTH, HEIGHT) for eye in CAMERAS[layout])
    room = sample_room(0, "room0003", smallest=3.5, largest=6.5)
    scene, poses = Scene(room, 0), camera_path(room, 0, "room0003_00", FRAMES)
    random = rng(0, "sensor", layout)
    tile = noise_tile((HEIGHT, WIDTH, 3), NOISE, random)
    color = [measured_color(c, tile, NOISE, random) for c in scene.views(poses, color_camera).color]
    depth = measured_depth(scene.depth_views(poses, depth_camera), NOISE, random)
    up = LAYOUTS.get(layout).convention.up or "z"
    world = compose(level_rotation(up).T, np.array([0.4, -0.7, 0.2]))
    times = 1000.0 + 0.5 * np.arange(FRAMES)
    return Recording(color_camera, depth_camera, np.stack(color), depth, world @ poses, times)


@pytest.fixture(scope="module", params=sorted(CAMERAS))
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def recording(layout: str) -> Recording:
    return record(layout)


Diagnose = Callable[..., dict[str, Any]]


@pytest.fixture
def diagnose(layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Diagnose:
    def diagnose(recording: Recording, code: int) -> dict[str, Any]:
        folder = tmp_path / "room"
        folder.mkdir()
        importlib.import_module(f"vantage.scans.layouts.{layout}").write(recording, folder)
        with pytest.raises(SystemExit) if code else nullcontext():
            doctor_scan.scan(folder, as_json=True, pairs=8, frames="", picture=None)
        values: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert values["layout"] == layout
        return values

    return diagnose


def test_every_layout_is_here() -> None:
    assert sorted([*CAMERAS, "scannet"]) == LAYOUTS.names()


def test_what_the_layout_says_is_confirmed(recording: Recording, diagnose: Diagnose) -> None:
    found = diagnose(recording, 0)
    assert (found["verdict"], found["certainty"], found["settings"]) == ("fits", "sure", {})
    assert found["share_5cm"] > 0.9 and not found["strays"] and not found["unreadable"]
    assert found["gravity"]["sure"] and found["gravity"]["tilt_deg"] < 1.0


def test_poses_the_other_way_round_are_named(recording: Recording, layout: str, diagnose: Diagnose) -> None:
    turned = replace(recording, T_world_cam=np.stack([invert(T) for T in recording.T_world_cam]))
    stored = LAYOUTS.get(layout).convention
    found = diagnose(turned, 1)
    assert (found["verdict"], found["certainty"]) == ("other", "sure")
    other = {"camera_to_world": "world_to_camera", "world_to_camera": "camera_to_world"}[stored.poses]
    assert found["settings"]["poses"] == other and "depth_units_per_m" not in found["settings"]


def test_bad_poses_are_bad(recording: Recording, diagnose: Diagnose) -> None:
    random = np.random.default_rng(0)
    T = recording.T_world_cam.copy()
    T[:, :3, 3] += random.normal(0, 0.5, (FRAMES, 3))
    found = diagnose(replace(recording, T_world_cam=T), 1)
    assert found["verdict"] == "bad_poses" and not set(found["settings"]) & {"poses", "camera_axes"}
