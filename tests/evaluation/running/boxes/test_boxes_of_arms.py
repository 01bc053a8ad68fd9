"""Grounded arms answer benchmarks of boxes: asked as trained, right where they are right, by the command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recipe_arms
from asked_rooms import Rooms
from boxed_rooms import VIEWS, Boxed, Scripted, boxed, in_text
from pictured_boxes import grounding3d, truth
from typer.testing import CliRunner

from vantage.align.prompt import split_pose
from vantage.cli.main import app
from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask_vlm import VlmAnswerer
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.run import Builder, Run
from vantage.evaluation.running.shard import Shard
from vantage.evaluation.scoring import score
from vantage.geometry.transforms import apply, invert, level_ego
from vantage.models.grounded.prompts import locate_prompt
from vantage.models.recipes import RecipeName
from vantage.models.vlm.generate import Decoding
from vantage.records.box_lattice import METRIC

ARMS = ("grounded", "told")
TOLD: tuple[RecipeName, dict[str, Any]] = (
    "posealign", {"tune": "projector", "dialogs": "grounded", "align": {"mode": "prompt"}}
)  # fmt: skip
FULL = {"scanrefer": "acc@0.5", "multi3drefer": "f1@0.5", "nr3d": "accuracy"}


@pytest.fixture(scope="module")
def made(asked_rooms: Rooms, tmp_path_factory: pytest.TempPathFactory) -> Boxed:
    return boxed(asked_rooms, tmp_path_factory.mktemp("boxed"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recipe_arms.base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    arms = {**recipe_arms.ARMS, "told": TOLD}
    return {
        arm: recipe_arms.adapter(root / arm, base, arm, arms) for arm in (*ARMS, "multiview", "transform")
    }


def answerer(base: Path, adapter: Path, script: Scripted | None = None, **decoding: Any) -> VlmAnswerer:
    settings = Decoding(**{"max_new_tokens": 4, **decoding})
    found = VlmAnswerer.load(base, None, "float32", "cpu", settings, adapter)
    if script is not None:
        assert found._own is not None
        found._own._locating._generator = script  # type: ignore[assignment]
    return found


def run(made: Boxed, who: VlmAnswerer, name: str, out: Path, views: int = VIEWS) -> Run:
    rule = BENCHMARKS.get(name)
    builder: Builder = PosedViews(made.scans, views)
    return Run(rule, rule.references(made.files[name], made.scans), who, builder, out)


def rows(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["question_id"]: row for row in lines[1:]}


@pytest.mark.parametrize("name", FULL)
def test_true_boxes_in_the_text_of_training_score_in_full(
    made: Boxed, base: Path, adapters: Mapping[str, Path], tmp_path: Path, name: str
) -> None:
    out, script = tmp_path / "out.jsonl", Scripted(made.truth, made.eyes, in_text)
    run(made, answerer(base, adapters["grounded"], script), name, out).go(Shard())
    found = score(BENCHMARKS.get(name), out, made.files[name], scans=made.scans)
    assert found.variants["official"][FULL[name]].value == 1.0
    assert (found.missing, found.empty, found.unparsed, script.calls) == (0, 0, 0, 1)


@pytest.mark.parametrize("arm", ARMS)
def test_every_view_in_turn_is_the_ego_and_is_asked_as_in_training(
    made: Boxed, base: Path, adapters: Mapping[str, Path], tmp_path: Path, arm: str
) -> None:
    script = Scripted(made.truth, made.eyes, in_text)
    asked = run(made, answerer(base, adapters[arm], script), "scanrefer", tmp_path / "out.jsonl")
    asked.items = asked.items[:2]
    asked.go(Shard())
    assert len(script.asked) == 2 * VIEWS
    assert len({request.views[0].name for request in script.asked}) == VIEWS * len(
        {item.scene for item in asked.items}
    )
    for request in script.asked:
        eye = made.eyes[request.views[0].name]
        T_frame_cam = request.views[0].T_frame_cam
        assert T_frame_cam is not None
        item = next(i for i in asked.items if request.id.startswith(f"{i.id} from"))
        text = request.text.removeprefix("<image>" * VIEWS)
        if arm == "told":
            pose, text = split_pose(text)
            assert np.allclose(pose.T_world_ego[:2, 3], eye.T_frame_cam[:2, 3], atol=0.006)
            assert request.frame == "aligned" and np.allclose(T_frame_cam, eye.T_frame_cam)
        else:
            assert request.frame == "ego_level"
            T_ego_aligned = invert(level_ego(eye.T_frame_cam))
            for view in request.views:
                expected = T_ego_aligned @ made.eyes[view.name].T_frame_cam
                np.testing.assert_allclose(view.T_frame_cam, expected, atol=1e-9)
        assert text == locate_prompt(item.content.description, METRIC)
        assert request.views[0].pictures is not None
        assert sorted(v.name for v in request.views) == sorted(
            n for n in made.eyes if n.startswith(item.scene)
        )


def test_the_points_of_an_ego_view_lie_in_its_own_frame(
    made: Boxed, base: Path, adapters: Mapping[str, Path], tmp_path: Path
) -> None:
    """The same patch of the same picture, as two egos have it, is one point of the aligned world."""
    script = Scripted(made.truth, made.eyes, in_text)
    asked = run(made, answerer(base, adapters["grounded"], script), "scanrefer", tmp_path / "out.jsonl", 2)
    asked.items = asked.items[:1]
    asked.go(Shard())
    worlds = []
    for request in script.asked:
        T_aligned_ego = level_ego(made.eyes[request.views[0].name].T_frame_cam)
        by_name = {view.name: view for view in request.views}
        view = by_name[min(by_name)]
        assert view.pictures is not None
        (grid,) = view.pictures
        xyz = grid.xyz.numpy().astype(np.float64)[grid.valid.numpy()]
        worlds.append(apply(T_aligned_ego, xyz))
    assert len(worlds) == 2 and len(worlds[0])
    np.testing.assert_allclose(worlds[0], worlds[1], atol=1e-5)


@pytest.mark.parametrize("name", [*FULL, "grounding3d"])
def test_an_adapter_answers_by_the_command_and_is_scored(
    made: Boxed, base: Path, adapters: Mapping[str, Path], tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out.jsonl"
    if name == "grounding3d":
        file = grounding3d(tmp_path)
        shown = ["--images", str(tmp_path / "images")]
    else:
        file, shown = made.files[name], ["--scans", str(made.scans), "--views", "2"]
    words = ["predict", name, "--references", str(file), "--model", str(base), *shown, "--device", "cpu",
             "--max-new-tokens", "3", "--out", str(out), "--limit", "2"]  # fmt: skip
    done = CliRunner().invoke(app, [*words, "--adapter", str(adapters["grounded"])])
    assert done.exit_code == 0, done.output
    found = rows(out)
    assert len(found) == 2 and all(row["finish"] == "length" and row["unread"] for row in found.values())
    scans = [] if name == "grounding3d" else shown[:2]
    told = CliRunner().invoke(
        app, ["score", name, "--references", str(file), "--predictions", str(out), "--json", *scans]
    )
    assert told.exit_code == 0, told.output
    record = json.loads(told.stdout)
    assert record["unparsed"] == 2 and record["missing"] == record["n"] - 2


@pytest.mark.parametrize("arm", ["multiview", "transform"])
def test_an_arm_without_boxes_is_refused_early_and_told_who_has_them(
    base: Path, adapters: Mapping[str, Path], made: Boxed, tmp_path: Path, arm: str
) -> None:
    with pytest.raises(ParameterError, match="recipe `grounded`"):
        run(made, answerer(base, adapters[arm]), "scanrefer", tmp_path / "out.jsonl")


def pictures(path: Path, who: VlmAnswerer, out: Path) -> Run:
    rule = BENCHMARKS.get("grounding3d")
    builder = OwnImages(rule, path, path.parent / "images")
    return Run(rule, rule.references(path, None), who, builder, out)


def test_true_boxes_of_a_picture_of_its_own_and_its_points(
    base: Path, adapters: Mapping[str, Path], tmp_path: Path
) -> None:
    path, out = grounding3d(tmp_path), tmp_path / "out.jsonl"
    script = Scripted(*truth(path), in_text)
    assert pictures(path, answerer(base, adapters["grounded"], script), out).go(Shard()).complete
    found = score(BENCHMARKS.get("grounding3d"), out, path).variants["as_predicted"]
    assert found["iou_3d@0.5"].value == 1.0 and found["offset_3d_m"].value < 0.03
    by_name = {request.views[0].name: request for request in script.asked}
    assert by_name["1.png"].views[0].pictures is None, "nothing is known without a depth image"
    for name, metres in (("0.png", 1.5), ("2.png", 3.5)):
        (view,) = by_name[name].views
        assert view.pictures is not None and by_name[name].frame == "ego_level"
        (grid,) = view.pictures
        ahead = grid.xyz.numpy()[grid.valid.numpy()][:, 0]
        assert len(ahead) and np.allclose(ahead, metres), "x is ahead"


def test_a_run_in_two_goes_and_other_batches_change_no_byte(
    made: Boxed, base: Path, adapters: Mapping[str, Path], tmp_path: Path
) -> None:
    outs = [tmp_path / f"{k}.jsonl" for k in range(2)]
    for out, settings in zip(outs, ({}, {"batch": 1}), strict=True):
        asked = run(made, answerer(base, adapters["grounded"], **settings), "multi3drefer", out, views=2)
        items = asked.items[:3]
        if settings:
            asked.items = items[:1]
            asked.go(Shard())
        asked.items = items
        assert asked.go(Shard()).complete
    assert outs[0].read_bytes() == outs[1].read_bytes()
