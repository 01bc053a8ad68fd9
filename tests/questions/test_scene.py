from __future__ import annotations

import numpy as np
import pytest

from question_rooms import random_situated
from vantage.geometry import transforms
from vantage.questions.scene import RoomObject, Scene, Seen, Situated
from vantage.scans.generated.layout import sample_room


def thing(object_id: int, color: str, label: str) -> RoomObject:
    return RoomObject(object_id, label, color, (1.0, 2.0, 0.5), (0.5, 0.5, 1.0))


def test_an_object_is_named_when_its_words_pick_it_out_alone() -> None:
    scene = Scene([thing(0, "red", "chair"), thing(1, "red", "chair"), thing(2, "blue", "chair")])
    assert scene.named == {2}


def test_a_class_alone_names_nothing_while_a_coloured_one_shares_it() -> None:
    scene = Scene([thing(0, "", "chair"), thing(1, "red", "chair"), thing(2, "", "bed")])
    assert scene.named == {1, 2} and not scene.colored


def test_structure_is_left_out_of_a_generated_room() -> None:
    room = sample_room(0, "room0000")
    scene = Scene.of(room.objects)
    assert [o.object_id for o in scene.objects] == [item.object_id for item in room.items]
    assert scene.colored


@pytest.mark.parametrize("seed", range(5))
def test_positions_are_those_of_the_inverse_transform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    situated = random_situated(seed)
    T = transforms.from_yaw(float(rng.uniform(-3, 3)), (1.0, -2.0, 0.0))
    scene = situated.scene
    for placed in Situated(scene, T, Seen({}, frozenset(scene.by_id))).placed:
        center = np.array(scene.by_id[placed.object_id].center)
        expected = np.linalg.solve(T, [*center, 1.0])
        assert (placed.x, placed.y) == pytest.approx(expected[:2])
        assert placed.distance == pytest.approx(float(np.linalg.norm(expected[:2])))
