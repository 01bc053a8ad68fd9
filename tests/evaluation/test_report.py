"""The report's three forms tell the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vantage.core.hashing import canonical_json
from vantage.evaluation.basis import ArmBasis, Basis
from vantage.evaluation.page.markdown import markdown
from vantage.evaluation.pose_sources import compare_sources
from vantage.evaluation.poses import by_pose
from vantage.evaluation.report import Evaluation, metrics, report_record
from vantage.evaluation.table import Group, Predictions, headline_tests, score_groups
from vantage.records.predictions import Prediction
from vantage.records.questions import Question

Make = Callable[..., list[Prediction]]
ARM = ArmBasis("b" * 64, "post_vit", "true", "multiview")
BASIS = Basis(
    questions_digest="d" * 64,
    questions=25,
    scans=5,
    rooms=5,
    pose_sources={"recorded_frame": 25},
    seed=0,
    resamples=200,
    base="shipped",
    arms={"embedding": ARM, "projector": replace(ARM, site="none")},
    answers={"embedding": "e" * 64, "projector": "f" * 64, "embedding@blind": "a" * 64},
)


def evaluation_of(make: Make) -> Evaluation:
    items = {"projector": make(1), "embedding": make(3), "embedding@blind": make(0)}
    head = ("direction", "unseen")
    groups = score_groups(items, frozenset({"exist"}), "projector", head, 0, 200)
    arms, tests = ["projector", "embedding"], headline_tests(items, head, "embedding")
    return Evaluation(groups, arms, ["embedding@blind"], "embedding", "projector", BASIS, tests=tests)


def test_record_is_plain_json_and_names_scorer_versions(predictions: Make) -> None:
    record = report_record(evaluation_of(predictions))
    assert json.loads(canonical_json(record)) == record
    assert (record["record"], record["version"]) == ("evaluation", 1)
    assert record["scorers"]["em_raw"] == 1
    assert record["headline"]["group"] == "direction_unseen"
    head = record["groups"][0]
    assert head["items"]["embedding"]["exact"]["percent"] == 75
    assert head["gains"]["embedding@blind"]["points"] == -25


def test_every_form_says_how_many_questions_and_what_they_could_show(predictions: Make) -> None:
    evaluation = evaluation_of(predictions)
    record = report_record(evaluation)
    head, exist = record["groups"]
    # In each of five rooms the embedding has two more right, and nothing is right with the projector alone.
    test = head["tests"]["embedding"]
    assert (test["n"], test["ours_only"], test["theirs_only"]) == (20, 10, 0)
    assert test["p"] == float(f"{2 / 2**10:.3g}")
    assert test["p_holm"] == float(f"{2 * 2 / 2**10:.3g}"), "two groups"
    assert (exist["tests"]["embedding"]["p_holm"], exist["tests"]["embedding"]["detectable_points"]) == (
        1,
        None,
    )
    blind = record["headline_tests"]["embedding@blind"]
    assert (blind["ours_only"], blind["p_holm"]) == (15, float(f"{2 * 2 / 2**15:.3g}"))
    assert "embedding" not in record["headline_tests"] and "projector" not in head["tests"]
    page = markdown(evaluation).split("## More than chance?")[1]
    points = f"{test['detectable_points']:.1f}"
    assert f"| direction (unseen) | 20 | 10 | 0 | 0.002 | 0.004 | {points} |" in page
    assert "| exist | 5 | 0 | 0 | 1.000 | 1.000 | none: too few |" in page
    assert "| `embedding@blind` | 20 | 15 | 0 | < 0.001 | < 0.001 |" in page
    assert metrics(evaluation)["n.direction_unseen"] == 20


def test_without_a_baseline_nothing_is_compared_with_it(predictions: Make) -> None:
    items = {"embedding": predictions(3), "other": predictions(2)}
    groups = score_groups(items, frozenset(), "projector", ("direction", "unseen"), 0, 200)
    assert [g.tests for g in groups] == [{}, {}]
    assert "More than chance" not in markdown(
        Evaluation(groups, list(items), [], "embedding", "projector", BASIS)
    )


def test_metrics_are_flat_and_carry_the_variant_in_their_name(predictions: Make) -> None:
    flat = metrics(evaluation_of(predictions))
    assert flat["em_raw.embedding.direction_unseen"] == 75
    assert flat["gain_over_projector.embedding.direction_unseen"] == 50
    assert flat["em_raw.embedding@blind.direction_unseen"] == 0
    assert list(flat) == sorted(flat)


def test_page_shows_interval_n_majority_controls_and_labels(predictions: Make) -> None:
    page = markdown(evaluation_of(predictions))
    assert "**direction (unseen): 75.0 % [53.1, 88.8] with `embedding`**, +50.0 points" in page
    assert "| direction (unseen) | 20 | 100.0 (back-left) |" in page
    assert "| exist † |" in page
    assert "no circuit for exist" in page
    assert "uninformative for compass words" in page
    assert "`embedding@blind` 0.0 %" in page


def a_question(p: Prediction, uses_target: bool, source: str) -> Question:
    return Question(
        p.question_id, p.scan_id, p.room_id, "heldout", p.family, p.slice, p.question, p.answer, "", {}, 0,
        source, uses_target, np.eye(4), [0], True,
    )  # fmt: skip


def with_poses(make: Make, uses_target: Callable[[Prediction], bool], source: str = "top") -> Evaluation:
    evaluation = evaluation_of(make)
    items = {"projector": make(1), "embedding": make(3), "embedding@blind": make(0)}
    questions = [a_question(p, uses_target(p), source) for p in items["projector"]]

    def score(some: Predictions) -> list[Group]:
        return score_groups(some, frozenset(), "projector", ("direction", "unseen"), 0, 200)

    return replace(evaluation, poses=by_pose(questions, items, score))


def test_questions_whose_pose_the_target_chose_are_scored_apart(predictions: Make) -> None:
    # Of each room's four direction questions three are right, and the first two have an oracle's pose.
    evaluation = with_poses(predictions, lambda p: p.question_id[-2:] in ("d0", "d1"))
    flat = metrics(evaluation)
    assert flat["em_raw.embedding.direction_unseen"] == 75
    assert flat["em_raw.embedding.direction_unseen.target_pose"] == 100
    assert flat["em_raw.embedding.direction_unseen.free_pose"] == 50
    assert flat["em_raw.projector.direction_unseen.target_pose"] == 50
    assert flat["em_raw.projector.direction_unseen.free_pose"] == 0
    assert "em_raw.embedding.exist.target_pose" not in flat
    record = report_record(evaluation)
    assert json.loads(canonical_json(record)) == record
    assert (record["poses"]["uses_target"], record["poses"]["sources"]) == (10, {"top": 25})
    sizes = {kind: sum(g["n"] for g in groups) for kind, groups in record["poses"]["groups"].items()}
    assert sizes == {"target_pose": 10, "free_pose": 15}
    page = markdown(evaluation)
    assert "The pose of 10 of 25 questions was chosen with the ground-truth target" in page
    oracle, free = page.split("### Poses chosen with the target")[1].split("### Poses chosen without it")
    assert "| direction (unseen) | 10 |" in oracle and "exist" not in oracle
    assert "| direction (unseen) | 10 |" in free and "| exist | 5 |" in free


def test_one_kind_of_pose_alone_makes_no_slices(predictions: Make) -> None:
    plain = evaluation_of(predictions)
    path = with_poses(predictions, lambda p: False, "recorded_frame")
    assert path == plain, "nothing is said where all poses are of the path"
    assert "poses" not in report_record(plain) and "ground-truth target" not in markdown(plain)
    drawn = with_poses(predictions, lambda p: False, "random")
    assert "The pose of 0 of 25 questions" in markdown(drawn) and "`random` 25" in markdown(drawn)
    every = with_poses(predictions, lambda p: True)
    assert metrics(every) == metrics(plain)
    assert report_record(every)["poses"]["groups"] == {}
    assert "The pose of 25 of 25 questions" in markdown(every)
    assert "### Poses" not in markdown(every)


def test_a_leak_of_the_pose_stands_in_every_form(predictions: Make) -> None:
    """Each direction question is asked twice about a scan: from a pose that knows the target, always right,
    and from one that does not, never right."""
    known = predictions(4)
    free = [replace(p, question_id=f"{p.question_id}-free", prediction="no idea") for p in known]
    rows = sorted([*known, *free], key=lambda p: p.question_id)
    questions = [a_question(p, not p.question_id.endswith("free"), "top") for p in rows]
    plain = evaluation_of(predictions)
    found = compare_sources("embedding", {"embedding": rows}, questions, 0, 200)
    assert found is not None
    leaking = replace(plain, sources=[found])
    page = markdown(leaking).split("## Pose sources compared")[1]
    assert "| top, knows the target | 25 | 100.0 [" in page and "| top | 25 | 0.0 [" in page
    assert (
        "| top, knows the target over top | all | 25 | 5 | +100.0 [+100.0, +100.0] | < 0.001 | < 0.001 |"
        in page
    )
    (record,) = report_record(leaking)["pose_sources"]
    assert record["item"] == "embedding" and record["gaps"][0]["points"] == 100
    assert record["gaps"][0]["second"] == {"name": "top", "uses_target": True, "at_test": False}
    assert json.loads(canonical_json(report_record(leaking))) == report_record(leaking)
    assert "pose_sources" not in report_record(plain) and "Pose sources" not in markdown(plain)


def test_the_page_says_what_each_score_rests_on(predictions: Make) -> None:
    evaluation = evaluation_of(predictions)
    page = markdown(evaluation).split("## What each score rests on")[1]
    for words in (
        "25 held out, in 5 scans of 5 rooms",
        "d" * 64,
        "b" * 64,
        "`recorded_frame` 25",
        "200 draws, seed 0",
    ):
        assert words in page
    assert "| `em_raw` | 1 | strict: the same characters |" in page
    assert "| `blind` | grey pictures and no coordinates" in page
    assert "| `embedding@blind` | post_vit | true | `aaaaaaaaaaaaaaaa` |" in page
    assert "| `projector` | none |" in page
    assert report_record(evaluation)["basis"]["answers"]["embedding"] == "e" * 64
    alone = replace(evaluation, controls=[])
    assert "no gain here can be trusted" in markdown(alone)
