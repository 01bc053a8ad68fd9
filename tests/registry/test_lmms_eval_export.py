"""`vantage export lmms-eval`: the folder scores as `vantage score` does and shows what `predict` shows."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

for name in ("evaluation", "evaluation/running"):
    sys.path.append(str(Path(__file__).parents[1] / name))

from asked_rooms import Rooms, rooms  # noqa: E402
from score_files import write  # noqa: E402

from vantage.cli.export import lmms_eval  # noqa: E402
from vantage.core.errors import ContractError, ParameterError  # noqa: E402
from vantage.core.hashing import digest_tree  # noqa: E402
from vantage.evaluation.benchmarks.names import BENCHMARKS  # noqa: E402
from vantage.evaluation.running.ask import Ask  # noqa: E402
from vantage.evaluation.running.posed import PosedViews  # noqa: E402
from vantage.evaluation.scoring import score  # noqa: E402
from vantage.scans.pixels import read_bytes  # noqa: E402

TEXTS = ("no", "Two.", "to the left", "", "a red sofa", "yes it is", "No", "2 chairs", "left", "nope", "Red")
BOTH = ("scanqa", "sqa3d")
LOOK = """
import importlib.util, json, sys
sys.modules["vantage"] = None  # no import of the project gets through
told = {}
for folder, said in json.loads(sys.stdin.read()).items():
    spec = importlib.util.spec_from_file_location("utils", folder + "/utils.py")
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    docs = [json.loads(line) for line in open(folder + "/questions.jsonl", encoding="utf-8")]
    found = [utils.process_results(d, [said[d["question_id"]]]) for d in docs if d["question_id"] in said]
    told[folder] = {
        m: getattr(utils, m.replace(".", "__", 1).replace(".", "__"))([one[m] for one in found[::-1]])
        for m in utils.METRICS
    }
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    return rooms(tmp_path_factory.mktemp("rooms"))


