"""`vantage depth`: pictures in, depth and residuals out, and what is told when they cannot be used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny_estimators as tiny
from vantage.cli.depth import RESIDUALS_FILE, depth
from vantage.core.errors import ParameterError, ScanError
from vantage.lift.estimators.estimate import estimate
from vantage.lift.estimators.estimator import load_estimator
from vantage.scans.codecs import encode_png16

WIDTH, HEIGHT = 80, 60


def picture(seed: int) -> np.ndarray:
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rng = np.random.default_rng(seed)
    return np.uint8(
        127 + 120 * np.sin(u[..., None] / rng.uniform(4, 20, 3) + v[..., None] / rng.uniform(4, 20, 3))
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for k in range(2):
        Image.fromarray(picture(k)).save(tmp_path / f"{k}.png")
    return tmp_path


def call(folder: Path, network: Path, **options: object) -> None:
    given: dict[str, object] = {
        "images": [folder / "0.png", folder / "1.png"], "model": str(network), "revision": "",
        "intrinsics": "", "sensors": [], "shift": False, "device": "auto", "out": folder / "out",
        "dry_run": False,
    }  # fmt: skip
    depth(**{**given, **options})  # type: ignore[arg-type]


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_depth_in_millimetres_at_the_pictures_pixels(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny.depth_anything(files / "model")
    call(files, model)
    loaded = load_estimator(str(model))
    for k in range(2):
        (prediction,) = loaded.predict([picture(k)])
        exact = estimate(prediction, loaded.meaning, None).values
        found = read(files / "out" / f"{k}.png")
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, np.rint(exact.astype(np.float64) * 1000))
    record = json.loads((files / "out" / RESIDUALS_FILE).read_text())
    assert record["quantity"] == "metric"
    assert record["model"] == loaded.files.identity
    assert [row["picture"] for row in record["pictures"]] == ["0.png", "1.png"]
    told = capsys.readouterr().err
    assert "nothing to download" in told
    assert "at most 20 m" in told
    assert "2 of 2" in told


def test_aligned_to_a_sensor_of_another_size(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sensor says a third of what the model says, at half the size: so is the scale."""
    model = tiny.depth_anything(files / "model")
    loaded = load_estimator(str(model))
    sensors = []
    for k in range(2):
        (prediction,) = loaded.predict([picture(k)])
        whole = estimate(prediction, loaded.meaning, None).values
        small = whole[1::2, 1::2]  # the picture's pixel that the centre of the sensor's pixel falls in
        (files / f"sensor{k}.png").write_bytes(encode_png16(np.uint16(np.rint(small * 1000 / 3))))
        sensors.append(files / f"sensor{k}.png")
    call(files, model, sensors=sensors)
    rows = json.loads((files / "out" / RESIDUALS_FILE).read_text())["pictures"]
    for row in rows:
        assert row["scale"] == pytest.approx(1 / 3, rel=2e-3)
        assert row["sensor"]["aligned"]["median_relative"] < 0.01
        assert row["sensor"]["as_estimated"]["median_relative"] == pytest.approx(2, rel=0.02)
    assert "within 10 %" in capsys.readouterr().err


def test_intrinsics_scale_depth_pro(files: Path) -> None:
    model = tiny.depth_pro(files / "model", fov=False)
    with pytest.raises(ParameterError, match="needs the camera's focal length"):
        call(files, model)
    found = []
    for focal in (20, 40):
        call(files, model, intrinsics=f"{focal},{focal},39.5,29.5", out=files / str(focal))
        found.append(read(files / str(focal) / "0.png").astype(float))
    both = (found[0] > 100) & (found[1] > 0)
    assert both.any()
    np.testing.assert_allclose(found[1][both], 2 * found[0][both], atol=2)


def test_what_is_beyond_a_png_is_a_hole_that_is_counted(files: Path) -> None:
    model = tiny.depth_pro(files / "model", fov=False)
    call(files, model, intrinsics="90000,90000,39.5,29.5")
    row = json.loads((files / "out" / RESIDUALS_FILE).read_text())["pictures"][0]
    stored = read(files / "out/0.png")
    assert row["beyond_65_m"] > 0
    assert np.count_nonzero(stored == 0) == row["beyond_65_m"] + row["holes"]


def test_a_relative_model_needs_a_sensor(files: Path) -> None:
    with pytest.raises(ParameterError, match=r"(?s)no metres of its own.*--sensor"):
        call(files, tiny.depth_anything(files / "model", "relative"))


def test_a_dry_run_does_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(files, tiny.depth_anything(files / "model"), dry_run=True)
    assert "3 files are here" in capsys.readouterr().err
    assert not (files / "out").exists()


def test_options_that_make_no_sense(files: Path) -> None:
    model = tiny.depth_anything(files / "model")
    image, other = files / "0.png", files / "elsewhere" / "0.jpg"
    (files / "a file").write_text("")
    cases: list[tuple[dict[str, object], str]] = [
        ({"device": "tpu"}, "unknown device"),
        ({"sensors": [image]}, "one depth image a picture"),
        ({"shift": True}, "a shift is fitted"),
        ({"images": [image, other]}, "two pictures would be written"),
        ({"out": files / "a file"}, "cannot write there"),
        ({"images": [other]}, "cannot read the file"),
        ({"intrinsics": "1,2,3"}, "not intrinsics"),
        ({"model": str(files / "no model")}, "no such model folder"),
    ]
    for options, message in cases:
        with pytest.raises(ParameterError, match=message):
            call(files, model, **options)
    (files / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ScanError, match="unreadable colour image"):
        call(files, model, images=[files / "broken.png"])
    (files / "empty.png").write_bytes(encode_png16(np.zeros((30, 40), np.uint16)))
    with pytest.raises(ScanError, match=r"(?s)too little sensor depth.*in: empty.png"):
        call(files, model, images=[image], sensors=[files / "empty.png"])


def test_as_a_command(files: Path) -> None:
    tiny.depth_anything(files / "model")
    repository = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(repository / "src"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "vantage", "depth", "0.png", "1.png", "--model", "model", "--out", "out"]
    done = subprocess.run(command, cwd=files, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (files / "out").iterdir()) == ["0.png", "1.png", RESIDUALS_FILE]
    command[command.index("model")] = "owner/unknown"
    done = subprocess.run(command, cwd=files, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not on this machine, and the hub cannot be asked" in done.stderr
    assert "Traceback" not in done.stderr
