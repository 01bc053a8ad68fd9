"""The box text codec: bounds, round trips, damaged text, and N3D-VLM's published numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.geometry.iou3d import iou_pairs
from vantage.geometry.transforms import R_FLU_RDF, compose, from_yaw
from vantage.records.box_lattice import FIELDS, METRIC, BoxAxis, n3d_lattice
from vantage.records.box_text import Outside, box_of, escaped, numbers_of, read_boxes, unescaped, write_boxes
from vantage.records.view_boxes import LEVEL_CAMERA, ViewBox

CAMERA = Pinhole(640, 480, 577.0, 578.0, 318.0, 242.0)
N3D = n3d_lattice(0.3211534006652012, 2.591796875)

# N3D-VLM's shipped demos: scale and least z of each scene, normalised fx and fy, and of each box what stands
# in the published output (u, v, metric z, width, height, length). All angles are 0.
SCENES = {
    "demo1": (0.02397536766631727, 9.859375, 0.9218012094497681, 1.3848657608032227),
    "demo2": (0.4649230690191596, 1.05859375, 1.224031925201416, 1.8346145153045654),
    "demo3": (0.3211534006652012, 2.591796875, 2.443554639816284, 1.8326659202575684),
}
PUBLISHED = [
    ("demo1", 0.132, 0.435, 20.370162109375002, 2.241884155273437, 2.5547052001953126, 1.6423104858398438),
    ("demo1", 0.177, 0.537, 30.7975302734375, 1.1209420776367185, 1.1991473388671874, 0.6517105102539062),
    ("demo1", 0.231, 0.508, 27.293934570312498, 1.746584167480469, 2.1376104736328125, 0.8863262939453126),
    ("demo1", 0.249, 0.079, 13.6132275390625, 1.2512841796875, 1.3816262817382814, 1.4076947021484376),
    ("demo1", 0.388, 0.407, 17.700755859375, 2.5547052001953126, 3.206415710449219, 1.1209420776367185),
    ("demo1", 0.68, 0.672, 23.6235009765625, 1.981199951171875, 2.5547052001953126, 1.1209420776367185),
    ("demo1", 0.768, 0.401, 16.4494716796875, 3.0760736083984375, 3.414963073730469, 1.3294894409179687),
    ("demo1", 0.895, 0.212, 17.7841748046875, 2.0854736328125, 2.424363098144531, 0.9905999755859375),
    ("demo1", 0.979, 0.469, 14.697673828125001, 0.4170947265625, 2.0854736328125, 1.1991473388671874),
    ("demo1", 0.983, 0.623, 31.4648818359375, 0.8602578735351563, 1.6423104858398438, 1.4337631225585938),
    ("demo2", 0.519, 0.587, 2.75349760055542, 0.3737176954746247, 0.34145429730415344, 0.26751734316349035),
    ("demo2", 0.72, 0.858, 1.372624158859253, 0.21643362939357758, 0.07124833762645721, 0.11292189359664918),
    ("demo3", 0.275, 0.483, 2.971677659511566, 0.6149709421396256, 0.9107797497510911, 0.7589831247925759),
]

distance = st.floats(0.3, 9.9)
offset = st.floats(-0.9, 0.9)
edge = st.floats(0.0, 5.0)
label = st.text(min_size=1, max_size=20)


@st.composite
def view_boxes(draw: st.DrawFn) -> ViewBox:
    z = draw(distance)
    center = (draw(offset) * z * 640 / 577, draw(offset) * z * 480 / 578, z)
    size = (draw(edge), draw(edge), draw(edge))
    return ViewBox(draw(st.integers(0, 99)), "chair", center, size, draw(st.floats(-10, 10)))


@given(view_boxes())
def test_what_is_read_back_is_off_by_half_a_bin_at_most(box: ViewBox) -> None:
    written = write_boxes([box], METRIC, CAMERA)
    assert written.outside == ()
    (back,) = read_boxes(written.text, METRIC, CAMERA).boxes
    assert abs(back.center[2] - box.center[2]) <= 0.005 + 1e-9
    for length, other in zip(back.size, box.size, strict=True):
        assert abs(length - other) <= 0.0025 + 1e-9
    turn = (back.angle - box.angle + math.pi) % (2 * math.pi) - math.pi
    assert abs(turn) <= math.pi / 1000 + 1e-9
    # Across the view: half a thousandth of the image at the box's depth, and the share of z's error.
    for axis, width, f in ((0, 640, 577.0), (1, 480, 578.0)):
        bound = back.center[2] * 0.0005 * width / f + abs(box.center[axis] / box.center[2]) * 0.005
        assert abs(back.center[axis] - box.center[axis]) <= bound + 1e-9


@given(view_boxes())
def test_text_of_what_was_read_is_the_same_text(box: ViewBox) -> None:
    text = write_boxes([box], METRIC, CAMERA).text
    assert write_boxes(read_boxes(text, METRIC, CAMERA).boxes, METRIC, CAMERA).text == text


@pytest.mark.parametrize("lattice", [METRIC, N3D], ids=lambda one: str(one.name))
def test_errors_are_those_declared_and_only_the_published_lattice_is_biased(lattice: object) -> None:
    for field, axis in dict(zip(FIELDS, lattice.axes, strict=True)).items():  # type: ignore[attr-defined]
        low, high = axis.limits
        values = np.random.default_rng(0).uniform(low, high, 4_000)
        found = [(axis.decode(k) - v) for v in values if (k := axis.encode(v)) is not None]
        if axis.periodic:
            found = [(e + math.pi) % (2 * math.pi) - math.pi for e in found]
        assert len(found) == len(values), field
        assert min(found) >= axis.error[0] - 1e-9 and max(found) <= axis.error[1] + 1e-9, field
        assert min(found) < axis.error[0] + axis.step * 0.01 and max(found) > axis.error[1] - axis.step * 0.01
        bias = -0.5 if axis.rounding == "down" else 0.0
        assert np.mean(found) / axis.step == pytest.approx(bias, abs=0.02), field


@given(st.integers(-500, 499), st.integers(0, 1000), st.integers(1, 1000), st.integers(-998, 1999))
def test_every_number_of_the_lattice_is_its_own_middle(angle: int, size: int, z: int, u: int) -> None:
    numbers = (u, 1000 - u, z, angle, size, 1000 - size, size)
    assert numbers_of(box_of(3, "x", numbers, METRIC, CAMERA), METRIC, CAMERA) == numbers


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"center": (0.0, 0.0, 10.01)}, "z"), ({"center": (0.0, 0.0, 0.004)}, "z"),
        ({"center": (0.0, 0.0, -1.0)}, "z"), ({"center": (0.0, 0.0, math.nan)}, "z"),
        ({"center": (9.0, 0.0, 1.0)}, "u"), ({"center": (0.0, -9.0, 1.0)}, "v"),
        ({"center": (math.inf, 0.0, 1.0)}, "u"), ({"size": (5.01, 1.0, 1.0)}, "sx"),
        ({"size": (1.0, -0.1, 1.0)}, "sy"), ({"size": (1.0, 1.0, math.nan)}, "sz"),
        ({"angle": math.inf}, "angle"), ({"label": ""}, "class"), ({"label": "\ud800"}, "class"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_flagged_and_never_clipped(change: dict[str, object], field: str) -> None:
    good = ViewBox(0, "chair", (0.1, 0.2, 2.0), (0.5, 0.6, 0.7), 0.1)
    written = write_boxes([replace(good, box_id=7, **change), good], METRIC, CAMERA)  # type: ignore[arg-type]
    assert [(one.box_id, one.field) for one in written.outside] == [(7, field)]
    assert len(written.text.splitlines()) == 1 and written.text.startswith("bbox_0=Bbox(chair,")


@given(label)
def test_any_class_name_survives(name: str) -> None:
    written = write_boxes([ViewBox(4, name, (0.0, 0.0, 2.0), (1.0, 1.0, 1.0), 0.0)], METRIC, CAMERA)
    if escaped(name) is None:
        assert written.outside[0].field == "class"
        return
    read = read_boxes(written.text, METRIC, CAMERA)
    assert [box.label for box in read.boxes] == [name]
    assert read.bad == ()
    assert unescaped(escaped(name) or "") == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("office chair", "office chair"), ("Stühle", "Stühle"), ("椅子", "椅子"),
        ("a,b", "a%2Cb"), ("tv (old)", "tv %28old%29"), ("50%", "50%25"), ("<image>", "%3Cimage%3E"),
        ("a\nb", "a%0Ab"), (" a  b ", "%20a %20b%20"), ("orange/tangerine", "orange/tangerine"),
    ],
)  # fmt: skip
def test_class_names_are_escaped_only_where_they_must_be(name: str, text: str) -> None:
    assert escaped(name) == text
    assert unescaped(text) == name


def test_white_space_case_six_numbers_and_several_a_line() -> None:
    text = (
        "  bbox_0 = Bbox( red   chair , 500,500 ,200,\t25, 100,200 ,100 )  \r\n\n"
        "BBOX_1=bbox(table, wooden,500,500,300,100,200,100); bbox_2=Bbox(7,500,500,300,-3,100,200.0,+100)"
    )
    read = read_boxes(text, METRIC, CAMERA)
    assert read.bad == ()
    assert [(b.box_id, b.label, round(b.center[2], 6)) for b in read.boxes] == [
        (0, "red chair", 2.0), (1, "table, wooden", 3.0), (2, "7", 3.0),
    ]  # fmt: skip
    assert read.boxes[0].angle == pytest.approx(math.pi / 20)
    assert read.boxes[1].angle == 0.0


def test_a_bad_line_is_named_and_drops_no_other() -> None:
    good = "bbox_{}=Bbox(chair,500,500,200,0,100,200,100)"
    lines = [
        good.format(0),
        "bbox_1=Bbox(chair,500,500,two,0,100,200,100)",
        "Here they are:",
        good.format(2),
        "bbox_3=Bbox(chair,500,500,200,0,100,200," + "1" * 3000 + ")",
        "bbox_4=Bbox(chair,500,500,1001,0,100,200,100)",
        "bbox_5=Bbox(chair,1,2,3)",
        "bbox_6=Bbox(chair,500,500,200,0,100,200,100",
        good.format(2),
        "bbox_7=Bbox(,500,500,200,0,100,200,100)",
        "bbox_8=Bbox(chair,500.5,500,200,0,100,200,100)",
        "bbox_9=Bbox(chair,nan,500,200,0,100,200,100)",
        "bbox_10=Bbox(%FF,500,500,200,0,100,200,100)",
        "bbox_11=Bbox(chair,500,500,200,0,100,200,-1)",
        good.format(12),
    ]
    read = read_boxes("\n".join(lines), METRIC, CAMERA)
    assert [box.box_id for box in read.boxes] == [0, 2, 12]
    assert [bad.line for bad in read.bad] == [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    reasons = {bad.line: bad.reason for bad in read.bad}
    assert reasons[6] == "z is 1001, outside 1 to 1000"
    assert reasons[9] == "a second box of id 2"
    assert reasons[7] == "3 numbers after the class, expected 7, or 6 without angle"
    assert reasons[11] == "500.5 is not a whole number"
    assert all(len(bad.text) <= 120 for bad in read.bad)


@given(st.text(alphabet=st.sampled_from("bbox_0=Bbox(chair,50,)\n 9-%"), max_size=200))
def test_any_text_is_read_and_nothing_in_it_is_lost(text: str) -> None:
    read = read_boxes(text, METRIC, CAMERA)
    stated = {bad.line for bad in read.bad}
    for number, line in enumerate(text.splitlines(), start=1):
        assert number in stated or not line.strip(" \t\r,;") or "Bbox" in line or "bbox" in line.lower()


@given(st.floats(-4, 4), st.floats(-3, 3), st.floats(-1, 1), st.floats(-2, 2), st.floats(-0.9, 0.9))
def test_a_box_of_the_world_comes_back_to_its_place(
    heading: float, yaw: float, x: float, y: float, pitch: float
) -> None:
    T_world_cam = _camera(heading, pitch)
    placed = OrientedBox(np.array([x, y, 0.4]), np.array([0.7, 0.4, 0.8]), from_yaw(yaw)[:3, :3])
    box = ViewBox.of(1, "desk", placed, T_world_cam)
    assert -math.pi / 4 <= box.angle < math.pi / 4 + 1e-9
    back = box.placed(T_world_cam)
    assert box_iou(placed, back) == pytest.approx(1.0, abs=1e-6)
    assert back.rotation[2].tolist() == [0, 0, 1]


def test_any_upright_axis_will_do_and_a_tilted_box_is_refused() -> None:
    upright = OrientedBox(np.array([2.0, 0.5, 0.4]), np.array([0.7, 0.4, 0.8]), from_yaw(0.3)[:3, :3])
    order = [2, 0, 1]
    turned = OrientedBox(upright.center, upright.size[order], upright.rotation[:, order])
    first, second = (ViewBox.of(0, "tv", b, LEVEL_CAMERA).placed(LEVEL_CAMERA) for b in (upright, turned))
    assert box_iou(upright, second) == pytest.approx(1.0)
    assert box_iou(first, second) == pytest.approx(1.0)
    c, s = math.cos(0.1), math.sin(0.1)
    tilt = np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    with pytest.raises(ContractError, match="tilted"):
        ViewBox.of(0, "tv", OrientedBox(upright.center, upright.size, tilt), LEVEL_CAMERA)


def test_axes_of_a_level_view() -> None:
    """Ahead is x, left is y, up is z; width lies across the view, length along it."""
    box = ViewBox(0, "sofa", (0.5, 0.2, 3.0), (2.0, 0.8, 1.0), 0.0).placed(LEVEL_CAMERA)
    np.testing.assert_allclose(box.center, [3.0, -0.5, -0.2], atol=1e-12)
    np.testing.assert_allclose(box.size, [1.0, 2.0, 0.8])
    np.testing.assert_allclose(box.rotation, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("row", PUBLISHED)
def test_published_boxes_lie_on_the_published_lattice(row: tuple[object, ...]) -> None:
    scene, u, v, z, *size = row
    scale, shift, fx, fy = SCENES[str(scene)]
    lattice = n3d_lattice(scale, shift)
    camera = Pinhole(1000, 1000, fx * 1000, fy * 1000, 499.5, 499.5)
    numbers = [round(float(u) * 1000), round(float(v) * 1000)]  # type: ignore[arg-type]
    numbers.append(round((float(z) - shift) / lattice.depth.step))  # type: ignore[arg-type]
    numbers += [500, *(round(float(s) / lattice.size.step) for s in size)]  # type: ignore[arg-type]
    box = box_of(0, "thing", tuple(numbers), lattice, camera)
    assert box.center[2] == pytest.approx(z, rel=1e-5)
    assert box.size == pytest.approx(tuple(size), rel=1e-5)  # type: ignore[arg-type]
    assert box.angle == 0.0


def test_the_published_centres_and_bins_of_the_third_demo() -> None:
    scale, shift, fx, fy = SCENES["demo3"]
    camera = Pinhole(480, 640, fx * 480, fy * 640, 239.5, 319.5)
    text = "bbox_0=Bbox(person,275,483,61,500,316,468,390)"
    (box,) = read_boxes(text, n3d_lattice(scale, shift), camera).boxes
    # Published: [0.27, 0.03, 2.97, 0.61, 0.91, 0.76] with x to the left and y up.
    assert [round(-box.center[0], 2), round(-box.center[1], 2), round(box.center[2], 2)] == [0.27, 0.03, 2.97]
    assert [round(s, 2) for s in box.size] == [0.61, 0.91, 0.76]


def test_the_published_centres_of_the_second_demo() -> None:
    _, _, fx, fy = SCENES["demo2"]
    lattice = n3d_lattice(*SCENES["demo2"][:2])
    camera = Pinhole(640, 427, fx * 640, fy * 427, 319.5, 213.0)
    said = {"person": (519, 587, 394), "orange/tangerine": (720, 858, 73)}
    lines = [f"bbox_{i}=Bbox({n},{u},{v},{z},0,0,0)" for i, (n, (u, v, z)) in enumerate(said.items())]
    found = [
        [round(-b.center[0], 2), round(-b.center[1], 2), round(b.center[2], 2)]
        for b in read_boxes("\n".join(lines).replace(",0,0)", ",0,0,0)"), lattice, camera).boxes
    ]
    assert found == [[-0.04, -0.13, 2.75], [-0.25, -0.27, 1.37]]


@pytest.mark.parametrize(
    ("scene", "z_step_m", "size_step_m", "size_ceiling_m"),
    [("demo1", 0.083, 0.026, 26.0), ("demo2", 0.0043, None, 1.34), ("demo3", 0.0062, None, 1.95)],
)
def test_the_published_steps_and_ceilings(
    scene: str, z_step_m: float, size_step_m: float | None, size_ceiling_m: float
) -> None:
    lattice = n3d_lattice(*SCENES[scene][:2])
    assert lattice.depth.step == pytest.approx(z_step_m, rel=0.01)
    assert lattice.size.limits[1] == pytest.approx(size_ceiling_m, rel=0.01)
    if size_step_m is not None:
        assert lattice.size.step == pytest.approx(size_step_m, rel=0.01)


def test_the_published_truncation_angles_and_what_it_clips() -> None:
    assert N3D.angle.encode(0.0) == 500
    assert N3D.angle.encode(math.pi / 2) == 625
    assert N3D.angle.decode(500) == 0.0
    assert N3D.depth.encode(2.591796875 + 0.99 * N3D.depth.step) == 0
    assert N3D.size.encode(0.99 * N3D.size.step) == 0
    assert N3D.depth.encode(2.591796875 - 1e-6) is None, "int() would make this 0"
    sofa = ViewBox(0, "sofa", (0.0, 0.0, 3.0), (2.2, 0.9, 0.9), 0.0)
    found = numbers_of(sofa, N3D, CAMERA)
    assert isinstance(found, Outside) and found.field == "sx", "2.2 m is beyond this scene's 1.95 m"


@given(st.floats(0, 1.999), st.floats(0, 0.6249), st.floats(-6.28, 6.28))
def test_published_bins_by_the_published_formulas(z: float, s: float, angle: float) -> None:
    scale, shift = 0.5, 0.25  # exact in binary, so that normalising changes nothing
    lattice = n3d_lattice(scale, shift)
    metric_z = z / scale + shift
    assert lattice.depth.encode(metric_z) == int((metric_z - shift) * scale / 2.0 * 1000)
    assert lattice.size.encode(s / scale) == int(s / 0.625 * 1000)
    assert lattice.angle.encode(angle) == int((angle + 2 * math.pi) / (4 * math.pi) * 1000)


@pytest.mark.parametrize(("scale", "shift"), [(0.0, 0.0), (-1.0, 0.0), (math.nan, 0.0), (1.0, math.inf)])
def test_a_scale_that_is_none_is_refused(scale: float, shift: float) -> None:
    with pytest.raises(ParameterError, match="scale"):
        n3d_lattice(scale, shift)


def test_names_are_written_as_they_are_in_the_published_form_or_not_at_all() -> None:
    boxes = [
        ViewBox(i, n, (0.0, 0.0, 3.0), (0.5, 0.5, 0.5), 0.0) for i, n in enumerate(("50% off", "a,b", "tv"))
    ]
    written = write_boxes(boxes, N3D, CAMERA)
    assert [one.label for one in written.outside] == ["50% off", "a,b"]
    assert "Bbox(tv," in written.text


def test_a_step_without_error_is_the_middle() -> None:
    axis = BoxAxis("m", 10.0)
    assert axis.step == 0.01
    assert axis.error == (-0.005, 0.005)


def box_iou(a: OrientedBox, b: OrientedBox) -> float:
    return float(iou_pairs(OrientedBoxes.of([a]), OrientedBoxes.of([b]))[0])


def _camera(heading: float, pitch: float) -> np.ndarray:
    """1.4 m up at (-3, 0), facing `heading`, `pitch` down."""
    c, s = math.cos(pitch), math.sin(pitch)
    down = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    T = from_yaw(heading, (-3.0, 0.0, 1.4))
    return T @ compose(down @ R_FLU_RDF, np.zeros(3))
