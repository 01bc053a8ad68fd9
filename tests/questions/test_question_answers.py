"""Every candidate against a straightforward second implementation, found from the question's text alone."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_rooms import random_ego, random_scene, random_seen, random_situated
from vantage.questions import words
from vantage.questions.families import FAMILY_NAMES, Margins, family
from vantage.questions.sampling import every_candidate
from vantage.questions.scene import RoomObject, Scene, Seen, Situated

SEEDS = st.integers(0, 10_000)
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six"]


class Oracle:
    """Answers by brute force: {text: answer} of everything that may be asked."""

    def __init__(self, scene: Scene, T_aligned_ego: np.ndarray, seen: Seen) -> None:
        self.seen = seen
        self.all = list(scene.objects)
        self.visible = [o for o in self.all if o.object_id in seen.views]
        clones = [(o.color, o.label) for o in self.all]
        self.unique = [o for o in self.visible if clones.count((o.color, o.label)) == 1]
        self.origin = T_aligned_ego[:2, 3]
        self.yaw = math.atan2(T_aligned_ego[1, 0], T_aligned_ego[0, 0])

    def distance(self, o: RoomObject) -> float:
        return float(np.linalg.norm(np.asarray(o.center[:2]) - self.origin))

    def bearing(self, o: RoomObject) -> float:
        """Degrees to the left of straight ahead, -180 to 180."""
        d = np.asarray(o.center[:2]) - self.origin
        return (math.degrees(math.atan2(d[1], d[0]) - self.yaw) + 180) % 360 - 180

    def exist(self) -> dict[str, str]:
        out = {}
        for color, label in itertools.product(words.COLORS, words.CLASSES):
            a = "an" if color == "orange" else "a"
            if any((o.color, o.label) == (color, label) for o in self.visible):
                out[f"is there {a} {color} {label}?"] = "yes"
            elif self.visible and not any((o.color, o.label) == (color, label) for o in self.all):
                out[f"is there {a} {color} {label}?"] = "no"
        return out

    def count(self) -> dict[str, str]:
        out = {}
        for label, plural in zip(words.CLASSES, words.PLURALS, strict=True):
            members = [o for o in self.all if o.label == label]
            if members and set(members) <= set(self.visible) and len(members) <= 6:
                out[f"how many {plural} are there?"] = NUMBERS[len(members)]
        return out

    def category(self) -> dict[str, str]:
        out = {}
        for color in words.COLORS:
            labels = {o.label for o in self.all if o.color == color}
            if len(labels) == 1 and any(o.color == color for o in self.visible):
                out[f"what is the {color} object?"] = labels.pop()
        return out

    def color(self) -> dict[str, str]:
        out = {}
        for label in words.CLASSES:
            colors = {o.color for o in self.all if o.label == label}
            if len(colors) == 1 and any(o.label == label for o in self.visible):
                out[f"what color is the {label}?"] = colors.pop()
        return out

    def side(self) -> dict[str, str]:
        columns = {
            o.name: self.seen.first[o.object_id] for o in self.unique if o.object_id in self.seen.first
        }
        return {
            f"which side of the first view is the {name} on?": "left" if column < 32 else "right"
            for name, column in columns.items()
            if column <= 26.5 or column >= 36.5
        }

    def direction(self) -> dict[str, str]:
        out = {}
        for o in self.unique:
            angle, far = math.radians(self.bearing(o)), self.distance(o)
            if abs(far * math.cos(angle)) >= 0.25 and abs(far * math.sin(angle)) >= 0.25:
                word = ("front" if abs(angle) < math.pi / 2 else "back") + (
                    "-left" if angle > 0 else "-right"
                )
                out[f"where is the {o.name} from me?"] = word
        return out

    def distance_words(self) -> dict[str, str]:
        out = {}
        for o in self.unique:
            for n in range(1, 7):
                if n - 0.4 <= self.distance(o) <= n + 0.4:
                    out[f"how far is the {o.name} from me in metres?"] = NUMBERS[n]
        return out

    def nearest(self) -> dict[str, str]:
        out = {}
        for a, b in itertools.permutations(self.unique, 2):
            difference = self.distance(b) - self.distance(a)
            if abs(difference) >= 0.4:
                out[f"is the {a.name} nearer to me than the {b.name}?"] = "yes" if difference > 0 else "no"
                out[f"is the {a.name} farther from me than the {b.name}?"] = "no" if difference > 0 else "yes"
        return out

    def size(self) -> dict[str, str]:
        out = {}
        for a, b in itertools.permutations(self.unique, 2):
            if abs(a.size[2] - b.size[2]) >= 0.15:
                taller = a.size[2] > b.size[2]
                out[f"is the {a.name} taller than the {b.name}?"] = "yes" if taller else "no"
                out[f"is the {a.name} shorter than the {b.name}?"] = "no" if taller else "yes"
        return out

    def nearest_to(self) -> dict[str, str]:
        def apart(a: RoomObject, b: RoomObject) -> float:
            return math.dist(a.center[:2], b.center[:2])

        return {
            f"is the {a.name} closer to the {b.name} than the {c.name}?": "yes"
            if apart(a, b) < apart(b, c)
            else "no"
            for a, b, c in itertools.permutations(self.unique, 3)
            if abs(apart(a, b) - apart(b, c)) >= 0.4
        }


@pytest.mark.parametrize("name", FAMILY_NAMES)
@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_questions_and_answers_are_those_of_the_oracle(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = random_scene(rng)
    ego, seen = random_ego(rng), random_seen(scene, rng)
    oracle = getattr(Oracle(scene, ego, seen), {"distance": "distance_words"}.get(name, name))()
    found = {c.text: c.answer for c in every_candidate(Situated(scene, ego, seen), family(name), Margins())}
    assert found == oracle


@pytest.mark.parametrize("name", FAMILY_NAMES)
@settings(deadline=None, max_examples=20)
@given(seed=SEEDS)
def test_every_text_and_answer_is_in_the_vocabulary(name: str, seed: int) -> None:
    kind = family(name)
    candidates = list(every_candidate(random_situated(seed), kind, Margins()))
    assert len({c.text for c in candidates}) == len(candidates), "one question, one answer"
    for c in candidates:
        assert len(words.tokenize(c.text)) <= words.MAX_QUESTION_WORDS
        assert c.answer in kind.answers and words.tokenize(c.answer) == [c.answer]
        assert c.family == name and c.slice in kind.slices


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, scale=st.floats(1.0, 3.0))
def test_margins_are_respected_and_larger_ones_ask_less(seed: int, scale: float) -> None:
    wide = Margins(0.25 * scale, min(0.1 * scale, 0.45), 0.4 * scale, 0.15 * scale, 5 * scale)
    limit = {
        "direction": wide.axis_m,
        "distance": wide.rounding_m,
        "nearest": wide.nearer_m,
        "nearest_to": wide.nearer_m,
        "size": wide.height_m,
        "side": wide.side_px,
    }
    situated = random_situated(seed)
    for name, least in limit.items():
        some = list(every_candidate(situated, family(name), wide))
        assert all(c.margin >= least for c in some)
        usual = {c.text: c.margin for c in every_candidate(situated, family(name), Margins())}
        assert {c.text for c in some} == {text for text, margin in usual.items() if margin >= least}


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS)
def test_slice_of_direction_says_whether_view_one_shows_the_object(seed: int) -> None:
    situated = random_situated(seed)
    for c in every_candidate(situated, family("direction"), Margins()):
        assert c.slice == ("seen" if c.object_ids[0] in situated.seen.first else "unseen")


NUMBER = r"-?\d+\.\d+"


@pytest.mark.parametrize("name", FAMILY_NAMES)
@settings(deadline=None, max_examples=20)
@given(seed=SEEDS)
def test_reasoning_can_be_executed_again(name: str, seed: int) -> None:
    for c in every_candidate(random_situated(seed), family(name), Margins()):
        text = family(name).explain(c)
        assert text.endswith(f" {c.answer}.")
        for part in c.names:
            assert part in text
        for value in c.measured.values():
            assert f"{value:.2f}" in text or f": {value:.0f}." in text
        for left, sign, right in re.findall(rf"({NUMBER}) ([<>]) ({NUMBER}|0)", text):
            assert float(left) < float(right) if sign == "<" else float(left) > float(right)
        for x, y, result in re.findall(rf"sqrt\(\(({NUMBER})\)\^2 \+ \(({NUMBER})\)\^2\) = ({NUMBER})", text):
            assert f"{math.sqrt(float(x) ** 2 + float(y) ** 2):.2f}" == result
        for value, result in re.findall(rf"round\(({NUMBER})\) = (\d)", text):
            assert round(float(value)) == int(result) and NUMBERS[int(result)] == c.answer
        assert _conclusion(name, text, c.text) == c.answer


def _conclusion(name: str, reasoning: str, question: str) -> str:
    """The answer that follows from the steps before the last, which states it."""
    steps = reasoning[: reasoning.rstrip(".").rindex(". ")]
    if name == "exist":
        return "yes" if int(steps.rsplit(": ", 1)[1]) else "no"
    if name == "count":
        listed = steps.removeprefix("i see ").rsplit(":", 1)[0].split(", ")
        assert len(listed) == int(steps.rsplit(": ", 1)[1])
        return NUMBERS[len(listed)]
    if name in ("category", "color"):
        color, label = steps.split()[-2:]
        return label if name == "category" else color
    if name == "side":
        return "left" if "<" in steps else "right"
    if name == "direction":
        return "-".join(re.findall(r"0: (\w+)", steps))
    if name == "distance":
        return NUMBERS[int(steps[-1])]
    said = steps.rsplit(": ", 1)[1]
    return "yes" if f" {said} " in question else "no"


def test_objects_without_colours_are_named_by_their_class() -> None:
    boxes = [("bed", (2.0, 1.0)), ("chair", (-1.0, -1.0)), ("chair", (1.0, -2.0))]
    scene = Scene(
        RoomObject(i, label, "", (*xy, 0.5), (1.0, 1.0, 1.0)) for i, (label, xy) in enumerate(boxes)
    )
    situated = Situated(scene, np.eye(4), Seen({}, frozenset({0, 1, 2})))
    asked = {n: [c.text for c in every_candidate(situated, family(n), Margins())] for n in FAMILY_NAMES}
    assert asked["direction"] == ["where is the bed from me?"]
    assert asked["count"] == ["how many beds are there?", "how many chairs are there?"]
    assert "is there a bed?" in asked["exist"] and "is there a lamp?" in asked["exist"]
    assert asked["category"] == asked["color"] == []
