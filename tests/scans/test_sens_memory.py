"""A .sens of 10 GB in bounded memory: poses, frames at random, all of it streamed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg
from vantage.scans.sens import SensWriter
from vantage.scans.sens_format import FRAME

SIZE = 10_500_000_000
BLOB = 20_000_000  # of holes: the largest colour image that a header of this size may declare
COLOR, DEPTH = Pinhole(1296, 968, 1170.0, 1167.0, 646.0, 490.0), Pinhole(64, 48, 57.0, 57.0, 32.0, 24.0)

SCRIPT = """
import os, sys
from pathlib import Path
from vantage.scans.sens import SensReader
with SensReader(Path(sys.argv[1])) as sens:
    assert sens.file_bytes > 10_000_000_000
    last = len(sens) - 1
    assert sens.poses()[last, 0, 3] == last
    for k in (last, 0, last // 2):
        assert sens.frame(k).color_offset >= k * 20_000_000
        assert sens.depth(k)[0, 0] == k
    assert sens.color(last).shape == (968, 1296, 3)
    streamed = 0
    for frame in sens.frames():
        streamed += len(sens.color_blob(frame)) + len(sens.depth_blob(frame))
        os.posix_fadvise(sens._fd, frame.color_offset, frame.color_size, os.POSIX_FADV_DONTNEED)
    assert streamed > 10_000_000_000
# The peak of this program alone: getrusage would count what was resident in its parent before exec.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def write_sparse(path: Path) -> int:
    """Frames whose colour is a hole, and a last one with a picture; returns how many."""
    with SensWriter(path, COLOR, DEPTH, depth_compression="raw_ushort") as writer:
        start = writer._file.tell()
    count = SIZE // BLOB
    with path.open("r+b") as file:
        file.seek(start - 8)
        file.write((count + 1).to_bytes(8, "little"))
        picture = encode_jpeg(np.zeros((968, 1296, 3), np.uint8))
        for k in range(count + 1):
            pose = np.eye(4)
            pose[0, 3] = k
            color, depth = BLOB if k < count else len(picture), np.full((48, 64), k, "<u2").tobytes()
            file.write(FRAME.pack(*pose.ravel(), k, k, color, len(depth)))
            if k < count:
                file.seek(BLOB, 1)
            else:
                file.write(picture)
            file.write(depth)
    return count + 1


@pytest.mark.slow
def test_ten_gigabytes_in_under_300_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "huge.sens"
    assert write_sparse(path) > 500
    assert path.stat().st_blocks * 512 < 100_000_000, "the file system keeps no holes"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300_000, f"{int(done.stdout) / 1000:.0f} MB"
