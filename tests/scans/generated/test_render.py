"""Rendered views: true depth, true ids, readable colours, and the same picture at every size."""

import math

import numpy as np
import pytest
from PIL import Image

from vantage.core.errors import ParameterError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import invert
from vantage.scans.generated.cameras import color_camera
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.path import camera_path
from vantage.scans.generated.render import Scene, Views, views_in_memory
from vantage.scans.generated.room import COLORS, Item, Room

CAMERA = color_camera(GeneratedConfig())
SMALL = CAMERA.resized(64, 64)
MIDDLE = CAMERA.resized(160, 120)
SEED = 5

Case = tuple[Room, np.ndarray, Views]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    rooms = [sample_room(SEED, f"room{k:04d}") for k in range(8)]
    found = []
    for room in rooms:
        poses = camera_path(room, SEED, f"{room.room_id}_00", 12)
        found.append((room, poses, Scene(room, SEED).views(poses, MIDDLE)))
    return found


def backprojected(depth: np.ndarray, camera: Pinhole, T: np.ndarray) -> np.ndarray:
    v, u = np.mgrid[: camera.height, : camera.width]
    x, y = (u - camera.cx) / camera.fx * depth, (v - camera.cy) / camera.fy * depth
    return np.stack([x, y, depth], -1) @ T[:3, :3].T + T[:3, 3]


def in_box_axes(points: np.ndarray, item: Item) -> np.ndarray:
    c, s = math.cos(item.yaw), math.sin(item.yaw)
    return (points - item.center) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def test_rendering_is_reproducible(cases: list[Case]) -> None:
    room, poses, views = cases[0]
    again = Scene(sample_room(SEED, room.room_id), SEED).views(poses, MIDDLE)
    assert np.array_equal(again.color, views.color)
    assert np.array_equal(again.depth, views.depth)
    assert np.array_equal(again.ids, views.ids)
    assert not np.array_equal(Scene(room, SEED + 1).views(poses, MIDDLE).color, views.color)


def test_every_pixel_meets_the_closed_room(cases: list[Case]) -> None:
    for _, _, views in cases:
        assert views.depth.min() > 0.05
        assert views.depth.max() < 9.5


def test_ids_lie_in_their_boxes(cases: list[Case]) -> None:
    for room, poses, views in cases:
        for k in range(len(poses)):
            points = backprojected(views.depth[k].astype(float), MIDDLE, poses[k])
            for item in room.objects:
                own = points[views.ids[k] == item.object_id]
                inside = np.abs(in_box_axes(own, item)) <= np.array(item.size) / 2 + 2e-3
                assert inside.all(), (room.room_id, k, item)


