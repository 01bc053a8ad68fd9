"""Arms of every recipe answer benchmarks: what they are told, by the command, in any batch and in goes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recipe_arms
from asked_rooms import Rooms
from pictured import muirbench
from typer.testing import CliRunner

from vantage.align.prompt import split_pose
from vantage.cli.main import app
from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks import msqa
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.ask_vlm import VlmAnswerer
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.run import Run
from vantage.evaluation.running.shard import Shard
from vantage.geometry.transforms import level_ego, yaw_of
from vantage.models.loading import load_vlm
from vantage.models.situated.prompt import NO_SITUATION
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Request
from vantage.models.vlm.trained import TrainedVlm
from vantage.registry.vlm_serving import VlmAnswerer as Served

SQA3D = BENCHMARKS.get("sqa3d")
TOLD = "Answer the question using a single word or phrase."
OWN = [arm for arm in recipe_arms.ARMS if arm != "multiview"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recipe_arms.base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {arm: recipe_arms.adapter(root / arm, base, arm) for arm in recipe_arms.ARMS}


class Recorded(TrainedVlm):
    """Keeps what it was asked."""

    def generator(self, decoding: Decoding) -> Generator:
        asked = self.__dict__.setdefault("asked", [])

        class Keeping(Generator):
            def answers(self, requests: Sequence[Request]) -> Any:
                asked.extend(requests)
                return super().answers(requests)

        return Keeping(self.prepare, decoding, self.model.injector, self.model.situated)


def recorded(base: Path, adapter: Path, **decoding: Any) -> tuple[VlmAnswerer, Recorded]:
    loaded = load_vlm(base)
    vlm = Recorded.on(loaded, adapter)
    assert isinstance(vlm, Recorded)
    settings = Decoding(**{"max_new_tokens": 3, **decoding})
    return VlmAnswerer(loaded, vlm.prepare, settings, "float32", (vlm, "digest")), vlm


def run(rooms: Rooms, answerer: VlmAnswerer, out: Path, limit: int = 2, name: str = "sqa3d") -> Run:
    rule = BENCHMARKS.get(name)
    path = rooms.sqa3d if name == "sqa3d" else rooms.scanqa
    builder = PosedViews(rooms.scans, views=2, origin="aligned")
    return Run(rule, rule.references(path, None), answerer, builder, out, limit)


def rows(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["question_id"]: row for row in lines[1:]}


@pytest.mark.parametrize("arm", OWN)
def test_each_arm_answers_by_the_command_and_is_scored(
    asked_rooms: Rooms, base: Path, adapters: Mapping[str, Path], tmp_path: Path, arm: str
) -> None:
    out = tmp_path / "said.jsonl"
    words = ["sqa3d", "--references", str(asked_rooms.sqa3d)]
    done = CliRunner().invoke(
        app,
        ["predict", *words, "--model", str(base), "--adapter", str(adapters[arm]), "--scans",
         str(asked_rooms.scans), "--origin", "aligned", "--views", "2", "--limit", "2",
         "--max-new-tokens", "4", "--device", "cpu", "--out", str(out)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = rows(out)
    assert list(found) == asked_rooms.ids()[:2] and all("text" in row for row in found.values())
    assert all(("reasoning" in row) == (arm == "grounded") for row in found.values())
    assert len({row["prompt"] for row in found.values()}) == 2
    told = CliRunner().invoke(app, ["score", *words, "--predictions", str(out), "--json"])
    assert told.exit_code == 0, told.output
    record = json.loads(told.stdout)
    assert (record["n"], record["missing"]) == (12, 10)


@pytest.fixture(scope="module")
def one(asked_rooms: Rooms) -> Ask:
    """A situated question with its views, as a run hands it over."""
    item = SQA3D.references(asked_rooms.sqa3d, None)[1]
    (ask,) = PosedViews(asked_rooms.scans, views=2, origin="aligned").asks([item], {item.id: ""})
    assert isinstance(ask, Ask)
    return replace(ask, own=SQA3D.prompt(item.content), content=item.content)


@pytest.mark.parametrize("arm", OWN)
def test_an_arm_is_shown_and_told_what_a_request_to_it_is(
    one: Ask, base: Path, adapters: Mapping[str, Path], arm: str
) -> None:
    """The registered model's way is that of evaluation and training: `test_promoted_vlm` compares those."""
    answerer, ours = recorded(base, adapters[arm])
    ask, content = one, one.content
    assert ask.scan is not None and ask.scan.T_raw_me is not None
    list(answerer.answers([ask]))
    theirs = recorded(base, adapters[arm])[1]
    situation = {"situation": content.situation} if arm == "situated" else {}
    text = f"{content.question} {TOLD}" if situation else f"{content.situation} {content.question} {TOLD}"
    Served(theirs, Decoding(3)).answer({**ask.scan.request(text), **situation})
    own, other = ours.__dict__["asked"], theirs.__dict__["asked"]
    assert len(own) == len(other) == (2 if arm == "grounded" else 1)
    for mine, expected in zip(own, other, strict=True):
        assert [t.question for t in mine.turns] == [t.question for t in expected.turns]
        assert (mine.frame, mine.sizes) == (expected.frame, expected.sizes)
        for view, truth in zip(mine.views, expected.views, strict=True):
            np.testing.assert_array_equal(np.asarray(view.image()), np.asarray(truth.image()))
            np.testing.assert_allclose(view.T_frame_cam, truth.T_frame_cam, atol=1e-9)
            assert (view.pictures is None) == (arm == "situated"), "it was trained without coordinates"
            for grid, points in zip(view.pictures or truth.pictures, truth.pictures, strict=True):
                np.testing.assert_array_equal(grid.valid, points.valid)
                np.testing.assert_allclose(grid.xyz, points.xyz, atol=1e-5)
                assert (grid.beside is None) == (arm != "embed")
                if grid.beside is not None:
                    np.testing.assert_allclose(grid.beside, points.beside, atol=1e-5)
    if arm == "prompt":  # the place of the annotation, in words
        pose, rest = split_pose(own[0].turns[0].question.removeprefix("<image>" * 2))
        truth = level_ego(ask.scan.T_aligned_me)
        np.testing.assert_allclose(pose.T_world_ego[:3, 3], truth[:3, 3], atol=0.006)
        assert abs(pose.yaw - yaw_of(truth)) < 0.01 and rest == text


