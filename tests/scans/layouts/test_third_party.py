"""A layout that another package adds through the entry-point group `vantage.scan_layouts`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Recording
from vantage.scans.layouts.writing import save_color, save_depth

MODULE = '''
import re

import numpy as np

from vantage.geometry.camera import Pinhole
from vantage.scans.conventions import Convention
from vantage.scans.layouts.parts import camera, frame, image_shape, numbered, registered, scan, under

IMAGES = {"color": re.compile(r"c_(\\d+)\\.png"), "depth": re.compile(r"d_(\\d+)\\.png")}


class TripodLayout:
    """A camera that does not move."""

    name = "tripod"
    example = "c_0.png, d_0.png"
    convention = Convention(depth_units_per_m=500.0)

    def recognises(self, folder):
        return (folder / "c_0.png").is_file()

    def files(self, folder, scan_id):
        return under(folder, [path for part in numbered(folder, IMAGES).values() for path in part.values()])

    def read(self, folder, scan_id, reading):
        images = numbered(folder, IMAGES)
        ids = sorted(images["color"])
        frames = []
        for k in ids[:: reading.stride]:
            both = {part: files.get(k) for part, files in images.items()}
            frames.append(frame(folder, k, both, np.eye(4), reading.convention))
        stated = Pinhole(80, 60, 70.0, 70.0, 39.5, 29.5)
        color = camera(image_shape("color", images["color"].values()), stated, reading.color_intrinsics)
        depth = image_shape("depth", images["depth"].values())
        return scan(self.name, reading, registered(color, depth, reading), frames, len(ids))


LAYOUT = TripodLayout()
'''

CHECK = """
import sys
from pathlib import Path

from vantage.scans.config import CaptureConfig, FolderConfig
from vantage.scans.layout import scan_files, scan_folders
from vantage.scans.layouts import LAYOUTS
from vantage.scans.layouts.base import Layout
from vantage.scans.source import open_scan

folder = Path(sys.argv[1])
assert isinstance(LAYOUTS.get("tripod"), Layout)
assert list(scan_folders(FolderConfig(path=str(folder.parent)))) == [folder.name]
scan = open_scan(folder, folder.name, 2, CaptureConfig())
print(*scan_files(folder, folder.name), scan.layout, scan.recorded, len(scan.frames), 1 / scan.depth_unit_m)
"""


def test_a_layout_of_another_package_is_found_and_read(tmp_path: Path, short: Recording) -> None:
    """As an installed package: a module, and metadata with the entry point beside it."""
    site, folder = tmp_path / "site", tmp_path / "scans" / "hall"
    info = site / "tripod-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "tripod_layout.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tripod\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vantage.scan_layouts]\ntripod = tripod_layout:LAYOUT\n")
    for k in range(3):
        save_color(folder / f"c_{k}.png", short.color[k])
        save_depth(folder / f"d_{k}.png", short.depth_mm[k], Convention(depth_units_per_m=500.0))
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "c_0.png",
        "c_1.png",
        "c_2.png",
        "d_0.png",
        "d_1.png",
        "d_2.png",
        "tripod",
        "3",
        "2",
        "500.0",
    ]
