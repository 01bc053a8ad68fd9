"""`vantage predict` under controls and from other poses: a model with coordinates, and a stock one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from typer.testing import CliRunner

sys.path += [
    str(Path(__file__).parents[1] / name)
    for name in ("evaluation", "evaluation/running", "models", "models/vlm")
]

from asked_rooms import QUESTIONS, Rooms, rooms
from pictured import model as tiny_model

from vantage.align.controls import ShownControl
from vantage.cli.main import app
from vantage.cli.predict_names import CONTROLS, OWN_MAJORITY, POSE_SOURCES, TRAINED_MAJORITY
from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.running import pose_source
from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig
from vantage.models.loading import load_vlm
from vantage.models.vlm.checkpoint import save_adapter
from vantage.models.vlm.model import SpatialVlm, VlmConfig

COORDINATES = ("other_sample", "random_yaw", "random_pose")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    return rooms(tmp_path_factory.mktemp("rooms"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with coordinates that it heeds: its encoder is far from zero."""
    loaded, folder = load_vlm(base), tmp_path_factory.mktemp("adapter")
    config = VlmConfig(InjectionConfig("pre_vit", encoder=EncoderConfig("mlp")))
    whole = SpatialVlm(loaded.model, config, seed=0)
    assert whole.encoder is not None
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in whole.encoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    save_adapter(folder, whole, loaded.identity, {})
    return folder


def call(*words: object) -> str:
    """Run the command in this process; what it wrote, or its error raised."""
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def predict(asked: Rooms, out: Path, *more: object, limit: int = 2) -> dict[str, dict[str, Any]]:
    """The lines by id; the header under ""."""
    call(
        "predict", "sqa3d", "--references", asked.sqa3d, "--scans", asked.scans, "--origin", "aligned",
        "--views", 2, "--max-new-tokens", 4, "--limit", limit, "--out", out, *more,
    )  # fmt: skip
    header, *lines = [json.loads(line) for line in out.read_text().splitlines()]
    return {"": header, **{line["question_id"]: line for line in lines}}


def texts(found: dict[str, dict[str, Any]]) -> list[str]:
    return [line["text"] for name, line in found.items() if name]


def test_the_names_of_the_options_are_those_of_the_code() -> None:
    assert [*CONTROLS] == [*get_args(ShownControl), TRAINED_MAJORITY, OWN_MAJORITY]
    assert POSE_SOURCES == pose_source.POSE_SOURCES


def test_controls_of_a_model_with_coordinates(
    asked: Rooms, base: Path, adapter: Path, tmp_path: Path
) -> None:
    who = ("--model", base, "--adapter", adapter)
    plain = predict(asked, tmp_path / "plain.jsonl", *who)
    changed = []
    for control in ("blind", *COORDINATES):
        out, again = tmp_path / f"{control}.jsonl", tmp_path / f"{control}-again.jsonl"
        found = predict(asked, out, *who, "--control", control, "--seed", 3)
        if control == "other_sample":
            predict(asked, again, *who, "--control", control, "--seed", 3)
            assert out.read_bytes() == again.read_bytes()
        assert found[""]["settings"]["control"] == control
        assert {k: v for k, v in found[""].items() if k != "settings"} == {
            k: v for k, v in plain[""].items() if k != "settings"
        }
        assert all(found[name]["input"] != plain[name]["input"] for name in plain if name)
        assert all(found[name]["prompt"] == plain[name]["prompt"] for name in plain if name)
        if texts(found) != texts(plain):
            changed.append(control)
        with pytest.raises(ContractError, match=r"settings\.control"):
            predict(asked, out, *who)
    assert changed == ["blind", *COORDINATES], "what such a model says follows from what it is shown"
    with pytest.raises(ContractError, match="control_seed"):
        predict(asked, tmp_path / "random_yaw.jsonl", *who, "--control", "random_yaw", "--seed", 4)


