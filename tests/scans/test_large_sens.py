"""A `.sens` of more than ten gigabytes in bounded memory: a sparse file of black images without depth."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vantage.geometry.camera import Pinhole
from vantage.scans.sens import SensReader, SensWriter
from vantage.scans.sens_format import FRAME, pack_header

COLOR = Pinhole(2048, 1536, 1800.0, 1800.0, 1023.5, 767.5)
DEPTH = Pinhole(640, 480, 580.0, 580.0, 319.5, 239.5)
FRAMES = 1100
LIMIT_MB = 300

READS = """
import os, sys
from pathlib import Path
from vantage.core.progress import Silent
from vantage.scans.export import Selection, export_files, export_packed
from vantage.scans.sens import SensReader

with SensReader(Path(sys.argv[1])) as sens:
    assert len(sens.poses()) == len(sens.frames()) == len(sens)
    for index in (0, len(sens) // 2, len(sens) - 1):
        assert not sens.color(index).any() and not sens.depth(index).any()
    export_files(sens, Path(sys.argv[2]) / "files", Selection(stride=40, color_size=(64, 48)), Silent())
    export_packed(sens, Path(sys.argv[2]) / "few.sens", Selection(stride=100), Silent())
    for frame in sens.frames():
        assert len(sens.blob(frame.color_offset, frame.color_size + frame.depth_size)) > 9_000_000
        os.posix_fadvise(sens._fd, frame.color_offset, frame.color_size, os.POSIX_FADV_DONTNEED)
# Not ru_maxrss: that counts the parent before exec, too.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.sens"
    packing = {"color_compression": "raw", "depth_compression": "raw_ushort"}
    with SensWriter(path, COLOR, DEPTH, **packing):  # type: ignore[arg-type]
        pass
    with SensReader(path) as sens:
        head = sens.header
    sizes = 3 * COLOR.width * COLOR.height, 2 * DEPTH.width * DEPTH.height
    with path.open("wb") as file:
        file.write(pack_header(head)[:-8] + FRAMES.to_bytes(8, "little"))
        for k in range(FRAMES):
            file.write(FRAME.pack(*np.eye(4).ravel().tolist(), k, k, *sizes))
            file.seek(sum(sizes), 1)
        file.truncate(file.tell())
    return path


def test_ten_gigabytes_in_bounded_memory(large: Path, tmp_path: Path) -> None:
    assert large.stat().st_size > 10 << 30
    command = [sys.executable, "-c", READS, str(large), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT_MB, done.stdout
