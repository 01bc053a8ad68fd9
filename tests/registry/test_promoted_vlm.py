"""Arms on a vision-language model, from training to a registered model that answers elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_workspace import Made, make
from small_store import prepared

import pocket_as_vlm
from vantage.cli.ask import ask
from vantage.cli.predict import Model, Shown
from vantage.cli.predict import predict as predict_items
from vantage.core.errors import ContractError, ResourceError
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.evaluation.config import EvaluateConfig
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.evaluation.stage import list_items, predict, report
from vantage.evaluation.vlm_answers import answer_all_with
from vantage.geometry.boxes import axis_box
from vantage.geometry.transforms import apply
from vantage.models.config import BaseConfig
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Request
from vantage.models.vlm.trained import TrainedVlm
from vantage.records.frames import kept_frames
from vantage.records.index import IndexRow, write_index
from vantage.records.questions import read_questions, write_questions
from vantage.records.scan import read_scan
from vantage.registry.config import PromoteConfig
from vantage.registry.packaging import register
from vantage.registry.served_base import SERVED_FILE, ServedBase
from vantage.registry.stage import promote
from vantage.registry.staging import stage_weights
from vantage.registry.store import find_store
from vantage.registry.tracking import MlflowTracker
from vantage.registry.vlm_serving import VlmAnswerer
from vantage.training.config import ArmConfig, FinetuneConfig
from vantage.training.stage import finetune

TRAINED_ON = 2
ARMS = {
    "projector": ArmConfig(site="none"),
    "embedding": ArmConfig(),
    "situated": ArmConfig("situated", "post_vit"),
    "told": ArmConfig("posealign"),
    "said": ArmConfig("posealign", options={"align": {"mode": "prompt"}}),
    "beside": ArmConfig("posealign", options={"align": {"mode": "embed"}}),
    "grounded": ArmConfig("posealign", options={"dialogs": "grounded"}),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, ready_database: Path) -> Made:
    """A made workspace, two of its rooms to train on, with a stock base and a registry of its own."""
    root = tmp_path_factory.mktemp("promote_vlm")
    made = make(root, rooms=3 + TRAINED_ON)
    for scan in made.scans[:TRAINED_ON]:
        folder = made.inputs["synthesize"] / scan
        write_questions(folder, [replace(q, split="train") for q in read_questions(folder)])
    _index(made.inputs["synthesize"])
    shutil.rmtree(made.inputs["finetune"])
    pocket_as_vlm.write(root / "vlm")
    prepared(root, ready_database)
    return made


def _index(folder: Path) -> None:
    items = sorted(path for path in folder.iterdir() if path.is_dir())
    write_index(folder, [IndexRow(path.name, "done", digest_tree(path)) for path in items])


def trained(made: Made, name: str) -> Path:
    """An arm after two steps."""
    folder = made.inputs["finetune"] / name
    if not folder.is_dir():
        folder.mkdir(parents=True)
        work = made.root / "work" / name
        work.mkdir(parents=True)
        families = ("direction", "exist", "nearest_to")
        config = FinetuneConfig(
            base=BaseConfig(str(made.root / "vlm")), steps=2, families=families, arms=ARMS
        )
        finetune(Task(name, made.inputs, folder, work, seed=0), config)
    return folder


def promoting(made: Made, **changes: Any) -> PromoteConfig:
    """No gain is asked of two steps."""
    given: dict[str, Any] = {"min_gain_points": -100.0, "min_control_gain_points": -100.0, "resamples": 200}
    return PromoteConfig(base=BaseConfig(str(made.root / "vlm")), **{**given, **changes})


ELSEWHERE = """
import importlib.util, json, pickle, sys
sys.path.append(sys.argv[1])  # the libraries, without the .pth file that points at this repository
assert importlib.util.find_spec("vantage") is None, "the repository can be imported"
import mlflow
mlflow.set_tracking_uri(sys.argv[2])
model = mlflow.pyfunc.load_model("models:/vantage@champion")
records = model.predict(pickle.load(sys.stdin.buffer))
import vantage
print(json.dumps({"file": vantage.__file__, "records": records}))
"""


def test_an_arm_is_promoted_and_answers_where_this_repository_is_not(
    workspace: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for arm in ("projector", "embedding"):
        trained(workspace, arm)
    _index(workspace.inputs["finetune"])
    evaluated(workspace)
    (tmp_path / "out").mkdir()
    task = Task("promote", workspace.inputs, tmp_path / "out", workspace.root, seed=0)
    facts = promote(task, promoting(workspace))
    decision = json.loads((tmp_path / "out" / "decision.json").read_text())
    assert facts["outcome"] == decision["outcome"] == "promoted", decision["reasons"]
    assert "family `llava`, recipe `multiview`" in (card := (tmp_path / "out" / "README.md").read_text()) or (
        "recipe `multiview`" in card
    )
    import pickle

    scan, asked, expected = _evaluated_request(workspace)
    store = find_store(workspace.root)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MLFLOW", "VANTAGE"))}
    done = subprocess.run(
        [sys.executable, "-S", "-c", ELSEWHERE, sysconfig.get_paths()["purelib"], store.uri],
        cwd=tmp_path, env=environment, input=pickle.dumps(asked), capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    answer = json.loads(done.stdout.decode().splitlines()[-1])
    assert str(store.folder) in answer["file"], "vantage came from elsewhere"
    assert [record["answer"] for record in answer["records"]] == expected
    assert {record["patches_with_depth"] for record in answer["records"]} == {1.0}
    code = Path(answer["file"]).parent
    assert not (code / "pipeline").exists() and not (code / "training").exists()
    lines = (code.parent.parent / "requirements.txt").read_text().split()
    needed = {line.partition("==")[0] for line in lines}
    assert needed >= {"mlflow", "numpy", "torch", "transformers", "safetensors", "pillow"}
    assert "peft" not in needed, "no adapter of this arm is peft's"
    raw = workspace.inputs["download"] / scan
    ask("models:/vantage@champion", "what about a piano?", raw, None, None, workspace.root)
    assert capsys.readouterr().err.count("views") == 1, "words outside the pocket's vocabulary are asked too"


def evaluated(made: Made) -> None:
    config = EvaluateConfig(base=BaseConfig(str(made.root / "vlm")), resamples=200, controls=("blind",))
    folder, rows = made.inputs["evaluate"], []
    inputs = {k: v for k, v in made.inputs.items() if k != "evaluate"}
    for item in list_items(config, ["projector", "embedding"]):
        (folder / item).mkdir(parents=True)
        predict(Task(item, inputs, folder / item, made.root, seed=0), config)
        rows.append(IndexRow(item, "done", digest_tree(folder / item)))
    report(Task("evaluate", inputs, folder, made.root, seed=0), config, rows)
    write_index(folder, rows)
    record = json.loads((folder / "report.json").read_text())
    assert record["basis"]["arms"]["embedding"]["site"] == "pre_vit"


def _evaluated_request(made: Made) -> tuple[str, dict[str, Any], list[str]]:
    """The questions of a held-out room as a request, and what the evaluation has as their answers."""
    from vantage.records.predictions import read_predictions

    scan = made.scans[-1]
    said = {p.question_id: p.prediction for p in read_predictions(made.inputs["evaluate"] / "embedding")}
    questions = read_questions(made.inputs["synthesize"] / scan)
    asked = request(made, scan, [q.question for q in questions])
    return scan, asked, [said[q.question_id] for q in questions]


def request(made: Made, scan: str, questions: Sequence[str]) -> dict[str, Any]:
    """The frames of a scan, as a caller of the model has them; pictures decoded."""
    frames = kept_frames(made.inputs["extract"] / scan)
    views = ScanViews(made.inputs["download"] / scan, read_scan(made.inputs["extract"] / scan), tuple(frames))
    return views.request(list(questions))


def test_a_registered_arm_describes_outlined_objects(
    workspace: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    scan, out, references = workspace.scans[-1], tmp_path / "out.jsonl", tmp_path / "scan2cap.json"
    recorded = MeasuredScan.open(workspace.inputs["download"] / scan)
    seen = axis_box(apply(recorded.meta.T_aligned_raw, recorded.points_raw))
    box = [*seen.center.tolist(), *seen.size.tolist()]
    shared = {"scene_id": scan, "object_name": "?", "ann_id": "0", "description": "a secret", "box": box}
    rows = [{**shared, "object_id": str(k)} for k in range(2)]
    references.write_text(json.dumps(rows))
    store = find_store(workspace.root)
    run = MlflowTracker(store).record("projector", "d", params={}, metrics={}, tags={})
    adapter = trained(workspace, "projector")
    register(store, "captions", stage_weights(tmp_path, adapter, promoting(workspace)), run)
    shown = Shown(workspace.inputs["download"], views=3)
    model = Model("models:/captions/1")
    predict_items("scan2cap", references, model, shown, out, "1/1", None, False, workspace.root)
    _, *found = [json.loads(line) for line in out.read_text().splitlines()]
    answered = [row for row in found if "text" in row]
    assert len(answered) == 2 and {(row["boxes"], row["finish"]) for row in answered} == {
        ("annotated", "text")
    }
    assert all(row["text"].strip() for row in answered)


class Recorded(TrainedVlm):
    """Keeps what it was asked."""

    def generator(self, decoding: Decoding) -> Generator:
        asked = self.__dict__.setdefault("asked", [])

        class Keeping(Generator):
            def answers(self, requests: Sequence[Request]) -> Any:
                asked.extend(requests)
                return super().answers(requests)

        return Keeping(self.prepare, decoding, self.model.injector, self.model.situated)


@pytest.mark.parametrize("arm", ["embedding", "situated", "told", "said", "beside", "grounded"])
def test_a_request_shows_the_model_what_evaluation_shows_it(
    workspace: Made, tmp_path: Path, arm: str
) -> None:
    adapter = trained(workspace, arm) if arm != "grounded" else _grounded(workspace)
    files = stage_weights(tmp_path, adapter, promoting(workspace))
    assert files.unused == (() if arm in ("told", "said", "beside", "grounded") else ("peft",))
    scan = workspace.scans[-1]
    questions = [q.question for q in read_questions(workspace.inputs["synthesize"] / scan)]
    ours, theirs = (Recorded.load(str(files.base), files.adapter) for _ in range(2))
    decoding = Decoding(6)
    records = VlmAnswerer(ours, decoding).answer(request(workspace, scan, questions))
    answered = answer_all_with(theirs, workspace.inputs, "", 0, decoding)
    said = {p.question: p.prediction for p in answered.predictions if p.scan_id == scan}
    assert [record["answer"] for record in records] == [said[q] for q in questions]
    shown = [r for r in theirs.__dict__["asked"] if r.views[0].name.startswith(scan)]
    assert len(ours.__dict__["asked"]) == len(shown) == len(questions) * (2 if arm == "grounded" else 1)
    for own, other in zip(ours.__dict__["asked"], shown, strict=True):
        assert [t.question for t in own.turns] == [t.question for t in other.turns]
        assert (own.frame, own.sizes) == (other.frame, other.sizes)
        for view, expected in zip(own.views, other.views, strict=True):
            np.testing.assert_array_equal(np.asarray(view.image()), np.asarray(expected.image()))
            np.testing.assert_allclose(view.T_frame_cam, expected.T_frame_cam, atol=1e-9)
            for grid, truth in zip(view.pictures, expected.pictures, strict=True):
                np.testing.assert_array_equal(grid.valid, truth.valid)
                np.testing.assert_allclose(grid.xyz, truth.xyz, atol=1e-5)
                assert (grid.beside is None) == (truth.beside is None) == (arm != "beside")
                if grid.beside is not None:
                    np.testing.assert_allclose(grid.beside, truth.beside, atol=1e-5)
    _extras(arm, records, [p["found"] for p in answered.places if p["question_id"].startswith(scan)])


def _extras(arm: str, records: list[dict[str, Any]], places: list[dict[str, Any]]) -> None:
    """What only some models tell."""
    json.dumps(records)
    assert all(("place" in record) == (arm == "situated") for record in records)
    assert all(("boxes" in record) == (arm == "grounded") for record in records)
    for record, place in zip(records, places, strict=False):
        for key, value in place.items():
            assert record["place"][key] == pytest.approx(value, abs=1e-4), key


def _grounded(made: Made) -> Path:
    """The arm `told`, said to answer in two turns: no text of boxes fits the pocket's words."""
    folder = made.root / "grounded"
    if not folder.is_dir():
        shutil.copytree(trained(made, "told"), folder)
        described = json.loads((folder / "config.json").read_text())
        described["about"]["dialogs"] = "grounded"
        (folder / "config.json").write_text(json.dumps(described))
    return folder


