import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.core.errors import ContractError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import compose


def three() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    rotation = Rotation.random(3, random_state=rng).as_matrix()
    return {"center": rng.normal(size=(3, 3)), "size": rng.uniform(0.1, 2, (3, 3)), "rotation": rotation}


WRONG = [
    ("center", (1, 0), math.nan, "center that is not finite"),
    ("size", (1, 2), math.inf, "size that is not finite"),
    ("rotation", (1, 0, 0), math.nan, "rotation that is not finite"),
    ("size", (1, 1), -1e-9, "negative edge"),
    ("rotation", (1,), np.diag([1.0, 1.0, -1.0]), "left-handed"),
    ("rotation", (1,), np.diag([1.0, 1.0, 1.001]), "not orthonormal"),
    ("rotation", (1,), np.zeros((3, 3)), "not orthonormal"),
    ("size", (1,), np.array([1e150, 1e150, 1e150]), "beyond all floats"),
]


@pytest.mark.parametrize(("name", "where", "value", "message"), WRONG)
def test_a_wrong_box_is_refused_by_its_row(
    name: str, where: tuple[int, ...], value: object, message: str
) -> None:
    fields = three()
    fields[name][where] = value
    with pytest.raises(ContractError, match=rf"(?s)box 1 of 3 has.*{message}.*row 1"):
        OrientedBoxes(**fields)


@given(st.integers(0, 2**32 - 1))
def test_a_batch_is_its_boxes(seed: int) -> None:
    fields = three()
    batch = OrientedBoxes(**fields)
    again = OrientedBoxes.of([batch[i] for i in range(len(batch))])
    np.testing.assert_array_equal(again.rotation, batch.rotation)
    assert again.volumes().tolist() == pytest.approx([batch[i].volume for i in range(3)])
    rng = np.random.default_rng(seed)
    T = compose(Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3))
    moved = batch.transformed(T)
    for i in range(3):
        np.testing.assert_allclose(moved[i].corners(), batch[i].transformed(T).corners(), atol=1e-12)


def test_rotations_of_few_digits_are_accepted_and_made_exact() -> None:
    fields = three()
    written = fields["rotation"].round(5)
    axes = OrientedBoxes(fields["center"], fields["size"], written).axes()
    np.testing.assert_allclose(
        axes @ np.swapaxes(axes, 1, 2), np.broadcast_to(np.eye(3), (3, 3, 3)), atol=1e-15
    )
    np.testing.assert_allclose(axes, fields["rotation"], atol=2e-5)


def test_upright_boxes_are_turned_nowhere() -> None:
    box = OrientedBoxes.upright(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 6.0]]))[0]
    assert isinstance(box, OrientedBox)
    assert box.corners().min(axis=0).tolist() == [0.0, 0.0, 0.0]
    assert box.corners().max(axis=0).tolist() == [2.0, 4.0, 6.0]
