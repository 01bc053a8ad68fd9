"""Rows of an arm are measured exactly, and words that come again are encoded once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

TESTS = Path(__file__).parent.parent
sys.path += [str(TESTS), str(TESTS / "models" / "vlm")]  # pocket_as_vlm, question_folders

from question_folders import Folders  # noqa: E402

from pocket_as_vlm import write  # noqa: E402
from vantage.models.loading import load_vlm  # noqa: E402
from vantage.models.pocket import build  # noqa: E402
from vantage.models.prompts import Preparer  # noqa: E402
from vantage.models.vlm.batch import collate  # noqa: E402
from vantage.models.vlm.listing import Selection  # noqa: E402
from vantage.models.vlm.question_samples import QuestionSamples  # noqa: E402
from vantage.models.vlm.showing import shown_sample  # noqa: E402
from vantage.training import vlm_rows  # noqa: E402
from vantage.training.bucketing import Limits  # noqa: E402
from vantage.training.config import ArmConfig  # noqa: E402
from vantage.training.vlm_arm import recipe_of  # noqa: E402
from vantage.training.vlm_rows import ArmRows, Row  # noqa: E402


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Preparer:
    from test_asked import SMALL

    base = load_vlm(write(tmp_path_factory.mktemp("vlm"), build(SMALL, seed=1)))
    return Preparer.load(base.model, base.folder)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> QuestionSamples:
    made = Folders(tmp_path_factory.mktemp("stages"), grid=(8, 8))
    for number in range(4):
        made.scan(f"room{number:04d}_00", "train", 40 + 25 * number)
    made.index()
    return QuestionSamples(made.inputs, Selection("train", frame="aligned"))


@pytest.mark.parametrize(
    ("arm", "distinct"),
    [
        (ArmConfig("situated"), 4),  # the same four questions in every room
        (ArmConfig("posealign", "none", options={"align": {"mode": "prompt"}}), 16),  # each with its own pose
    ],
)
def test_each_row_has_the_tokens_of_its_batch(
    arm: ArmConfig, distinct: int, samples: QuestionSamples, prepare: Preparer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    calls: list[Any] = []
    real = vlm_rows.encoded
    monkeypatch.setattr(vlm_rows, "encoded", lambda *given: calls.append(given) or real(*given))
    how = recipe_of(arm)
    rows = ArmRows(samples, prepare, how, "true", 3, Limits(4096, 8), 16)
    found = rows.rows(range(len(samples)), lambda _done, _total: None)
    assert len(calls) == distinct and sum(len(row.dialogs) for row in found) == 16
    for row in found:
        batch = collate([rows._row(row, 0)], prepare, how.model.head)
        assert batch.inputs["input_ids"].shape == (1, row.tokens)
    assert [(row.sample, row.dialogs) for row in found] == [
        (index, tuple(range(len(sample.dialogs)))) for index, sample in enumerate(samples)
    ]
    assert all(isinstance(row, Row) for row in found)


PERTURBED = {"align": {"perturbation": {"position_std_m": 0.3, "yaw_std_deg": 20.0}}}


@pytest.mark.parametrize(
    ("arm", "control"),
    [(ArmConfig("posealign", options=PERTURBED), "true"), (ArmConfig("posealign"), "random_yaw")],
)
def test_what_is_drawn_for_a_sample_is_drawn_anew_at_every_step(
    arm: ArmConfig, control: Any, samples: QuestionSamples, prepare: Preparer
) -> None:
    """Otherwise a model would learn one wrong pose of each sample by heart."""
    how = recipe_of(arm)
    shows = ArmRows(samples, prepare, how, control, 3, Limits(4096, 8), 16)
    rows = shows.rows(range(len(samples)), lambda _done, _total: None)
    source = shows.source(rows, 1)
    points = [source.make((1,), True, step).geometry.xyz for step in (0, 4, 9, 4)]  # type: ignore[attr-defined]
    assert torch.equal(points[1], points[3])
    assert all(not torch.allclose(points[a], points[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    evaluated = shown_sample(samples, rows[1].sample, how.align, "" if control == "true" else control, 3)
    asked = torch.cat([p.xyz.reshape(-1, 3) for view in evaluated.views for p in view.pictures or ()])
    assert torch.equal(points[0], asked)  # evaluation draws for step 0
