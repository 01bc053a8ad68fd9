"""`vantage predict` from a registered model and from a model's folder to `vantage score`, kills included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

for name in ("evaluation", "evaluation/running", "models", "models/vlm"):
    sys.path.append(str(Path(__file__).parents[1] / name))

from asked_rooms import PIANO, QUESTIONS, Rooms, rooms  # noqa: E402
from made_workspace import make  # noqa: E402
from pictured import model as tiny_model  # noqa: E402
from pictured import muirbench  # noqa: E402

import vantage  # noqa: E402
from vantage.cli.predict import Model, Shown, predict  # noqa: E402
from vantage.core.errors import ContractError, ParameterError, VantageError  # noqa: E402
from vantage.questions.words import VOCABULARY  # noqa: E402
from vantage.registry.packaging import ModelFiles, register  # noqa: E402
from vantage.registry.store import find_store  # noqa: E402
from vantage.registry.tracking import MlflowTracker  # noqa: E402

CHAMPION = "models:/vantage@champion"
ITEMS = 2 * len(QUESTIONS)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose registry holds an untrained champion."""
    root = tmp_path_factory.mktemp("predict")
    made = make(root, rooms=1)
    store = find_store(root)
    run = MlflowTracker(store).record("embedding", "d", params={}, metrics={}, tags={})
    files = ModelFiles(made.base, made.inputs["finetune"] / "embedding", "# card", {})
    version = register(store, "vantage", files, run)
    store.client().set_registered_model_alias("vantage", "champion", version)
    return root


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    return rooms(tmp_path_factory.mktemp("rooms"))


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def command(workspace: Path, asked: Rooms, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "vantage", "predict", "sqa3d", "--references", str(asked.sqa3d),
        "--model", CHAMPION, "--scans", str(asked.scans), "--origin", "aligned", "--views", "3",
        "--out", str(out), "--workspace", str(workspace), *more,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "VANTAGE_"))}
    inherited["VANTAGE_METEOR"] = "off"
    return inherited | {"PYTHONPATH": str(Path(vantage.__file__).parents[1])}


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def scored(out: Path, asked: Rooms) -> dict[str, Any]:
    words = ("score", "sqa3d", "--predictions", str(out), "--references", str(asked.sqa3d), "--json")
    found: dict[str, Any] = json.loads(ran(sys.executable, "-m", "vantage", *words).stdout)
    return found


def rows(out: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in out.read_text().split("\n") if line.endswith("}")]
    return {row["question_id"]: row for row in lines[1:]}


def test_a_killed_run_goes_on_and_parts_give_the_same_score(
    workspace: Path, asked: Rooms, tmp_path: Path
) -> None:
    killed, parted = tmp_path / "killed.jsonl", tmp_path / "parted.jsonl"
    running = subprocess.Popen(command(workspace, asked, killed), env=environment(), stderr=subprocess.PIPE)
    while running.poll() is None and (not killed.is_file() or killed.read_bytes().count(b"\n") < 3):
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "it was killed at work"
    before = rows(killed)
    assert 0 < len(before) < ITEMS
    with killed.open("ab") as file:  # as if in the middle of a line
        file.write(b'{"question_id": "room')
    answered = sum("text" in row for row in before.values())
    done = ran(*command(workspace, asked, killed))
    assert f"{ITEMS - 2} of {ITEMS} items answered, {ITEMS - 2 - answered} of them now" in done.stdout
    assert "2 x outside the model's vocabulary" in done.stdout

    parts = [
        subprocess.Popen(command(workspace, asked, parted, "--shard", f"{k}/2"), env=environment())
        for k in (1, 2)
    ]
    assert [part.wait() for part in parts] == [0, 0]
    if not parted.is_file():  # they ended at the same moment: either puts them together when run again
        ran(*command(workspace, asked, parted, "--shard", "1/2"))
    assert parted.read_bytes() == killed.read_bytes()
    assert list(tmp_path.glob("*-of-*")) == []

    found = rows(killed)
    assert list(found) == asked.ids()
    aside = {name: row["set_aside"] for name, row in found.items() if "set_aside" in row}
    assert aside == {"room0000_00-3": PIANO, "room0001_00-3": PIANO}
    assert all(row["text"] in VOCABULARY for name, row in found.items() if name not in aside)
    record = scored(killed, asked)
    assert (record["n"], record["missing"]) == (ITEMS, 2)
    assert record == scored(parted, asked)
    truth = dict(zip(asked.ids(), [answer for _, answer in QUESTIONS] * 2, strict=True))
    right = sum(row.get("text") == truth[name] for name, row in found.items())
    assert record["variants"]["raw"]["em"] == right / ITEMS