def test_a_situated_arm_reads_the_situation_before_its_tokens_and_the_question_after(
    asked_rooms: Rooms, base: Path, adapters: Mapping[str, Path], tmp_path: Path
) -> None:
    answerer, vlm = recorded(base, adapters["situated"])
    run(asked_rooms, answerer, tmp_path / "sqa3d.jsonl", limit=1).go(Shard())
    run(asked_rooms, answerer, tmp_path / "scanqa.jsonl", limit=1, name="scanqa").go(Shard())
    views = "<Cam><image>" * 2
    assert [request.text for request in vlm.__dict__["asked"]] == [
        f"{views}I am here.<Pos><Ori>is there a red chair? {TOLD}",
        f"{views}{NO_SITUATION}<Pos><Ori>is there a red chair? Answer the question simply.",
    ]


def test_the_prompt_s_digest_follows_situation_question_and_way_of_asking(
    base: Path, adapters: Mapping[str, Path], asked_rooms: Rooms
) -> None:
    content = SQA3D.references(asked_rooms.sqa3d, None)[0].content
    said = {arm: recorded(base, adapters[arm])[0].prompt(SQA3D, content) for arm in recipe_arms.ARMS}
    assert said["multiview"] == said["transform"] == said["embed"] == SQA3D.prompt(content)
    assert len(set(said.values())) == 4
    situated = recorded(base, adapters["situated"])[0]
    for change in ({"situation": "I sit."}, {"question": "is there a lamp?"}):
        assert situated.prompt(SQA3D, replace(content, **change)) != said["situated"]


