"""What is fuzzed: readers that may raise ScanError at any bytes, nothing else; and seeds to start from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import targets_annotations

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg, encode_png
from vantage.scans.sens import SensReader, SensWriter

FRAMES_READ = 3


@dataclass(frozen=True)
class Target:
    """A reader under test, and inputs that it accepts."""

    read: Callable[[bytes], object]
    seeds: list[bytes]


@contextmanager
def as_file(data: bytes, name: str = "scan.bin") -> Iterator[Path]:
    """The bytes as a file that never touches the disk; its name in `/proc` ends as the system likes."""
    handle = os.memfd_create(name)
    try:
        os.write(handle, data)
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def read_sens(data: bytes) -> None:
    """Header, poses, and the images of the first frames; a cut file once more, for what is left of it."""
    with as_file(data) as path:
        for salvage in (False, True):
            try:
                with SensReader(path, salvage) as sens:
                    for frame in sens.frames()[:FRAMES_READ]:
                        sens.color(frame.index)
                        sens.depth(frame.index)
            except ScanError:
                continue


def sens_seeds() -> list[bytes]:
    """A small file of every packing, and an empty one."""
    color, depth = Pinhole(8, 6, 7.0, 7.0, 3.5, 2.5), Pinhole(6, 4, 5.0, 5.0, 2.5, 1.5)
    rgb = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(6, 8, 3)
    z = np.arange(24, dtype=np.uint16).reshape(4, 6) * 100
    packed = {"jpeg": encode_jpeg(rgb), "png": encode_png(rgb), "raw": rgb.tobytes()}
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, image in packed.items():
            for packing in ("zlib_ushort", "raw_ushort"):
                for frames in (0, 2):
                    path = Path(folder) / f"{kind}{packing}{frames}.sens"
                    with SensWriter(
                        path, color, depth, color_compression=kind, depth_compression=packing
                    ) as writer:
                        for k in range(frames):
                            writer.add(image, z, np.eye(4) if k else np.full((4, 4), -np.inf))
                    seeds.append(path.read_bytes())
    return seeds


TARGETS: dict[str, Target] = {
    "sens": Target(read_sens, sens_seeds()),
    **{name: Target(read, seeds) for name, (read, seeds) in targets_annotations.TARGETS.items()},
}
