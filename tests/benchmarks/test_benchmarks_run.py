"""Every benchmark runs, made small: what it asserts of results holds, and it prints what it is about.

Bounds of time mean nothing at such sizes and are asserted at full size alone (`make bench`). Those that need
a GPU are run by tests/gpu.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BENCHMARKS = REPOSITORY / "benchmarks"
FOLDERS = ("scans", "geometry", "models", "evaluation")
SCRIPTS = [path for folder in FOLDERS for path in sorted((BENCHMARKS / folder).glob("*.py"))]
NEEDS = {
    "scans": ["open3d", "turbojpeg"],
    "geometry": ["open3d", "scipy"],
    "models": ["transformers", "accelerate"],
}
SLOW = {"at_scale", "doctor", "boxes_from_2d", "injection"}
"""Over five seconds of a core."""


def cases() -> list[object]:
    marked = [(path, pytest.mark.slow if path.stem in SLOW else ()) for path in SCRIPTS]
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}", marks=mark) for path, mark in marked]


@pytest.mark.parametrize("script", cases())
def test_a_benchmark_made_small(script: Path, tmp_path: Path) -> None:
    for name in NEEDS.get(script.parent.name, []):
        pytest.importorskip(name)
    environment = {
        **os.environ, "VANTAGE_BENCH": "small", "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d", done.stdout), "it prints a figure"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("vantage-")], "nothing is left"


def test_every_benchmark_can_be_made_small() -> None:
    assert len(SCRIPTS) >= 19
    for script in SCRIPTS:
        text = script.read_text()
        assert "sized(" in text, f"{script.name} has no small size"
