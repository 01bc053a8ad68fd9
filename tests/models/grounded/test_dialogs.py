"""Two-turn dialogs of questions that synthesize wrote, against the records they come from."""

from __future__ import annotations

import math
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from question_rooms import random_scene, scan_task
from vantage.core.errors import ContractError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.iou3d import iou_pairs
from vantage.geometry.transforms import from_yaw, invert
from vantage.models.grounded.checks import check
from vantage.models.grounded.dialogs import (
    FAMILY,
    OUTSIDE,
    TILTED,
    GroundedDialogs,
    grounded_dialogs,
    scan_dialogs,
)
from vantage.models.grounded.programs import PROGRAMS
from vantage.models.grounded.prompts import NOTHING
from vantage.models.grounded.turns import GroundedTurns
from vantage.models.grounded.view import EgoView
from vantage.questions.config import SynthesizeConfig
from vantage.questions.stage import synthesize
from vantage.questions.words import NUMBERS
from vantage.records.frames import kept_frames
from vantage.records.objects import SceneObject, read_objects, write_objects
from vantage.records.questions import Question, read_questions
from vantage.records.scan import read_scan
from vantage.records.thinking import split_thinking

Row = dict[str, float]
MEASURED = ("distance", "nearest", "size", "nearest_to", "direction")


@pytest.fixture(scope="module", params=range(3))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders `extract` and `synthesize` of a room whose boxes are turned."""
    seed: int = request.param
    task = scan_task(
        tmp_path_factory.mktemp("room"), "room0001_00", random_scene(np.random.default_rng(seed))
    )
    extract = task.inputs["extract"]
    yaw = np.random.default_rng(seed + 10)
    turned = [replace(o, rotation=from_yaw(float(yaw.uniform(-3, 3)))[:3, :3]) for o in read_objects(extract)]
    write_objects(extract, turned)
    synthesize(task, SynthesizeConfig())
    return extract, task.out


def conditions(prompt: str) -> list[Row]:
    """The boxes of a second question, read by this test's own pattern."""
    rows = re.findall(r"^bbox_\d+: [a-z ]+, (.*)$", prompt, re.MULTILINE)
    return [{k: float(v) for k, v in (pair.split(" ") for pair in row.split(", "))} for row in rows]


def answer_of(family: str, rows: list[Row], question: str) -> str:
    """What the written numbers say, by formulas of this test."""
    far = [math.hypot(row["x"], row["y"]) for row in rows]
    if family == "distance":
        return NUMBERS[math.floor(far[0] + 0.5) - 1]
    if family == "direction":
        return f"{'front' if rows[0]['x'] > 0 else 'back'}-{'left' if rows[0]['y'] > 0 else 'right'}"
    if family == "side":
        return "left" if rows[0]["u"] * 64 - 0.5 < 31.5 else "right"
    if family == "count":
        return NUMBERS[len(rows) - 1]
    if family == "nearest":
        yes = (far[0] < far[1]) == ("nearer" in question)
    elif family == "size":
        yes = (rows[0]["h"] > rows[1]["h"]) == ("taller" in question)
    else:
        a, b, c = rows
        yes = math.dist((a["x"], a["y"]), (b["x"], b["y"])) < math.dist((c["x"], c["y"]), (b["x"], b["y"]))
    return "yes" if yes else "no"


def test_the_numbers_lead_to_the_answer_and_every_step_is_true(made: tuple[Path, Path]) -> None:
    questions = {q.question_id: q for q in read_questions(made[1])}
    dialogs = scan_dialogs(*made)
    assert dialogs.turns.keys() == questions.keys()
    families = set()
    for key, turns in dialogs.turns.items():
        q = questions[key]
        thought, said = split_thinking(turns[-1].answer)
        assert said == q.answer
        assert q.question in turns[0].question and q.question in turns[1].question
        rows = conditions(turns[1].question)
        if key in dialogs.told:
            assert thought == q.reasoning
            assert len(rows) == len(turns[0].answer.replace(NOTHING, "").splitlines())
            assert len(rows) <= len(q.evidence["object_ids"])
            continue
        assert answer_of(q.family, rows, q.question) == q.answer
        assert len(rows) == len(turns[0].answer.splitlines()) == len(q.evidence["object_ids"])
        checked = check(thought)
        assert len(checked.steps) == len(thought.splitlines())
        assert all(step.agrees for step in checked.steps)
        assert checked.conclusion.spoken() == q.answer
        families.add(q.family)
    assert families == set(PROGRAMS)


