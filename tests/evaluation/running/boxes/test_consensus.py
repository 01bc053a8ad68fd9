"""One set of boxes out of several views: by hand, by brute force, and under changes that must not matter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vantage.evaluation.running.boxes.consensus import SAME_FROM, agreed, one, several
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.iou3d import iou_pairs
from vantage.geometry.transforms import compose, from_yaw

SEEDS = range(12)


def cube(x: float, y: float = 0.0, edge: float = 1.0) -> OrientedBox:
    return OrientedBox(np.array([x, y, 0.5]), np.full(3, edge), np.eye(3))


def everywhere(views: int):  # type: ignore[no-untyped-def]
    return lambda _box: list(range(views))


def scene(seed: int, views: int = 4, times: tuple[int, ...] = (0, 1, 1, 2)) -> list[list[OrientedBox]]:
    """Two to four objects apart, each said by some views with noise; strays and repetitions among them."""
    rng = np.random.default_rng(seed)
    truth = [
        OrientedBox(
            np.array([3.0 * k, rng.uniform(-1, 1), 1.0]),
            rng.uniform(0.5, 1.5, 3),
            from_yaw(rng.uniform(-3, 3))[:3, :3],
        )
        for k in range(rng.integers(2, 5))
    ]
    said: list[list[OrientedBox]] = []
    for _ in range(views):
        own = []
        for box in truth:
            for _ in range(rng.choice(times)):
                noisy = box.center + rng.normal(0, 0.05, 3), box.size * rng.uniform(0.8, 1.2, 3)
                own.append(OrientedBox(*noisy, from_yaw(rng.normal(0, 0.2))[:3, :3] @ box.rotation))
        if rng.random() < 0.5:
            own.append(OrientedBox(rng.uniform(-2, 9, 3), rng.uniform(0.3, 1.0, 3), np.eye(3)))
        said.append([own[i] for i in rng.permutation(len(own))])
    return said


def sampled_iou(a: OrientedBox, b: OrientedBox) -> float:
    """By counting cells of a fine grid, which knows nothing of the library's geometry of overlaps."""
    corners = np.concatenate([a.corners(), b.corners()])
    low, high = corners.min(0), corners.max(0)
    axes = [np.linspace(low[i], high[i], 25)[:-1] + (high[i] - low[i]) / 48 for i in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    inside_a, inside_b = a.contains(grid), b.contains(grid)
    union = (inside_a | inside_b).sum()
    return float((inside_a & inside_b).sum() / union) if union else 0.0


def brute_support(said: list[list[OrientedBox]], view: int, box: OrientedBox) -> float:
    total = 0.0
    for other, boxes in enumerate(said):
        if other != view:
            strong = [v for v in (sampled_iou(box, each) for each in boxes) if v >= SAME_FROM]
            total += max(strong, default=0.0)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_box_chosen_has_most_support_by_brute_force(seed: int) -> None:
    said = [own[:1] for own in scene(seed, views=6)]
    chosen = one(said)
    assert chosen is not None
    support = {id(box): brute_support(said, view, box) for view, boxes in enumerate(said) for box in boxes}
    assert support[id(chosen)] >= max(support.values()) - 0.08, "but for the grid's own error"


def ids(said: list[list[OrientedBox]]) -> dict[int, tuple[int, int]]:
    return {id(box): (v, k) for v, boxes in enumerate(said) for k, box in enumerate(boxes)}


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_hold_every_box_once_and_are_those_of_a_plain_loop(seed: int) -> None:
    said = scene(seed)
    left = [(v, box) for v, boxes in enumerate(said) for box in boxes]

    def iou(a: OrientedBox, b: OrientedBox) -> float:
        return float(iou_pairs(OrientedBoxes.of([a]), OrientedBoxes.of([b]))[0])

    for found in agreed(said):
        best, lead = -1.0, left[0]
        for view, box in left:
            total = 0.0
            for other in range(len(said)):
                strong = [iou(box, b) for v, b in left if v == other and other != view]
                total += max((s for s in strong if s >= SAME_FROM), default=0.0)
            if total > best + 1e-9:
                best, lead = total, (view, box)
        assert found.box is lead[1] and found.support == pytest.approx(best, abs=1e-8)
        same = [(v, b) for v, b in left if b is lead[1] or iou(lead[1], b) >= SAME_FROM]
        assert found.views == {v for v, _ in same}
        left = [pair for pair in left if all(pair[1] is not b for _, b in same)]
    assert left == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_views_changes_nothing_but_ties(seed: int) -> None:
    """Of two views alone that agree, each supports the other as much; here all four say each object."""
    said = scene(seed, times=(1, 1, 2))
    chosen, all_of_it = agreed(said)[0].box, {id(b) for b in several(said, everywhere(4))}
    for order in itertools.islice(itertools.permutations(range(4)), 1, None, 5):
        turned = [said[k] for k in order]
        assert agreed(turned)[0].box is chosen
        assert {id(b) for b in several(turned, everywhere(4))} == all_of_it


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rigid_motion_of_the_world_moves_the_answer_with_it(seed: int) -> None:
    said = scene(seed)
    rng = np.random.default_rng(100 + seed)
    T = compose(Rotation.random(random_state=seed).as_matrix(), rng.uniform(-5, 5, 3))
    moved = [[box.transformed(T) for box in own] for own in said]
    before, after = ids(said), ids(moved)
    assert [before[id(a.box)] for a in agreed(said)] == [after[id(a.box)] for a in agreed(moved)]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_view_says_twice_counts_once(seed: int) -> None:
    said = scene(seed)
    twice = [[*own, *own] for own in said]
    assert one(twice) is one(said)
    assert [a.support for a in agreed(twice)] == [a.support for a in agreed(said)]
    assert several(twice, everywhere(4)) == several(said, everywhere(4))


def test_one_object_is_what_most_views_agree_on() -> None:
    stray = cube(9.0)
    assert one([[stray], [cube(0.0)], [cube(0.1)]]).center[0] == 0.0  # type: ignore[union-attr]
    assert one([[stray], [], [cube(0.0)]]) is stray, "without agreement the earlier view"
    chair, table = cube(0.0), cube(3.0)
    assert one([[chair, table], [chair], [chair, table], [table]]) is chair
    assert one([[chair, table], [table, chair], [table]]) is table, "by what each view says first"
    assert one([[], []]) is None and one([]) is None
    far = cube(0.7)  # IoU 0.3 / 1.7 = 0.18: another object
    assert len(agreed([[cube(0.0)], [far]])) == 2
    assert len(agreed([[cube(0.0)], [cube(0.6)]])) == 1, "IoU 0.25"


def test_several_are_reported_once_each_where_half_of_the_views_that_see_them_say_so() -> None:
    a, b, c = cube(0.0), cube(3.0), cube(6.0)
    said = [[a, b], [cube(0.05), c], [cube(-0.05)], [cube(3.1)]]
    seen = {0: [0, 1, 2, 3], 3: [0, 3], 6: [0, 1, 3]}
    found = several(said, lambda box: seen[round(box.center[0] / 3) * 3])
    assert [round(float(box.center[0])) for box in found] == [0, 3], "c: one view of three that see it"
    assert several([[c], []], lambda _box: [0, 1]) == [c], "half is enough"
    assert several([[c], []], lambda _box: [1]) == [], "a view that does not see it is no witness"
    assert several([[c]], lambda _box: []) == []


def test_a_box_without_volume_is_an_object_of_its_own() -> None:
    flat = OrientedBox(np.zeros(3), np.array([1.0, 1.0, 0.0]), np.eye(3))
    found = agreed([[flat], [flat], [cube(5.0)]])
    assert len(found) == 3 and found[0].support == 0.0
