"""Generated layouts: reproducible, plausible, free of interpenetration."""

import math
from collections import Counter

import numpy as np
import pytest

from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.room import CLASSES, COLORS, STYLES, Item, Room

ROOMS = [sample_room(7, f"room{k:04d}") for k in range(300)]


def corners(item: Item) -> np.ndarray:
    c, s = math.cos(item.yaw), math.sin(item.yaw)
    x, y = np.meshgrid([-0.5, 0.5], [-0.5, 0.5])
    local = np.stack([x.ravel() * item.size[0], y.ravel() * item.size[1]], 1)
    return local @ np.array([[c, s], [-s, c]]) + item.center[:2]


def samples(item: Item, n: int = 24) -> np.ndarray:
    """Points inside the footprint: an overlap oracle that knows nothing of separating axes."""
    c, s = math.cos(item.yaw), math.sin(item.yaw)
    grid = (np.arange(n) + 0.5) / n - 0.5
    x, y = np.meshgrid(grid * item.size[0], grid * item.size[1])
    return np.stack([x.ravel(), y.ravel()], 1) @ np.array([[c, s], [-s, c]]) + item.center[:2]


def inside(points: np.ndarray, item: Item) -> np.ndarray:
    c, s = math.cos(item.yaw), math.sin(item.yaw)
    local = (points - item.center[:2]) @ np.array([[c, -s], [s, c]])
    return np.all(np.abs(local) < np.array(item.size[:2]) / 2 - 1e-6, axis=1)


def test_a_room_follows_from_seed_and_id_alone() -> None:
    assert sample_room(7, "room0003") == ROOMS[3]
    assert sample_room(8, "room0003") != ROOMS[3]
    assert ROOMS[3] != ROOMS[4]


@pytest.mark.parametrize("room", ROOMS[:80], ids=lambda r: r.room_id)
def test_furniture_does_not_interpenetrate(room: Room) -> None:
    for a in room.items:
        for b in room.items[a.object_id + 1 :]:
            if min(a.top, b.top) - max(a.bottom, b.bottom) > 1e-6:
                assert not inside(samples(a), b).any(), (a, b)
                assert not inside(samples(b), a).any(), (a, b)


def test_furniture_is_inside_the_walls_and_stands_on_something() -> None:
    for room in ROOMS:
        for item in room.items:
            assert np.all(np.abs(corners(item)) <= np.array([room.width, room.depth]) / 2 - 0.03)
            assert item.top < room.height
            if item.on < 0:
                assert item.bottom == pytest.approx(0, abs=1e-4)
            else:
                support = room.items[item.on]
                assert item.bottom == pytest.approx(support.top, abs=2e-4)
                assert inside(np.array([item.center[:2]]), support).all()


def test_groups_own_their_colour_and_are_identical() -> None:
    for room in ROOMS:
        groups = room.groups
        assert 5 <= len(groups) <= 8
        assert len({g[0].color for g in groups}) == len(groups)
        for group in groups:
            assert len({(i.label, i.color, i.size) for i in group}) == 1
            assert group[0].color in COLORS
            assert len(group) <= 5
        assert [i.object_id for i in room.objects] == list(range(len(room.objects)))
        per_class = Counter(i.label for i in room.items)
        assert max(per_class.values()) <= 6


def test_every_class_colour_and_style_occurs() -> None:
    assert {r.style for r in ROOMS} == set(STYLES)
    share = Counter(label for r in ROOMS for label in {i.label for i in r.items})
    assert set(share) == set(CLASSES)
    assert min(share.values()) > 0.15 * len(ROOMS)
    assert set(Counter(i.color for r in ROOMS for i in r.items)) == set(COLORS)


def test_sizes_of_rooms_keep_to_the_range() -> None:
    for k in range(30):
        room = sample_room(1, f"r{k}", smallest=4.0, largest=4.5)
        assert min(room.width, room.depth) >= 4.0 and max(room.width, room.depth) <= 4.5


def test_structure_has_walls_floor_door_and_window() -> None:
    for room in ROOMS:
        labels = Counter(i.label for i in room.structure)
        assert labels["floor"] == labels["door"] == 1 and labels["wall"] == 4 and labels["window"] in (1, 2)
        door = next(i for i in room.structure if i.label == "door")
        free = inside(samples(door, 8) + 0.3 * np.array([math.cos(door.yaw), math.sin(door.yaw)]), door)
        assert not free.any()
        for item in room.items:
            step = np.array([math.cos(door.yaw), math.sin(door.yaw)]) * 0.4 + door.center[:2]
            assert item.on >= 0 or not inside(step[None], item).any()
