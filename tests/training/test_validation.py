"""Validation: the best and the last, an early end, and losses that are no numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy import Toy, ToyBatch, ToySource

from vantage.core.errors import VantageError
from vantage.core.progress import Silent
from vantage.training.checkpoint import BEST, LAST, read
from vantage.training.loop import Outcome, Plan, train

CONTRARY = ToySource(seed=9, shift=1)  # gets worse the more is learned


def run(work: Path, **changes: object) -> tuple[Toy, Outcome]:
    model = Toy(dropout=0.2)
    given = {"steps": 120, "key": "key", "precision": "fp32", "validate_every": 4, "checkpoint_every": 100}
    plan = Plan(**(given | changes))  # type: ignore[arg-type]
    return model, train(model, ToySource(), plan, work, Silent(), validation=CONTRARY)


def by_hand(model: Toy) -> float:
    model.eval()
    with torch.no_grad():
        rows = [model(ToyBatch((row,))) for row in CONTRARY.whole(0)]
    return sum(float(r.total) * r.tokens for r in rows) / sum(r.tokens for r in rows)


def test_training_ends_once_nothing_was_gained_for_long_enough(tmp_path: Path) -> None:
    model, outcome = run(tmp_path, patience=2)
    losses = [loss for _, loss in outcome.validation]
    best = losses.index(min(losses))
    assert len(losses) == best + 3, "two more after the best"
    assert len(outcome.losses) == 4 * len(losses) < 120
    assert by_hand(model) == pytest.approx(losses[-1], abs=1e-5), "in evaluation mode, on the fixed list"
    assert [step for step, _ in outcome.validation] == [4 * k for k in range(1, len(losses) + 1)]


def test_a_run_that_ended_early_leaves_the_best_where_that_is_wanted(tmp_path: Path) -> None:
    last, _ = run(tmp_path / "last", patience=2)
    model, outcome = run(tmp_path / "best", patience=2, best=True)
    losses = [loss for _, loss in outcome.validation]
    assert len(outcome.losses) < 120
    assert by_hand(model) == pytest.approx(min(losses), abs=1e-5)
    assert by_hand(last) == pytest.approx(losses[-1], abs=1e-5) and losses[-1] > min(losses) + 1e-3


def test_the_last_step_is_validated_too(tmp_path: Path) -> None:
    model, outcome = run(tmp_path, steps=10)
    assert [step for step, _ in outcome.validation] == [4, 8, 10]
    assert by_hand(model) == pytest.approx(outcome.validation[-1][1], abs=1e-5)


def test_the_best_is_kept_beside_the_last(tmp_path: Path) -> None:
    last, outcome = run(tmp_path / "last")
    losses = dict(outcome.validation)
    assert len(outcome.losses) == 120
    step = min(losses, key=lambda k: losses[k])
    best, same = run(tmp_path / "best", best=True)
    assert same.losses == outcome.losses
    assert by_hand(best) == pytest.approx(losses[step], abs=1e-5)
    assert by_hand(last) == pytest.approx(losses[120], abs=1e-5)
    assert losses[step] < losses[120] - 0.1
    assert len(read(tmp_path / "last" / BEST).losses) == step
    assert len(read(tmp_path / "last" / LAST).losses) == 120


def test_validation_changes_nothing_that_is_learned(tmp_path: Path) -> None:
    without, plain = run(tmp_path / "without", validate_every=0)
    beside, looked = run(tmp_path / "with")
    assert plain.losses == looked.losses
    assert all(torch.equal(v, beside.state_dict()[k]) for k, v in without.state_dict().items())


def test_a_run_that_ended_early_stays_ended(tmp_path: Path) -> None:
    _, first = run(tmp_path, patience=2)
    model, again = run(tmp_path, patience=2)
    assert (again.losses, again.validation) == (first.losses, first.validation)
    assert by_hand(model) == pytest.approx(first.validation[-1][1], abs=1e-5)


def test_a_loss_that_is_no_number_stops_before_anything_is_learned_from_it(tmp_path: Path) -> None:
    plan = Plan(20, "key", precision="fp32", checkpoint_every=4)
    whole = Toy()
    train(whole, ToySource(), Plan(20, "key", precision="fp32", checkpoint_every=4), tmp_path / "a", Silent())
    model, poisoned = Toy(), ToySource(accumulate=4, poison="step 9 row 5")
    with pytest.raises(VantageError, match="the loss is nan") as caught:
        train(model, poisoned, plan, tmp_path / "b", Silent())
    assert "step 10" in str(caught.value) and "samples step 9 row 4, step 9 row 5" in str(caught.value)
    assert "row 3" not in str(caught.value) and "row 6" not in str(caught.value)
    assert len(read(tmp_path / "b" / LAST).losses) == 8
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
    healed = Toy()
    train(healed, ToySource(accumulate=4), plan, tmp_path / "b", Silent())
    assert all(torch.allclose(v, whole.state_dict()[k], atol=3e-6) for k, v in healed.state_dict().items())


def test_a_base_that_is_no_number_itself_is_what_is_blamed(tmp_path: Path) -> None:
    model = Toy()
    with torch.no_grad():
        model.tower.weight[2, 3] = float("nan")
    with pytest.raises(VantageError, match="the loss is nan") as caught:
        train(model, ToySource(), Plan(2, "key", precision="fp32"), tmp_path, Silent())
    assert "tower.weight is not finite itself" in str(caught.value.hint)
    assert "step 1" in str(caught.value.where)
    with pytest.raises(VantageError) as caught:
        plan = Plan(20, "key", precision="fp32")
        train(Toy(), ToySource(poison="step 0 row 1"), plan, tmp_path, Silent())
    assert "not finite itself" not in str(caught.value.hint)


def test_a_gradient_that_is_no_number_stops_as_well(tmp_path: Path) -> None:
    class Steep(Toy):
        def forward(self, batch: ToyBatch):  # type: ignore[no-untyped-def]
            losses = super().forward(batch)
            # A finite value whose derivative is not.
            return type(losses)(losses.total + (self.head.weight.sum() * 0).abs().sqrt(), losses.tokens)

    model = Steep()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(VantageError, match="the gradient is") as caught:
        train(model, ToySource(), Plan(20, "key", precision="fp32"), tmp_path, Silent())
    assert "step 1" in str(caught.value) and "step 0 row 7" in str(caught.value)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
