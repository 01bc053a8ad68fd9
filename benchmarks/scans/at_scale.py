"""A whole ScanNet in the index: 1513 scans of stand-in files through the real `download` and `extract`.

Every scan is a raw ScanNet folder (`.sens` of two small frames, mesh, segments, aggregation, text), each with
content of its own. Measured is what a person waits for when nothing has changed: `vantage ls`, `vantage run`,
`dvc repro`, and `dvc status` over the files of all scan stages. The time to process them is told only.

    python benchmarks/scans/at_scale.py [--scans 1513] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg
from vantage.scans.scannet import (
    AGGREGATION,
    MESH,
    SEGMENTS,
    SENS,
    TXT,
    Group,
    Mesh,
    write_aggregation,
    write_ply,
    write_scan_txt,
    write_segments,
)
from vantage.scans.sens import SensWriter

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

REPOSITORY = Path(__file__).resolve().parents[2]
CAMERA = Pinhole(64, 48, 58.0, 58.0, 31.5, 23.5)
BOUNDS_S = {"vantage ls": 10.0, "vantage run extract": 10.0, "dvc repro extract": 10.0, "dvc status": 15.0}
#: Files of a scan in the outputs of the later stages, stood in for: lift, recover, synthesize.
LATER = {
    "lift": ("patches.npz", "views.json"),
    "recover": ("visibility.npz",),
    "questions": ("questions.parquet",),
}


def main() -> None:
    """Make the scans, process them once, and time what finds nothing to do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=sized(1513, 2))
    parser.add_argument("--keep", type=Path, help="work here and leave it")
    arguments = parser.parse_args()
    root = arguments.keep or Path(tempfile.mkdtemp(prefix="vantage-scale-"))
    try:
        measure(root, arguments.scans)
    finally:
        if arguments.keep is None:
            shutil.rmtree(root, ignore_errors=True)


def measure(root: Path, scans: int) -> None:
    """Print seconds of every step; fail when a bound is missed."""
    captures = root / "captures"
    for k in range(scans):
        write_scan(captures / f"scene{k // 3:04d}_{k % 3:02d}", k)
    workspace = make_workspace(root / "workspace", captures)
    print(f"{scans} scans; processing them: {timed(workspace, 'dvc', 'repro', 'extract'):.0f} s")
    stand_in(workspace)
    timed(workspace, "dvc", "status")  # DVC hashes once what it has not seen
    failed = []
    for words, bound in BOUNDS_S.items():
        seconds = timed(workspace, *words.split())
        files = f" ({sum(1 for p in (workspace / 'data').rglob('*') if p.is_file())} files)"
        print(f"{words:20} {seconds:6.1f} s, bound {bound:.0f} s{files if words == 'dvc status' else ''}")
        if seconds > bound:
            failed.append(words)
    require(not failed, f"over their bounds: {', '.join(failed)}")


def write_scan(folder: Path, number: int) -> None:
    """A raw ScanNet folder of two frames and one object."""
    folder.mkdir(parents=True)
    name, rng = folder.name, np.random.default_rng(number)
    with SensWriter(folder / f"{name}{SENS}", CAMERA, CAMERA) as sens:
        for k in range(2):
            color = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            pose = np.eye(4)
            pose[0, 3] = 0.02 * k
            sens.add(encode_jpeg(color), np.full((48, 64), 2000 + number % 50, np.uint16), pose, 33_000 * k)
    vertices = rng.uniform(0, 1, (30, 3)).astype(np.float32)
    faces = np.arange(30, dtype=np.int32).reshape(10, 3)
    write_ply(folder / f"{name}{MESH}", Mesh(vertices, np.zeros((30, 3), np.uint8), faces))
    write_segments(folder / f"{name}{SEGMENTS}", name, np.repeat(np.arange(3, dtype=np.int32), 10))
    write_aggregation(
        folder / f"{name}{AGGREGATION}", name, [Group(0, "chair", (0,)), Group(1, "table", (1,))]
    )
    write_scan_txt(folder / f"{name}{TXT}", CAMERA, CAMERA, 2, T_aligned_raw=np.eye(4))


def make_workspace(root: Path, captures: Path) -> Path:
    """A workspace in git whose scans come from a folder."""
    root.mkdir()
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore"):
        shutil.copy2(REPOSITORY / name, root / name)
    shutil.copytree(REPOSITORY / ".dvc", root / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copytree(
        REPOSITORY / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    text = (root / "params.yaml").read_text()
    text = text.replace("source: generated", "source: folder").replace("path: ''", f"path: {captures}")
    (root / "params.yaml").write_text(text)
    timed(root, "git", "init", "-q")
    timed(root, "git", "add", "-A")
    timed(
        root, "git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org", "commit", "-qm", "Scans"
    )
    return root


def stand_in(workspace: Path) -> None:
    """Files in the outputs of the later scan stages, committed to DVC, as many as a real run leaves."""
    scans = sorted(path.name for path in (workspace / "data/frames").iterdir() if path.is_dir())
    for stage, names in LATER.items():
        for scan in scans:
            folder = workspace / "data" / stage / scan
            folder.mkdir(parents=True)
            for name in names:
                (folder / name).write_bytes(f"{stage} {scan} {name}".encode() * 100)
    timed(workspace, "dvc", "commit", "-f", "lift", "recover", "synthesize")


def timed(workspace: Path, *words: str) -> float:
    """Seconds of a command; its output when it fails."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY / "src"),
        "DVC_NO_ANALYTICS": "1",
    }
    started = time.perf_counter()
    done = subprocess.run(words, cwd=workspace, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
