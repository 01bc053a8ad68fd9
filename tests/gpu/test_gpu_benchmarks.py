"""The GPU's benchmarks run, on a tiny model; their tables hold what was measured and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("accelerate", reason="no accelerate: the benchmarks were not tried")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted((BENCHMARKS / "gpu").glob("*.py"))
PAGES = sorted((BENCHMARKS / "results").glob("*.md"))


def run(script: Path, *arguments: str) -> str:
    """Its output, with no GPU to be seen."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_tiny_model_runs_through_all_its_checks_and_writes_no_table(script: Path, tmp_path: Path) -> None:
    count = "--pairs" if script.stem == "embedding_overhead" else "--rounds"
    said = run(script, "--tiny", count, "1", "--results", str(tmp_path))
    assert "no table" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_without_a_gpu_nothing_is_measured(script: Path, tmp_path: Path) -> None:
    assert "no GPU here" in run(script, "--results", str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_each_table_says_where_it_was_measured_or_is_empty() -> None:
    assert PAGES
    for page in PAGES:
        lines = page.read_text().splitlines()
        rule = next(number for number, line in enumerate(lines) if line.startswith("|---"))
        measured = any(line.startswith("Measured on ") for line in lines)
        assert measured != any(line == "Not measured: no GPU run yet." for line in lines), page.name
        assert bool(lines[rule + 1 :]) == measured, page.name
        assert lines[rule - 1].count("|") == lines[rule].count("|")


def test_rows_replace_those_of_an_earlier_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from real_sizes import filled

    empty = "# Title\n\nNot measured: no GPU run yet.\n\n| a | b |\n|---|---|\n"
    once = filled(empty, ["| 1 | 2 |"], "a GPU")
    assert once == "# Title\n\nMeasured on a GPU.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert filled(once, ["| 3 | 4 |"], "another") == once.replace("a GPU", "another").replace(
        "1 | 2", "3 | 4"
    )
