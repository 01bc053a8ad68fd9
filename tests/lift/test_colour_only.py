"""Posed pictures without any depth, through download's layouts, `extract`, `lift` and `recover`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny_estimators as tiny
from box_room import COLOR, DEPTH, look_around, make_room, render
from vantage.core.errors import ScanError
from vantage.core.tasks import Task
from vantage.lift.config import LiftConfig
from vantage.lift.depth_config import DepthConfig
from vantage.lift.stage import lift
from vantage.records import contracts
from vantage.records.capture import read_capture
from vantage.records.depth_fits import read_depth_fits
from vantage.records.frames import read_frames
from vantage.records.patches import read_patches
from vantage.records.scan import read_scan
from vantage.recover.config import RecoverConfig
from vantage.recover.stage import recover
from vantage.scans.config import ExtractConfig
from vantage.scans.layout import scan_files
from vantage.scans.layouts import extracted, posed_images
from vantage.scans.layouts.base import Recording
from vantage.scans.stage import extract

LAYOUTS = {"extracted": extracted, "posed_images": posed_images}
POSES = look_around(5, 6)
ROOM = make_room(4)
WITHOUT = ExtractConfig(require_depth=False)


def a_task(base: Path, **inputs: Path) -> Task:
    for name in ("out", "work"):
        (base / name).mkdir(parents=True)
    return Task("kitchen", inputs, base / "out", base / "work", 0)


def pictures() -> np.ndarray:
    """Noise in blocks, so that no picture is blurred."""
    small = np.random.default_rng(0).integers(0, 256, (len(POSES), 36, 48, 3), dtype=np.uint8)
    return small.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(params=LAYOUTS)
def colour_only(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A scan folder in each layout, whose depth images and depth matrix were never there."""
    folder = tmp_path / "kitchen"
    depth = np.full((len(POSES), DEPTH.height, DEPTH.width), 2000, np.uint16)
    times = np.arange(len(POSES), dtype=np.float64)
    recording = Recording(COLOR, DEPTH, pictures(), depth, np.stack(POSES), times)
    LAYOUTS[request.param].write(recording, folder)
    for path in [*folder.rglob("*.png"), *folder.rglob("*depth*.txt")]:
        path.unlink()
    if (folder / "depth").is_dir():
        (folder / "depth").rmdir()
    return folder


def test_depth_is_required_unless_told_otherwise(colour_only: Path, tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"(?s)no depth images.*extract.require_depth: false"):
        extract(a_task(tmp_path / "task", download=colour_only), ExtractConfig())


def test_pictures_become_patches(colour_only: Path, tmp_path: Path) -> None:
    """Depth from a model (here: exact depth times 2.5, left by an earlier run), scale from the floor."""
    assert len(scan_files(colour_only, "kitchen")) == 2 * len(POSES) + 1
    first = a_task(tmp_path / "extract", download=colour_only)
    facts = extract(first, WITHOUT)
    assert facts["kept"] == len(POSES)
    assert read_capture(first.out).verdict == "not_measured"
    contracts.frames(first.out)
    meta, frames = read_scan(first.out), read_frames(first.out)
    assert meta.depth == meta.color
    assert all(frame.depth.file == "" and frame.depth_valid_share == 0 for frame in frames)

    model = tiny.depth_anything(tmp_path / "model")
    task = a_task(tmp_path / "lift", download=colour_only, extract=first.out)
    (task.work / "depth").mkdir()
    for k, (depth, _) in enumerate(render(ROOM, COLOR.resized(70, 56), POSES)):
        values = (2.5 * depth).astype(np.float32)
        np.savez(task.work / "depth" / f"{k}.npz", values=values, fov_deg=np.float64("nan"))
    config = DepthConfig("estimator", str(model), align="height")
    lift(task, LiftConfig(depth=config))
    contracts.patches(task.out)
    assert all(fit.scale == pytest.approx(0.4, rel=0.02) for fit in read_depth_fits(task.out).frames)
    assert all(fit.sensor is None for fit in read_depth_fits(task.out).frames)
    from scipy.spatial import cKDTree

    patches = read_patches(task.out)
    distance, _ = cKDTree(ROOM.vertices).query(patches.xyz_aligned[patches.valid])
    assert np.quantile(distance, 0.9) < 0.08

    # With the model's own predictions, from the pictures.
    real = a_task(tmp_path / "real", download=colour_only, extract=first.out)
    lift(real, LiftConfig(depth=replace(config, align="none")))
    assert read_patches(real.out).valid.all()

    # Nothing is asked of a sensor that is not there.
    recover(a_task(tmp_path / "recover", download=colour_only, extract=first.out), RecoverConfig())
    with pytest.raises(ScanError, match="the frame has no such image"):
        lift(a_task(tmp_path / "sensor", download=colour_only, extract=first.out), LiftConfig())


def test_a_frame_with_depth_may_have_little_of_it(tmp_path: Path) -> None:
    """With depth not required, its holes drop no frame; a frame without any stands beside those with."""
    folder = tmp_path / "kitchen"
    depth = np.zeros((len(POSES), DEPTH.height, DEPTH.width), np.uint16)
    depth[:, :10] = 2000
    times = np.arange(len(POSES), dtype=np.float64)
    extracted.write(Recording(COLOR, DEPTH, pictures(), depth, np.stack(POSES), times), folder)
    (folder / "depth" / "2.png").unlink()
    with pytest.raises(ScanError, match="little depth 5, no depth file 1"):
        extract(a_task(tmp_path / "strict", download=folder), ExtractConfig())
    task = a_task(tmp_path / "task", download=folder)
    assert extract(task, WITHOUT)["kept"] == len(POSES)
    assert read_scan(task.out).depth.width == DEPTH.width
    assert [bool(frame.depth.file) for frame in read_frames(task.out)] == [
        True,
        True,
        False,
        True,
        True,
        True,
    ]
