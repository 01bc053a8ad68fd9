"""`vantage judge`: by rules without a model, by a model on loopback, planned first and never asked twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chat_server import chatting, says, status, verdict
from vantage.cli.main import main

ANSWERS = ["chair", "a chair", "bed", ""]
GIVEN = [
    {"scene_id": f"s{i}", "question_id": f"q{i}", "question": f"What is {side} of it?", "answers": ["chair"]}
    for i, side in enumerate(["left", "right", "under", "north", "east"])
]
SAID = [{"question_id": f"q{i}", "text": text} for i, text in enumerate(ANSWERS)]
Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "given.json").write_text(json.dumps(GIVEN))
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, SAID)))
    monkeypatch.chdir(tmp_path)

    def call(*options: str, said: bool = True, benchmark: str = "scanqa") -> int:
        files = ["--references", "given.json", *(["--predictions", "said.jsonl"] if said else [])]
        monkeypatch.setattr(sys, "argv", ["vantage", "judge", benchmark, *files, *options])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return call


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    value: dict[str, object] = json.loads(capsys.readouterr().out)
    return value


def test_rules_need_no_model(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("--json", "--per-item", "items.jsonl", "--subset", "words") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["judge"], record["n"], record["judged"], record["silent"]) == ("rule-1", 5, 5, 2)
    assert record["accuracy"] == 0.4 and record["failures"] == 0
    assert record["subsets"]["direction"]["accuracy"] == 1.0
    assert record["subsets"]["complement"]["n"] == 3 and record["subsets"]["complement"]["accuracy"] == 0
    items = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in items] == [1, 1, 0, 0, 0]
    assert all(row["verdicts"][0]["reason"] for row in items)
    assert run() == 0
    assert "accuracy 0.4000, 95 %" in capsys.readouterr().out


def test_a_model_is_planned_asked_and_not_asked_again(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with chatting() as chat:
        options = ["--judge", chat.url, "--model", "m", "--repeats", "2", "--json"]
        assert run(*options, "--dry-run") == 0
        plan = told(capsys)
        assert (plan["items"], plan["questions"], plan["kept"], plan["to_ask"]) == (5, 6, 0, 6)
        assert not chat.asked, "a plan asks nothing"
        chat.scripts.append(says("{garbage}"))
        assert run(*options, "--workers", "1") == 0
        captured = capsys.readouterr()
        record = json.loads(captured.out)
        assert len(chat.asked) == 6, "nobody is asked about nothing"
        assert record["judge"] == "m/scanqa-1" and record["failures"] == 1 and record["silent"] == 2
        assert record["accuracy"] == pytest.approx(1 / 5)
        assert "1 failures, no verdicts; the first: not one JSON object" in captured.err
        assert run(*options) == 0
        assert json.loads(capsys.readouterr().out) == record
        assert len(chat.asked) == 6
        assert run(*options, "--dry-run") == 0
        assert told(capsys)["to_ask"] == 0


def test_direction_by_a_model_becomes_a_subset_of_scores(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sort(asked: dict[str, list[dict[str, str]]]) -> str:
        question = json.loads(asked["messages"][-1]["content"])["question"]
        return verdict("needed" if "left" in question else "no idea" if "east" in question else "not needed")

    with chatting() as chat:
        chat.says = sort
        options = ["--judge", chat.url, "--model", "m", "--direction", "--per-item", "sides.jsonl", "--json"]
        assert run(*options, said=False) == 0
    record = told(capsys)
    assert (record["n"], record["direction"], record["undecided"], record["share"]) == (5, 1, 1, 0.25)
    files = ["--references", "given.json", "--predictions", "said.jsonl", "--subset", "sides.jsonl"]
    monkeypatch.setattr(sys, "argv", ["vantage", "score", "scanqa", *files])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    out = capsys.readouterr().out
    assert "direction: 1 of 5 items" in out and "complement: 3 of 5 items" in out


def test_direction_by_rule(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--direction", said=False) == 0
    assert "2 of 5 items need a direction, 0 undecided; share 0.4000" in capsys.readouterr().out


def test_the_key_comes_from_the_environment_and_is_never_shown(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VANTAGE_JUDGE_KEY", "sekret")
    with chatting() as chat:
        chat.always = status(401, b"wrong key sekret")
        assert run("--judge", chat.url, "--model", "m") == 2
        assert chat.headers[0]["authorization"] == "Bearer sekret"
    captured = capsys.readouterr()
    assert "401" in captured.err and "sekret" not in captured.err + captured.out


@pytest.mark.parametrize(
    "options",
    [["--model", "m"], ["--repeats", "3"], ["--judge", "http://localhost:1/v1"], ["--judge", "rules"],
     ["--direction"], ["--per-item", "no/where.jsonl"], ["--subset", "fuzzy"]],
)  # fmt: skip
def test_options_that_do_not_go_together(run: Run, options: list[str]) -> None:
    assert run(*options) == 2


def test_a_benchmark_without_rubric(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(benchmark="vsibench") == 2
    assert "scanqa or sqa3d or scan2cap" in capsys.readouterr().err


def test_captions_need_no_boxes(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fields = {"scene_id": "s0", "object_name": "chair", "token": []}
    texts = ["the brown chair left of the table", "a brown chair"]
    given = [{**fields, "object_id": "3", "ann_id": str(i), "description": t} for i, t in enumerate(texts)]
    (tmp_path / "given.json").write_text(json.dumps(given))
    said = {"scene_id": "s0", "object_id": "3", "caption": "a brown chair by a table"}
    (tmp_path / "said.jsonl").write_text(json.dumps(said))
    assert run("--json", benchmark="scan2cap") == 0
    record = told(capsys)
    assert (record["n"], record["accuracy"]) == (1, 1.0)
    (tmp_path / "given.json").write_text(json.dumps({"s0|3|chair": ["sos a white chair eos"]}))
    assert run("--json", benchmark="scan2cap") == 0
    assert told(capsys)["accuracy"] == 0.0


def test_a_run_that_is_killed_goes_on(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chatting() as chat:
        options = ["--judge", chat.url, "--model", "m", "--workers", "1", "--json"]
        files = ["--references", "given.json", "--predictions", "said.jsonl"]
        command = [sys.executable, "-m", "vantage", "judge", "scanqa", *files, *options]
        chat.scripts.extend([says(verdict("correct")), _hangs])
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        while len(chat.asked) < 2:
            assert process.poll() is None
        process.kill()
        process.wait()
        before = len(chat.asked)
        assert run(*options) == 0
        assert told(capsys)["judged"] == 5
        assert len(chat.asked) == before + 2, "three questions in all, one of them kept"


def _hangs(handler: object) -> None:
    time.sleep(2)
