"""A registered situated model answers benchmarks: with the situation of a question, and with its place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

sys.path += [str(Path(__file__).parents[1] / name) for name in ("evaluation/running", "models", "models/vlm")]

import registered_arms
from asked_rooms import Rooms, localization, rooms
from pictured import muirbench
from test_asked_golden import cv_bench, msqa, spatialrgpt, vsibench

from vantage.cli.main import app
from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.own_images import OwnImages
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Request
from vantage.models.vlm.trained import TrainedVlm
from vantage.registry.ask_pictures import in_words, pictures_request
from vantage.registry.ask_registered import RegisteredAnswerer
from vantage.registry.store import find_store
from vantage.registry.vlm_serving import VlmAnswerer

MODEL = "models:/vantage@champion"
LIMIT = 3


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    return rooms(tmp_path_factory.mktemp("rooms"), 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, ready_database: Path) -> Path:
    """A workspace whose registry holds a situated model and a `plain` one."""
    arms = {"vantage": "situated", "plain": "multiview"}
    return registered_arms.write(tmp_path_factory.mktemp("registered"), ready_database, arms)


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def predicted(made: Path, asked: Rooms, benchmark: str, references: Path, out: Path, *model: Any) -> Any:
    shown = ("--scans", asked.scans, "--views", 2)
    return answered(made, shown, benchmark, references, out, *model)


def answered(
    made: Path, shown: tuple[Any, ...], benchmark: str, references: Path, out: Path, *model: Any
) -> Any:
    words = [
        "predict", benchmark, "--references", references, *shown, "--out", out, "--limit", LIMIT,
        "--workspace", made, "--device", "cpu", "--model", *model,
    ]  # fmt: skip
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert not any("set_aside" in row for row in lines), lines
    return {row["question_id"]: row for row in lines[1:]}


def test_its_places_are_those_of_the_adapter_itself(made: Path, asked: Rooms, tmp_path: Path) -> None:
    references = localization(asked, tmp_path / "told", "aligned_centre")
    name = "sqa3d_localization"
    ours = predicted(made, asked, name, references, tmp_path / "ours.jsonl", MODEL)
    own = (made / "base", "--adapter", made / "adapters" / "vantage")
    theirs = predicted(made, asked, name, references, tmp_path / "theirs.jsonl", *own)
    assert list(ours) == list(theirs) == asked.ids()[:LIMIT]
    for key, row in ours.items():
        assert row["finish"] == "place"
        for field, number in (("positions", 1), ("rotations", 3)):
            assert len(row[field]) == number
            for mine, other in zip(row[field], theirs[key][field], strict=True):
                np.testing.assert_allclose(list(mine.values()), list(other.values()), atol=2e-3)
        for field in ("sigma_m", "sigma_rad"):
            assert row[field] == pytest.approx(theirs[key][field], abs=2e-3)
    words = ["score", name, "--predictions", tmp_path / "ours.jsonl", "--references", references, "--json"]
    told = CliRunner().invoke(app, [str(word) for word in words])
    record = json.loads(told.stdout)
    assert (record["n"], record["missing"], record["unparsed"]) == (6, 3, 0)


def test_situated_questions_are_asked_with_their_situation(made: Path, asked: Rooms, tmp_path: Path) -> None:
    found = predicted(made, asked, "sqa3d", asked.sqa3d, tmp_path / "said.jsonl", MODEL)
    assert all(row["text"] for row in found.values())
    answerer = RegisteredAnswerer.load(find_store(made), MODEL)
    rule = BENCHMARKS.get("sqa3d")
    content = rule.references(asked.sqa3d, None)[0].content
    assert answerer.prompt(rule, content) == rule.prompt(content)
    assert rule.prompt(content).startswith("I am here. ")


@pytest.mark.parametrize("benchmark", ["spatialrgpt_bench", "cv_bench", "muirbench"])
def test_pictures_without_poses_are_shown_to_a_model_that_needs_none(
    made: Path, asked: Rooms, tmp_path: Path, benchmark: str
) -> None:
    muir = muirbench(tmp_path, 3)
    references = {
        "muirbench": muir,
        "cv_bench": cv_bench(tmp_path),
        "spatialrgpt_bench": spatialrgpt(tmp_path),
    }
    shown, path = ("--images", tmp_path / "images"), references[benchmark]
    ours = answered(made, shown, benchmark, path, tmp_path / "ours.jsonl", "models:/plain/1")
    assert all(row["finish"] == "text" for row in ours.values())
    if benchmark == "spatialrgpt_bench":  # one picture and no mark: both ways show and say the same
        own = (made / "base", "--adapter", made / "adapters" / "plain", "--max-new-tokens", 32)
        theirs = answered(made, shown, benchmark, path, tmp_path / "theirs.jsonl", *own)
        assert {k: row["text"] for k, row in ours.items()} == {k: row["text"] for k, row in theirs.items()}
    words = ["score", benchmark, "--predictions", tmp_path / "ours.jsonl", "--references", path, "--json"]
    record = json.loads(CliRunner().invoke(app, [str(word) for word in words]).stdout)
    assert record["missing"] == 0 and record["n"] == len(ours)


def n3d_style(folder: Path) -> Path:
    row = {
        "question_id": "a",
        "scene_id": "room0000_00",
        "question": "how far?",
        "answer": "2",
        "type": "numeric",
    }
    path = folder / "n3d.json"
    path.write_text(json.dumps([row]))
    return path


def vsi(folder: Path) -> Path:
    path = vsibench(folder)
    path.write_text(path.read_text().replace("room0001_00", "room0000_00"))
    return path


@pytest.mark.parametrize("benchmark", ["scanqa", "msqa", "vsibench", "n3d_style"])
def test_questions_about_scans_from_the_registry_to_a_score(
    made: Path, asked: Rooms, tmp_path: Path, benchmark: str
) -> None:
    own = {"msqa": msqa, "vsibench": vsi, "n3d_style": n3d_style}
    path = own[benchmark](tmp_path) if benchmark in own else asked.scanqa
    found = predicted(made, asked, benchmark, path, tmp_path / "said.jsonl", "models:/plain/1")
    assert found and all(row["finish"] == "text" for row in found.values())
    words = ["score", benchmark, "--predictions", tmp_path / "said.jsonl", "--references", path, "--json"]
    record = json.loads(CliRunner().invoke(app, [str(word) for word in words]).stdout)
    assert record["n"] - record["missing"] == len(found)


def test_pictures_of_several_sizes_stand_in_one_frame_and_marks_become_numbers(tmp_path: Path) -> None:
    rule, path = BENCHMARKS.get("muirbench"), muirbench(tmp_path, 3)
    item = rule.references(path, None)[2]
    builder = OwnImages(rule, path, tmp_path / "images")
    (ask,) = builder.asks([item], {item.id: rule.prompt(item.content)})
    assert isinstance(ask, Ask) and len(set(ask.sizes)) > 1
    made = pictures_request(ask)
    shape = (max(h for _, h in ask.sizes), max(w for w, _ in ask.sizes), 3)
    for image, view, (width, height) in zip(made["images"], ask.views, ask.sizes, strict=True):
        assert image.shape == shape
        top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
        inside = np.zeros(shape[:2], bool)
        inside[top : top + height, left : left + width] = True
        assert np.array_equal(image[inside].reshape(height, width, 3), np.asarray(view.image()))
        assert not image[~inside].any()
    assert "in (picture 1) and (picture 2) and (picture 3) ?" in in_words(ask.prompt)
    assert in_words("<image>\n<image> why?") == "why?" and in_words("why?") == "why?"


def test_a_model_that_must_be_told_where_it_is_sets_such_pictures_aside(made: Path, tmp_path: Path) -> None:
    rule, path = BENCHMARKS.get("muirbench"), muirbench(tmp_path, 1)
    items = rule.references(path, None)
    builder = OwnImages(rule, path, tmp_path / "images")
    asks = [one for one in builder.asks(items, {items[0].id: "why?"}) if isinstance(one, Ask)]
    answerer = RegisteredAnswerer.load(find_store(made), MODEL)
    (found,) = (one for batch in answerer.answers(asks) for one in batch)
    assert isinstance(found, SetAside) and "posed views" in found.reason


def test_a_model_that_tells_no_place_says_so_before_anything_is_asked() -> None:
    with pytest.raises(ParameterError, match="does not give") as caught:
        RegisteredAnswerer(None, "").prompt(BENCHMARKS.get("sqa3d_localization"), None)
    assert "situated" in str(caught.value)


def request(asked: Rooms, **more: Any) -> dict[str, Any]:
    from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews

    scan = MeasuredScan.open(asked.scans / asked.made[0].scan_id)
    return {**ScanViews(scan.folder, scan.meta, scan.chosen(2)).request("is there a lamp?"), **more}


class Recorded(TrainedVlm):
    """Keeps what it was asked."""

    def generator(self, decoding: Decoding) -> Generator:
        said = self.__dict__.setdefault("asked", [])

        class Keeping(Generator):
            def answers(self, requests: list[Request]) -> Any:  # type: ignore[override]
                said.extend(request.text for request in requests)
                return super().answers(requests)

        return Keeping(self.prepare, decoding, self.model.injector, self.model.situated)


@pytest.mark.parametrize(
    ("arm", "text"),
    [
        ("vantage", "<Cam><image><Cam><image>I sit.<Pos><Ori>is there a lamp?"),
        ("plain", "<image><image>I sit. is there a lamp?"),
    ],
)
def test_a_request_s_situation_stands_where_training_has_it(
    made: Path, asked: Rooms, arm: str, text: str
) -> None:
    vlm = Recorded.load(str(made / "base"), made / "adapters" / arm)
    answerer = VlmAnswerer(vlm, Decoding(2))
    answerer.answer(request(asked, situation="I sit. "))
    assert vlm.__dict__["asked"] == [text]
    with pytest.raises(ParameterError, match="situation"):
        answerer.answer(request(asked, situation=["I sit."]))
    with pytest.raises(ParameterError):
        answerer.answer(request(asked, situation=f"I sit {vlm.prepare.family.placeholder}"))


def test_the_places_that_a_request_gets_follow_its_situation(made: Path, asked: Rooms) -> None:
    answerer = VlmAnswerer(TrainedVlm.load(str(made / "base"), made / "adapters" / "vantage"), Decoding(2))
    here, again, there, nowhere = (
        answerer.answer(request(asked, **more))[0]["place"]
        for more in ({"situation": "where is the bed?"}, {"situation": "where is the bed?"},
                     {"situation": "is there a lamp?"}, {})
    )  # fmt: skip
    assert here == again and here["x"] != there["x"] and nowhere["x"] != here["x"]
