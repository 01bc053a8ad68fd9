"""`vantage doctor scan` on a folder as it lies, without a workspace."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_command_line import vantage


@pytest.fixture(scope="module")
def turned(office: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real office with inverted poses and fifths of millimetres."""
    from vantage.scans.codecs import decode_depth, encode_png16

    folder = tmp_path_factory.mktemp("capture") / "office"
    shutil.copytree(office, folder, copy_function=shutil.copyfile)
    for path in (folder / "pose").iterdir():
        np.savetxt(path, np.linalg.inv(np.loadtxt(path)))
    for path in (folder / "depth").iterdir():
        depth = decode_depth(path.read_bytes(), "png", None, path.name)
        path.write_bytes(encode_png16((depth.astype(np.uint32) * 5).clip(0, 65534).astype(np.uint16)))
    return folder


def test_a_capture_that_is_what_it_says(office: Path, tmp_path: Path) -> None:
    picture = tmp_path / "pair.png"
    done = vantage("doctor", "scan", str(office), "--pairs", "5", "--picture", str(picture), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "camera_to_world, opencv, as claimed (sure" in done.stdout
    assert "1000 units per metre, as claimed" in done.stdout
    assert "up        z" in done.stdout and "Set in params.yaml" not in done.stdout
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_capture_that_is_something_else(turned: Path, tmp_path: Path) -> None:
    done = vantage("doctor", "scan", str(turned), "--pairs", "5", cwd=tmp_path)
    assert done.returncode == 1
    assert "not as claimed" in done.stdout
    pasted = done.stdout.split("Set in params.yaml:\n")[1].split("or on the command line")[0]
    expected = {"poses": "world_to_camera", "depth_units_per_m": 5000.0}
    assert yaml.safe_load(pasted) == {"extract": {"capture": expected}}
    assert "-S extract.capture.poses=world_to_camera" in done.stdout


def test_for_machines(turned: Path, tmp_path: Path) -> None:
    done = vantage("doctor", "scan", str(turned), "--json", "--frames", "3,12,21,30,39,48", cwd=tmp_path)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["verdict"] == "other" and found["certainty"] == "sure"
    assert found["settings"]["poses"] == "world_to_camera"
    ids = {k for pair in found["pairs"] for k in pair["frames"]}
    assert ids <= {3, 12, 21, 30, 39, 48}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nowhere"], 2, "no such folder"),
        (["."], 1, "no frames in the scan's folder"),
        (["OFFICE", "--frames", "3"], 2, "one frame alone"),
        (["OFFICE", "--frames", "3,4"], 2, "no such frame"),
        (["OFFICE", "--frames", "a,b"], 2, "not frame ids"),
    ],
)
def test_wrong_arguments(office: Path, tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    given = [str(office) if word == "OFFICE" else word for word in arguments]
    done = vantage("doctor", "scan", *given, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert text in done.stderr


def test_the_environment_is_still_checked(tmp_path: Path) -> None:
    done = vantage("doctor", cwd=tmp_path)
    assert "python" in done.stdout and "workspace" in done.stdout
    assert done.returncode == 1  # an empty folder is no workspace
    assert "scan" in vantage("doctor", "--help").stdout


def test_a_long_scan_takes_bounded_time(tmp_path: Path) -> None:
    """5,000 frames: few are decoded; those here hold no surface, so reading them is all there is to do."""
    code = f"""
import numpy as np
from pathlib import Path
from vantage.geometry.camera import Pinhole
from vantage.scans.sens import SensWriter
from vantage.scans.codecs import encode_jpeg
eye = Pinhole(64, 48, 60.0, 60.0, 31.5, 23.5)
image, depth = encode_jpeg(np.zeros((48, 64, 3), np.uint8)), np.full((48, 64), 2000, np.uint16)
with SensWriter(Path({str(tmp_path / "long.sens")!r}), eye, eye) as sens:
    for k in range(5000):
        T = np.eye(4); T[0, 3] = 0.004 * k
        sens.add(image, depth, T, k * 33_000)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    done = vantage("doctor", "scan", str(tmp_path), "--json")
    found = json.loads(done.stdout)
    # A wall seen square on while sliding along it tells nothing: every hypothesis agrees.
    assert found["verdict"] == "cannot_tell" and found["recorded"] == 5000
    assert len(found["pairs"]) == 12
