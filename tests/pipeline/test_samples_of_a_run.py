"""Samples for any family from generated rooms through the real stages, beside the pocket model's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import Tiny

from vantage.models.answering import model_image
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.records.questions import read_questions
from vantage.training.samples import load_samples, view_points

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
FAMILIES = ("exist", "category", "side", "direction", "distance", "nearest", "size")


def test_both_readers_find_the_same_samples(finished: Tiny) -> None:
    inputs = {stage: finished.out(stage) for stage in ("download", "extract", "lift", "synthesize")}
    pocket = load_samples(inputs, FAMILIES)
    samples = QuestionSamples(inputs, Selection(families=FAMILIES))
    assert not samples.unusable and len(samples) == len(pocket.situations) > 10
    assert samples.facts()["questions"] == pocket.questions
    for sample, situation in zip(samples, pocket.situations, strict=True):
        xyz, valid = view_points(pocket, situation, np.array(situation.views))
        grids = [view.pictures[0] for view in sample.views]
        found = torch.stack([g.valid.reshape(-1) for g in grids]).numpy()
        np.testing.assert_array_equal(found, valid)
        points = torch.stack([g.xyz.reshape(-1, 3) for g in grids]).numpy()
        np.testing.assert_allclose(points[valid], xyz[valid], atol=1e-5)
        image = model_image(np.asarray(sample.views[0].image()))
        np.testing.assert_array_equal(image, pocket.images[situation.views[0]])
        assert len(sample.dialogs) == len(situation.questions)


def test_every_question_of_a_run_is_in_one_sample(finished: Tiny) -> None:
    inputs = {stage: finished.out(stage) for stage in ("download", "extract", "lift", "synthesize")}
    asked = [q for scan in finished.rows("synthesize") for q in read_questions(inputs["synthesize"] / scan)]
    both = [QuestionSamples(inputs, Selection(split)) for split in ("train", "heldout")]
    ids = [q for samples in both for row in samples.listed for q in row.question_ids]
    assert sorted(ids) == sorted(q.question_id for q in asked)
    assert both[0].digest() != both[1].digest()
    rooms = [{row.room_id for row in samples.listed} for samples in both]
    assert not rooms[0] & rooms[1]
