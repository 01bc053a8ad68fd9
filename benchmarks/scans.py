"""A `.sens` of ScanNet's sizes (1296x968 jpeg, 640x480 depth): its poses alone, and all of it as files.

Poses are set against decoding every frame on the way (colour and depth with Pillow and zlib, one thread) and
against reading the file through in pieces of 1 MB, all with the file in the page cache. The full export,
colour copied and depth as 16 bit PNG, is set against decoding every image and encoding it again with Pillow,
in as many processes; once with Pillow's defaults, once with its PNG level 1. The images are of a generated
room. Every ratio has a bound that is asserted, and depth pixels are compared.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from vantage.core.progress import Silent
from vantage.scans.codecs import encode_depth, encode_jpeg
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan
from vantage.scans.sens import SensReader, SensWriter
from vantage.scans.sens_export import export_files
from vantage.scans.sens_selection import Selection

VIEWS, FRAMES, POSE_FRAMES, CORES, ROUNDS = 12, 200, 5000, 2, 2
CONFIG = GeneratedConfig(
    frames_per_scan=VIEWS, color_width=1296, color_height=968, depth_width=640, depth_height=480
)


def write(path: Path, scan: GeneratedScan, frames: int) -> None:
    """The scan's views over and over, packed as ScanNet's recorder packs them."""
    colors = [encode_jpeg(image) for image in scan.color]
    depths = [encode_depth(image, 6) for image in scan.depth]
    with SensWriter(path, scan.color_camera, scan.depth_camera) as writer:
        for k in range(frames):
            writer.add_stored(colors[k % VIEWS], depths[k % VIEWS], scan.T_raw_cam[k % VIEWS], 33_333 * k)


def blobs(path: Path) -> list[tuple[int, int, int]]:
    """Where the images are, and their sizes, by the layout alone."""
    found = []
    with path.open("rb") as file:
        name = struct.unpack("<4xQ", file.read(12))[0]
        file.seek(12 + name + 284)
        count, at = struct.unpack("<Q", file.read(8))[0], 12 + name + 292
        for _ in range(count):
            file.seek(at + 80)
            color, depth = struct.unpack("<2Q", file.read(16))
            found.append((at + 96, color, depth))
            at += 96 + color + depth
    return found


def straightforward(place: tuple[int, int, int], path: Path, out: Path | None, level: int | None) -> None:
    """Decode colour and depth of a frame with Pillow and zlib; encode both again into `out`, if given."""
    at, n_color, n_depth = place
    with path.open("rb") as file:
        file.seek(at)
        color, depth = file.read(n_color), file.read(n_depth)
    rgb = np.asarray(Image.open(io.BytesIO(color)))
    z = np.frombuffer(zlib.decompress(depth), np.uint16).reshape(480, 640)
    if out is not None:
        Image.fromarray(rgb).save(out / f"{at}.jpg")
        Image.fromarray(z).save(out / f"{at}.png", **({} if level is None else {"compress_level": level}))


def read_through(path: Path) -> None:
    """Every byte, in pieces."""
    piece = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(piece):
            pass


def read_poses(path: Path) -> None:
    """What is measured: header and records."""
    with SensReader(path) as sens:
        sens.poses()


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The best of a few runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def compare_poses(path: Path) -> None:
    """Print and assert what reading poses alone saves."""
    places = blobs(path)
    read_through(path)  # into the page cache
    poses, through = seconds(lambda: read_poses(path), 7), seconds(lambda: read_through(path))
    some = places[:: max(1, len(places) // 200)]  # decoding takes long and is the same work for every frame
    decoding = seconds(lambda: [straightforward(place, path, None, None) for place in some], 1)
    decoding *= len(places) / len(some)
    print(
        f"poses of {len(places)} frames, {path.stat().st_size / 1e9:.1f} GB: {poses * 1e3:.1f} ms; decoding "
        f"every frame {decoding:.0f} s, {decoding / poses:.0f} times; reading through {through:.2f} s, "
        f"{through / poses:.0f} times"
    )
    assert decoding >= 500 * poses and through >= 10 * poses


def export(path: Path, out: Path) -> None:
    """What is measured: every frame into files."""
    with SensReader(path) as sens:
        report = export_files(sens, out, Selection(workers=CORES), Silent())
    assert report.written == 3 * FRAMES and not report.bad


def encode_again(path: Path, out: Path, *, level: int | None) -> None:
    """The straightforward way over the file, in as many processes; poses as NumPy writes them."""
    out.mkdir()
    with get_context("fork").Pool(CORES) as pool:
        pool.map(partial(straightforward, path=path, out=out, level=level), blobs(path))
    with SensReader(path) as sens:
        for k, pose in enumerate(sens.poses()):
            np.savetxt(out / f"{k}.txt", pose, fmt="%.6f")


def compare_exports(path: Path, folder: Path, scan: GeneratedScan) -> None:
    """Print and assert what copying colour and packing depth faster saves; the best of rounds, in turns."""
    ways: dict[str, Callable[[Path], None]] = {
        "ours": partial(export, path),
        "defaults": partial(encode_again, path, level=None),
        "PNG level 1": partial(encode_again, path, level=1),
    }
    best, size = dict.fromkeys(ways, float("inf")), dict.fromkeys(ways, 0)
    read_through(path)
    for _ in range(ROUNDS):
        for name, work in ways.items():
            out = folder / name
            best[name] = min(best[name], seconds(partial(work, out), 1))
            size[name] = sum(p.stat().st_size for p in out.rglob("*.png"))
            if name == "ours":
                check_depth(out / "depth", scan)
            shutil.rmtree(out)
    for name, least in (("defaults", 5), ("PNG level 1", 2)):
        ratio = best[name] / best["ours"]
        print(
            f"full export: {FRAMES / best['ours']:.0f} frames/s; Pillow's {name} in {CORES} processes "
            f"{FRAMES / best[name]:.0f} frames/s: {ratio:.1f} times as fast, PNG "
            f"{size['ours'] / size[name]:.2f} of its size, pixels identical"
        )
        assert ratio >= least


def check_depth(folder: Path, scan: GeneratedScan) -> None:
    """Every pixel is the recorded one."""
    for k in range(FRAMES):
        with Image.open(folder / f"{k}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), scan.depth[k % VIEWS])


def main() -> None:
    """Make the files, compare, remove them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where 3 GB of files may lie for the while")
    folder = Path(tempfile.mkdtemp(prefix="vantage-scans-", dir=parser.parse_args().folder))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    try:
        scan = generate_scan("room0000_00", 0, CONFIG)
        write(folder / "poses.sens", scan, POSE_FRAMES)
        compare_poses(folder / "poses.sens")
        (folder / "poses.sens").unlink()
        write(folder / "export.sens", scan, FRAMES)
        compare_exports(folder / "export.sens", folder, scan)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
