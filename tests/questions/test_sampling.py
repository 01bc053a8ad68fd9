from __future__ import annotations

import time
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from question_rooms import random_ego, random_scene, random_seen
from vantage.questions.families import FAMILY_NAMES, Margins, family
from vantage.questions.sampling import every_candidate, sample_questions
from vantage.questions.scene import Scene, Seen, Situated
from vantage.scans.generated.layout import sample_room

SEEDS = st.integers(0, 10_000)


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, n=st.integers(0, 30))
def test_a_draw_is_a_part_of_all_candidates_without_repeats(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scene = random_scene(rng)
    ego, seen = random_ego(rng), random_seen(scene, rng)
    situated = Situated(scene, ego, seen)
    every = [c for name in FAMILY_NAMES for c in every_candidate(situated, family(name), Margins())]
    drawn = sample_questions(scene, ego, seen, np.random.default_rng(seed), n, FAMILY_NAMES)
    assert len(drawn) <= n and len({c.text for c in drawn}) == len(drawn)
    assert all(c in every for c in drawn)
    again = sample_questions(scene, ego, seen, np.random.default_rng(seed), n, FAMILY_NAMES)
    assert again == drawn


def test_a_draw_is_even_over_families_yes_and_no_and_slices() -> None:
    rng = np.random.default_rng(0)
    families, answers, slices = Counter[str](), Counter[str](), Counter[str]()
    for number in range(150):
        scene = Scene.of(sample_room(5, f"room{number}").items)
        ego, seen = random_ego(rng), random_seen(scene, rng)
        for c in sample_questions(scene, ego, seen, rng, 8, ("exist", "direction", "nearest", "size")):
            families[c.family] += 1
            slices[c.slice] += c.family == "direction"
            answers[f"{c.family} {c.answer}"] += 1
    assert min(families.values()) > 0.7 * max(families.values())
    for name in ("exist", "nearest", "size"):
        share = answers[f"{name} yes"] / families[name]
        assert 0.42 < share < 0.58, (name, share)
    assert 0.4 < slices["unseen"] / families["direction"] < 0.6


def test_naming_a_family_twice_asks_more_of_it() -> None:
    rng = np.random.default_rng(1)
    found: Counter[str] = Counter()
    for number in range(60):
        scene = Scene.of(sample_room(6, f"room{number}").items)
        seen = Seen({}, frozenset(scene.by_id))
        names = ("nearest", "nearest", "exist")
        found.update(c.family for c in sample_questions(scene, np.eye(4), seen, rng, 6, names))
    assert 1.6 < found["nearest"] / found["exist"] < 2.4


def test_nothing_seen_nothing_asked() -> None:
    scene = Scene.of(sample_room(0, "room").items)
    rng = np.random.default_rng(0)
    assert sample_questions(scene, np.eye(4), Seen({}, frozenset()), rng, 20, FAMILY_NAMES) == []
    assert sample_questions(Scene([]), np.eye(4), Seen({}, frozenset()), rng, 20, FAMILY_NAMES) == []


def test_twenty_questions_take_far_less_than_making_every_candidate_of_a_training_step() -> None:
    rng = np.random.default_rng(0)
    scene = random_scene(rng, groups=8)
    seen = Seen({}, frozenset(scene.by_id))
    times = []
    for _ in range(20):
        start = time.perf_counter()
        sample_questions(scene, np.eye(4), seen, rng, 20, FAMILY_NAMES)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02  # half a millisecond without the checks of array shapes and types
