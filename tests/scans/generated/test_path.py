"""Camera paths: rigid, in free space, at eye height, and showing the whole room."""

import numpy as np
import pytest

from vantage.geometry.transforms import is_rigid
from vantage.scans.generated.cameras import color_camera
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.path import HIGHEST, LOWEST, PITCH_LEAST, PITCH_MOST, camera_path
from vantage.scans.generated.render import Scene
from vantage.scans.generated.room import Item, Room
from vantage.scans.generated.walkable import clearance, walkable

SEED = 3
ROOMS = [sample_room(SEED, f"room{k:04d}") for k in range(40)]


def paths() -> list[tuple[Room, np.ndarray]]:
    return [(r, camera_path(r, SEED, f"{r.room_id}_00", 24)) for r in ROOMS]


def away(point: np.ndarray, item: Item) -> float:
    """Distance to a footprint by sampling its outline."""
    foot, t = item.footprint, np.linspace(-1, 1, 200)
    outline = [(foot.hx * a, foot.hy * b) for a in t for b in (-1, 1)]
    outline += [(foot.hx * b, foot.hy * a) for a in t for b in (-1, 1)]
    world = np.array([foot.point(x, y) for x, y in outline])
    return float(np.hypot(*(world - point).T).min())


def test_poses_are_rigid_and_at_eye_height_looking_down() -> None:
    for _, poses in paths():
        assert all(is_rigid(T, 1e-9) for T in poses)
        assert np.all((poses[:, 2, 3] >= LOWEST) & (poses[:, 2, 3] <= HIGHEST))
        pitch = -np.arcsin(poses[:, 2, 2])
        assert np.all((pitch >= PITCH_LEAST - 1e-9) & (pitch <= PITCH_MOST + 1e-9))
        assert np.all(poses[:, 2, 1] < -0.8)  # the picture's down is the world's down
        assert np.abs(poses[:, 2, 0]).max() < 0.15  # nearly no roll


def test_the_camera_stays_over_free_floor() -> None:
    for room, poses in paths():
        xy = poses[:, :2, 3]
        assert np.all(np.abs(xy) < np.array([room.width, room.depth]) / 2 - 0.1)
        assert clearance(room, xy).min() > 0.1, room.room_id


def test_clearance_is_the_distance_to_the_outline() -> None:
    rng = np.random.default_rng(0)
    room = ROOMS[0]
    feet = [i for i in room.items if i.on < 0]
    for point in rng.uniform(-1.5, 1.5, (30, 2)):
        found = float(clearance(room, point[None])[0])
        if found > 0:
            walls = min(room.width / 2 - abs(point[0]), room.depth / 2 - abs(point[1]))
            assert found == pytest.approx(min(walls, *(away(point, i) for i in feet)), abs=0.02)


def test_every_room_has_floor_to_walk_on() -> None:
    for k in range(150):
        floor = walkable(sample_room(SEED, f"walk{k}"))
        assert floor.free.mean() > 0.08
        assert floor.margin >= 0.17


def test_a_path_follows_from_its_key() -> None:
    room = ROOMS[1]
    assert np.array_equal(camera_path(room, SEED, "a", 9), camera_path(room, SEED, "a", 9))
    assert np.abs(camera_path(room, SEED, "a", 9) - camera_path(room, SEED, "b", 9)).max() > 0.2


def test_the_path_is_smooth() -> None:
    for room, poses in paths()[:10]:
        fine = camera_path(room, SEED, f"{room.room_id}_00", 120)
        step = np.linalg.norm(np.diff(fine[:, :3, 3], axis=0), axis=1)
        turn = np.arccos(np.clip(np.sum(fine[1:, :3, 2] * fine[:-1, :3, 2], axis=1), -1, 1))
        assert step.max() < 0.4 and turn.max() < 0.8
        assert len(poses) == 24


def test_nearly_every_object_is_seen_from_the_path() -> None:
    camera = color_camera(GeneratedConfig()).resized(64, 64)
    seen = total = facing_nothing = frames = 0
    for room, poses in paths()[:15]:
        ids = Scene(room, SEED).views(poses, camera).ids
        counts = np.stack([np.bincount(i.ravel() + 1, minlength=len(room.objects) + 1) for i in ids])
        large = counts[:, 1 : 1 + len(room.items)] >= 12
        seen, total = seen + int(large.any(0).sum()), total + len(room.items)
        facing_nothing, frames = facing_nothing + int((~large.any(1)).sum()), frames + len(ids)
    assert seen > 0.97 * total
    assert facing_nothing < 0.08 * frames
