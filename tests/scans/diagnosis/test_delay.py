"""Poses stamped too early or too late are found where the motion shows it, with the sign of the parameter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from turned import CONFIG, EYE, PLAIN, Recording, noisy, recorded

from vantage.core.progress import Silent
from vantage.scans.conventions import Convention
from vantage.scans.diagnosis.delay import Track
from vantage.scans.diagnosis.examine import Claim, Examination, examine
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.path import camera_path
from vantage.scans.generated.render import Scene

STEP_S = 0.1


@pytest.fixture(scope="module")
def dense(scene: Scene) -> Recording:
    """Ten frames a second along the generator's own path."""
    room = sample_room(0, "room0002", smallest=CONFIG.smallest_side, largest=CONFIG.largest_side)
    poses = camera_path(room, 0, "room0002_00", 90)
    return replace(recorded(scene, poses, EYE, CONFIG.noise), step_s=STEP_S)


def stamped(recording: Recording, early_s: float) -> Recording:
    """Each image with the pose of `early_s` later: the stamps of poses lie that much before the truth."""
    times = np.arange(len(recording.T_world_cam)) * recording.step_s
    track = Track(times, recording.T_world_cam)
    late = np.clip(times + early_s, times[0], times[-1])
    return replace(recording, T_world_cam=np.array([track.pose(t) for t in late]))


def examined(recording: Recording, folder: Path, truth: Convention = PLAIN) -> Examination:
    return examine(folder, recording.write(folder, truth), Claim(PLAIN, None), 8, (), Silent())


@pytest.mark.parametrize("early_s", [0.1, -0.2, 0.3])
def test_an_offset_is_measured(dense: Recording, tmp_path: Path, early_s: float) -> None:
    found = examined(stamped(dense, early_s), tmp_path)
    assert found.delay.seen
    # The time of a pose is its stamp plus the delay: poses stamped early need a positive one.
    assert found.settings["pose_delay_s"] == pytest.approx(early_s, abs=0.02)
    assert found.delay.share > found.delay.share_without + 0.05
    assert found.poses.verdict in ("fits", "other") and not found.healthy


def test_an_offset_on_top_of_another_convention(dense: Recording, tmp_path: Path) -> None:
    found = examined(stamped(dense, 0.1), tmp_path, Convention("world_to_camera", "opengl", 5000.0))
    assert found.settings["pose_delay_s"] == pytest.approx(0.1, abs=0.02)
    assert (found.settings["poses"], found.settings["camera_axes"]) == ("world_to_camera", "opengl")
    assert found.settings["depth_units_per_m"] == 5000.0


def test_no_offset_is_seen_as_none(dense: Recording, tmp_path: Path) -> None:
    delay = examined(dense, tmp_path).delay
    assert delay.seen and delay.delay_s == 0


@pytest.mark.parametrize(("cm", "deg"), [(3.0, 1.5), (8.0, 4.0)])
def test_noise_is_no_offset(dense: Recording, tmp_path: Path, cm: float, deg: float) -> None:
    assert examined(noisy(dense, cm, deg), tmp_path).delay.delay_s == 0


def test_what_cannot_be_seen_is_said(dense: Recording, tmp_path: Path) -> None:
    assert "time stamps" in examined(replace(dense, step_s=0.0), tmp_path).delay.why_not
    slow = examined(replace(dense, step_s=30.0).only(slice(0, 3)), tmp_path).delay
    assert not slow.seen and slow.why_not
    steady = replace(dense, step_s=0.001)  # within half a second the camera is everywhere
    assert not examined(steady, tmp_path).delay.seen


def test_a_track_passes_through_its_poses(dense: Recording) -> None:
    times = np.arange(len(dense.T_world_cam)) * STEP_S
    track = Track(times, dense.T_world_cam)
    np.testing.assert_allclose(track.pose(times[7]), dense.T_world_cam[7], atol=1e-12)
    half = track.pose((times[7] + times[8]) / 2)
    a, b = dense.T_world_cam[7], dense.T_world_cam[8]
    np.testing.assert_allclose(half[:3, 3], (a[:3, 3] + b[:3, 3]) / 2, atol=1e-12)
    turns = [Rotation.from_matrix(T[:3, :3]) for T in (a, half, b)]
    np.testing.assert_allclose(
        (turns[0].inv() * turns[1]).as_rotvec(), (turns[1].inv() * turns[2]).as_rotvec(), atol=1e-9
    )
