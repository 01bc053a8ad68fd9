"""The report's three forms tell the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable

from vantage.core.hashing import canonical_json
from vantage.evaluation.report import Evaluation, markdown, metrics, report_record
from vantage.evaluation.table import score_groups
from vantage.records.predictions import Prediction

Make = Callable[..., list[Prediction]]


def evaluation_of(make: Make) -> Evaluation:
    items = {"projector": make(1), "embedding": make(3), "embedding@blind": make(0)}
    groups = score_groups(items, frozenset({"exist"}), "projector", ("direction", "unseen"), 0, 200)
    return Evaluation(
        groups, ["projector", "embedding"], ["embedding@blind"], "embedding", "projector", "d" * 64
    )


def test_record_is_plain_json_and_names_scorer_versions(predictions: Make) -> None:
    record = report_record(evaluation_of(predictions))
    assert json.loads(canonical_json(record)) == record
    assert (record["record"], record["version"]) == ("evaluation", 1)
    assert record["scorers"]["em_raw"] == 1
    assert record["headline"]["group"] == "direction_unseen"
    head = record["groups"][0]
    assert head["items"]["embedding"]["exact"]["percent"] == 75
    assert head["gains"]["embedding@blind"]["points"] == -25


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
