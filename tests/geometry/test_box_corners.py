import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.core.errors import ContractError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.box_corners import CornerOrder, boxes_of_corners, corners_of, omni3d_dimensions

ORDERS = st.sampled_from(["omni3d", "binary"])
#: The faces of PyTorch3D's fixed list, which Omni3D's order has to fit.
FACES = [(0, 1, 2, 3), (3, 2, 6, 7), (0, 1, 5, 4), (0, 3, 7, 4), (1, 2, 6, 5), (4, 5, 6, 7)]


def some_boxes(seed: int, n: int = 5) -> OrientedBoxes:
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(n, random_state=rng).as_matrix()
    return OrientedBoxes(rng.normal(size=(n, 3)) * 3, np.exp(rng.uniform(-3, 1, (n, 3))), rotation)


@given(st.integers(0, 2**32 - 1), ORDERS)
def test_there_and_back(seed: int, order: CornerOrder) -> None:
    boxes = some_boxes(seed)
    back = boxes_of_corners(corners_of(boxes, order), order)
    for name in ("center", "size", "rotation"):
        np.testing.assert_allclose(getattr(back, name), getattr(boxes, name), atol=1e-9)
    for i in range(len(boxes)):
        np.testing.assert_allclose(corners_of(boxes, "binary")[i], boxes[i].corners(), atol=1e-12)


def test_omni3d_names_the_corners_as_the_camera_sees_them() -> None:
    box = OrientedBoxes.upright(np.array([[0.0, 0.0, 5.0]]), np.array([[2.0, 4.0, 6.0]]))
    left, right, top, bottom, near, far = -1.0, 1.0, -2.0, 2.0, 2.0, 8.0  # y points down
    assert corners_of(box, "omni3d")[0].tolist() == [
        [left, top, near],
        [right, top, near],
        [right, bottom, near],
        [left, bottom, near],
        [left, top, far],
        [right, top, far],
        [right, bottom, far],
        [left, bottom, far],
    ]
    assert omni3d_dimensions(box.size).tolist() == [[6.0, 4.0, 2.0]]  # width, height, length: z, y, x
    assert omni3d_dimensions(omni3d_dimensions(box.size)).tolist() == box.size.tolist()


@given(st.integers(0, 2**32 - 1))
def test_the_faces_of_pytorch3d_are_flat_and_rectangular_in_omni3ds_order_alone(seed: int) -> None:
    boxes = some_boxes(seed)

    def bend(corners: np.ndarray) -> tuple[float, float]:
        """How far faces are from flat (volume of their corners), and from right angles (cosine)."""
        faces = corners[np.array(FACES)]
        flat = np.linalg.det(faces[:, 1:] - faces[:, :1])
        edges = np.roll(faces, -1, axis=1) - faces
        edges /= np.linalg.norm(edges, axis=2, keepdims=True)
        return float(np.abs(flat).max()), float(np.abs((edges * np.roll(edges, 1, axis=1)).sum(axis=2)).max())

    for i in range(len(boxes)):
        assert max(bend(corners_of(boxes, "omni3d")[i])) < 1e-9
        assert bend(corners_of(boxes, "binary")[i])[1] > 1e-3


def test_a_wrong_order_and_what_is_no_box_are_refused_by_row() -> None:
    good = corners_of(some_boxes(0), "omni3d")
    with pytest.raises(ContractError, match=r"(?s)row 0.*order 'binary'.*CornerOrder"):
        boxes_of_corners(good, "binary")
    bent, holed, mirrored, skewed = good.copy(), good.copy(), good.copy(), good.copy()
    bent[3, 6] += 0.05
    holed[3, 0, 2] = np.nan
    mirrored[3] *= [-1, 1, 1]
    skewed[3, 4:] += 0.2 * (skewed[3, 1] - skewed[3, 0])  # faces stay coplanar, angles do not stay right
    for wrong in (bent, holed, mirrored, skewed):
        with pytest.raises(ContractError, match="row 3"):
            boxes_of_corners(wrong, "omni3d")


@pytest.mark.parametrize(
    "size", [(0.0, 1.0, 2.0), (1.0, 0.0, 2.0), (0.0, 0.0, 2.0), (0.0, 3.0, 0.0), (0.0, 0.0, 0.0)]
)
def test_flat_boxes_have_corners_and_come_back(size: tuple[float, float, float]) -> None:
    turned = some_boxes(1, 1)
    flat = OrientedBoxes(turned.center, np.array([size]), turned.rotation)
    corners = corners_of(flat, "omni3d")
    back = boxes_of_corners(corners, "omni3d")
    np.testing.assert_allclose(back.size, flat.size, atol=1e-12)
    np.testing.assert_allclose(corners_of(back, "omni3d"), corners, atol=1e-9)
