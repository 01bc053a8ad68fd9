"""`vantage score`: files in, every variant out, without a workspace and without torch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vantage.cli.main import main
from vantage.cli.score import score
from vantage.core.errors import ContractError, ParameterError

REPOSITORY = Path(__file__).resolve().parents[2]
GIVEN = [
    {
        "scene_id": f"scene{i:04d}_00",
        "question_id": f"q{i}",
        "question": "What is it?",
        "answers": ["chair", "seat"],
    }
    for i in range(4)
]
SAID = [{"question_id": f"q{i}", "text": text} for i, text in enumerate(["chair", "Chair.", ""])]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "given.json").write_text(json.dumps(GIVEN))
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, SAID)))
    return tmp_path


def call(folder: Path, **options: Any) -> None:
    given: dict[str, Any] = {
        "benchmark": "scanqa", "predictions": folder / "said.jsonl", "references": folder / "given.json",
        "variant": None, "scans": None, "subset": None, "per_item": None, "as_json": True,
    }  # fmt: skip
    score(**{**given, **options})


def test_json_and_per_item(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(files, per_item=files / "items.jsonl")
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert (record["n"], record["empty"], record["unparsed"]) == (4, 1, 0)
    assert record["variants"]["raw"]["em"] == 0.25
    assert record["variants"]["clean"]["em"] == 0.5
    assert record["variants"]["refined_first_match"]["em_refined"] == 0.75
    assert record["variants"]["refined_strict"]["em_refined"] == 0.5
    assert "1 of 4 items have no prediction" in told.err
    items = [json.loads(line) for line in (files / "items.jsonl").read_text().splitlines()]
    assert [row["id"] for row in items] == ["q0", "q1", "q2", "q3"]
    assert [row["clean.em"] for row in items] == [1, 1, 0, 0]


def test_one_variant_alone(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(files, variant="clean")
    assert list(json.loads(capsys.readouterr().out)["variants"]) == ["clean"]


def test_the_table_names_every_variant_with_n_and_intervals(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(files, as_json=False)
    out = capsys.readouterr().out
    for words in ("4 items, 1 without prediction, 1 empty, 0 unparsed", "raw: ", "captions_ptb: ", "ptb=py"):
        assert words in out
    assert "bootstrap over 4 scenes" in out
    (line,) = [row for row in out.split("\n\n")[1].splitlines() if row.startswith("em ")]
    assert line.split()[:2] == ["em", "0.2500"] and line.split()[-1] == "4"
    call(files, as_json=False)
    assert capsys.readouterr().out == out, "the same draws each time"


def test_names_and_places_that_are_wrong(files: Path) -> None:
    with pytest.raises(ParameterError, match="did you mean 'scanqa'"):
        call(files, benchmark="scanq")
    with pytest.raises(ParameterError, match="no such file"):
        call(files, predictions=files / "none.jsonl")
    with pytest.raises(ParameterError, match="--per-item"):
        call(files, per_item=files / "no" / "items.jsonl")
    (files / "said.jsonl").write_text('{"question_id": "q0", "text": "a"}\n' * 2)
    with pytest.raises(ContractError, match=r"said.jsonl:2"):
        call(files)


def test_every_benchmark_of_the_issue_is_there() -> None:
    from vantage.evaluation.benchmarks.names import BENCHMARKS

    names = "scanqa sqa3d sqa3d_localization scanrefer multi3drefer scan2cap nr3d muirbench vsibench"
    names += " spatialrgpt_bench cv_bench msqa n3d_style grounding3d"
    assert set(names.split()) <= set(BENCHMARKS.names())
    for name in names.split():
        benchmark = BENCHMARKS.get(name)
        assert benchmark.name == name and benchmark.variants
        assert all(variant.summary for variant in benchmark.variants.values())


def test_from_the_command_line_anywhere_without_heavy_imports(files: Path) -> None:
    code = (
        "import sys\n"
        "files = ['--predictions', 'said.jsonl', '--references', 'given.json']\n"
        "sys.argv = ['vantage', 'score', 'scanqa', *files, '--json']\n"
        "from vantage.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'scipy', 'numba', 'open3d', 'pyarrow', 'matplotlib', 'transformers'}\n"
        "sys.exit(f'{heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=files, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["variants"]["raw"]["em"] == 0.25


def test_an_error_is_text_and_an_exit_code(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--predictions", str(files / "said.jsonl"), "--references", str(files / "given.json")]
    monkeypatch.setattr(sys, "argv", ["vantage", "score", "scanqa", *arguments, "--variant", "fuzzy"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "refined_membership_first" in capsys.readouterr().err


def test_two_files_against_each_other(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = [{"question_id": f"q{i}", "text": text} for i, text in enumerate(["bed", "chair", "seat", "x"])]
    (files / "other.jsonl").write_text("\n".join(map(json.dumps, other)))
    call(files, against=files / "other.jsonl", per_item=files / "items.jsonl", variant="clean")
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert (record["n"], record["missing"], record["against"]["missing"]) == (4, 1, 0)
    assert record["variants"]["clean"]["em"] == record["against"]["variants"]["clean"]["em"] == 0.5
    found = record["differences"]["variants"]["clean"]["em"]
    assert (found["value"], found["against"], found["difference"], found["n"]) == (0.5, 0.5, 0, 4)
    assert (found["ours_only"], found["theirs_only"], found["p"], found["p_holm"]) == (1, 1, 1, 1)
    assert found["low"] <= 0 <= found["high"] and found["detectable"] is None
    assert f"{files / 'said.jsonl'}: 1 of 4 items have no prediction" in told.err
    items = [json.loads(line) for line in (files / "items.jsonl").read_text().splitlines()]
    assert [(row["clean.em"], row["against.clean.em"]) for row in items] == [(1, 0), (1, 1), (0, 1), (0, 0)]
    # "Chair." and "chair" are equally right, but not the same answer.
    assert record["changed"] == ["q0", "q1", "q2", "q3"]
    assert all(row["changed"] for row in items)


def test_the_table_of_differences(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(files, against=files / "said.jsonl", as_json=False, subset="words", variant="raw")
    out = capsys.readouterr().out
    assert "ours: 4 items, 1 without prediction" in out and "theirs: 4 items" in out
    assert "answered otherwise: 0 items\n" in out
    lines = [line.split() for line in out.splitlines() if line.startswith("em ")]
    assert ["em", "0.2500", "0.2500", "+0.0000", "+0.0000", "to", "+0.0000", "4"] in [
        row[:8] for row in lines
    ]
    assert lines[0][8:12] == ["0", "0", "1.000", "1.000"]
    assert "=== complement: 4 of 4 items" in out and "Holm over all" in out
