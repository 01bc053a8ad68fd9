"""Colour beside depth is measured in pixels: shifts and focal lengths put in are found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from turned import PLAIN, Recording

from vantage.geometry.camera import Pinhole
from vantage.scans.diagnosis.colour import Registration, depth_edges, find_registration
from vantage.scans.diagnosis.views import View, Views, grid_points
from vantage.scans.raw import RawFrame


def registered(
    recording: Recording, folder: Path, shift: tuple[int, int] = (0, 0), focal: float = 1.0
) -> tuple[Registration, Pinhole]:
    """Colour moved right and down by pixels, and a claimed focal length off by a factor."""
    assert recording.color is not None
    right, down = shift
    moved = replace(recording, color=np.roll(recording.color, (down, right), axis=(1, 2)))
    scan = moved.write(folder, PLAIN)
    c = scan.color
    claimed = replace(scan, color=Pinhole(c.width, c.height, c.fx * focal, c.fy * focal, c.cx, c.cy))
    views = Views(folder, claimed, 700)
    seen = [view for frame in claimed.frames if (view := views.of(frame)) is not None]
    found = find_registration(folder, claimed, seen)
    assert found is not None
    return found, claimed.color


@pytest.mark.parametrize("shift", [(0, 0), (4, 0), (0, -8), (8, 4), (-16, 0)])
def test_shifts_of_a_made_room(room: Recording, tmp_path: Path, shift: tuple[int, int]) -> None:
    found, camera = registered(room, tmp_path, shift)
    assert found.sure
    assert (found.dx_px, found.dy_px) == pytest.approx(shift, abs=0.75)
    assert found.focal_ratio == pytest.approx(1.0, abs=0.011)
    assert found.off(camera) == (shift != (0, 0))
    fx, fy, cx, cy = found.corrected(camera)
    assert (cx, cy) == pytest.approx((camera.cx + shift[0], camera.cy + shift[1]), abs=0.75)
    assert (fx, fy) == pytest.approx((camera.fx, camera.fy), rel=0.011)


@pytest.mark.parametrize("focal", [525 / 585, 585 / 525])
def test_the_focal_length_of_another_camera(room: Recording, tmp_path: Path, focal: float) -> None:
    found, camera = registered(room, tmp_path, focal=focal)
    assert found.off(camera)
    assert found.focal_ratio == pytest.approx(1 / focal, abs=0.012)
    assert found.corrected(camera)[0] == pytest.approx(camera.fx / focal, rel=0.012)


@pytest.mark.parametrize("shift", [(0, 0), (8, 0), (0, -16)])
def test_on_the_real_office(real_office: Recording, tmp_path: Path, shift: tuple[int, int]) -> None:
    found, camera = registered(real_office, tmp_path, shift)
    assert found.sure
    assert (found.dx_px, found.dy_px) == pytest.approx(shift, abs=3.0)
    assert found.off(camera) == (shift != (0, 0))


def test_few_frames_of_the_real_office_are_not_judged(real_office: Recording, tmp_path: Path) -> None:
    """Its depth is coarse at edges: the halves of 14 frames differ, and nothing is claimed from them."""
    found, camera = registered(real_office.only(slice(0, 42, 3)), tmp_path, (8, 0))
    assert not found.repeats and not found.sure and not found.off(camera)


def test_colour_of_something_else_is_not_judged(room: Recording, tmp_path: Path) -> None:
    assert room.color is not None
    noise = np.random.default_rng(0).integers(0, 255, room.color.shape, dtype=np.uint8)
    found, camera = registered(replace(room, color=noise), tmp_path)
    assert not found.sure and not found.off(camera)
    other = np.roll(room.color, 7, axis=0)  # each frame with the colour of another
    found, camera = registered(replace(room, color=other), tmp_path)
    assert not found.off(camera)


def test_edges_lie_on_the_near_side() -> None:
    depth = np.full((20, 30), 3000, np.uint16)
    depth[5:15, 10:20] = 1000
    depth[5:15, 20:23] = 0  # a shadow of the near surface
    depth[5:15, 7:10] = 0
    camera = Pinhole(30, 20, 25.0, 25.0, 14.5, 9.5)
    view = View(RawFrame(0), camera, depth, grid_points(camera, depth, 50))
    u = depth_edges(view)[:, 0] * camera.fx + camera.cx
    v = depth_edges(view)[:, 1] * camera.fy + camera.cy
    sides = sorted(set(np.round(u[(v > 5) & (v < 14)], 6)))
    assert sides[0] == 9.5 and sides[-1] == 19.5
    assert {4.5, 14.5} <= set(np.round(v, 6))
