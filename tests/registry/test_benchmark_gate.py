"""Published benchmarks in the gate: whose predictions count, which losses are more than chance."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_workspace import Made, make, train
from small_store import prepared
from test_promotion import GOOD, evaluated, settle

from vantage.core.errors import ParameterError
from vantage.models.config import BaseConfig
from vantage.pipeline.registered import what_is_missing
from vantage.registry.ask_registered import RegisteredAnswerer
from vantage.registry.benchmark_gate import Asked, checks
from vantage.registry.config import BenchmarkFile, PromoteConfig
from vantage.registry.gate import Check

sys.path.append(str(Path(__file__).parent))

ITEMS = 40
OURS = {"type": "registered", "weights": "w"}
MEASURE = "refined_strict.em_refined"


def references(folder: Path, name: str = "scanqa") -> Path:
    """Forty questions over ten scenes in ScanQA's form."""
    path = folder / f"{name}_references.json"
    rows = [
        {
            "question_id": f"q{i}", "scene_id": f"scene{i % 10:04d}_00", "question": "what is this?",
            "answers": [f"a wooden chair number {i}"], "object_ids": [1], "object_names": ["chair"],
        }
        for i in range(ITEMS)
    ]  # fmt: skip
    path.write_text(json.dumps(rows))
    return path


def said(
    path: Path, right: int, model: Mapping[str, Any] = OURS, benchmark: str = "scanqa", **settings: Any
) -> Path:
    """A file of `vantage predict` whose first `right` answers are right."""
    head = {"vantage_predictions": 1, "benchmark": benchmark, "model": model, "settings": settings}
    rows = [
        {"question_id": f"q{i}", "text": f"a wooden chair number {i}" if i < right else "lamp number"}
        for i in range(ITEMS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in (head, *rows)))
    return path


def asked(
    folder: Path, right: int, measure: str = MEASURE, model: Mapping[str, Any] = OURS, **settings: Any
) -> Asked:
    said(folder / "ours.jsonl", right, model, **settings)
    return Asked.of("scanqa", BenchmarkFile("ours.jsonl", references(folder).name, measure=measure), folder)


def checked(one: Asked, theirs: Path | None, champion: bool = True) -> Check:
    found = checks(
        [one], lambda model: model == OURS, (lambda _one: theirs) if champion else None,
        PromoteConfig(resamples=300), seed=0,
    )  # fmt: skip
    return found[0]


def test_a_loss_beyond_chance_refuses_and_one_that_chance_explains_does_not(tmp_path: Path) -> None:
    lost = checked(asked(tmp_path, 20), said(tmp_path / "theirs.jsonl", 30))
    assert not lost.passed
    assert "0.5000 beside the champion's 0.7500" in lost.reason
    assert "a loss beyond chance" in lost.reason
    assert lost.tests["scanqa"].theirs_only == 10
    little = checked(asked(tmp_path, 20), said(tmp_path / "theirs.jsonl", 23))
    assert little.passed
    assert "no loss" in little.reason
    assert checked(asked(tmp_path, 30), said(tmp_path / "theirs.jsonl", 20)).passed


def test_graded_measures_lose_by_their_interval(tmp_path: Path) -> None:
    measure = "captions_ptb.rouge_l"
    lost = checked(asked(tmp_path, 10, measure), said(tmp_path / "theirs.jsonl", 35))
    assert not lost.passed
    assert "95 % interval" in lost.reason
    assert not lost.tests
    assert checked(asked(tmp_path, 20, measure), said(tmp_path / "theirs.jsonl", 20)).passed


def test_holm_corrects_over_the_benchmarks_compared(tmp_path: Path) -> None:
    """Six questions lost and none won: p = 0.031 alone, 0.062 of two, as the other differs in nothing."""
    theirs = {name: said(tmp_path / f"{name}.jsonl", 26, benchmark=name) for name in ("scanqa", "msqa")}
    ours = {"scanqa": 20, "msqa": 26}
    files = []
    for name, right in ours.items():
        said(tmp_path / f"ours_{name}.jsonl", right, benchmark=name)
        file = BenchmarkFile(f"ours_{name}.jsonl", references(tmp_path, name).name, measure="raw.em")
        files.append(Asked.of(name, file, tmp_path))

    def kept(one: Asked) -> Path:
        return theirs[one.name]

    alone = checks(files[:1], lambda _m: True, kept, PromoteConfig(), seed=0)
    both = checks(files, lambda _m: True, kept, PromoteConfig(), seed=0)
    assert [check.passed for check in alone] == [False]
    assert alone[0].tests["scanqa"].p_holm == pytest.approx(2 * 0.5**6)
    assert [check.passed for check in both] == [True, True]
    assert both[0].tests["scanqa"].p_holm == pytest.approx(4 * 0.5**6)


