"""Settings that an arm on a vision-language model would not hear of are refused, before anything is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_asked import base, config, inputs, task

from vantage.core.errors import ParameterError
from vantage.core.tasks import Task
from vantage.models.config import BaseConfig
from vantage.training.config import ArmConfig, FinetuneConfig
from vantage.training.vlm_arm import prepare_vlm

__all__ = ["base", "inputs"]  # fixtures

PLAIN = FinetuneConfig(BaseConfig("no such base"), arms={"a": ArmConfig("multiview")})


@pytest.mark.parametrize(
    ("changes", "where", "hint"),
    [
        ({"arms": {"a": ArmConfig(lr_projector=1e-3)}}, "finetune.arms.a.lr_projector", "options.rates"),
        ({"arms": {"a": ArmConfig(lr_position=1e-3)}}, "finetune.arms.a.lr_position", "options.rates"),
        ({"accumulate": 4}, "finetune.accumulate", "finetune.vlm.micro_batches"),
    ],
)
def test_what_only_the_pocket_model_knows_is_refused(
    changes: dict[str, Any], where: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="the pocket model's") as refused:
        prepare_vlm(Task("a", {}, tmp_path / "out", tmp_path / "work", 0), replace(PLAIN, **changes))
    assert refused.value.where == where and hint in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("arm", "where"),
    [
        ({"recipe": "posealign", "site": "none"}, "finetune.arms.b: site, align.mode"),
        ({"options": {"tower": True}}, "finetune.arms.b: tower, tune"),
        ({"options": {"lora": {"r": 3}}}, "finetune.arms.b: options.lora.r"),
        ({"recipe": "situated", "options": {"align": {}}}, "finetune.arms.b: situated, align"),
    ],
)
def test_an_arm_whose_parts_do_not_fit_is_named_before_any_is_trained(
    arm: dict[str, Any], where: str
) -> None:
    with pytest.raises(ParameterError) as refused:
        replace(PLAIN, arms={"a": ArmConfig(), "b": ArmConfig(**arm)})
    assert refused.value.where == where


def test_an_arm_is_trained_on_the_families_named(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    rooms, folder = request.getfixturevalue("inputs"), request.getfixturevalue("base")
    for families in (("is",), ("is", "count")):
        settings = replace(config(folder, 0), families=families)
        samples = prepare_vlm(task(rooms, tmp_path, "situated", None), settings).samples
        asked = {question.family for k in range(len(samples)) for question in samples.questions(k)}
        assert asked == set(families)
