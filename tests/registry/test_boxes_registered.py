"""A registered grounded model answers benchmarks of boxes: on exact truth, and by the command."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

sys.path += [
    str(Path(__file__).parents[1] / name)
    for name in ("evaluation/running", "evaluation/running/boxes", "models", "models/vlm")
]

import registered_arms
from asked_rooms import rooms
from boxed_rooms import VIEWS, Boxed, boxed, in_text
from pictured_boxes import grounding3d, truth

from vantage.cli.main import app
from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.boxes.eyes import Eye
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.run import Run
from vantage.evaluation.running.shard import Shard
from vantage.evaluation.scoring import score
from vantage.geometry.boxes import OrientedBox
from vantage.models.vlm.generate import Generator
from vantage.models.vlm.request import Generated, Refused, Request
from vantage.registry.abilities import Abilities
from vantage.registry.ask_registered import RegisteredAnswerer
from vantage.registry.store import find_store

MODEL = "models:/vantage@champion"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Boxed:
    return boxed(rooms(tmp_path_factory.mktemp("rooms"), 1), tmp_path_factory.mktemp("boxed"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, ready_database: Path) -> Path:
    """Its registry holds a grounded model."""
    root = tmp_path_factory.mktemp("registered")
    return registered_arms.write(root, ready_database, {"vantage": "grounded"})


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


class Seeing(Generator):
    """Writes the true boxes in place of the model's generator: it knows views by their pictures alone."""

    def __init__(
        self, truth: Mapping[str, Sequence[OrientedBox]], eyes: Sequence[tuple[Eye, np.ndarray]]
    ) -> None:
        self.truth, self.eyes = truth, eyes
        self.located: list[Request] = []

    def answers(self, requests: Sequence[Request]) -> Iterator[list[Generated | Refused]]:
        yield [self._one(request) for request in requests]

    def _one(self, request: Request) -> Generated:
        text = "none"
        if not request.before:  # the first turn
            self.located.append(request)
            shown = np.asarray(request.views[0].image())
            (eye,) = (eye for eye, image in self.eyes if np.array_equal(image, shown))
            match = re.search(r"one a line: (.*)\n", request.text)
            assert match is not None
            text = in_text([box for box in self.truth[match[1]] if eye.sees(box)], eye)
        return Generated(request.id, text, "eos", (1,), 1, (1.0,))


def scripted(workspace: Path, script: Seeing) -> RegisteredAnswerer:
    found = RegisteredAnswerer.load(find_store(workspace), MODEL)
    found._model.unwrap_python_model()._answerer._generator = script
    return found


@pytest.mark.parametrize(
    ("name", "metric"), [("scanrefer", "acc@0.5"), ("multi3drefer", "f1@0.5"), ("nr3d", "accuracy")]
)
def test_true_boxes_through_the_registered_model_score_in_full(
    workspace: Path, made: Boxed, tmp_path: Path, name: str, metric: str
) -> None:
    rule, out = BENCHMARKS.get(name), tmp_path / "out.jsonl"
    items = rule.references(made.files[name], made.scans)
    builder = PosedViews(made.scans, VIEWS)
    (ask, *_) = builder.asks(items[:1], {item.id: "?" for item in items})
    eyes = [(made.eyes[view.name], np.asarray(view.image())) for view in ask.views]  # type: ignore[union-attr]
    script = Seeing({rule.prompt(item.content): made.truth[item.id] for item in items}, eyes)
    Run(rule, items, scripted(workspace, script), builder, out).go(Shard())
    found = score(rule, out, made.files[name], scans=made.scans)
    assert found.variants["official"][metric].value == 1.0
    assert (found.missing, found.empty, found.unparsed) == (0, 0, 0)
    assert len(script.located) == VIEWS * len(items)
    rows = [json.loads(line) for line in out.read_text().splitlines()][1:]
    assert all(row["finish"] == "boxes" and len(row["text"].split("\n")) == VIEWS for row in rows)
    assert any("bbox_0=Bbox(" in row["text"] for row in rows)


def test_true_boxes_of_pictures_of_their_own(workspace: Path, tmp_path: Path) -> None:
    path, out = grounding3d(tmp_path), tmp_path / "out.jsonl"
    rule = BENCHMARKS.get("grounding3d")
    items = rule.references(path, None)
    builder = OwnImages(rule, path, path.parent / "images")
    asks = builder.asks(items, {item.id: "?" for item in items})
    boxes, by_name = truth(path)
    eyes = [(by_name[a.views[0].name], np.asarray(a.views[0].image())) for a in asks]  # type: ignore[union-attr]
    script = Seeing({item.content.description: boxes[item.id] for item in items}, eyes)
    Run(rule, items, scripted(workspace, script), builder, out).go(Shard())
    found = score(rule, out, path).variants["as_predicted"]
    assert found["iou_3d@0.5"].value == 1.0 and found["offset_3d_m"].value < 0.03
    there = [request.views[0].pictures[0].valid.any().item() for request in script.located]  # type: ignore[index]
    assert there == [True, False, True], "points where there is a depth image"


def test_it_answers_by_the_command_and_is_scored(workspace: Path, made: Boxed, tmp_path: Path) -> None:
    out, file = tmp_path / "out.jsonl", made.files["scanrefer"]
    words: list[Any] = ["scanrefer", "--references", file, "--scans", made.scans]
    more = ["--model", MODEL, "--views", 2, "--limit", 2, "--workspace", workspace, "--out", out]
    done = CliRunner().invoke(app, [str(word) for word in ("predict", *words, *more)])
    assert done.exit_code == 0, done.output
    told = CliRunner().invoke(app, [str(w) for w in ("score", *words, "--predictions", out, "--json")])
    assert told.exit_code == 0, told.output
    record = json.loads(told.stdout)
    assert record["unparsed"] == 2 and record["missing"] == record["n"] - 2


def test_a_registered_model_without_boxes_says_so_before_anything_is_asked() -> None:
    rule = BENCHMARKS.get("scanrefer")
    for situated in (False, True):
        with pytest.raises(ParameterError, match="recipe `grounded`"):
            RegisteredAnswerer(None, "", Abilities(not situated, situated)).prompt(rule, None)
