from __future__ import annotations

from pathlib import Path

import pytest
from changes import assert_a_step_changes_what_is_trained
from torch import nn
from toy import Toy, ToySource

from vantage.core.errors import ContractError
from vantage.training.tree import Part, parameter_tree, tree_text


def test_parts_of_one_kind_stand_together_and_layers_in_one_line() -> None:
    assert parameter_tree(Toy()) == [
        Part("tower", 2, 0, 72),
        Part("layers.*", 2, 0, 72),
        Part("layers.*", 2, 72, 0),
        Part("spare", 2, 9, 0),
        Part("head", 2, 99, 0),
    ]
    lines = tree_text(parameter_tree(Toy()))
    assert lines[0].split() == ["part", "tensors", "trained", "frozen"]
    assert lines[-1].split() == ["all", "10", "180", "144"]
    assert len({len(line) for line in lines}) == 1


def test_a_tied_parameter_counts_once() -> None:
    model = Toy()
    model.tied = nn.Linear(8, 8)
    model.tied.weight = model.tower.weight
    model.tied.bias.requires_grad_(False)
    assert sum(p.trained + p.frozen for p in parameter_tree(model)) == 180 + 144 + 8


def test_a_model_that_says_other_than_it_does_is_refused() -> None:
    model = Toy()
    model.tower.requires_grad_(True)
    model.trained = lambda: {"head.weight": model.head.weight}  # type: ignore[method-assign]
    with pytest.raises(ContractError, match=r"tower\.weight"):
        parameter_tree(model)
    model.trained = dict  # type: ignore[assignment,method-assign]
    with pytest.raises(ContractError, match="nothing of the model is trained"):
        parameter_tree(model)


def test_a_step_changes_the_trained_tensors_and_no_other(tmp_path: Path) -> None:
    assert_a_step_changes_what_is_trained(Toy(), ToySource(), tmp_path)
