"""A generated recording, noise-free, written in every layout."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from layout_names import LOST, ONE_CAMERA

from vantage.scans.generated.config import GeneratedConfig, NoiseConfig
from vantage.scans.generated.scan import generate_scan, recording_of
from vantage.scans.layouts.base import Recording
from vantage.scans.scannet import SENS
from vantage.scans.sens import SensWriter

PERFECT = NoiseConfig(0.0, 0.0, 20.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="session")
def recording() -> Recording:
    """Eight frames of a room, close to each other, one without a pose."""
    sizes = {"color_width": 96, "color_height": 72, "depth_width": 80, "depth_height": 60}
    config = GeneratedConfig(frames_per_scan=48, noise=PERFECT, **sizes)
    whole = recording_of(generate_scan("room0003_00", 0, config))
    part = slice(10, 18)
    poses = whole.T_world_cam[part].copy()
    poses[LOST] = -np.inf
    return replace(
        whole,
        color=whole.color[part],
        depth_mm=whole.depth_mm[part],
        T_world_cam=poses,
        timestamps_s=whole.timestamps_s[part],
    )


@pytest.fixture(scope="session")
def one_camera(recording: Recording) -> Recording:
    """The same with colour images of the depth camera's size, for layouts that know one camera."""
    from PIL import Image

    size = recording.depth_camera.width, recording.depth_camera.height
    color = [np.asarray(Image.fromarray(image).resize(size)) for image in recording.color]
    return replace(recording, color=np.stack(color), color_camera=recording.depth_camera)


@pytest.fixture
def written(recording: Recording, one_camera: Recording, tmp_path: Path) -> Callable[[str], Path]:
    """Writes the recording in a layout; gives the folder."""

    def write(name: str) -> Path:
        folder = tmp_path / name / "scan"
        folder.parent.mkdir()
        source = one_camera if name in ONE_CAMERA else recording
        if name == "scannet":
            write_sens(source, folder)
        else:
            importlib.import_module(f"vantage.scans.layouts.{name}").write(source, folder)
        return folder

    return write


def write_sens(recording: Recording, folder: Path) -> None:
    from vantage.scans.codecs import encode_jpeg

    folder.mkdir()
    with SensWriter(folder / f"scan{SENS}", recording.color_camera, recording.depth_camera) as sens:
        for k, T in enumerate(recording.T_world_cam):
            stamp = round(recording.timestamps_s[k] * 1e6)
            sens.add(encode_jpeg(recording.color[k]), recording.depth_mm[k], T, stamp)