def test_who_is_not_worked_out_over_boxes_and_why(made: tuple[Path, Path]) -> None:
    questions = {q.question_id: q for q in read_questions(made[1])}
    dialogs = scan_dialogs(*made)
    assert {questions[k].family for k, why in dialogs.told.items() if why == FAMILY} == {
        q.family for q in questions.values()
    } - set(PROGRAMS)
    assert set(dialogs.reasons()) <= {FAMILY, OUTSIDE}, "boxes as written never give another answer"
    assert {len(turns) for turns in dialogs.turns.values()} == {2}
    assert sum(dialogs.reasons().values()) == len(dialogs.told) < len(questions)
    extract, _ = made
    behind = {k: questions[k] for k, why in dialogs.told.items() if why == OUTSIDE}
    assert behind, "egos do not see the whole room"
    for q in behind.values():
        assert any(_out_of_reach(p) for p in _in_camera(extract, q))
    for key, q in behind.items():
        within = sum(not _out_of_reach(p) for p in _in_camera(extract, q))
        answer = dialogs.turns[key][0].answer
        assert (answer == NOTHING) == (within == 0), "what can be written is located all the same"
        assert answer.count("bbox_") == within
    absent = [k for k, q in questions.items() if q.family == "exist" and q.answer == "no"]
    assert absent and all(dialogs.turns[k][0].answer == NOTHING for k in absent)
    seen = [q for k, q in questions.items() if k not in dialogs.told]
    assert not any(_out_of_reach(p) for q in seen for p in _in_camera(extract, q))


def _in_camera(extract: Path, q: Question) -> np.ndarray:
    """Centres of the question's objects in the ego's camera, metres."""
    meta = read_scan(extract)
    pose = next(f.T_raw_cam for f in kept_frames(extract) if f.frame_id == q.ego_frame_id)
    T_cam_aligned = invert(meta.T_aligned_raw @ pose)
    objects = {o.object_id: o.center for o in read_objects(extract)}
    return np.array(
        [T_cam_aligned[:3, :3] @ objects[k] + T_cam_aligned[:3, 3] for k in q.evidence["object_ids"]]
    )


def _out_of_reach(p: np.ndarray) -> bool:
    """Behind the camera, beyond 10 m, or more than an image beside it (384 x 288, f 250)."""
    x, y, z = p
    u, v = (250 * x / z + 192) / 384, (250 * y / z + 144) / 288
    return bool(z < 0.005 or z > 10 or not (-1.0005 <= u < 1.9995 and -1.0005 <= v < 1.9995))


def test_boxes_in_the_text_are_the_scans(made: tuple[Path, Path]) -> None:
    from vantage.records.box_lattice import METRIC
    from vantage.records.box_text import read_boxes

    extract, out = made
    meta, dialogs = read_scan(extract), scan_dialogs(*made)
    objects = {o.object_id: o for o in read_objects(extract)}
    poses = {f.frame_id: meta.T_aligned_raw @ f.T_raw_cam for f in kept_frames(extract)}
    worst = 1.0
    for q in read_questions(out):
        turns = dialogs.turns[q.question_id]
        if q.question_id in dialogs.told:
            continue
        read = read_boxes(turns[0].answer, METRIC, meta.color)
        assert read.bad == ()
        true = [objects[k] for k in q.evidence["object_ids"]]
        assert [box.label for box in read.boxes] == q.evidence["names"]
        placed = OrientedBoxes.of([box.placed(poses[q.ego_frame_id]) for box in read.boxes])
        wanted = OrientedBoxes.of([OrientedBox(o.center, o.size, o.rotation) for o in true])
        worst = min(worst, float(iou_pairs(placed, wanted).min()))
    assert worst > 0.9


