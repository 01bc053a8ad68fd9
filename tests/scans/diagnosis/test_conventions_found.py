"""The right convention is named on every variant of a made room and of the two real sequences."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from turned import PLAIN, Recording

from vantage.geometry.transforms import compose
from vantage.scans.conventions import CAMERA_AXES, POSE_DIRECTIONS, Convention
from vantage.scans.diagnosis.examine import pose_settings
from vantage.scans.diagnosis.verdict import PoseFinding

VARIANTS = list(itertools.product(POSE_DIRECTIONS, CAMERA_AXES))


def require(found: PoseFinding, truth: Convention, known: bool = True) -> None:
    """`truth` is named, surely enough, and the parameters to set lead there and nowhere else."""
    best = found.best
    assert (best.poses, best.camera_axes) == (truth.poses, truth.camera_axes)
    assert best.depth_units_per_m == pytest.approx(truth.depth_units_per_m, rel=1e-9 if known else 0.04)
    assert found.verdict == ("fits" if truth == PLAIN else "other")
    assert found.certainty in ("sure", "likely") and not found.alike
    assert found.share > 0.9 and not found.outliers
    assert replace(PLAIN, **pose_settings(found)) == replace(
        truth, depth_units_per_m=float(f"{best.depth_units_per_m:.5g}")
    )


@pytest.mark.parametrize(("poses", "axes"), VARIANTS)
def test_on_a_made_room(room: Recording, tmp_path: Path, poses: str, axes: str) -> None:
    for units in (1000.0, 5000.0, 6553.5, 1300.0):
        truth = Convention(poses, axes, units)  # type: ignore[arg-type]
        found = room.judged(tmp_path, truth)
        require(found, truth, known=units != 1300.0)
        assert found.certainty == "sure"


@pytest.mark.parametrize("units", [4000.0, 10000.0, 256.0, 1.0])
def test_every_scale_in_use(room: Recording, tmp_path: Path, units: float) -> None:
    # Depth kept in millimetres, poses in millimetres as well: 1 unit a "metre".
    scaled = room.T_world_cam.copy()
    if units == 1.0:
        scaled[:, :3, 3] *= 1000
        found = replace(room, T_world_cam=scaled).judged(tmp_path, PLAIN)
        assert found.best == replace(PLAIN, depth_units_per_m=1.0) and found.verdict == "other"
        return
    require(room.judged(tmp_path, Convention(depth_units_per_m=units)), Convention(depth_units_per_m=units))


@pytest.mark.parametrize(("poses", "axes"), VARIANTS)
@pytest.mark.parametrize("name", ["real_office", "real_redwood"])
def test_on_a_real_sequence(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, poses: str, axes: str
) -> None:
    recording: Recording = request.getfixturevalue(name)
    # Each variant with a scale of its own: the real ones, all named.
    units = dict(zip(VARIANTS, (1000.0, 5000.0, 6553.5, 4000.0) * 2, strict=True))[poses, axes]  # type: ignore[index]
    truth = Convention(poses, axes, units)  # type: ignore[arg-type]
    require(recording.judged(tmp_path, truth), truth)


def test_a_claim_of_another_convention_is_corrected(room: Recording, tmp_path: Path) -> None:
    """What counts is the stored matrix, whatever it was read as."""
    claimed = Convention("world_to_camera", "opengl", 5000.0)
    scan = room.write(tmp_path, PLAIN)
    read_as = replace(
        scan,
        depth_unit_m=1 / 5000,
        frames=[replace(f, T_raw_cam=claimed.T_world_cam(f.T_raw_cam)) for f in scan.frames],
    )
    from vantage.scans.diagnosis.examine import read_pairs
    from vantage.scans.diagnosis.verdict import judge_poses
    from vantage.scans.diagnosis.views import Views, usable

    pairs = read_pairs(usable(read_as), Views(tmp_path, read_as, 700), claimed, 5, ())
    found = judge_poses(pairs, claimed, thorough=False)
    assert found.verdict == "other" and found.best == PLAIN
    assert pose_settings(found) == {
        "poses": "camera_to_world",
        "camera_axes": "opencv",
        "depth_units_per_m": 1000.0,
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_another_world_changes_no_verdict(room: Recording, tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    R = np.linalg.qr(random.normal(size=(3, 3)))[0]
    W = compose(R * np.linalg.det(R), random.uniform(-4, 4, 3))
    for truth in (PLAIN, Convention("world_to_camera", "left_up", 5000.0)):
        require(room.moved(W).judged(tmp_path, truth), truth)
