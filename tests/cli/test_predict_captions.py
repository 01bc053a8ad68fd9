"""`vantage predict scan2cap` from a vision-language model's folder to `vantage score`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path += [
    str(Path(__file__).parents[1] / name)
    for name in ("evaluation", "evaluation/running", "models", "models/vlm")
]

from asked_rooms import Rooms, rooms
from captioned_rooms import scan2cap
from pictured import model as tiny_model

import vantage
from vantage.cli.predict import Model, Shown, predict
from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.scoring import score
from vantage.registry.abilities import Abilities
from vantage.registry.ask_registered import RegisteredAnswerer


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    return rooms(tmp_path_factory.mktemp("rooms"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "VANTAGE_"))}
    inherited["VANTAGE_METEOR"] = "off"
    environment = inherited | {"PYTHONPATH": str(Path(vantage.__file__).parents[1])}
    command = [sys.executable, "-m", "vantage", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def call(references: Path, base: Path, out: Path, shown: Shown, limit: int | None = None) -> None:
    model = Model(str(base), max_new_tokens=4)
    predict("scan2cap", references, model, shown, out, "1/1", limit, False, None)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def words(references: Path, out: Path, asked: Rooms, base: Path) -> list[str]:
    return [
        "scan2cap", "--references", str(references), "--model", str(base), "--scans", str(asked.scans),
        "--views", "2", "--max-new-tokens", "4", "--out", str(out),
    ]  # fmt: skip


def test_from_a_model_to_scores_on_the_annotated_boxes(asked: Rooms, base: Path, tmp_path: Path) -> None:
    references, out = scan2cap(asked, tmp_path / "ref.json", every=4), tmp_path / "out.jsonl"
    told = ran("predict", *words(references, out, asked, base))
    header, *rows = lines(out)
    assert header["settings"]["boxes"] == "annotated"
    assert {row["boxes"] for row in rows if "text" in row} == {"annotated"}
    answered = [row for row in rows if "text" in row]
    assert f"{len(answered)} of {len(rows)} items answered" in told.stdout and len(answered) > 4
    assert len({row["input"] for row in answered}) == len(answered), "each object is outlined by itself"
    again = ("score", "scan2cap", "--predictions", str(out), "--references", str(references))
    found = json.loads(ran(*again, "--scans", str(asked.scans), "--json").stdout)
    assert (found["n"], found["missing"]) == (len(rows), len(rows) - len(answered))
    for rule in ("legacy", "llava3d", "video3dllm", "leo"):
        assert found["variants"][rule]["kept@0.5"] == len(answered) / len(rows), (
            "every box is the annotated one"
        )
    bench = found["variants"]["benchmark"]
    assert bench["rouge_l@0.5.precision"] * len(answered) == pytest.approx(
        bench["rouge_l@0.5.recall"] * len(rows)
    )


def test_a_run_goes_on_to_the_same_bytes_and_captions_are_no_part_of_it(
    asked: Rooms, base: Path, tmp_path: Path
) -> None:
    references, out, whole = scan2cap(asked, tmp_path / "ref.json", every=5), tmp_path / "a", tmp_path / "b"
    shown = Shown(asked.scans, views=2)
    call(references, base, out, shown, limit=2)
    kept = out.read_text().splitlines()[1:3]
    with out.open("a") as file:
        file.write('{"question_id": "room')  # killed in the middle of a line
    call(references, base, out, shown)
    assert out.read_text().splitlines()[1:3] == kept
    other = scan2cap(asked, tmp_path / "other.json", words="xylophone", every=5)
    call(other, base, whole, shown)
    assert out.read_bytes() == whole.read_bytes()
    with pytest.raises(ContractError, match="another run"):
        call(references, base, out, Shown(asked.scans, views=3))


def detected(asked: Rooms, references: Path, path: Path) -> list[dict[str, Any]]:
    """A detector's boxes: those of all objects but the first of each room, a little off; some of nothing.

    Room 1 has only boxes of nothing.
    """
    items = BENCHMARKS.get("scan2cap").references(references, asked.scans)
    rows: list[dict[str, Any]] = []
    for item in [one for one in items if one.scene == "room0000_00"][1:]:
        low, high = item.content.box
        center, size = (low + high) / 2 + 0.03, high - low
        rows.append({"scene_id": item.scene, "box": [*center.tolist(), *size.tolist()], "score": 0.9})
    rows += [
        {"scene_id": scene, "box": [30.0 + k, 30.0, 1.0, 0.5, 0.5, 0.5]}
        for k, scene in enumerate(["room0000_00", "room0001_00", "room0001_00", "room0007_00"])
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def corners(box: list[float]) -> list[list[float]]:
    return [[box[k] + s[k] * box[3 + k] for k in range(3)] for s in SIGNS]


SIGNS = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]


def test_a_detectors_boxes_are_scored_as_its_upload_with_the_same_captions(
    asked: Rooms, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    references, out = scan2cap(asked, tmp_path / "ref.json", every=4), tmp_path / "out.jsonl"
    rows = detected(asked, references, tmp_path / "boxes.jsonl")
    call(references, base, out, Shown(asked.scans, views=2, proposals=tmp_path / "boxes.jsonl"))
    assert "1 proposals are in scenes that the references do not have" in capsys.readouterr().err
    header, *said = lines(out)
    assert header["settings"]["boxes"] == "proposal"
    answered = {row["question_id"]: row for row in said if "text" in row}
    assert {row["boxes"] for row in answered.values()} == {"proposal"}
    lacking = [row for row in said if "no proposal" in row.get("set_aside", "")]
    assert len(lacking) > len(said) / 2 and len(answered) >= 2

    upload: dict[str, list[dict[str, Any]]] = {"room0000_00": [], "room0001_00": []}
    boxes = {json.dumps(row["aabb_bound"]): row["text"] for row in answered.values()}
    for row in rows[:-1]:
        low = [row["box"][k] - row["box"][3 + k] / 2 for k in range(3)]
        high = [row["box"][k] + row["box"][3 + k] / 2 for k in range(3)]
        text = boxes.pop(json.dumps([low, high]), "of nothing")
        upload[row["scene_id"]].append({"caption": text, "box": corners(row["box"])})
    assert not boxes
    (tmp_path / "upload.json").write_text(json.dumps(upload))
    rule = BENCHMARKS.get("scan2cap")
    ours, theirs = (
        score(rule, path, references, scans=asked.scans).record() for path in (out, tmp_path / "upload.json")
    )
    aside = [row for row in said if "set_aside" in row and row not in lacking]
    assert not aside, "else the upload has a caption that we have not"
    assert ours == theirs
    proposed = len(rows) - 1
    recall, precision = (
        ours["variants"]["benchmark"][f"rouge_l@0.25.{name}"] for name in ("recall", "precision")
    )
    assert recall > 0 and precision * proposed == pytest.approx(recall * len(said))


def test_mistakes_are_told(asked: Rooms, base: Path, tmp_path: Path) -> None:
    references, out = scan2cap(asked, tmp_path / "ref.json", every=8), tmp_path / "out.jsonl"
    for shown, words in [
        (Shown(asked.scans, images=tmp_path), "--scans DIR alone"),
        (Shown(asked.scans, frames="path"), "--frames"),
        (Shown(asked.scans, proposals=tmp_path / "none.jsonl"), "no such file"),
        (Shown(tmp_path), "a scene is missing"),
        (Shown(), "no boxes"),
    ]:
        with pytest.raises(ParameterError, match=words):
            call(references, base, out, shown)
    with pytest.raises(ParameterError, match="--proposals"):
        shown = Shown(asked.scans, proposals=tmp_path / "none.jsonl")
        predict("scanqa", asked.scanqa, Model(str(base)), shown, out, "1/1", None, False, None)
    rule = BENCHMARKS.get("scan2cap")
    (item, *_) = rule.references(references, asked.scans)
    with pytest.raises(ParameterError, match="pocket model has no words"):
        RegisteredAnswerer(None, "").prompt(rule, item.content)
    assert RegisteredAnswerer(None, "", Abilities(pocket=False)).prompt(rule, item.content) == rule.prompt(
        item.content
    )
    assert not out.exists()
