"""The recipes' profiles: arms that can be built, and an evaluation and a gate that know them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from vantage.evaluation.stage import list_items
from vantage.evaluation.vlm_answers import CONTROLS
from vantage.pipeline import yaml12
from vantage.pipeline.params import Params, merge, validate
from vantage.training.vlm_arm import recipe_of

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = ("multiview", "situated", "grounded", "posealign")


def laid(*profiles: str) -> Params:
    value = yaml12.parse(REPOSITORY / "params.yaml").value
    for name in profiles:
        value = merge(value, yaml12.parse(REPOSITORY / "profiles" / f"{name}.yaml").value)
    return validate(value)


@pytest.mark.parametrize("before", [(), ("scannet",), ("tiny",), ("posealign",)])
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_s_arms_can_be_built_evaluated_and_promoted(name: str, before: tuple[str, ...]) -> None:
    """Whatever was laid under it, whose own arms may stay."""
    params = laid(*before, name)
    finetune, evaluate = params.section("finetune"), params.section("evaluate")
    recipes = {arm: recipe_of(config) for arm, config in finetune.arms.items()}
    items = list_items(evaluate, list(finetune.arms))
    assert evaluate.baseline_arm in items
    for control in params.section("promote").trained_controls:
        assert finetune.arms[control].coordinates == control
    assert {item.partition("@")[2] for item in items} - {"majority"} <= set(CONTROLS)
    assert finetune.arms[evaluate.headline_arm].recipe == name
    headline, baseline = recipes[evaluate.headline_arm], recipes[evaluate.baseline_arm]
    assert headline != baseline and headline.model.tune == baseline.model.tune
    assert baseline.model.injection is baseline.model.situated is None