def test_the_digest_is_of_adapter_and_base_wherever_the_base_is(workspace: Made, tmp_path: Path) -> None:
    adapter = trained(workspace, "embedding")
    (tmp_path / "a").mkdir()
    files = stage_weights(tmp_path / "a", adapter, promoting(workspace))
    (workspace.root / "vlm" / "notes.md").write_text("not of the model")
    (tmp_path / "b").mkdir()
    again = stage_weights(tmp_path / "b", adapter, promoting(workspace))
    assert again.digest == files.digest and not (again.base / "notes.md").exists()
    served = ServedBase.read(files.base)
    replace(served, base="someone/some-vlm", revision="0" * 40).write(files.base)
    assert files.digest == again.digest
    assert replace(served, max_new_tokens=5).digest != served.digest
    other = replace(again, adapter=trained(workspace, "projector"))
    assert other.digest != files.digest


def test_a_base_that_is_not_there_or_another_is_refused(
    workspace: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = trained(workspace, "embedding")
    with pytest.raises(ContractError, match=r"base\.model"):
        (tmp_path / "a").mkdir()
        stage_weights(tmp_path / "a", adapter, PromoteConfig())
    (tmp_path / "b").mkdir()
    files = stage_weights(tmp_path / "b", adapter, promoting(workspace))
    served = ServedBase.read(files.base)
    replace(served, fingerprint="0" * 64).write(files.base)
    with pytest.raises(ContractError, match="packaged with"):
        VlmAnswerer.load(files.base, files.adapter)
    replace(served, base="someone/some-vlm", revision="0" * 40).write(files.base)
    with pytest.raises(ResourceError, match="hf download someone/some-vlm --revision 000"):
        VlmAnswerer.load(files.base, files.adapter)
    (files.base / SERVED_FILE).write_text('{"record": "served_base", "version": 1}')
    with pytest.raises(ContractError, match="packaged model"):
        VlmAnswerer.load(files.base, files.adapter)
