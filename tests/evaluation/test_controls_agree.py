"""The pocket model's evaluation and samples for any family mean the same by a control, and draw the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_workspace import Made

from vantage.evaluation.answers import moved, turned, with_points_of
from vantage.evaluation.situations import Situation, heldout_questions, situations
from vantage.models.vlm.controls import controlled
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Sample


def points(sample: Sample) -> np.ndarray:
    grids = [picture for view in sample.views for picture in view.pictures or ()]
    return torch.stack([torch.where(g.valid[..., None], g.xyz, torch.zeros(())) for g in grids]).numpy()


@pytest.mark.parametrize("control", ["", "random_yaw", "random_pose", "other_sample"])
def test_both_show_the_same_points(made: Made, control: str) -> None:
    samples = QuestionSamples(made.inputs, Selection("heldout"))
    asked: list[Situation] = []
    for scan, rows in heldout_questions(made.inputs["synthesize"]).items():
        asked += situations(made.inputs, scan, rows)
    assert [s.key for s in asked] == [row.sample_id for row in samples.listed]
    for seed in range(5):
        for index, situation in enumerate(asked):
            shown = controlled(samples, index, control, seed)
            if control == "other_sample":
                options = [with_points_of(situation, other)[1] for other in asked if other is not situation]
                assert any(np.allclose(points(shown), option, atol=1e-5) for option in options)
                continue
            expected = {"random_yaw": turned, "random_pose": moved}.get(control)
            xyz = situation.points() if expected is None else expected(situation, seed)[1]
            theirs = np.where(situation.valid[..., None], xyz, 0)
            np.testing.assert_allclose(points(shown), theirs, atol=1e-5)
