"""`vantage lift-boxes`: files in, Omni3D's fields out, and what is told about files that cannot be used."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from box_room import COLOR, DEPTH, look_around, make_room, render
from vantage.cli.lift_boxes import lift_boxes
from vantage.core.errors import ParameterError, ScanError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.box_corners import boxes_of_corners
from vantage.geometry.boxes import fit_upright_box
from vantage.geometry.iou3d import iou_pairs
from vantage.lift.run_lengths import runs_of_mask
from vantage.scans.codecs import encode_png16

ROOM, POSE = make_room(0, objects=6), look_around(0, 16)[13]
((EXACT, _),), ((_, IDS),) = render(ROOM, DEPTH, [POSE]), render(ROOM, COLOR, [POSE])
WHOLE = 5  # nothing is in front of it, and the image does not cut it
MASK = IDS == WHOLE
ROWS, COLUMNS = np.flatnonzero(MASK.any(axis=1)), np.flatnonzero(MASK.any(axis=0))
BOX = [int(COLUMNS[0]), int(ROWS[0]), int(COLUMNS[-1]), int(ROWS[-1])]
SIZE = [COLOR.height, COLOR.width]


def words(camera: Any) -> str:
    return f"{camera.fx},{camera.fy},{camera.cx},{camera.cy}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "depth.png").write_bytes(encode_png16(np.rint(EXACT * 1000).astype(np.uint16)))
    np.savetxt(tmp_path / "pose.txt", POSE, fmt="%.17g")
    detections = [
        {"mask": {"size": SIZE, "counts": runs_of_mask(MASK)}, "label": "crate", "score": 0.9},
        {"bbox": BOX, "label": "crate"},
        {"bbox": [0, 0, 3, 3], "label": "dust"},
    ]
    (tmp_path / "found.json").write_text(json.dumps(detections))
    return tmp_path


def call(folder: Path, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "depth": folder / "depth.png", "color_size": f"{COLOR.width}x{COLOR.height}",
        "intrinsics": words(COLOR), "depth_intrinsics": words(DEPTH), "depth_unit_m": 0.001,
        "pose": folder / "pose.txt", "detections": folder / "found.json", "fit": "upright",
        "out": folder / "out.json",
    }  # fmt: skip
    lift_boxes(**{**given, **options})
    content: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return content


def test_boxes_in_omni3d_fields(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = call(files)
    masked, bare, dust = content["annotations"]
    truth = OrientedBoxes.of([fit_upright_box(ROOM.vertices[ROOM.instance == WHOLE])])
    for row, least in ((masked, 0.7), (bare, 0.6)):
        assert row["valid3D"]
        box = boxes_of_corners(np.array([row["bbox3D_cam"]]), "omni3d").transformed(POSE)
        assert iou_pairs(box, truth)[0] > least
        np.testing.assert_allclose(box.center[0], row["vantage"]["center_world"], atol=1e-9)
        assert 0.2 < row["vantage"]["confidence"] <= 1
    assert (masked["category_name"], masked["score"], bare["score"]) == ("crate", 0.9, None)
    assert masked["bbox2D_tight"] == bare["bbox2D_tight"] == BOX
    np.testing.assert_allclose(content["images"][0]["K"], COLOR.matrix())
    told = capsys.readouterr().err
    assert f"{sum(row['valid3D'] for row in content['annotations'])} of 3 detections" in told
    assert dust["valid3D"] or "detection 2 (dust)" in told


def test_metres_in_an_array_and_other_units_are_the_same(files: Path) -> None:
    np.save(files / "depth.npy", (np.rint(EXACT * 1000) / 1000).astype(np.float32))
    (files / "half.png").write_bytes(encode_png16(2 * np.rint(EXACT * 1000).astype(np.uint16)))
    first = call(files)
    for other in ({"depth": files / "depth.npy"}, {"depth": files / "half.png", "depth_unit_m": 0.0005}):
        again = call(files, **other)
        np.testing.assert_allclose(
            again["annotations"][0]["bbox3D_cam"], first["annotations"][0]["bbox3D_cam"], atol=1e-4
        )


def test_without_a_pose_the_camera_is_level_and_that_is_told(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = call(files, pose=None)["annotations"][0]
    assert "held level" in capsys.readouterr().err
    np.testing.assert_allclose(np.array(row["R_cam"])[:, 1], [0, 1, 0], atol=1e-9)
    assert call(files, pose=None, fit="free")["annotations"][0]["valid3D"]


def test_from_the_shell(files: Path) -> None:
    command = [sys.executable, "-m", "vantage", "lift-boxes", "--depth", "depth.png"]
    command += ["--color-size", f"{COLOR.width}x{COLOR.height}", "--intrinsics", words(COLOR)]
    command += ["--pose", "pose.txt", "--detections", "found.json", "--out", "out.json"]
    for extra, code, text in (
        ([], 0, "written to out.json"),
        (["--fit", "best"], 2, "unknown fit"),
        (["--depth", "none.png"], 1, "none.png"),
    ):
        done = subprocess.run(
            [*command, *extra], cwd=files, env=dict(os.environ), capture_output=True, text=True
        )
        assert (done.returncode, text in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"intrinsics": "1,2"}, "not intrinsics"),
        ({"color_size": "wide"}, "not an image size"),
        ({"depth_intrinsics": "0,0,0,0"}, "not a camera"),
        ({"depth_unit_m": 0.0}, "not a unit"),
        ({"fit": "principal"}, "unknown fit"),
        ({"out": Path("absent/out.json")}, "cannot write"),
    ],
)
def test_wrong_options(files: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        call(files, **options)


@pytest.mark.parametrize(
    ("row", "place", "match"),
    [
        ({"label": "chair"}, "detection 1", "not a detection"),
        ({"bbox": BOX, "colour": "red"}, "detection 1", "not a detection"),
        ("chair", "detection 1", "not a detection"),
        ({"bbox": [1, 2, 3]}, "detection 1, bbox", "not a 2D box"),
        ({"bbox": [9, 2, 3, 5]}, "detection 1", "not a 2D box"),
        ({"bbox": ["a", 2, 3, 5]}, "detection 1, bbox", "not a 2D box"),
        ({"bbox": [900, 2, 950, 5]}, "detection 1, bbox", "outside of the image"),
        ({"mask": None}, "detection 1, bbox", "not a 2D box"),
        ({"mask": {"size": [10, 10], "counts": [100]}}, "detection 1, mask, size", "another size"),
        ({"mask": {"size": SIZE, "counts": [5]}}, "detection 1", "do not fit"),
        ({"mask": {"size": SIZE, "counts": [0.5]}}, "detection 1, mask, counts", "not run lengths"),
        ({"mask": {"size": SIZE, "counts": [SIZE[0] * SIZE[1]]}}, "detection 1", "an empty mask"),
        ({"mask": {"size": SIZE}}, "detection 1, mask", "not a mask"),
        ({"bbox": BOX, "label": 3}, "detection 1", "not a label"),
        ({"bbox": BOX, "score": "high"}, "detection 1", "not a score"),
    ],
)
def test_detections_that_cannot_be_used(files: Path, row: Any, place: str, match: str) -> None:
    (files / "found.json").write_text(json.dumps([{"bbox": BOX}, row]))
    with pytest.raises(ScanError, match=match) as caught:
        call(files)
    assert f"found.json, {place}" in str(caught.value)
    assert "expected" in str(caught.value)
    assert not (files / "out.json").exists()


def test_files_that_cannot_be_used(files: Path) -> None:
    (files / "bad.json").write_text("{")
    (files / "map.json").write_text('{"boxes": []}')
    (files / "bad.npy").write_bytes(b"no array")
    np.save(files / "whole.npy", np.ones((4, 4), dtype=np.int64))
    np.savetxt(files / "skew.txt", 2 * np.eye(4))
    for options, match in (
        ({"detections": files / "bad.json"}, "not JSON"),
        ({"detections": files / "map.json"}, "not a file of detections"),
        ({"detections": files / "none.json"}, "cannot read"),
        ({"depth": files / "bad.npy"}, "not an array"),
        ({"depth": files / "whole.npy"}, "not a depth image"),
        ({"depth": files / "bad.json"}, "unreadable depth image"),
        ({"pose": files / "skew.txt"}, "not a rigid"),
        ({"pose": files / "none.txt"}, "cannot read the matrix"),
    ):
        with pytest.raises(ScanError, match=match):
            call(files, **options)


def test_no_detections_is_an_empty_list(files: Path) -> None:
    (files / "found.json").write_text('{"detections": []}')
    assert call(files)["annotations"] == []