def test_a_program_of_every_measured_quantity_agrees_with_the_evidence(made: tuple[Path, Path]) -> None:
    """The evidence was measured from the records without any box text: centimetres apart at most."""
    dialogs = scan_dialogs(*made)
    for q in read_questions(made[1]):
        turns = dialogs.turns[q.question_id]
        if q.question_id in dialogs.told or q.family not in MEASURED:
            continue
        rows, measured = conditions(turns[1].question), q.evidence["measured"]
        far = [math.hypot(row["x"], row["y"]) for row in rows]
        if q.family == "distance":
            assert far[0] == pytest.approx(measured["distance_m"], abs=0.04)
        elif q.family == "nearest":
            assert far == pytest.approx([measured["first_m"], measured["second_m"]], abs=0.04)
        elif q.family == "size":
            assert [row["h"] for row in rows] == pytest.approx(
                [measured["first_m"], measured["second_m"]], abs=0.0101
            )
        elif q.family == "direction":
            assert [rows[0]["x"], rows[0]["y"]] == pytest.approx([measured["x_m"], measured["y_m"]], abs=0.04)


def test_the_same_questions_give_the_same_text(made: tuple[Path, Path]) -> None:
    assert scan_dialogs(*made) == scan_dialogs(*made)


def _one(made: tuple[Path, Path], family: str) -> tuple[Question, list[SceneObject], dict[int, EgoView]]:
    extract, out = made
    dialogs, meta = scan_dialogs(*made), read_scan(extract)
    q = next(q for q in read_questions(out) if q.family == family and q.question_id not in dialogs.told)
    pose = next(f.T_raw_cam for f in kept_frames(extract) if f.frame_id == q.ego_frame_id)
    T_ego_cam = invert(q.T_aligned_ego) @ meta.T_aligned_raw @ pose
    return q, read_objects(extract), {q.ego_frame_id: EgoView(meta.color, T_ego_cam)}


def test_a_tilted_object_and_one_that_is_missing(made: tuple[Path, Path]) -> None:
    q, objects, views = _one(made, "distance")
    c, s = math.cos(0.2), math.sin(0.2)
    tilt = np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    found: GroundedDialogs = grounded_dialogs([q], [replace(o, rotation=tilt) for o in objects], views)
    assert found.reasons() == {TILTED: 1}
    assert found.turns[q.question_id][0].answer == NOTHING
    with pytest.raises(ContractError, match="does not have"):
        grounded_dialogs([q], [], views)


def test_a_view_in_another_frame_is_refused(made: tuple[Path, Path]) -> None:
    q, objects, views = _one(made, "distance")
    wrong = {k: replace(v, frame="ego_camera") for k, v in views.items()}
    with pytest.raises(ContractError, match="frame"):
        grounded_dialogs([q], objects, wrong)


def test_boxes_that_give_another_answer_are_not_taught(made: tuple[Path, Path]) -> None:
    q, objects, views = _one(made, "distance")
    lie = replace(q, answer="six" if q.answer != "six" else "five")
    found = grounded_dialogs([lie], objects, views)
    assert list(found.reasons()) == ["boxes as written give another answer"]
    located, answered = found.turns[q.question_id]
    assert located.answer.startswith("bbox_0="), "where the object is remains true"
    assert split_thinking(answered.answer) == (lie.reasoning, lie.answer)


def test_samples_take_the_turns_of_their_scan(made: tuple[Path, Path], tmp_path: Path) -> None:
    extract, synthesize = made
    questions = read_questions(synthesize)
    inputs = {"extract": tmp_path / "extract", "synthesize": tmp_path / "synthesize"}
    for stage, folder in (("extract", extract), ("synthesize", synthesize)):
        inputs[stage].mkdir()
        (inputs[stage] / questions[0].scan_id).symlink_to(folder)
    turns = pickle.loads(pickle.dumps(GroundedTurns(inputs)))  # noqa: S301
    assert {q.question_id: turns(q) for q in questions} == scan_dialogs(*made).turns
    assert {len(turns(q)) for q in questions} == {2}
