"""One step is the same step however it is divided: micro batches, processes, shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toy import Toy, ToySource
from toy_process import SHARDED, result, toy, trained

from vantage.core.errors import ContractError
from vantage.core.progress import Silent
from vantage.training.loop import Plan, train
from vantage.training.schedule import share_of_peak

pytestmark = pytest.mark.slow

SETTINGS = {"steps": 20, "validate_every": 5, "warm_up": 3}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    done = toy(folder, SETTINGS)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 8), (1, 2), (2, 1), (2, 4)])
def test_a_step_does_not_depend_on_how_it_is_divided(
    alone: Path, tmp_path: Path, processes: int, accumulate: int
) -> None:
    done = toy(tmp_path, SETTINGS | {"accumulate": accumulate}, processes)
    assert done.returncode == 0, done.stderr
    _assert_alike(alone, tmp_path)


@pytest.mark.parametrize("efficient", ["true", "false"])
def test_shards_learn_what_a_process_alone_learns(alone: Path, tmp_path: Path, efficient: str) -> None:
    """accelerate's FSDP2 over gloo; every linear layer is a shard of its own."""
    settings = SETTINGS | {"accumulate": 4, "shard_on_cpu": True}
    done = toy(tmp_path, settings, 2, **SHARDED, FSDP_CPU_RAM_EFFICIENT_LOADING=efficient)
    assert done.returncode == 0, done.stderr
    assert result(tmp_path)["sharded"] and not result(alone)["sharded"]
    _assert_alike(alone, tmp_path)


def _assert_alike(one: Path, other: Path) -> None:
    for what in ("losses", "validation"):
        assert np.allclose(result(one)[what], result(other)[what], atol=3e-6, rtol=0)
    assert np.allclose(trained(one), trained(other), atol=2e-6, rtol=0)


def test_the_loop_is_plain_adamw_on_the_mean_of_all_tokens(tmp_path: Path) -> None:
    """The oracle: torch by hand on whole batches, a loss summed token by token."""
    model, source = Toy(), ToySource(accumulate=4)
    plan = Plan(steps=12, key="k", warm_up=3, weight_decay=0.05, precision="fp32")
    found = train(model, source, plan, tmp_path, Silent()).losses
    oracle, losses = Toy(), []
    head = [p for n, p in oracle.trained().items() if n.startswith("head")]
    rest = [p for n, p in oracle.trained().items() if not n.startswith("head")]
    optimiser = torch.optim.AdamW(
        [{"params": rest, "lr": 1e-2}, {"params": head, "lr": 3e-2}], betas=(0.9, 0.98), weight_decay=0.05
    )
    for step in range(12):
        total, tokens = torch.zeros(()), 0
        for row in source.whole(step):
            hidden = torch.tanh(
                oracle.layers[1](torch.tanh(oracle.layers[0](torch.tanh(oracle.tower(row.x)))))
            )
            total = total + nn.functional.cross_entropy(oracle.head(hidden), row.y, reduction="sum")
            if int(row.name[-1]) % 2:
                total = total + 0.1 * (oracle.spare(hidden)[:, 0] - row.y).square().sum()
            tokens += len(row.y)
        loss = total / tokens
        for group, peak in zip(optimiser.param_groups, (1e-2, 3e-2), strict=True):
            group["lr"] = peak * share_of_peak(step, 12, 3)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(oracle.trained().values(), 1.0)
        optimiser.step()
        losses.append(float(loss))
    assert np.allclose(found, losses, atol=3e-6)
    for name, value in oracle.trained().items():
        assert torch.allclose(value, model.trained()[name], atol=3e-6), name


def test_a_model_that_counts_other_tokens_than_its_batch_is_refused(tmp_path: Path) -> None:
    class Miscounting(Toy):
        def forward(self, batch):  # type: ignore[no-untyped-def]
            losses = super().forward(batch)
            return type(losses)(losses.total, losses.tokens + 1, losses.parts)

    with pytest.raises(ContractError, match="other learned tokens"):
        train(Miscounting(), ToySource(), Plan(2, "k", precision="fp32"), tmp_path, Silent())


def test_a_loss_that_is_not_a_number_stops_every_process_and_names_its_samples(tmp_path: Path) -> None:
    settings = {"steps": 20, "checkpoint_every": 4, "accumulate": 2, "poison": "step 9 row 5"}
    done = toy(tmp_path, settings, 2)
    assert done.returncode != 0 and "finished" not in done.stdout
    assert done.stderr.count("samples step 9 row 4, step 9 row 5") >= 2, "both processes name them"
    assert "the loss is nan" in done.stderr and "step 10" in done.stderr