def slab_depth(item: Item, top: float, T: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Depth at pixels of the box from an item's underside to `top` m above it: rays cut with planes.

    With it, where along the item's width the rays meet it.
    """
    size = np.array([item.size[0], item.size[1], top])
    middle = np.array([item.center[0], item.center[1], item.bottom + top / 2])
    c, s = math.cos(item.yaw), math.sin(item.yaw)
    R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    rays = np.stack([(u - MIDDLE.cx) / MIDDLE.fx, (v - MIDDLE.cy) / MIDDLE.fy, np.ones(len(u))], 1)
    direction, origin = rays @ T[:3, :3].T @ R, (T[:3, 3] - middle) @ R
    near = np.minimum((-size / 2 - origin) / direction, (size / 2 - origin) / direction).max(1)
    return np.stack([near, (origin + near[:, None] * direction)[:, 1]])


def test_depth_of_cardboard_boxes_by_the_slab_method() -> None:
    checked = 0
    for k in range(100, 140):
        room = sample_room(SEED, f"room{k:04d}")
        boxes = [i for i in room.items if i.label == "box"]
        if not boxes:
            continue
        poses = camera_path(room, SEED, "slab", 4)
        views = Scene(room, SEED).views(poses, MIDDLE)
        for item in boxes:
            for T, ids, depth in zip(poses, views.ids, views.depth, strict=True):
                v, u = np.nonzero(ids == item.object_id)
                if len(v) < 30:
                    continue
                near, across = slab_depth(item, item.size[2] - 0.006, T, u, v)
                plain = np.abs(across) > 0.04  # beside the strip of tape, which lies 6 mm higher
                assert (np.abs(near - depth[v, u])[plain] < 2e-4).mean() > 0.98
                checked += int(plain.sum())
        if checked > 20000:
            break
    assert checked > 5000


def test_points_of_one_view_agree_with_the_others(cases: list[Case]) -> None:
    """No view sees through a surface that another view has seen, and what both see is one colour and id."""
    for room, poses, views in cases[:4]:
        shared = 0
        for a in range(len(poses) - 1):
            b = a + 1
            points = backprojected(views.depth[a].astype(float), MIDDLE, poses[a]).reshape(-1, 3)
            T = invert(poses[b])
            p = points @ T[:3, :3].T + T[:3, 3]
            z = p[:, 2]
            ahead = z > 0.1
            u = np.rint(p[:, 0] / np.where(ahead, z, 1) * MIDDLE.fx + MIDDLE.cx).astype(int)
            v = np.rint(p[:, 1] / np.where(ahead, z, 1) * MIDDLE.fy + MIDDLE.cy).astype(int)
            ok = ahead & (u >= 0) & (u < MIDDLE.width) & (v >= 0) & (v < MIDDLE.height)
            there = views.depth[b][v[ok], u[ok]]
            if ok.sum() < 500:
                continue
            assert (there > z[ok] + 0.08).mean() < 0.04, room.room_id
            same = np.abs(there - z[ok]) < 0.02
            ids = views.ids[a].ravel()[ok][same] == views.ids[b][v[ok], u[ok]][same]
            apart = np.abs(
                views.color[a].reshape(-1, 3)[ok][same].astype(int) - views.color[b][v[ok], u[ok]][same]
            ).max(1)
            assert ids.mean() > 0.97
            assert np.median(apart) < 12
            shared += int(same.sum())
        assert shared > 5000


def named(rgb: np.ndarray) -> str:
    """The named colour that, under some light, is nearest to this one."""
    best = {}
    for name, full in COLORS.items():
        shades = np.linspace(0.55, 1.02, 12)[:, None] * np.array(full, float)
        best[name] = np.abs(shades - rgb).sum(1).min()
    return min(best, key=lambda name: best[name])


def test_objects_show_their_named_colour(cases: list[Case]) -> None:
    right = total = 0
    for room, _, views in cases:
        for item in room.items:
            pixels = views.color[views.ids == item.object_id].astype(float)
            if len(pixels) < 150:
                continue
            if item.label == "tv":
                # Its dark screen is part of it; the frame must still show.
                continue
            total += 1
            right += named(np.median(pixels, axis=0)) == item.color
    assert total > 40
    assert right >= 0.97 * total


def test_a_screen_leaves_its_frame_to_see() -> None:
    shares = []
    for k in range(40):
        room = sample_room(SEED, f"tv{k}")
        for item in room.items:
            if item.label == "tv" and item.color not in ("black", "white"):
                views = Scene(room, SEED).views(camera_path(room, SEED, "tv", 8), SMALL)
                pixels = views.color[views.ids == item.object_id].astype(float)
                if len(pixels) >= 30:
                    away = np.abs(pixels - np.array(COLORS[item.color]) * 0.9).sum(1)
                    shares.append((away < 140).mean())
        if len(shares) >= 8:
            break
    assert np.median(shares) > 0.4


def test_walls_are_neither_white_nor_black_nor_colourful(cases: list[Case]) -> None:
    for room, _, views in cases:
        walls = [i.object_id for i in room.structure if i.label in ("wall", "floor")]
        pixels = views.color[np.isin(views.ids, walls)].astype(int)
        assert 70 < np.median(pixels.mean(1)) < 190
        assert np.percentile(np.ptp(pixels, axis=1), 95) < 60


def test_views_in_memory_look_like_squashed_pictures() -> None:
    room = sample_room(SEED, "room0001")
    poses = camera_path(room, SEED, "room0001_00", 4)
    full = Scene(room, SEED).views(poses, CAMERA).color
    box = Image.Resampling.BOX
    squashed = np.stack([np.asarray(Image.fromarray(c).resize((64, 64), box)) for c in full]).astype(int)
    direct = views_in_memory(room, poses, SMALL, seed=SEED).color
    single = views_in_memory(room, poses, SMALL, seed=SEED, supersample=1).color
    assert np.abs(direct - squashed).mean() < 4.0
    assert np.abs(direct - squashed).mean() < 0.75 * np.abs(single - squashed).mean()


def test_depth_views_agree_with_colour_views(cases: list[Case]) -> None:
    room, poses, views = cases[2]
    facts = Scene(room, SEED).depth_views(poses, MIDDLE)
    assert np.array_equal(facts.depth, views.depth)
    assert np.array_equal(facts.ids, views.ids)
    assert facts.incidence.min() >= 0 and facts.incidence.max() <= 1 + 1e-6


def test_an_unknown_number_of_rays_is_refused(cases: list[Case]) -> None:
    room, poses, _ = cases[0]
    with pytest.raises(ParameterError, match="no pattern"):
        Scene(room, SEED).views(poses[:1], SMALL, supersample=4)
