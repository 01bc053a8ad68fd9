"""Patch points from depth images, from the scan's points and from its mesh, side by side.

Generated rooms are measured against rays at their mesh; a real folder (first argument, any layout), which has
no mesh, against its own depth images, with points and mesh fused from them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, invert
from vantage.geometry.warp import squash
from vantage.lift.cloud import CloudDepth
from vantage.lift.mesh import MeshDepth
from vantage.lift.patches import PatchPoints, patch_coordinates
from vantage.scans.codecs import decode_depth
from vantage.scans.config import CaptureConfig, FusionConfig
from vantage.scans.fusion import fuse, thinned
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan
from vantage.scans.pixels import metres, read_bytes
from vantage.scans.source import open_scan

sys.path.append(str(Path(__file__).parents[1]))

from small import sized

SIDE = 27
FRAMES = sized(GeneratedConfig().frames_per_scan, 3)
Image = tuple[np.ndarray, Pinhole]


@dataclass
class Rows:
    """Patches by source, the poses they were seen from, and seconds a frame."""

    patches: dict[str, list[PatchPoints]] = field(default_factory=dict)
    poses: list[np.ndarray] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, sources: dict[str, Callable[[], Image]], T: np.ndarray, color: Pinhole) -> None:
        """One frame's patches by each source."""
        self.poses.append(T)
        for name, source in sources.items():
            started = time.perf_counter()
            depth, camera = source()
            found = patch_coordinates(
                depth, camera, T, color, squash(color.width, color.height, SIDE, 1), 0.1
            )
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
            self.patches.setdefault(name, []).append(found)

    def stacked(self, name: str, what: str) -> np.ndarray:
        """A field of all frames' patches."""
        return np.stack([getattr(one, what) for one in self.patches[name]])

    def depth(self, name: str) -> np.ndarray:
        """Depth (m) of each patch's point in its camera."""
        return np.stack(
            [
                apply(invert(T), one.xyz_world)[..., 2]
                for T, one in zip(self.poses, self.patches[name], strict=True)
            ]
        )

    def line(self, name: str, other: str) -> str:
        """What one source has in common with another."""
        both = self.stacked(name, "valid") & self.stacked(other, "valid")
        apart = np.linalg.norm(
            (self.stacked(name, "xyz_world") - self.stacked(other, "xyz_world"))[both], axis=1
        )
        deep = np.abs(self.depth(name) - self.depth(other))[both]
        valid, ms = self.stacked(name, "valid").mean(), 1000 * self.seconds[name] / len(self.poses)
        return (
            f"  {name:<6} valid {valid:.3f}  {ms:4.0f} ms  from {other}: "
            f"apart {_spread(apart)}; depth {_spread(deep)}"
        )


def _spread(off: np.ndarray) -> str:
    median, high = 1000 * np.percentile(off, [50, 95])
    return f"{median:4.1f} mm, 95 % {high:4.0f} mm, within 5 cm {np.mean(off < 0.05):.3f}"


def room(edge: float) -> None:
    """Three rooms whose meshes have edges of `edge` metres."""
    rows = Rows()
    for number in range(sized(3, 1)):
        scan = generate_scan(
            f"room{number:04d}_00", 0, GeneratedConfig(mesh_edge=edge, frames_per_scan=FRAMES)
        )
        color, eye = scan.color_camera, scan.depth_camera
        made = color.resized(eye.width, round(eye.width * color.height / color.width))
        cloud, mesh = CloudDepth(scan.mesh.vertices), MeshDepth(scan.mesh.vertices, scan.mesh.faces)
        cloud.image(np.eye(4), made)  # compiles
        for depth, T in zip(scan.depth, scan.T_raw_cam, strict=True):
            if np.isfinite(T).all():
                sources: dict[str, Callable[[], Image]] = {
                    "mesh": lambda mesh=mesh, T=T, made=made: (mesh.image(T, made), made),
                    "cloud": lambda cloud=cloud, T=T, made=made: (cloud.image(T, made), made),
                    "depth": lambda depth=depth, eye=eye: ((depth / 1000).astype(np.float32), eye),
                }
                rows.add(sources, T, color)
    print(f"three generated rooms, mesh of {100 * edge:.0f} cm, {len(rows.poses)} frames, {SIDE}x{SIDE}")
    for name in ("mesh", "cloud", "depth"):
        print(rows.line(name, "mesh"))
    print(rows.line("cloud", "depth"))
    assert rows.stacked("cloud", "valid").mean() > 0.97


def real(folder: Path) -> None:
    """A posed folder without a mesh: points and mesh of its fused depth."""
    scan = open_scan(folder, folder.name, 1, CaptureConfig())
    images = []
    for frame in scan.frames:
        stored = decode_depth(read_bytes(folder, frame.depth), frame.depth.encoding, None, folder.name)
        images.append((metres(stored, scan.depth_unit_m), scan.depth, frame.T_raw_cam))
    started = time.perf_counter()
    surface = fuse(lambda: images, FusionConfig())
    seconds = time.perf_counter() - started
    points = thinned(surface.vertices, FusionConfig().max_points, surface.voxel_m)
    cloud, mesh = CloudDepth(points), MeshDepth(surface.vertices, surface.faces)
    made = scan.color.resized(scan.depth.width, scan.depth.height)
    cloud.image(np.eye(4), made)
    rows = Rows()
    for depth, eye, T in images:
        sources: dict[str, Callable[[], Image]] = {
            "depth": lambda depth=depth, eye=eye: (depth, eye),
            "cloud": lambda T=T: (cloud.image(T, made), made),
            "mesh": lambda T=T: (mesh.image(T, made), made),
        }
        rows.add(sources, T, scan.color)
    print(
        f"{folder.name}, {len(images)} frames fused in {seconds:.1f} s, {len(points)} points, {SIDE}x{SIDE}"
    )
    for name in ("depth", "cloud", "mesh"):
        print(rows.line(name, "depth"))
    print(rows.line("cloud", "mesh"))


def main() -> None:
    """Print both comparisons."""
    for edge in sized((0.06, 0.02), (0.06,)):
        room(edge)
    for argument in sys.argv[1:]:
        real(Path(argument))


if __name__ == "__main__":
    main()
