"""`vantage recover`: files in, a file out, and what is told when they cannot be used."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from box_room import COLOR, look_around, make_room
from vantage.cli.recover import recover
from vantage.core.errors import ContractError, ParameterError, ScanError, VantageError
from vantage.records.intersections import read_intersections
from vantage.recover.calibrated import Tolerances, visible_fractions
from vantage.recover.published import published_scores

ROOM = make_room(0, objects=4)
POSES = look_around(3, 6)
INTRINSICS = f"{COLOR.fx},{COLOR.fy},{COLOR.cx},{COLOR.cy}"
SIZE = f"{COLOR.width}x{COLOR.height}"
COORD = ROOM.vertices[::3].astype(np.float32)
INSTANCE = ROOM.instance[::3]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    np.savez(tmp_path / "scene.npz", coord=COORD, instance=INSTANCE.astype(np.int64))
    (tmp_path / "pose").mkdir()
    for k, pose in enumerate(POSES):
        np.savetxt(tmp_path / "pose" / f"{9 + k}.txt", pose, fmt="%.17g")  # 9, 10, ...: unpadded
    np.savetxt(tmp_path / "pose" / "8.txt", np.full((4, 4), -np.inf))
    return tmp_path


def call(folder: Path, **options: object) -> None:
    given: dict[str, object] = {
        "points": folder / "scene.npz", "poses": folder / "pose", "intrinsics": INTRINSICS, "size": SIZE,
        "shrink": 0.25, "stride": 2, "mode": "reference", "out": folder / "out.npz",
    }  # fmt: skip
    recover(**{**given, **options})  # type: ignore[arg-type]


def test_both_modes_write_the_published_keys(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("reference", "calibrated"):
        call(files, mode=mode)
        found = read_intersections(files / "out.npz")
        assert found.pose_files == ("9.txt", "11.txt", "13.txt")
        poses, cameras = POSES[::2], [COLOR] * 3
        if mode == "reference":
            exact = published_scores(COORD, INSTANCE, poses, cameras, 0.25)
            assert found.object_ids.tolist() == [-1, 0, 1, 2, 3]
        else:
            exact = visible_fractions(COORD, INSTANCE, np.arange(4), poses, cameras, 0.25, Tolerances())
            assert found.object_ids.tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(found.scores, exact.score)
        np.testing.assert_array_equal(found.extras["in_view"], exact.in_view)
        assert str(found.extras["mode"]) == mode
    assert not list(files.glob(".out*"))
    told = capsys.readouterr().err
    assert "3 of 6 usable, 1 lost, stride 2" in told
    assert "4 objects, and the background (-1)" in told


def test_from_the_shell_without_a_workspace(files: Path) -> None:
    command = [sys.executable, "-m", "vantage", "recover", "--points", "scene.npz", "--poses", "pose"]
    command += ["--intrinsics", INTRINSICS, "--size", SIZE, "--out", "out.npz"]
    done = subprocess.run(command, cwd=files, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read_intersections(files / "out.npz").pose_files == ("9.txt",)
    for wrong, code, text in (
        (["--size", "big"], 2, "not an image size"),
        (["--points", "x.npz"], 1, "x.npz"),
    ):
        done = subprocess.run(
            [*command, *wrong], cwd=files, env=dict(os.environ), capture_output=True, text=True
        )
        assert (done.returncode, text in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"intrinsics": "1,2,3"}, "not intrinsics"),
        ({"intrinsics": "a,b,c,d"}, "not intrinsics"),
        ({"intrinsics": "0,1,1,1"}, "not a camera"),
        ({"size": "640"}, "not an image size"),
        ({"size": "0x5"}, "not a camera"),
        ({"shrink": 0.0}, "size of buffer"),
        ({"shrink": 1.5}, "size of buffer"),
        ({"shrink": float("nan")}, "size of buffer"),
        ({"shrink": 1e-4}, "size of buffer"),
        ({"mode": "best"}, "unknown mode"),
        ({"out": Path("absent/out.npz")}, "cannot write"),
        ({"poses": Path("absent")}, "no such folder"),
    ],
)
def test_wrong_options(files: Path, options: dict[str, object], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        call(files, **options)
    assert not (files / "out.npz").exists()


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"coord": COORD}, "an array is missing"),
        ({"coord": COORD[:, :2], "instance": INSTANCE}, "do not fit"),
        ({"coord": COORD, "instance": INSTANCE[:-1]}, "do not fit"),
        ({"coord": COORD[:0], "instance": INSTANCE[:0]}, "do not fit"),
        ({"coord": COORD, "instance": INSTANCE.astype(float)}, "wrong type"),
        ({"coord": COORD.astype(int), "instance": INSTANCE}, "wrong type"),
        ({"coord": np.where(np.arange(len(COORD))[:, None] == 5, np.nan, COORD), "instance": INSTANCE},
         "1 of .* not finite"),
        ({"coord": COORD, "instance": INSTANCE.astype(np.int64) + 2**40}, "32 bit"),
        ({"coord": COORD, "instance": np.array(INSTANCE.tolist(), dtype=object)}, "not a file of arrays"),
    ],
)  # fmt: skip
def test_points_that_cannot_be_used(files: Path, arrays: dict[str, np.ndarray], match: str) -> None:
    np.savez(files / "scene.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(ScanError, match=match) as caught:
        call(files)
    assert "scene.npz" in str(caught.value)
    assert not isinstance(caught.value, ContractError)


def test_poses_that_cannot_be_used(files: Path) -> None:
    (files / "pose" / "40.txt").touch()
    with pytest.raises(ScanError, match="an empty file") as caught:
        call(files)
    assert "40.txt" in str(caught.value)
    for path in (files / "pose").glob("*.txt"):
        np.savetxt(path, np.full((4, 4), -np.inf))
    with pytest.raises(VantageError, match="no pose of the folder is finite"):
        call(files)


def test_background_alone_is_no_object_for_the_visible_fraction(files: Path) -> None:
    np.savez(files / "scene.npz", coord=COORD, instance=np.full(len(COORD), -1))
    with pytest.raises(ScanError, match="no point belongs to an object"):
        call(files, mode="calibrated")
    call(files)
    assert read_intersections(files / "out.npz").object_ids.tolist() == [-1]
