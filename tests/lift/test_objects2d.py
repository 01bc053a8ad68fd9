"""Objects lifted from 2D: exact scenes, views that disagree, and input too poor for a box."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from box_room import COLOR, DEPTH, look_around, make_room, render, sensed
from vantage.core.errors import ParameterError, ScanError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox, fit_upright_box
from vantage.geometry.iou3d import iou_pairs
from vantage.geometry.transforms import R_FLU_RDF, compose, from_yaw
from vantage.lift.box_settings import BoxSettings
from vantage.lift.depth_surface import DepthSurface, depth_surface
from vantage.lift.foreground import foreground
from vantage.lift.objects2d import LiftedBox, Sighting, lift_object
from vantage.lift.region import Region

SETTINGS = BoxSettings()


def iou(a: OrientedBox | None, b: OrientedBox) -> float:
    assert a is not None
    return float(iou_pairs(OrientedBoxes.of([a]), OrientedBoxes.of([b]))[0])


class Seen:
    """A generated room of boxes in several views: exact or as sensed, with exact masks."""

    def __init__(self, seed: int, views: int = 12, noise: bool = True) -> None:
        self.room = make_room(seed, objects=6)
        self.poses = look_around(seed, views)
        exact = render(self.room, DEPTH, self.poses)
        self.ids = [ids for _, ids in render(self.room, COLOR, self.poses)]
        self.depth = [
            sensed(depth, k) if noise else depth.astype(np.float32) for k, (depth, _) in enumerate(exact)
        ]
        self.surfaces = [
            depth_surface(depth, DEPTH, COLOR, pose, SETTINGS)
            for depth, pose in zip(self.depth, self.poses, strict=True)
        ]

    def truth(self, number: int) -> OrientedBox:
        return fit_upright_box(self.room.vertices[self.room.instance == number])

    def mask(self, view: int, number: int) -> Sighting:
        return self.surfaces[view], Region.of_mask(self.ids[view] == number)

    def rectangle(self, view: int, number: int) -> Sighting:
        return self.surfaces[view], Region.of_box(Region.of_mask(self.ids[view] == number).box)

    def views_of(self, number: int, least: int = 800) -> list[int]:
        """Views with the object whole, those with most of it first."""
        found = []
        for k, ids in enumerate(self.ids):
            mask = ids == number
            if mask.sum() >= least and not Region.of_mask(mask).sides_cut(COLOR):
                found.append((-int(mask.sum()), k))
        return [k for _, k in sorted(found)]


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen(0, views=16)


def best_seen(seen: Seen, least_views: int) -> list[tuple[int, list[int]]]:
    found = [(number, seen.views_of(number)) for number in range(6)]
    return [(number, views) for number, views in found if len(views) >= least_views]


def test_masks_of_whole_objects(seen: Seen) -> None:
    found = [
        iou(lift_object([seen.mask(views[0], number)]).box, seen.truth(number))
        for number, views in best_seen(seen, 1)
    ]
    assert len(found) >= 4
    assert np.median(found) > 0.75


def test_several_views_are_better_than_one(seen: Seen) -> None:
    one, all_of_them = [], []
    for number, views in best_seen(seen, 2):
        truth = seen.truth(number)
        one += [iou(lift_object([seen.mask(k, number)]).box, truth) for k in views]
        together = lift_object([seen.mask(k, number) for k in views])
        assert together.evidence.views == len(views)
        all_of_them.append(iou(together.box, truth))
    assert len(all_of_them) >= 3
    assert np.mean(all_of_them) > np.mean(one)
    assert np.median(all_of_them) > 0.85


def test_a_bare_box_is_little_worse_than_its_mask(seen: Seen) -> None:
    pairs = []
    for number, views in best_seen(seen, 1):
        for k in views:
            surface, rectangle = seen.rectangle(k, number)
            own = foreground(surface, rectangle, SETTINGS)
            exact = Region.of_mask(seen.ids[k] == number).contains(surface.uv) & (surface.depth > 0)
            shared = (own & exact).sum() / (own | exact).sum()
            assert shared > 0.6, (number, k)
            box = lift_object([(surface, rectangle)])
            assert box.evidence.bare_boxes == 1
            assert box.evidence.background > 0
            pairs.append(
                (
                    shared,
                    iou(box.box, seen.truth(number)),
                    iou(lift_object([seen.mask(k, number)]).box, seen.truth(number)),
                )
            )
    shared, bare, masked = np.array(pairs).T
    assert len(pairs) >= 6
    assert np.median(shared) > 0.85
    assert np.median(bare) > np.median(masked) - 0.15


def test_a_view_of_another_object_is_outvoted(seen: Seen) -> None:
    tried = 0
    for number, views in best_seen(seen, 3):
        right = [seen.mask(k, number) for k in views]
        wrong = [
            seen.mask(k, other) for k in views for other in range(6)
            if other != number and (seen.ids[k] == other).sum() > 1500
        ][:1]  # fmt: skip
        if not wrong:
            continue
        tried += 1
        alone, spoilt = lift_object(right), lift_object([*right, *wrong])
        assert alone.box is not None
        assert spoilt.evidence.contradicted > alone.evidence.contradicted + 100
        assert iou(spoilt.box, alone.box) > 0.9
    assert tried >= 1


def test_two_views_that_contradict_each_other_give_no_box(seen: Seen) -> None:
    (number, views) = best_seen(seen, 2)[0]
    ids, surface = seen.ids[views[0]], seen.surfaces[views[0]]
    other = next(i for i in range(6) if i != number and (ids == i).sum() > 300)
    found = lift_object([seen.mask(views[0], number), (surface, Region.of_mask(ids == other))])
    assert found.box is None
    assert "contradict" in found.reason
    assert found.confidence == 0


def test_a_mask_that_runs_over_onto_wall_and_floor_is_cleaned(seen: Seen) -> None:
    from scipy.ndimage import binary_dilation

    worse, better = [], []
    for number, views in best_seen(seen, 2):
        sloppy = [
            (seen.surfaces[k], Region.of_mask(binary_dilation(seen.ids[k] == number, iterations=6)))
            for k in views[:4]
        ]
        worse.append(iou(lift_object(sloppy[:1]).box, seen.truth(number)))
        better.append(iou(lift_object(sloppy).box, seen.truth(number)))
    assert np.median(better) > 0.85
    assert np.median(worse) > 0.8


def test_moving_the_world_moves_the_box(seen: Seen) -> None:
    T = from_yaw(0.8, (1.0, -2.0, 0.3))
    number, views = best_seen(seen, 2)[0]

    def moved(surface: DepthSurface) -> DepthSurface:
        return dataclasses.replace(surface, T_world_cam=T @ surface.T_world_cam)

    here = lift_object([seen.mask(k, number) for k in views[:2]])
    there = lift_object([(moved(s), r) for s, r in (seen.mask(k, number) for k in views[:2])])
    assert here.box is not None
    assert iou(there.box, here.box.transformed(T)) > 0.93  # voxels lie otherwise


def test_the_order_of_views_does_not_matter_and_bytes_repeat(seen: Seen) -> None:
    number, views = best_seen(seen, 2)[0]
    sightings = [seen.mask(k, number) for k in views]
    one, again, turned = lift_object(sightings), lift_object(sightings), lift_object(sightings[::-1])
    assert one.box is not None and again.box is not None and turned.box is not None
    assert one.box.size.tobytes() == again.box.size.tobytes()
    np.testing.assert_allclose(turned.box.size, one.box.size, atol=1e-6)
    assert turned.confidence == pytest.approx(one.confidence)


def level() -> np.ndarray:
    return compose(R_FLU_RDF, np.array([0.0, 0.0, 1.5]))


def flat_view(depth: np.ndarray) -> DepthSurface:
    return depth_surface(depth.astype(np.float32), DEPTH, COLOR, level(), SETTINGS)


CENTRE = np.zeros((COLOR.height, COLOR.width), dtype=bool)
CENTRE[100:180, 150:250] = True


@pytest.mark.parametrize(
    ("depth", "reason"),
    [
        (np.zeros((DEPTH.height, DEPTH.width)), "no depth in the region"),
        (np.full((DEPTH.height, DEPTH.width), np.nan), "no depth in the region"),
        (np.full((DEPTH.height, DEPTH.width), 90.0), "no depth in the region"),
    ],
)
def test_no_depth_is_no_box_but_a_reason(depth: np.ndarray, reason: str) -> None:
    for region in (Region.of_mask(CENTRE), Region.of_box((150.0, 100.0, 250.0, 180.0))):
        found = lift_object([(flat_view(depth), region)])
        assert found.box is None
        assert reason in found.reason
        assert (found.confidence, found.evidence.points) == (0, 0)


def test_three_points_are_too_few() -> None:
    depth = np.zeros((DEPTH.height, DEPTH.width))
    depth[120, 160:163] = 2.0
    found = lift_object([(flat_view(depth), Region.of_mask(CENTRE))])
    assert found.box is None
    assert "too few points" in found.reason
    assert f"at least {SETTINGS.min_points}" in found.reason


def test_a_flat_and_a_straight_thing_get_the_stated_thickness() -> None:
    depth = np.full((DEPTH.height, DEPTH.width), 2.0)
    flat = lift_object([(flat_view(depth), Region.of_mask(CENTRE))])
    assert flat.box is not None
    assert len(flat.thin_axes) == 1
    assert flat.box.size.min() == SETTINGS.min_edge_m
    assert flat.confidence < 0.4
    straight = np.zeros_like(depth)
    straight[120] = 2.0  # a row of pixels: each has two neighbours
    line = lift_object([(flat_view(straight), Region.of_mask(CENTRE))])
    assert line.box is not None
    assert len(line.thin_axes) == 2


def test_a_region_the_depth_camera_does_not_reach() -> None:
    narrow = dataclasses.replace(DEPTH, fx=900.0, fy=900.0)
    surface = depth_surface(np.ones((240, 320), dtype=np.float32), narrow, COLOR, level(), SETTINGS)
    found = lift_object([(surface, Region.of_box((0.0, 0.0, 20.0, 20.0)))])
    assert found.box is None
    assert "does not reach" in found.reason


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ScanError, match="no view"):
        lift_object([])
    with pytest.raises(ScanError, match="another size") as caught:
        lift_object([(flat_view(np.ones((240, 320))), Region.of_mask(CENTRE[:150]))])
    assert "384x288" in str(caught.value)
    assert "384x150" in str(caught.value)
    for bad in ((1.0, 1.0, 1.0, 5.0), (5.0, 1.0, 2.0, 5.0), (np.nan, 1.0, 2.0, 5.0)):
        with pytest.raises(ParameterError, match="not a 2D box"):
            Region.of_box(bad)
    with pytest.raises(ParameterError, match="an empty mask"):
        Region.of_mask(np.zeros((4, 4), dtype=bool))


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_whatever_comes_no_number_is_not_finite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    depth = rng.uniform(-1, 12, (DEPTH.height, DEPTH.width))
    depth[rng.random(depth.shape) < rng.random()] = rng.choice([0, np.nan, np.inf])
    if rng.random() < 0.5:
        depth = np.round(rng.uniform(1, 4)) * np.ones_like(depth) + rng.normal(size=depth.shape) * 0.01
    x0, y0 = rng.uniform(-50, 300, 2)
    region = Region.of_box((x0, y0, x0 + rng.uniform(1, 200), y0 + rng.uniform(1, 200)))
    found = lift_object([(flat_view(depth), region)])
    check_sound(found)


def check_sound(found: LiftedBox) -> None:
    assert 0 <= found.confidence <= 1
    assert (found.box is None) == bool(found.reason)
    e = found.evidence
    assert e.pixels >= e.measured >= e.flying >= 0
    assert e.thinned >= e.trimmed >= 0
    if found.box is not None:
        OrientedBoxes.of([found.box])
        assert (found.box.size >= SETTINGS.min_edge_m).all()


def test_settings_that_make_no_sense() -> None:
    for wrong in ({"voxel_m": 0.0}, {"far_m": 0.05}, {"tail_share": 0.5}, {"min_points": 3}):
        with pytest.raises(ParameterError):
            BoxSettings(**wrong)  # type: ignore[arg-type]
