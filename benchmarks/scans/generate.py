"""A generated scan at sensor size: 120 frames, colour and depth 640x480, made and written; at most 30 s.

The straightforward way casts the same rays for colour and depth a frame at a time, with Open3D's own pinhole
rays on all threads, and does no shading, no noise and no writing: what remains beside it is what those cost.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import open3d as o3d

from vantage.geometry.transforms import invert
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.path import camera_path
from vantage.scans.generated.render import Scene
from vantage.scans.generated.scan import color_camera, depth_camera, generate_scan, write_scan

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

FRAMES = sized(120, 3)
BOUND_S = 30.0
SCAN = "room0001_00"


def rays_alone(config: GeneratedConfig) -> float:
    """Seconds of casting every ray once, without shading."""
    room = sample_room(0, "room0001", smallest=config.smallest_side, largest=config.largest_side)
    triangles = Scene(room, 0).triangles
    caster = o3d.t.geometry.RaycastingScene()
    caster.add_triangles(
        o3d.core.Tensor(triangles.vertices.astype(np.float32)),
        o3d.core.Tensor(triangles.faces.astype(np.uint32)),
    )
    started = time.perf_counter()
    for T_world_cam in camera_path(room, 0, SCAN, FRAMES):
        for eye in (color_camera(config), depth_camera(config)):
            rays = o3d.t.geometry.RaycastingScene.create_rays_pinhole(
                o3d.core.Tensor(eye.matrix()), o3d.core.Tensor(invert(T_world_cam)), eye.width, eye.height
            )
            caster.cast_rays(rays)
    return time.perf_counter() - started


def main() -> None:
    """Print seconds and the share that bare ray casting takes; fail over the bound."""
    sizes = {"color_width": 640, "color_height": 480, "depth_width": 640, "depth_height": 480}
    generate_scan(SCAN, 0, GeneratedConfig(frames_per_scan=2, **sizes))  # compiles the kernels
    config = GeneratedConfig(frames_per_scan=FRAMES, **sizes)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_scan(generate_scan(SCAN, 0, config), Path(folder))
    seconds = time.perf_counter() - started
    bare = rays_alone(config)
    print(f"room of {FRAMES} frames at 640x480: {seconds:.1f} s on one core, bound {BOUND_S:.0f} s")
    print(f"casting its rays alone on every core: {bare:.1f} s, {seconds / bare:.1f} times less")
    require(seconds <= BOUND_S, "over the bound")


if __name__ == "__main__":
    main()