def test_msqa_s_situations_stand_before_the_tokens_too(base: Path, adapters: Mapping[str, Path]) -> None:
    content = msqa.Question("which is nearer?", "I stand here.", ("the bed",), "spatial")
    situated, plain = (recorded(base, adapters[arm])[0] for arm in ("situated", "multiview"))
    rule = BENCHMARKS.get("msqa")
    assert situated.prompt(rule, content) == "I stand here.<Pos><Ori>which is nearer?"
    assert plain.prompt(rule, content) == "I stand here. which is nearer?"


@pytest.mark.parametrize("arm", ["situated", "grounded"])
def test_batches_and_a_run_in_two_goes_change_no_byte(
    asked_rooms: Rooms, base: Path, adapters: Mapping[str, Path], tmp_path: Path, arm: str
) -> None:
    def asked(out: Path, limit: int, **decoding: Any) -> None:
        settings = Decoding(max_new_tokens=3, **decoding)
        answerer = VlmAnswerer.load(base, None, "float32", "cpu", settings, adapters[arm])
        run(asked_rooms, answerer, out, limit).go(Shard())

    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    asked(whole, 4)
    asked(parts, 2, batch=1)
    with parts.open("ab") as file:  # as if killed in the middle of a line
        file.write(b'{"question_id": "room')
    asked(parts, 4, batch=3)
    assert parts.read_bytes() == whole.read_bytes()
    assert all("text" in row for row in rows(whole).values())


@pytest.mark.parametrize(
    ("arm", "reason"),
    [("transform", "posed views"), ("grounded", "posed views"), ("situated", "")],
)
def test_pictures_without_poses_are_for_arms_that_need_none(
    base: Path, adapters: Mapping[str, Path], tmp_path: Path, arm: str, reason: str
) -> None:
    references = muirbench(tmp_path / "muir", 2)
    listed = json.loads(references.read_text())
    listed[0]["question"] = "where is the chair?"  # its picture before it
    references.write_text(json.dumps(listed))
    rule = BENCHMARKS.get("muirbench")
    answerer = VlmAnswerer.load(base, None, "float32", "cpu", Decoding(3), adapters[arm])
    builder = OwnImages(rule, references, tmp_path / "muir" / "images")
    out = tmp_path / "out.jsonl"
    Run(rule, rule.references(references, None), answerer, builder, out).go(Shard())
    found = rows(out)
    assert "pictures inside the question" in found["m1"]["set_aside"]
    if reason:
        assert reason in found["m0"]["set_aside"]
    else:
        assert "text" in found["m0"], found["m0"]


def test_a_situation_with_a_token_of_the_model_is_set_aside_and_others_are_asked(
    one: Ask, base: Path, adapters: Mapping[str, Path]
) -> None:
    answerer = VlmAnswerer.load(base, None, "float32", "cpu", Decoding(3), adapters["situated"])
    asks = [replace(one, id="bad"), one]
    bad = replace(asks[0].content, situation="I am <Pos> here.")
    asks[0] = replace(asks[0], content=bad, own=SQA3D.prompt(bad))
    found = {answer.id: answer for batch in answerer.answers(asks) for answer in batch}
    aside = found[asks[0].id]
    assert isinstance(aside, SetAside) and "plain text" in aside.reason
    assert not isinstance(found[asks[1].id], SetAside)


def test_other_arms_are_refused_a_benchmark_of_places_and_told_who_is_not(
    base: Path, adapters: Mapping[str, Path]
) -> None:
    rule = BENCHMARKS.get("sqa3d_localization")
    for arm in (None, *(arm for arm in recipe_arms.ARMS if arm != "situated")):
        adapter = None if arm is None else adapters[arm]
        answerer = VlmAnswerer.load(base, None, "float32", "cpu", Decoding(3), adapter)
        with pytest.raises(ParameterError, match="does not give") as caught:
            answerer.prompt(rule, None)
        assert "situated" in str(caught.value)
