"""`vantage sens`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg
from vantage.scans.sens import SensReader, SensWriter

REPOSITORY = Path(__file__).resolve().parents[2]


def vantage(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "vantage", "sens", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def sens(tmp_path: Path) -> Path:
    path = tmp_path / "scene0000_00.sens"
    color, depth = Pinhole(64, 48, 60.0, 61.0, 31.5, 23.5), Pinhole(40, 30, 35.0, 36.0, 19.5, 14.5)
    with SensWriter(path, color, depth) as writer:
        for k in range(6):
            pose = np.full((4, 4), -np.inf) if k == 1 else np.eye(4)
            picture = np.full((48, 64, 3), 40 * k, np.uint8)
            writer.add(encode_jpeg(picture), np.full((30, 40), k, np.uint16), pose, 500_000 * k)
    return path


def test_info(sens: Path) -> None:
    facts = json.loads(vantage("info", sens, "--json").stdout)
    assert (facts["frames"], facts["finite_poses"], facts["rigid_poses"]) == (6, 5, 5)
    assert (facts["duration_s"], facts["depth_units_per_m"], facts["cut"]) == (2.5, 1000.0, None)
    assert facts["color"]["size"] == "64x48" and facts["color"]["fx"] == 60.0
    assert facts["bytes"] == sens.stat().st_size
    shown = vantage("info", sens).stdout
    assert "scene0000_00.sens" in shown and "finite poses     5" in shown


def test_poses(sens: Path, tmp_path: Path) -> None:
    assert vantage("poses", sens, "--out", tmp_path / "poses").returncode == 0
    assert sorted(p.name for p in (tmp_path / "poses").iterdir()) == [f"{k}.txt" for k in range(6)]
    assert np.isneginf(np.loadtxt(tmp_path / "poses/1.txt")).all()
    done = vantage("poses", sens, "--out", tmp_path / "p.npz")
    assert "6 poses, 1 of them lost" in done.stderr
    with np.load(tmp_path / "p.npz") as saved:
        assert saved["T_raw_cam"].shape == (6, 4, 4) and saved["frame_id"].tolist() == list(range(6))
        assert saved["timestamp_color_us"][5] == 2_500_000


def test_export(sens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--stride", 2, "--frames", "1:5", "--color-size", "32x24", "--parts", "color,pose")
    dry = vantage("export", sens, "--out", out, *options, "--dry-run")
    assert "2 of 6 frames" in dry.stderr and not out.exists()
    done = vantage("export", sens, "--out", out, *options)
    assert done.returncode == 0 and "2 frames: 4 files written" in done.stderr
    assert sorted(p.name for p in (out / "color").iterdir()) == ["2.jpg", "4.jpg"]
    again = vantage("export", sens, "--out", out, *options)
    assert "0 files written" in again.stderr and "4 files kept from before" in again.stderr


def test_export_packed(sens: Path, tmp_path: Path) -> None:
    done = vantage("export", sens, "--out", tmp_path / "small", "--form", "packed", "--stride", 3)
    assert done.returncode == 0 and "2 frames written" in done.stderr
    with SensReader(tmp_path / "small" / sens.name) as small:
        assert [f.frame_id for f in small.frames()] == [0, 3]
    same = vantage("export", sens, "--out", tmp_path, "--form", "packed")
    assert same.returncode == 2 and "the file exists" in same.stderr


def test_a_cut_file(sens: Path, tmp_path: Path) -> None:
    sens.write_bytes(sens.read_bytes()[:-200])
    for command in (("info",), ("export", "--out", tmp_path / "out"), ("poses", "--out", tmp_path / "p.npz")):
        refused = vantage(command[0], sens, *command[1:])
        assert refused.returncode == 1 and "byte" in refused.stderr and "--salvage" in refused.stderr
    told = json.loads(vantage("info", sens, "--json", "--salvage").stdout)
    assert (told["frames"], told["declared_frames"]) == (5, 6) and "frame 5 of 6" in told["cut"]
    done = vantage("export", sens, "--out", tmp_path / "out", "--salvage")
    assert done.returncode == 0 and "5 of 6 frames are left" in done.stderr
    assert len(list((tmp_path / "out/depth").iterdir())) == 5


def test_an_unreadable_image_is_told_and_fails_at_the_end(sens: Path, tmp_path: Path) -> None:
    with SensReader(sens) as reader:
        at = reader.frame(3).depth_offset
    data = bytearray(sens.read_bytes())
    data[at : at + 4] = b"oops"
    sens.write_bytes(data)
    done = vantage("export", sens, "--out", tmp_path / "out")
    assert done.returncode == 1 and "frame 3" in done.stderr and "1 unreadable images" in done.stderr
    assert len(list((tmp_path / "out/depth").iterdir())) == 5


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--frames", "5"), "A:B"),
        (("--color-size", "64"), "WxH"),
        (("--form", "zip"), "files or packed"),
        (("--parts", "colour"), "no such part"),
        (("--frames", "90:"), "no frames in this range"),
        (("--stride", "0"), "stride"),
        (("--form", "packed", "--parts", "pose"), "every part"),
    ],
)
def test_wrong_arguments(sens: Path, tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    done = vantage("export", sens, "--out", tmp_path / "out", *arguments)
    assert done.returncode == 2 and text in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "out").exists()
