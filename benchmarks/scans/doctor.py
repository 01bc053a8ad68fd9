"""How often `vantage doctor scan` is right on rooms that nobody looked at when its thresholds were chosen.

Every combination of pose direction, camera axes, depth scale and axis that is up (2 x 4 x 4 x 6 = 192), each
on a made room of another seed, stored under it and examined as if it were plain ScanNet; then poses with
noise. Counted: named rightly, left open, and named wrongly, with 95 % intervals (Wilson). A plain answer
that is wrong is an error; "cannot tell" is not.

    python benchmarks/scans/doctor.py [--every 4] [--seed 1000]
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vantage.core.progress import Silent
from vantage.evaluation.statistics import wilson
from vantage.geometry.transforms import compose
from vantage.scans.config import CaptureConfig
from vantage.scans.conventions import CAMERA_AXES, POSE_DIRECTIONS, UPS, Convention, level_rotation
from vantage.scans.diagnosis.examine import Claim, Examination, examine
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan, recording_of
from vantage.scans.layouts.base import Recording
from vantage.scans.layouts.writing import save_color, save_depth, save_intrinsics, save_matrix
from vantage.scans.source import convention_of, open_scan

sys.path.append(str(Path(__file__).parents[1]))

from small import sized

SCALES = (1000.0, 5000.0, 6553.5, 4000.0)
ROOMS = sized(12, 1)
#: Noise of poses, each axis: centimetres and degrees.
NOISE = sized(((0.0, 0.0), (1.0, 0.5), (3.0, 1.5), (10.0, 5.0), (30.0, 15.0), (60.0, 30.0)), ((0.0, 0.0),))
CONFIG = GeneratedConfig(
    rooms=ROOMS,
    frames_per_scan=sized(24, 12),
    depth_width=160,
    depth_height=120,
    color_width=256,
    color_height=192,
)


@dataclass(frozen=True)
class Room:
    """A recording whose poses are all known, in a world with z up and the floor at 0."""

    recording: Recording

    def stored(self, folder: Path, truth: Convention) -> Path:
        """The folder, in ScanNet's extracted layout, with poses and depth under `truth`, its up included."""
        up = level_rotation(truth.up or "z").T
        world = compose(up, np.array([0.3, -0.2, 0.5]))
        for k, T in enumerate(self.recording.T_world_cam):
            save_color(folder / "color" / f"{k}.jpg", self.recording.color[k])
            save_depth(folder / "depth" / f"{k}.png", self.recording.depth_mm[k], truth)
            save_matrix(folder / "pose" / f"{k}.txt", truth.stored(world @ T))
        for name in ("color", "depth"):
            camera = getattr(self.recording, f"{name}_camera")
            save_intrinsics(folder / "intrinsic" / f"intrinsic_{name}.txt", camera)
        return folder


def room(seed: int, number: int) -> Room:
    """A room of a seed of its own."""
    scan = generate_scan(f"room{number:04d}_00", seed + number, CONFIG)
    recording = recording_of(scan)
    seen = np.isfinite(recording.T_world_cam).all(axis=(1, 2))
    aligned = scan.T_aligned_raw @ recording.T_world_cam[seen]
    return Room(
        replace(
            recording,
            color=recording.color[seen],
            depth_mm=np.where(recording.depth_mm[seen] < 9900, recording.depth_mm[seen], 0),
            T_world_cam=aligned,
            timestamps_s=recording.timestamps_s[seen],
        )
    )


def examined(folder: Path) -> Examination:
    """As `vantage doctor scan` does it."""
    config = CaptureConfig()
    raw = open_scan(folder, "room", 1, config)
    return examine(folder, raw, Claim(convention_of(folder, raw, config), None), 12, (), Silent())


def judged(found: Examination, truth: Convention) -> str:
    """Whether the answer is right, left open or wrong."""
    best, gravity = found.poses.best, found.gravity
    right = (best.poses, best.camera_axes, best.depth_units_per_m) == (
        truth.poses,
        truth.camera_axes,
        truth.depth_units_per_m,
    ) and (gravity is not None and gravity.up == truth.up)
    told = found.poses.verdict in ("fits", "other") and found.poses.certainty in ("sure", "likely")
    if not told:
        return "left open"
    return "right" if right else "wrong"


def noisy(base: Room, cm: float, deg: float, random: np.random.Generator) -> Room:
    """Poses off by so much at random, independently from frame to frame."""
    T = base.recording.T_world_cam.copy()
    turn = Rotation.from_rotvec(np.radians(deg) * random.normal(size=(len(T), 3)) / np.sqrt(3)).as_matrix()
    T[:, :3, :3] = T[:, :3, :3] @ turn
    T[:, :3, 3] += random.normal(0.0, cm / 100, (len(T), 3)) / np.sqrt(3)
    return Room(replace(base.recording, T_world_cam=T))


def interval(count: int, n: int) -> str:
    """A count as a share with its interval."""
    score = wilson(count, n)
    return f"{count}/{n} = {count / n:.1%} [{score.low:.1f}, {score.high:.1f}]"


def conventions(rooms: list[Room], every: int) -> None:
    """Count the answers over every combination."""
    product = list(itertools.product(POSE_DIRECTIONS, CAMERA_AXES, SCALES, UPS))[::every]
    answers: Counter[str] = Counter()
    for k, (poses, axes, units, up) in enumerate(product):
        truth = Convention(poses, axes, units, up)
        with tempfile.TemporaryDirectory() as folder:
            found = examined(rooms[k % len(rooms)].stored(Path(folder), truth))
        answer = judged(found, truth)
        answers[answer] += 1
        if answer != "right":
            best, up_found = found.poses.best, found.gravity and found.gravity.up
            print(f"  {answer}: {truth} -> {best}, up {up_found}, {found.poses.verdict}")
    for answer in ("right", "left open", "wrong"):
        print(f"conventions, {answer:<10} {interval(answers[answer], len(product))}")


def pose_noise(rooms: list[Room]) -> None:
    """Count the verdicts at each noise."""
    random = np.random.default_rng(0)
    print("noise of poses: verdicts over the rooms; share of points within 5 cm at the best convention")
    for cm, deg in NOISE:
        verdicts: Counter[str] = Counter()
        shares = []
        for base in rooms:
            with tempfile.TemporaryDirectory() as folder:
                found = examined(noisy(base, cm, deg, random).stored(Path(folder), Convention(up="z")))
            verdicts[found.poses.verdict] += 1
            shares.append(found.poses.share)
        counts = ", ".join(f"{name} {count}" for name, count in sorted(verdicts.items()))
        print(f"  {cm:4.0f} cm {deg:4.1f} deg: {counts}; median {np.median(shares):.0%}")


def main() -> None:
    """Print the counts."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument(
        "--every", type=int, default=sized(8, 96), help="every so many combinations; 1 for all 192"
    )
    options.add_argument("--seed", type=int, default=1000)
    given = options.parse_args()
    started = time.perf_counter()
    rooms = [room(given.seed, number) for number in range(ROOMS)]
    conventions(rooms, given.every)
    pose_noise(rooms)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
