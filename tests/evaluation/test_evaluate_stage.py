"""The evaluate stage on a made workspace: items, files, the same bytes twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_workspace import Made

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_file, digest_tree
from vantage.core.tasks import Task
from vantage.evaluation.config import EvaluateConfig
from vantage.evaluation.stage import list_items, predict, report
from vantage.models.config import BaseConfig
from vantage.records.index import IndexRow
from vantage.records.predictions import read_predictions

INPUTS = ("download", "extract", "lift", "synthesize", "finetune")


def test_items_are_arms_and_the_headline_arm_under_each_control() -> None:
    config = EvaluateConfig(controls=("blind", "random_yaw"))
    items = list_items(config, ["projector", "embedding"])
    assert items == ["projector", "embedding", "embedding@blind", "embedding@random_yaw"]
    with pytest.raises(ParameterError, match="headline arm"):
        list_items(config, ["projector"])


def evaluate(made: Made, out: Path) -> Path:
    config = EvaluateConfig(base=BaseConfig(str(made.base)), resamples=200, controls=("blind",))
    inputs = {stage: made.inputs[stage] for stage in INPUTS}
    rows = []
    for item in list_items(config, ["projector", "embedding"]):
        folder = out / item
        folder.mkdir(parents=True)
        facts = predict(Task(item, inputs, folder, out.parent, seed=0), config)
        assert facts["questions"] == 12
        rows.append(IndexRow(item, "done", digest_tree(folder)))
    report(Task("evaluate", inputs, out, out.parent, seed=0), config, rows)
    return out


def test_outputs_and_the_same_bytes_twice(made: Made, tmp_path: Path) -> None:
    first = evaluate(made, tmp_path / "one")
    assert digest_tree(first) == digest_tree(evaluate(made, tmp_path / "two"))
    names = {path.name for path in first.iterdir()}
    files = {"report.json", "metrics.json", "report.md", "report.html", "scores.png", "example.png"}
    assert names == files | {"projector", "embedding", "embedding@blind"}
    record = json.loads((first / "report.json").read_text())
    assert record["arms"] == ["projector", "embedding"]
    assert record["controls"] == ["embedding@blind"]
    by_key = {group["key"]: group for group in record["groups"]}
    assert list(by_key) == ["direction_unseen", "direction_seen", "exist", "nearest_to"]
    assert [key for key, group in by_key.items() if not group["learnable"]] == ["nearest_to"]
    table = pq.read_table(first / "embedding" / "scores.parquet").to_pydict()
    predictions = read_predictions(first / "embedding")
    assert table["em_raw"] == [int(p.prediction == p.answer) for p in predictions]
    flat = json.loads((first / "metrics.json").read_text())
    right = [p.prediction == p.answer for p in predictions if p.family == "exist"]
    assert flat["em_raw.embedding.exist"] == pytest.approx(100 * sum(right) / len(right), abs=1e-3)
    page = (first / "report.html").read_text()
    assert page.count("<article") > 0 and str(tmp_path) not in page and str(made.root) not in page
    again_with_the_train_extra_alone(made, first)
    shutil.rmtree(first)


HIDDEN = (
    "numba",
    "open3d",
    "isal",
    "dagster",
    "dvc",
    "mlflow",
    "pandera",
    "polars",
    "pydantic_settings",
    "dash",
)
SCRIPT = """
import importlib.machinery, json, sys
from pathlib import Path

found = importlib.machinery.PathFinder.find_spec
hidden = set(sys.argv[1].split(","))
importlib.machinery.PathFinder.find_spec = staticmethod(
    lambda name, path=None, target=None: None if name.split(".")[0] in hidden else found(name, path, target)
)
from vantage.core.tasks import Task
from vantage.evaluation.config import EvaluateConfig
from vantage.evaluation.stage import report
from vantage.models.config import BaseConfig
from vantage.records.index import IndexRow

given = json.loads(sys.argv[2])
inputs = {name: Path(folder) for name, folder in given["inputs"].items()}
out = Path(given["out"])
config = EvaluateConfig(base=BaseConfig(given["base"]), resamples=200, controls=("blind",))
report(Task("evaluate", inputs, out, out.parent, 0), config, [IndexRow(*row) for row in given["rows"]])
"""


def again_with_the_train_extra_alone(made: Made, out: Path) -> None:
    """The report once more, in a process that cannot import what only the other extras bring."""
    before = {path.name: digest_file(path) for path in out.iterdir() if path.is_file()}
    items = sorted(path for path in out.iterdir() if path.is_dir())
    for path in out.iterdir():
        if path.is_file():
            path.unlink()
    given = {
        "inputs": {stage: str(made.inputs[stage]) for stage in INPUTS},
        "out": str(out),
        "base": str(made.base),
        "rows": [[path.name, "done", digest_tree(path)] for path in items],
    }
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    command = [sys.executable, "-c", SCRIPT, ",".join(HIDDEN), json.dumps(given)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {name: digest_file(out / name) for name in before} == before