def call(references: Path, model: str, out: Path, **more: Any) -> None:
    given = {
        "benchmark": "scanqa", "shown": Shown(), "shard": "1/1", "limit": None, "dry_run": False,
        "workspace": None, **more,
    }  # fmt: skip
    predict(references=references, model=Model(model, max_new_tokens=5), out=out, **given)


def test_a_packaged_models_folder_is_the_same_model(
    workspace: Path, asked: Rooms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = (path.parent for path in workspace.rglob("MLmodel"))
    out, shown = tmp_path / "out.jsonl", Shown(asked.scans, views=2)
    call(asked.scanqa, CHAMPION, out, shown=shown, workspace=workspace, limit=3)
    call(asked.scanqa, str(folder), out, shown=shown, workspace=workspace)
    told = capsys.readouterr()
    assert "10 of 12 items answered, 7 of them now" in told.out
    assert f"vantage score scanqa --predictions {out}" in told.err


def test_a_models_folder_with_pictures_of_the_items(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    references, base = muirbench(tmp_path / "muir", 4), tiny_model(tmp_path / "model")
    out, shown = tmp_path / "out.jsonl", Shown(images=tmp_path / "muir" / "images")
    call(references, str(base), out, benchmark="muirbench", shown=shown, dry_run=True)
    told = capsys.readouterr().out
    assert "4 items, 0 of them answered before, 4 to ask" in told and "asked on trial" in told
    assert not out.exists()
    call(references, str(base), out, benchmark="muirbench", shown=shown)
    assert [row["finish"] in ("eos", "length") for row in rows(out).values()] == [True] * 4
    assert all(row["prompt_tokens"] > 16 for row in rows(out).values())


def test_a_models_folder_with_views_of_scans(asked: Rooms, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    base = tiny_model(tmp_path / "model")
    call(asked.sqa3d, str(base), out, benchmark="sqa3d", shown=Shown(asked.scans, views=2, origin="aligned"))
    assert len(rows(out)) == ITEMS and all("text" in row for row in rows(out).values())


def test_a_registered_model_without_poses_sets_everything_aside(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    references = muirbench(tmp_path / "muir", 2)
    shown = Shown(images=tmp_path / "muir" / "images")
    out = tmp_path / "out.jsonl"
    call(references, CHAMPION, out, benchmark="muirbench", shown=shown, workspace=workspace)
    assert "0 of 2 items answered" in (told := capsys.readouterr().out)
    assert "2 x the model needs posed views" in told


def test_mistakes_are_told(workspace: Path, asked: Rooms, tmp_path: Path) -> None:
    out, shown = tmp_path / "out.jsonl", Shown(asked.scans)
    wrong: list[tuple[dict[str, Any], type[VantageError], str]] = [
        ({"benchmark": "scanqq"}, ParameterError, "scanqq"),
        ({"shown": Shown(asked.scans, tmp_path)}, ParameterError, "exclude each other"),
        ({"shown": Shown(tmp_path / "none")}, ParameterError, "no such folder"),
        ({"shown": Shown(images=tmp_path / "none")}, ParameterError, "no such folder"),
        ({"shown": Shown(asked.scans, origin="middle")}, ParameterError, "not an origin"),
        ({"shown": Shown(asked.scans, frames="random")}, ParameterError, "choice of frames"),
        ({"shard": "3/2"}, ParameterError, "part of a run"),
        ({"out": tmp_path}, ParameterError, "are a file"),
        ({"references": tmp_path / "none.json"}, ParameterError, "no such file"),
        ({"model": "models:/vantage@prod"}, VantageError, "no such model"),
    ]
    for changes, kind, words in wrong:
        given = {
            "references": asked.scanqa,
            "model": CHAMPION,
            "out": out,
            "shown": shown,
            "workspace": workspace,
        }
        with pytest.raises(kind, match=words):
            call(**{**given, **changes})
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    with pytest.raises(ContractError, match="nothing to ask"):
        call(empty, CHAMPION, out, shown=shown, workspace=workspace)
    for wrong_model in (Model("x", device="tpu"), Model("x", precision="int8")):
        with pytest.raises(ParameterError, match="not a"):
            predict("scanqa", asked.scanqa, wrong_model, shown, out, "1/1", None, False, workspace)
    assert not out.exists()
