"""From finished outputs to a registered model: refusal, promotion, idempotence, a champion beaten or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_workspace import Made, make, train
from small_store import prepared

from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.evaluation.config import EvaluateConfig
from vantage.evaluation.situations import heldout_questions
from vantage.evaluation.stage import report
from vantage.models.config import BaseConfig
from vantage.records.index import IndexRow, write_index
from vantage.records.predictions import Prediction, write_predictions
from vantage.registry.config import PromoteConfig
from vantage.registry.promote import alias_target, is_registered
from vantage.registry.stage import promote
from vantage.registry.store import Store, find_store
from vantage.registry.tracking import MlflowTracker

Settle = Callable[..., dict[str, object]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, ready_database: Path) -> Made:
    """A made workspace with a registry of its own; the tests below follow one another in it."""
    root = tmp_path_factory.mktemp("promote")
    made = make(root, rooms=7)  # with five questions even all against none is chance
    prepared(root, ready_database)
    return made


def evaluated(made: Made, right: dict[str, bool]) -> None:
    """An evaluation in which each item answers everything right, or everything wrong."""
    folder = made.inputs["evaluate"]
    rows = []
    questions = [q for scan in heldout_questions(made.inputs["synthesize"]).values() for q in scan]
    for item, good in right.items():
        (folder / item).mkdir(parents=True, exist_ok=True)
        names = ("question_id", "scan_id", "room_id", "family", "slice", "question", "answer")
        said = [
            Prediction(*(getattr(q, name) for name in names), prediction=q.answer if good else "lamp")
            for q in questions
        ]
        write_predictions(folder / item, said)
        rows.append(IndexRow(item, "done", digest_tree(folder / item)))
    config = EvaluateConfig(base=BaseConfig(str(made.base)), resamples=200)
    inputs = {k: v for k, v in made.inputs.items() if k != "evaluate"}
    report(Task("evaluate", inputs, folder, made.root, seed=0), config, rows)
    write_index(folder, rows)


def settle(made: Made, config: PromoteConfig, out: str) -> dict[str, object]:
    """Run the stage; returns the decision."""
    folder = made.root / out
    folder.mkdir()
    facts = promote(Task("promote", made.inputs, folder, made.root, seed=0), config)
    decision: dict[str, object] = json.loads((folder / "decision.json").read_text())
    assert facts["outcome"] == decision["outcome"]
    return decision


@pytest.fixture(scope="module")
def config(workspace: Made) -> PromoteConfig:
    return PromoteConfig(base=BaseConfig(str(workspace.base)), resamples=200)


GOOD = {"projector": False, "embedding": True, "embedding@blind": False}


def test_1_a_refusal_registers_the_challenger_and_says_why(workspace: Made, config: PromoteConfig) -> None:
    evaluated(workspace, {**GOOD, "embedding@blind": True})
    decision = settle(workspace, config, "one")
    assert decision["outcome"] == "refused"
    assert decision["reasons"] == ["+0.0 points over embedding@blind, less than the required +10.0"]
    store = find_store(workspace.root)
    assert is_registered(store, str(decision["model_digest"]))
    assert not is_registered(store, "0" * 64)
    assert alias_target(store, "vantage", "champion") is None
    challenger = alias_target(store, "vantage", "challenger")
    assert challenger is not None
    assert str(challenger.version) == "1"


def test_2_promotion_then_the_same_again_changes_nothing(workspace: Made, config: PromoteConfig) -> None:
    evaluated(workspace, GOOD)
    first = settle(workspace, config, "two")
    assert first["outcome"] == "promoted"
    assert first["champion_digest"] is None
    assert first["thresholds"] == {"min_gain_points": 20.0, "min_control_gain_points": 10.0, "alpha": 0.05}
    assert [c["check"] for c in first["checks"]] == ["projector", "embedding@blind", "champion"]  # type: ignore[attr-defined]
    assert "no champion yet" in str(first["reasons"])
    again = settle(workspace, config, "two_again")
    assert again == first
    assert digest_tree(workspace.root / "two") == digest_tree(workspace.root / "two_again")
    store = find_store(workspace.root)
    versions = store.client().search_model_versions("name = 'vantage'")
    assert [str(v.version) for v in versions] == ["1"], "the same weights are one version"
    page = (workspace.root / "two" / "README.md").read_text()
    assert 'load_model("models:/vantage@champion")' in page
    assert "| direction (unseen) | 7 |" in page
    assert "no circuit for nearest_to" in page


def test_3_runs_of_arms_and_evaluations_are_there_once(workspace: Made) -> None:
    store = find_store(workspace.root)
    runs = store.client().search_runs([store.experiment_id()])
    names = sorted(run.info.run_name for run in runs)
    # The evaluation of test 1 differs from that of test 2 in one item.
    assert names == [
        "embedding", "evaluate embedding", "evaluate embedding@blind", "evaluate embedding@blind",
        "evaluate projector", "projector",
    ]  # fmt: skip
    trained = next(run for run in runs if run.info.run_name == "embedding")
    assert trained.data.params["adapter.site"] == "post_vit"
    assert trained.data.tags["git_commit"] == "unknown"
    assert len(trained.data.tags["data.extract"]) == 64
    losses = store.client().get_metric_history(trained.info.run_id, "loss")
    assert [(m.step, m.value) for m in losses] == [(1, 2.9), (2, 2.8), (3, 2.7)]
    index = (workspace.inputs["evaluate"] / "index.jsonl").read_text().splitlines()
    digest = next(json.loads(row)["digest"] for row in index if json.loads(row)["item"] == "embedding")
    assert MlflowTracker(store).find(digest) is not None


def test_4_a_better_model_replaces_the_champion_and_a_worse_one_does_not(
    workspace: Made, config: PromoteConfig
) -> None:
    store = find_store(workspace.root)
    former = alias_target(store, "vantage", "champion")
    train(workspace, "embedding", 7)
    second = settle(workspace, config, "four")  # an untrained champion answers hardly anything right
    assert second["outcome"] == "promoted"
    assert second["champion_digest"] == former.tags["vantage.digest"]  # type: ignore[union-attr]
    champion = alias_target(store, "vantage", "champion")
    assert champion is not None
    assert champion.tags["vantage.former_champion"] == "1"

    train(workspace, "embedding", 8)
    evaluated(workspace, {**GOOD, "embedding": False})
    lenient = replace(config, min_gain_points=-100.0, min_control_gain_points=-100.0)
    third = settle(workspace, lenient, "four_worse")
    assert third["outcome"] == "refused"
    assert "over the champion" in str(third["reasons"])
    checks = {check["check"]: check for check in third["checks"]}  # type: ignore[attr-defined]
    assert set(checks["losses"]["tests"]) == {"direction_unseen", "direction_seen", "exist", "nearest_to"}
    assert settle(workspace, lenient, "four_again") == third
    now = alias_target(store, "vantage", "champion")
    assert now is not None
    assert now.version == champion.version


LOAD_ELSEWHERE = """
import importlib.util, json, sys
sys.path.append(sys.argv[1])  # the libraries, without the .pth file that points at this repository
assert importlib.util.find_spec("vantage") is None, "the repository can be imported"
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[2])
model = mlflow.pyfunc.load_model("models:/vantage@champion")
pose = np.array([[0, 0, 1, 0.], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
record = model.predict({
    "images": [np.zeros((48, 64, 3), np.uint8)] * 2, "poses": [pose, pose], "frame": "aligned",
    "intrinsics": [[50, 0, 31.5], [0, 50, 23.5], [0, 0, 1]], "question": ["is there a red chair?"],
    "depth": np.ones((2, 48, 64), np.float32),
})
import vantage
print(json.dumps({"file": vantage.__file__, "records": record}))
"""


def test_5_the_model_loads_where_this_repository_is_not_installed(workspace: Made, tmp_path: Path) -> None:
    store = find_store(workspace.root)
    libraries = sysconfig.get_paths()["purelib"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MLFLOW", "VANTAGE"))}
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error::UserWarning:mlflow", "-c", LOAD_ELSEWHERE, libraries, store.uri],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert str(store.folder) in answer["file"], "vantage came from elsewhere"
    (record,) = answer["records"]
    assert record["question"] == "is there a red chair?"
    np.testing.assert_allclose(record["T_aligned_ego"], np.eye(4), atol=1e-9)
    assert record["patches_with_depth"] == 1.0
    code = Path(answer["file"]).parent
    assert not (code / "pipeline").exists()
    assert not (code / "scans").exists()
    requirements = (code.parent.parent / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in requirements} >= {"mlflow", "numpy", "torch", "transformers"}
    assert all("==" in line and "+" not in line for line in requirements)


def test_6_a_table_a_list_and_a_single_request_give_the_same(workspace: Made) -> None:
    import pandas as pd

    from vantage.registry.store import fluent

    request = {
        "images": [np.full((48, 64, 3), 90, np.uint8)],
        "poses": [np.eye(4)],
        "frame": "aligned",
        "intrinsics": np.array([[50, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]),
        "question": "is there a red chair?",
    }
    store: Store = find_store(workspace.root)
    path = list(sys.path)
    with fluent(store) as mlflow:
        model = mlflow.pyfunc.load_model("models:/vantage@champion")
    assert sys.path == path, "processes started from here find the whole package, not the model's part of it"
    alone = model.predict(request)
    assert model.predict([request]) == alone
    table = pd.DataFrame([request, {**request, "ego": 0}])
    assert table["ego"].isna().tolist() == [True, False]
    assert model.predict(table) == alone * 2
