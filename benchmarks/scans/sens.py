"""A `.sens` of sensor size: poses alone, and every frame as files.

Poses: against decoding every frame on the way (colour and depth, one thread), and reading the file through.
Files: against decoding colour and depth and encoding them again with Pillow, in as many processes, at its
defaults and with PNG at level 1. The file lies in the page cache for all of them. Depth pixels are identical.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from vantage.core.progress import Silent
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg
from vantage.scans.export import Selection, export_files
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan
from vantage.scans.sens import SensReader, SensWriter

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

COLOR = Pinhole(1296, 968, 1169.6, 1167.1, 646.3, 489.9)
DEPTH = Pinhole(640, 480, 577.6, 577.6, 318.9, 242.7)
FRAMES, VIEWS, WORKERS = sized(2000, 40), sized(24, 2), 2
FILES = sized(200, 4)
BOUNDS = {"decoding every frame": 500, "reading the file through": 10, "Pillow": 5, "Pillow, PNG level 1": 2}


def make(path: Path) -> None:
    """A recording of a generated room; views repeat, as bytes only their sizes matter."""
    config = GeneratedConfig(
        frames_per_scan=VIEWS, color_width=1296, color_height=968, depth_width=640, depth_height=480
    )
    scan = generate_scan("room0001_00", 0, config)
    packed = [encode_jpeg(image) for image in scan.color]
    with SensWriter(path, COLOR, DEPTH) as writer:
        for k in range(FRAMES):
            writer.add(packed[k % VIEWS], scan.depth[k % VIEWS], np.eye(4), 33_333 * k)


def poses(path: Path) -> None:
    """Every pose, by ours."""
    with SensReader(path) as sens:
        sens.poses()


def decode(path: Path, frames: range) -> None:
    """Colour and depth of some frames."""
    with SensReader(path) as sens:
        for k in frames:
            sens.color(k)
            sens.depth(k)


def read_through(path: Path) -> None:
    """The whole file, a megabyte at a time."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def reencode(path: Path, out: Path, level: int | None, frames: range) -> None:
    """Colour decoded and saved as JPEG, depth inflated and saved as PNG, by Pillow."""
    options = {} if level is None else {"compress_level": level}
    with SensReader(path) as sens:
        for k in frames:
            frame = sens.frame(k)
            jpeg = sens.blob(frame.color_offset, frame.color_size)
            Image.open(io.BytesIO(jpeg)).convert("RGB").save(out / "color" / f"{k}.jpg")
            Image.fromarray(sens.depth(k)).save(out / "depth" / f"{k}.png", **options)
            np.savetxt(out / "pose" / f"{k}.txt", frame.T_raw_cam)


def by_pillow(path: Path, out: Path, level: int | None) -> None:
    """All frames, in as many processes."""
    for part in ("color", "depth", "pose"):
        (out / part).mkdir(parents=True)
    chunks = [range(k, FILES, WORKERS) for k in range(WORKERS)]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        list(pool.map(partial(reencode, path, out, level), chunks))


def by_export(path: Path, out: Path) -> None:
    """All frames, by ours."""
    with SensReader(path) as sens:
        export_files(sens, out, Selection(last=FILES), Silent(), WORKERS)


def timed(work: Callable[[], None], times: int = 1) -> float:
    """The least seconds of some tries."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def same_depth(a: Path, b: Path) -> None:
    """Identical pixels in every PNG."""
    for k in range(FILES):
        with Image.open(a / "depth" / f"{k}.png") as one, Image.open(b / "depth" / f"{k}.png") as other:
            assert np.array_equal(np.asarray(one), np.asarray(other)), k


def main() -> None:
    """Print times and ratios; fail when a bound is missed."""
    root = Path(tempfile.mkdtemp(prefix="vantage-sens-"))
    try:
        ratios = measure(root)
    finally:
        shutil.rmtree(root)
    missed = [name for name, ratio in ratios.items() if ratio < BOUNDS[name]]
    require(not missed, f"under the bound: {', '.join(missed)}")


def measure(root: Path) -> dict[str, float]:
    """Times of both ways, as ratios."""
    path = root / "s.sens"
    make(path)
    print(f"{FRAMES} frames, {path.stat().st_size / 1e6:.0f} MB, 1296x968 JPEG and 640x480 depth")
    read_through(path)
    ours = timed(partial(poses, path), 5)
    part = range(0, FRAMES, 20)
    ratios = {
        "decoding every frame": timed(partial(decode, path, part)) * 20 / ours,
        "reading the file through": timed(partial(read_through, path), 3) / ours,
    }
    print(f"poses alone: {1e3 * ours:.1f} ms")
    exported = timed(partial(by_export, path, root / "ours"))
    for name, level in (("Pillow", None), ("Pillow, PNG level 1", 1)):
        out = root / f"level{level}"
        ratios[name] = timed(partial(by_pillow, path, out, level)) / exported
        same_depth(root / "ours", out)
    print(f"{FILES} frames as files: {exported:.2f} s, {FILES / exported:.0f} frames/s")
    for name, ratio in ratios.items():
        print(f"  {name:26} takes {ratio:7.1f} times as long, bound {BOUNDS[name]}")
    return ratios


if __name__ == "__main__":
    main()