@pytest.fixture(scope="module")
def folders(asked: Rooms, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An export of each benchmark; read only."""
    root = tmp_path_factory.mktemp("tasks")
    for benchmark in BOTH:
        exported(asked, benchmark, root / benchmark)
    return {benchmark: root / benchmark for benchmark in BOTH}


def references(asked: Rooms, benchmark: str) -> Path:
    return asked.scanqa if benchmark == "scanqa" else asked.sqa3d


def exported(asked: Rooms, benchmark: str, out: Path, **options: Any) -> Path:
    given: dict[str, Any] = {"scans": asked.scans, "views": 3, "origin": "aligned", **options}
    lmms_eval(benchmark, given.pop("references", references(asked, benchmark)), out, **given)
    return out


def answers(asked: Rooms) -> dict[str, str]:
    ids = asked.ids()
    return {name: TEXTS[k % len(TEXTS)] for k, name in enumerate(ids)}


def looked(said: dict[Path, dict[str, str]]) -> dict[Path, dict[str, float]]:
    """Numbers of exported folders, by their own `utils.py`, in one process that cannot import the project."""
    text = json.dumps({str(folder): texts for folder, texts in said.items()})
    words = [sys.executable, "-I", "-c", LOOK]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {Path(folder): numbers for folder, numbers in json.loads(done.stdout).items()}


MORE = {"meteor", "f_value"}


def expected(benchmark: str, given: Path, said: dict[str, str], folder: Path) -> dict[str, float]:
    """What `vantage score` says, by `VARIANT.METRIC`, but for METEOR and the F-value, which need more."""
    rows = [{"question_id": name, "text": text} for name, text in said.items()]
    found = score(BENCHMARKS.get(benchmark), write(folder / "said.jsonl", rows), given).record()["variants"]
    return {f"{v}.{m}": x for v, ms in found.items() if v not in MORE for m, x in ms.items()}


def test_scores_are_those_of_vantage_score_without_the_project(
    asked: Rooms, folders: dict[str, Path], tmp_path: Path
) -> None:
    said = answers(asked)
    found = looked(dict.fromkeys(folders.values(), said))
    for benchmark, folder in folders.items():
        numbers = expected(benchmark, references(asked, benchmark), said, tmp_path)
        assert found[folder] == numbers
        assert 0 < numbers["refined_strict.em"] < 1
    assert {"raw.em.is", "sqa3d_llm.em_deduplicated"} <= found[folders["sqa3d"]].keys()
    variants = {name.partition(".")[0] for name in found[folders["scanqa"]]}
    assert variants == set(BENCHMARKS.get("scanqa").variants) - MORE - {"boxes", "boxes_any"}


def test_a_run_over_some_questions_scores_those_alone(
    asked: Rooms, folders: dict[str, Path], tmp_path: Path
) -> None:
    said = dict(list(answers(asked).items())[:5])
    rows = [row for row in json.loads(asked.scanqa.read_text()) if row["question_id"] in said]
    numbers = expected("scanqa", write(tmp_path / "some.json", rows), said, tmp_path)
    found = looked({folders["scanqa"]: said})[folders["scanqa"]]
    assert {name: found[name] for name in numbers} == numbers


def test_questions_that_cannot_be_asked_count_as_wrong(
    asked: Rooms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "room0000_00").symlink_to(asked.scans / "room0000_00")
    for benchmark in BOTH:
        folder = exported(asked, benchmark, tmp_path / benchmark, scans=scans)
        assert "6 of 12 questions" in capsys.readouterr().out
        aside = [json.loads(line) for line in (folder / "set_aside.jsonl").read_text().splitlines()]
        assert len(aside) == 6 and all("no such scan" in row["set_aside"] for row in aside)
        said = {name: text for name, text in answers(asked).items() if name.startswith("room0000")}
        numbers = expected(benchmark, references(asked, benchmark), said, tmp_path)
        assert looked({folder: said})[folder] == numbers
    with pytest.raises(ContractError, match="no question can be asked"):
        exported(asked, "scanqa", tmp_path / "none", scans=tmp_path / "scanqa")
    assert not (tmp_path / "none").exists() and not list(tmp_path.glob(".*.new"))


@pytest.mark.parametrize("benchmark", BOTH)
def test_questions_and_frames_are_those_of_predict(
    asked: Rooms, folders: dict[str, Path], benchmark: str
) -> None:
    rule = BENCHMARKS.get(benchmark)
    items = {item.id: item for item in rule.references(references(asked, benchmark), None)}
    builder = PosedViews(asked.scans, 3, origin="aligned")
    docs = [json.loads(line) for line in (folders[benchmark] / "questions.jsonl").read_text().splitlines()]
    assert [doc["question_id"] for doc in docs] == list(items)
    for doc in docs:
        item = items[doc["question_id"]]
        assert doc["prompt"] == rule.prompt(item.content)
        assert doc["answers"] == list(item.content.answers)
        (ask,) = builder.asks([item], {item.id: doc["prompt"]})
        assert isinstance(ask, Ask) and ask.scan is not None
        shown = [read_bytes(ask.scan.folder, frame.color) for frame in ask.scan.frames]
        assert [(folders[benchmark] / name).read_bytes() for name in doc["images"]] == shown
        assert not any(Path(name).is_absolute() for name in doc["images"])


def test_pictures_of_the_items_own_become_jpeg(asked: Rooms, tmp_path: Path) -> None:
    rows = json.loads(asked.scanqa.read_text())[:2]
    ramp = np.linspace(0, 255, 40 * 30 * 3).astype(np.uint8).reshape(30, 40, 3)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    given = write(tmp_path / "given.json", [{**row, "images": ["ramp.png"]} for row in rows])
    folder = exported(asked, "scanqa", tmp_path / "out", references=given, scans=None, images=tmp_path)
    docs = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    (name,) = {name for doc in docs for name in doc["images"]}
    with Image.open(io.BytesIO((folder / name).read_bytes())) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image, np.int64) - ramp).mean() < 4


def test_the_same_bytes_again_in_the_place_of_the_first(
    asked: Rooms, folders: dict[str, Path], tmp_path: Path
) -> None:
    for benchmark, folder in folders.items():
        out = tmp_path / benchmark
        shutil.copytree(folder, out, ignore=shutil.ignore_patterns("__pycache__"))
        before = digest_tree(out)
        (out / "stale.txt").write_text("of an earlier export")
        assert digest_tree(exported(asked, benchmark, out)) == before
    words = [str(path) for path in (asked.scans, Path.cwd())]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix != ".jpg":
            assert not any(word in path.read_text() for word in words), f"a machine's path in {path.name}"


def test_what_cannot_be_exported_is_refused(asked: Rooms, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not an export")
    with pytest.raises(ParameterError, match="something else"):
        exported(asked, "scanqa", tmp_path)
    assert (tmp_path / "mine.txt").is_file()
    for task in ("vantage", "../up", "a-b", "1st"):
        with pytest.raises(ParameterError, match="not a name"):
            exported(asked, "scanqa", tmp_path / "out", task=task)
    with pytest.raises(ParameterError, match="scanqa, sqa3d"):
        exported(asked, "msqa", tmp_path / "out")
    with pytest.raises(ParameterError, match="nothing to show"):
        exported(asked, "scanqa", tmp_path / "out", scans=None)


@pytest.mark.parametrize(("benchmark", "limit"), [("scanqa", 0), ("sqa3d", 0), ("scanqa", 4)])
def test_the_real_lmms_eval_reports_the_same_numbers(
    asked: Rooms, folders: dict[str, Path], tmp_path: Path, benchmark: str, limit: int
) -> None:
    python = os.environ.get("VANTAGE_LMMS_EVAL_PYTHON")
    if python is None:
        pytest.skip("VANTAGE_LMMS_EVAL_PYTHON names no Python with lmms-eval")
    said, out = answers(asked), tmp_path / "out.json"
    replay = Path(__file__).with_name("replay_lmms_eval.py")
    task = f"vantage_{benchmark}"
    given = write(tmp_path / "answers.json", said)
    words = [python, "-I", replay, folders[benchmark], task, given, str(limit), out]
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text())
    docs = [json.loads(line) for line in (folders[benchmark] / "questions.jsonl").read_text().splitlines()]
    docs = docs[: limit or None]
    assert told["indexed"]
    assert [(one["id"], one["prompt"]) for one in told["given"]] == [
        (doc["question_id"], doc["prompt"]) for doc in docs
    ]
    assert {len(one["shown"]) for one in told["given"]} == {3}
    assert all(picture[:3] == ["RGB", 96, 72] for one in told["given"] for picture in one["shown"])
    decoding = {"max_new_tokens": 64, "temperature": 0, "do_sample": False, "num_beams": 1, "until": []}
    assert all(one["kwargs"] == decoding for one in told["given"])
    assert told["targets"] == {doc["question_id"]: doc["answers"] for doc in docs}
    some = {doc["question_id"]: said[doc["question_id"]] for doc in docs}
    path = references(asked, benchmark)
    if limit:
        rows = [row for row in json.loads(path.read_text()) if row["question_id"] in some]
        path = write(tmp_path / "some.json", rows)
    numbers = expected(benchmark, path, some, tmp_path)
    assert {name: told["results"][f"{name},none"] for name in numbers} == numbers
