"""One made recording, and what each layout keeps of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depth_agreement import compare_depth
from vantage.scans.config import CaptureConfig
from vantage.scans.generated.config import GeneratedConfig, NoiseConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan, recording_of
from vantage.scans.layouts.base import Recording
from vantage.scans.layouts.writing import register
from vantage.scans.raw import RawScan
from vantage.scans.source import open_scan

FRAMES = 24
LOST = 3

#: Frames without noise whose two cameras differ in size and intrinsics.
CONFIG = GeneratedConfig(
    rooms=1,
    frames_per_scan=FRAMES,
    color_width=96,
    color_height=72,
    depth_width=80,
    depth_height=60,
    mesh_edge=0.5,
    noise=NoiseConfig(0.0, 0.0, 20.0, 0.0, 0.0, 0.0, 0.0),
)


@dataclass(frozen=True)
class Case:
    """What a layout keeps of a recording.

    Attributes:
        registered: colour is stored as the depth camera sees it.
        lossless: colour is stored as PNG.
        tells_camera: the intrinsics are in the folder.
        times: time stamps are kept.
        ids: the ids that frames get.
    """

    name: str
    registered: bool
    lossless: bool
    tells_camera: bool = True
    times: bool = False
    ids: Sequence[int] = range(FRAMES)

    def write(self, recording: Recording, folder: Path) -> Path:
        importlib.import_module(f"vantage.scans.layouts.{self.name}").write(recording, folder)
        return folder

    def kept(self, recording: Recording) -> Recording:
        """The recording as this layout stores it."""
        return register(recording) if self.registered else recording

    def capture(self, recording: Recording, **said: Any) -> CaptureConfig:
        """What the reader must be told."""
        if not self.tells_camera:
            kept = self.kept(recording)
            for part, eye in (("color", kept.color_camera), ("depth", kept.depth_camera)):
                said[f"{part}_intrinsics"] = (eye.fx, eye.fy, eye.cx, eye.cy)
        return CaptureConfig(**said)


CASES = {
    case.name: case
    for case in (
        Case("arkitscenes", True, True, times=True, ids=range(0, 500 * FRAMES, 500)),
        Case("extracted", False, False),
        Case("icl_nuim", True, True, tells_camera=False),
        Case("posed_images", False, False),
        Case("redwood", True, False),
        Case("replica", True, False),
        Case("seven_scenes", False, True, tells_camera=False),
        Case("tum", True, True, times=True),
    )
}


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    return CASES


@pytest.fixture(scope="session")
def generated() -> GeneratedScan:
    return generate_scan("room0000_00", 0, CONFIG)


@pytest.fixture(scope="session")
def recording(generated: GeneratedScan) -> Recording:
    """24 frames of a room, exact but for one whose pose is lost."""
    exact = recording_of(generated)
    T = exact.T_world_cam.copy()
    T[LOST] = -np.inf
    return replace(exact, T_world_cam=T, timestamps_s=exact.timestamps_s - exact.timestamps_s[0])


@pytest.fixture(scope="session")
def short(recording: Recording) -> Recording:
    """Three frames with poses, for what goes wrong in a folder."""
    part = slice(4, 7)
    return replace(
        recording,
        color=recording.color[part],
        depth_mm=recording.depth_mm[part],
        T_world_cam=recording.T_world_cam[part],
        timestamps_s=recording.timestamps_s[part],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test's one scan lies."""
    path = tmp_path / "scans" / "room"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def opened() -> Callable[..., RawScan]:
    """Opens a folder, whose layout must be recognised, as `extract` does."""

    def opened(
        folder: Path, capture: CaptureConfig | None = None, stride: int = 1, scan_id: str = ""
    ) -> RawScan:
        return open_scan(folder, scan_id or folder.name, stride, capture or CaptureConfig())

    return opened


def agreement(recording: Recording, i: int, j: int) -> tuple[int, int]:
    """Pixels that two frames share, and how many agree within 5 cm."""
    depths = [(recording.depth_mm[k] / 1000).astype(np.float32) for k in (i, j)]
    eye, T = recording.depth_camera, recording.T_world_cam
    return compare_depth(depths[0], depths[1], eye, eye, np.linalg.inv(T[j]) @ T[i])


@pytest.fixture(scope="session")
def usable_pairs(recording: Recording) -> list[tuple[int, int, int, int]]:
    """Adjacent frames with poses that share 500 pixels: i, j, pixels shared, pixels that agree."""
    pairs = [(k, k + 1) for k in range(FRAMES - 1) if LOST not in (k, k + 1)]
    measured = [(i, j, *agreement(recording, i, j)) for i, j in pairs]
    return [row for row in measured if row[2] >= 500]