def test_a_stock_model_can_be_blinded_and_nothing_else(asked: Rooms, base: Path, tmp_path: Path) -> None:
    blind = texts(predict(asked, tmp_path / "out.jsonl", "--model", base, "--control", "blind", limit=8))
    assert blind[:2] == blind[len(QUESTIONS) :], "the same words in another room get the same answer"
    for control in COORDINATES:
        with pytest.raises(ParameterError, match="moves nothing"):
            predict(asked, tmp_path / "other.jsonl", "--model", base, "--control", control)
    assert not (tmp_path / "other.jsonl").exists()


def with_objects(asked: Rooms, folder: Path) -> Path:
    """ScanQA's references with the ids of the objects that their questions are about."""
    rows = json.loads(asked.scanqa.read_text())
    path = folder / "ScanQA_v1.0_val.json"
    path.write_text(json.dumps([{**row, "object_ids": [0, 1]} for row in rows]))
    return path


def test_the_leak_of_a_recovered_pose_is_seen_in_two_files(
    asked: Rooms, base: Path, adapter: Path, tmp_path: Path
) -> None:
    references = with_objects(asked, tmp_path)
    files = {}
    for source in ("recovered_top", "recovered_top_target"):
        files[source] = tmp_path / f"{source}.jsonl"
        call(
            "predict", "scanqa", "--references", references, "--scans", asked.scans, "--views", 2,
            "--max-new-tokens", 4, "--model", base, "--adapter", adapter, "--pose-source", source,
            "--out", files[source],
        )  # fmt: skip
        header, *lines = [json.loads(line) for line in files[source].read_text().splitlines()]
        assert header["settings"]["pose_source"] == source
        assert {line["pose_source"] for line in lines} == {"top"}
        chosen = [line for line in lines if line["pose_object_id"] is not None]
        assert chosen and {line["pose_uses_target"] for line in chosen} == {source.endswith("target")}
        assert {line["pose_rank"] for line in chosen if not line["pose_fallback"]} == {0}
    told = call(
        "score", "scanqa", "--references", references, "--predictions", files["recovered_top_target"],
        "--against", files["recovered_top"], "--json",
    )  # fmt: skip
    assert json.loads(told)["against"]
    with pytest.raises(ParameterError, match="--scans"):
        call(
            "predict", "scanqa", "--references", references, "--images", tmp_path, "--model", base,
            "--pose-source", "random", "--out", tmp_path / "out.jsonl",
        )  # fmt: skip


def test_a_majority_asks_no_model(asked: Rooms, tmp_path: Path) -> None:
    rows = json.loads(asked.scanqa.read_text())
    training = tmp_path / "ScanQA_v1.0_train.json"
    learned = [{**row, "question_id": f"t-{row['question_id']}", "answers": ["maybe"]} for row in rows]
    training.write_text(json.dumps(learned))
    common = ("predict", "scanqa", "--references", asked.scanqa, "--out")
    out = tmp_path / "train.jsonl"
    call(*common, out, "--control", TRAINED_MAJORITY, "--majority-from", training)
    header, *lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert header["model"]["type"] == TRAINED_MAJORITY
    assert len(lines) == len(rows) and {line["text"] for line in lines} == {"maybe"}
    own = tmp_path / "own.jsonl"
    call(*common, own, "--control", OWN_MAJORITY)
    told = call("score", "scanqa", "--references", asked.scanqa, "--predictions", own, "--json")
    best = json.loads(told)["variants"]["raw"]["em"]
    assert best == pytest.approx(2 / 6), "all are of one class, and no is right twice"
    for words, match in (
        ((out, "--control", OWN_MAJORITY), "another run"),
        ((own, "--control", TRAINED_MAJORITY, "--majority-from", asked.scanqa), "that are scored"),
        ((own, "--control", TRAINED_MAJORITY), "training references"),
        ((own, "--control", OWN_MAJORITY, "--model", "x"), "asks no model"),
        ((own, "--control", "deaf"), "no such control"),
        ((own,), "nothing to show"),
        ((own, "--scans", asked.scans), "nobody is asked"),
        ((own, "--scans", asked.scans, "--model", "x", "--pose-source", "dream"), "not a source"),
    ):
        with pytest.raises((ParameterError, ContractError), match=match):
            call(*common, *words)