def test_predictions_must_be_there_and_the_candidates_own(tmp_path: Path) -> None:
    other = checked(asked(tmp_path, 20, model={"type": "registered", "weights": "other"}), None)
    assert not other.passed
    assert "predictions of another model" in other.reason
    (tmp_path / "ours.jsonl").unlink()
    file = BenchmarkFile("ours.jsonl", "scanqa_references.json")
    none = checked(Asked.of("scanqa", file, tmp_path), None)
    assert not none.passed
    assert "vantage predict scanqa --model models:/vantage@challenger" in none.reason
    (tmp_path / "ours.jsonl").write_text('{"question_id": "q1", "text": "a"}\n')
    assert not checked(Asked.of("scanqa", file, tmp_path), None).passed, "a file without a header is nobody's"


def test_answers_under_a_control_or_from_a_leaking_pose_do_not_count(tmp_path: Path) -> None:
    theirs = said(tmp_path / "theirs.jsonl", 20)
    blind = checked(asked(tmp_path, 30, control="blind"), theirs)
    assert not blind.passed and "under --control blind" in blind.reason
    leak = checked(asked(tmp_path, 30, pose_source="recovered_top_target"), theirs)
    assert not leak.passed and "knows the answer's object" in leak.reason
    assert checked(asked(tmp_path, 30, pose_source="recovered_top"), theirs).passed


def test_both_must_have_been_asked_alike(tmp_path: Path) -> None:
    theirs = said(tmp_path / "theirs.jsonl", 20, views=8, precision="float32")
    assert checked(asked(tmp_path, 20, views=8, precision="bfloat16"), theirs).passed
    more = checked(asked(tmp_path, 30, views=16), theirs)
    assert not more.passed
    assert more.reason == "scanqa: the champion was asked otherwise (views: 16 and 8)"


def test_without_a_champion_or_its_answers_nothing_is_compared(tmp_path: Path) -> None:
    first = checked(asked(tmp_path, 20), None, champion=False)
    assert first.passed
    assert first.reason == "scanqa: 0.5000 on 40 items, no champion to compare with"
    assert checked(asked(tmp_path, 20), None).reason.endswith("the champion was not asked")


def test_files_that_cannot_be_compared_refuse_and_say_why(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text('{"question_id": "of another split", "text": "a"}\n')
    found = checked(asked(tmp_path, 20), theirs)
    assert not found.passed
    assert "cannot be compared" in found.reason
    assert "another split" in found.reason


@pytest.mark.parametrize(
    ("file", "where"),
    [
        (BenchmarkFile("p", "scanqa_references.json", measure="refined"), "measure"),
        (BenchmarkFile("p", "scanqa_references.json", measure="nobody.em"), "measure"),
        (BenchmarkFile("p", "nowhere.json"), "references"),
    ],
)
def test_parameters_are_checked_before_anything_is_registered(
    tmp_path: Path, file: BenchmarkFile, where: str
) -> None:
    references(tmp_path)
    with pytest.raises(ParameterError, match=rf"promote\.benchmarks\.scanqa\.{where}"):
        Asked.of("scanqa", file, tmp_path)


def test_an_unknown_metric_is_told(tmp_path: Path) -> None:
    found = checked(asked(tmp_path, 20, "refined_strict.f1"), None)
    assert not found.passed
    assert "of refined_strict: em, em_refined" in found.reason


def reasons(decision: Mapping[str, object]) -> str:
    listed = decision["reasons"]
    assert isinstance(listed, Sequence)
    return "\n".join(map(str, listed))


def test_the_stage_asks_for_predictions_keeps_them_and_finds_a_loss(
    tmp_path: Path, ready_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made: Made = make(tmp_path, rooms=7)
    store = prepared(tmp_path, ready_database)
    evaluated(made, GOOD)
    file = BenchmarkFile("scanqa.jsonl", references(tmp_path).name)
    config = PromoteConfig(base=BaseConfig(str(made.base)), resamples=200, benchmarks={"scanqa": file})
    lenient = PromoteConfig(
        base=BaseConfig(str(made.base)), resamples=200, benchmarks={"scanqa": file}, min_gain_points=-100.0,
        min_control_gain_points=-100.0,
    )  # fmt: skip

    first = settle(made, config, "first")
    assert first["outcome"] == "refused"
    assert "no predictions in scanqa.jsonl" in reasons(first)
    assert what_is_missing(tmp_path, config) == ""

    identity = RegisteredAnswerer.load(store, "models:/vantage@challenger").identity()
    said(tmp_path / "scanqa.jsonl", 30, identity)
    assert what_is_missing(tmp_path, config) == "files of scanqa have changed"
    second = settle(made, config, "second")
    assert second["outcome"] == "promoted"
    assert "scanqa: 0.7500 on 40 items, no champion to compare with" in reasons(second)

    train(made, "embedding", 7)
    settle(made, lenient, "third")  # registers it; the file is still the champion's
    said(
        tmp_path / "scanqa.jsonl", 10, RegisteredAnswerer.load(store, "models:/vantage@challenger").identity()
    )
    fourth = settle(made, lenient, "fourth")
    assert fourth["outcome"] == "refused"
    assert "scanqa: 0.2500 beside the champion's 0.7500" in reasons(fourth)
    assert settle(made, lenient, "again") == fourth
