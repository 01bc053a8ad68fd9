"""What must happen to the answers when the room or the ego changes in a known way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_rooms import random_ego, random_scene, random_seen
from vantage.geometry import transforms
from vantage.questions.families import FAMILY_NAMES, Candidate, Margins, family
from vantage.questions.sampling import every_candidate
from vantage.questions.scene import RoomObject, Scene, Seen, Situated

SEEDS = st.integers(0, 10_000)
EXAMPLES = settings(deadline=None, max_examples=25)
SWAPPED = {
    "left": "right",
    "right": "left",
    "front-left": "front-right",
    "front-right": "front-left",
    "back-left": "back-right",
    "back-right": "back-left",
}


def everything(scene: Scene, ego: np.ndarray, seen: Seen) -> dict[str, Candidate]:
    situated = Situated(scene, ego, seen)
    return {c.text: c for name in FAMILY_NAMES for c in every_candidate(situated, family(name), Margins())}


def answers(candidates: dict[str, Candidate]) -> dict[str, tuple[str, str]]:
    return {text: (c.slice, c.answer) for text, c in candidates.items()}


def moved(scene: Scene, T: np.ndarray) -> Scene:
    return Scene(
        RoomObject(
            o.object_id, o.label, o.color, tuple(transforms.apply(T, np.array(o.center)).tolist()), o.size
        )
        for o in scene.objects
    )


def case(seed: int) -> tuple[Scene, np.ndarray, Seen]:
    rng = np.random.default_rng(seed)
    scene = random_scene(rng)
    return scene, random_ego(rng), random_seen(scene, rng)


@EXAMPLES
@given(SEEDS)
def test_mirroring_the_room_swaps_left_and_right_and_nothing_else(seed: int) -> None:
    scene, ego, seen = case(seed)
    mirror = ego @ np.diag([1.0, -1.0, 1.0, 1.0]) @ transforms.invert(ego)
    mirrored = Seen({k: 63 - column for k, column in seen.first.items()}, seen.views)
    before = answers(everything(scene, ego, seen))
    after = answers(everything(moved(scene, mirror), ego, mirrored))
    assert after == {text: (part, SWAPPED.get(answer, answer)) for text, (part, answer) in before.items()}


@EXAMPLES
@given(SEEDS, st.floats(-math.pi, math.pi), st.floats(-5, 5), st.floats(-5, 5))
def test_turning_and_shifting_the_world_changes_nothing(seed: int, yaw: float, x: float, y: float) -> None:
    scene, ego, seen = case(seed)
    T = transforms.from_yaw(yaw, (x, y, 0.0))
    before, after = everything(scene, ego, seen), everything(moved(scene, T), T @ ego, seen)
    assert answers(before) == answers(after)
    for text, candidate in before.items():
        assert after[text].margin == pytest.approx(candidate.margin, abs=1e-9)
        assert after[text].measured == pytest.approx(candidate.measured, abs=0.0101)


@EXAMPLES
@given(SEEDS, st.floats(0.01, 4))
def test_stepping_back_keeps_the_direction_of_what_is_ahead(seed: int, step: float) -> None:
    scene, ego, seen = case(seed)
    back = ego @ transforms.from_yaw(0.0, (-step, 0.0, 0.0))
    before = everything(scene, ego, seen)
    after = answers(everything(scene, back, seen))
    ahead = {t: c for t, c in before.items() if c.family == "direction" and c.answer.startswith("front")}
    assert {t: after[t] for t in ahead} == answers(ahead)


@EXAMPLES
@given(SEEDS)
def test_turning_round_swaps_front_and_back_and_left_and_right(seed: int) -> None:
    scene, ego, seen = case(seed)
    turned = answers(everything(scene, ego @ transforms.from_yaw(math.pi), seen))
    opposite = {"front": "back", "back": "front", "left": "right", "right": "left"}
    for text, candidate in everything(scene, ego, seen).items():
        expected = candidate.answer
        if candidate.family == "direction":
            expected = "-".join(opposite[word] for word in candidate.answer.split("-"))
        assert turned[text] == (candidate.slice, expected)


@EXAMPLES
@given(SEEDS)
def test_order_and_numbering_of_objects_do_not_matter(seed: int) -> None:
    scene, ego, seen = case(seed)
    order = np.random.default_rng(seed + 1).permutation(len(scene.objects)).tolist()
    shuffled = Scene(scene.objects[i] for i in order)
    assert everything(shuffled, ego, seen) == everything(scene, ego, seen)
    new = {o.object_id: 100 + order[i] for i, o in enumerate(scene.objects)}
    renamed = Scene(RoomObject(new[o.object_id], o.label, o.color, o.center, o.size) for o in scene.objects)
    seen_new = Seen({new[k]: c for k, c in seen.first.items()}, frozenset(new[k] for k in seen.views))
    assert answers(everything(renamed, ego, seen_new)) == answers(everything(scene, ego, seen))


@EXAMPLES
@given(SEEDS)
def test_comparisons_turn_over_when_their_objects_do(seed: int) -> None:
    scene, ego, seen = case(seed)
    all_ = everything(scene, ego, seen)
    for candidate in all_.values():
        if candidate.family in ("nearest", "size"):
            a, b = candidate.names
            other = candidate.text.replace(a, "?1").replace(b, a).replace("?1", b)
            assert all_[other].answer != candidate.answer


@EXAMPLES
@given(SEEDS)
def test_an_object_out_of_sight_only_takes_questions_away(seed: int) -> None:
    scene, ego, seen = case(seed)
    hidden = min(seen.views, default=None)
    if hidden is None:
        return
    less = Seen({k: c for k, c in seen.first.items() if k != hidden}, seen.views - {hidden})
    before, after = answers(everything(scene, ego, seen)), answers(everything(scene, ego, less))
    assert after.items() <= before.items()
