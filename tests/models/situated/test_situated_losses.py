"""Place and yaw losses against torch.distributions, scipy and brute sums; what is read from bins, exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy, norm
from torch.distributions import Categorical, Normal, kl_divergence

from vantage.models.situated.gaussian import LOG_VARIANCES, clamped_log_variances, gaussian_nll
from vantage.models.situated.orientation import bin_centres, decode, log_target, orientation_kl, others

BINS, SIGMA = 36, math.radians(10)
SWEEP = torch.linspace(-math.pi, math.pi, 3601, dtype=torch.float64)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_place_loss_is_the_normal_density_without_its_constant() -> None:
    raw, xy = noise(200, 4) * 2, noise(200, 2, seed=1) * 5
    known = torch.ones(200, dtype=torch.bool)
    density = Normal(raw[:, :2].double(), torch.exp(raw[:, 2:].double() / 2)).log_prob(xy.double())
    expected = -density.sum(1) - math.log(2 * math.pi)
    torch.testing.assert_close(gaussian_nll(raw, xy, known).double(), expected, rtol=1e-5, atol=1e-5)


def test_log_variances_beyond_their_bounds_count_as_the_bounds_and_still_learn_to_come_back() -> None:
    raw = torch.tensor([[0.0, 0, -50, -50], [0, 0, 50, 50]], requires_grad=True)
    low, high = LOG_VARIANCES
    assert clamped_log_variances(raw).tolist() == [[low, low], [high, high]]
    both = torch.ones(2, dtype=torch.bool)
    # Far off with a deviation that is too small, close by with one that is too large: back inside.
    (inwards,) = torch.autograd.grad(gaussian_nll(raw, torch.tensor([[9.0, 9], [0, 0]]), both).sum(), raw)
    assert (inwards[0, 2:] < 0).all()
    assert (inwards[1, 2:] > 0).all()
    # Exactly right, and far too far off even for the largest: no further out.
    far = torch.tensor([[0.0, 0], [900, 900]])
    (outwards,) = torch.autograd.grad(gaussian_nll(raw, far, both).sum(), raw)
    assert (outwards[:, 2:] == 0).all()


def test_between_the_bounds_gradients_are_those_of_the_density() -> None:
    raw, xy = (noise(50, 4) * 2).requires_grad_(), noise(50, 2, seed=1)
    (found,) = torch.autograd.grad(gaussian_nll(raw, xy, torch.ones(50, dtype=torch.bool)).sum(), raw)
    density = Normal(raw[:, :2], torch.exp(raw[:, 2:] / 2)).log_prob(xy)
    (expected,) = torch.autograd.grad(-density.sum(), raw)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_is_not_known_counts_for_nothing_and_has_no_gradient(broken: float) -> None:
    known = torch.tensor([True, False, True])
    raw, logits = noise(3, 4).requires_grad_(), noise(3, BINS).requires_grad_()
    xy, yaw = noise(3, 2, seed=1), noise(3, seed=2)
    plain = gaussian_nll(raw, xy, known), orientation_kl(logits, yaw, known, SIGMA)
    xy[1], yaw[1] = broken, broken
    losses = gaussian_nll(raw, xy, known), orientation_kl(logits, yaw, known, SIGMA)
    for loss, before in zip(losses, plain, strict=True):
        assert torch.equal(loss, before)
        assert loss[1] == 0
    (losses[0].sum() + losses[1].sum()).backward()
    for grad in (raw.grad, logits.grad):
        assert grad is not None
        assert (grad[1] == 0).all()
        assert bool(grad.isfinite().all())
        assert (grad[0] != 0).any()


def test_losses_are_computed_in_float32_under_autocast() -> None:
    raw, xy, yaw = noise(20, 4), noise(20, 2, seed=1), noise(20, seed=2)
    logits, known = noise(20, BINS), torch.ones(20, dtype=torch.bool)
    plain = gaussian_nll(raw, xy, known), orientation_kl(logits, yaw, known, SIGMA)
    with torch.autocast("cpu", torch.bfloat16):
        under = gaussian_nll(raw, xy, known), orientation_kl(logits, yaw, known, SIGMA)
    for one, other in zip(plain, under, strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one, other)
    halves = gaussian_nll(raw.bfloat16(), xy, known), orientation_kl(logits.bfloat16(), yaw, known, SIGMA)
    assert all(loss.dtype == torch.float32 for loss in halves)


@pytest.mark.parametrize("sigma_deg", [5.0, 10.0, 40.0])
def test_the_target_is_a_gaussian_around_the_circle_summed_by_hand(sigma_deg: float) -> None:
    centres = np.deg2rad(-175 + 10 * np.arange(36))
    np.testing.assert_allclose(bin_centres(36).numpy(), centres, atol=1e-12)
    for yaw in (0.0, 3.0, math.pi, -2.9, 7.5):
        # The nearest of all turns, by trying them.
        off = np.min(np.abs(yaw - centres[:, None] + 2 * np.pi * np.arange(-4, 5)), axis=1)
        weights = norm.pdf(off, scale=math.radians(sigma_deg))
        found = log_target(torch.tensor([yaw]), 36, math.radians(sigma_deg)).exp().numpy()[0]
        np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-6)


def test_the_divergence_is_scipys_and_torchs() -> None:
    logits, yaw = noise(50, BINS) * 3, torch.linspace(-9, 9, 50)
    found = orientation_kl(logits, yaw, torch.ones(50, dtype=torch.bool), SIGMA)
    target = log_target(yaw, BINS, SIGMA).double()
    torch.testing.assert_close(
        found.double(),
        kl_divergence(Categorical(logits=target), Categorical(logits=logits.double())),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    brute = [
        entropy(t.exp().numpy(), torch.softmax(row.double(), 0).numpy())
        for t, row in zip(target, logits, strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), brute, rtol=1e-4, atol=1e-5)


def test_the_divergence_is_zero_at_the_target_and_nowhere_else() -> None:
    yaw, known = torch.tensor([0.3]), torch.ones(1, dtype=torch.bool)
    target = log_target(yaw, BINS, SIGMA)
    assert abs(float(orientation_kl(target + 5.0, yaw, known, SIGMA))) < 1e-6
    assert float(orientation_kl(target + noise(1, BINS) * 0.1, yaw, known, SIGMA)) > 1e-4


@pytest.mark.parametrize("sigma_deg", [10.0, 20.0])
def test_every_angle_comes_back_from_its_own_target(sigma_deg: float) -> None:
    found = decode(log_target(SWEEP, BINS, math.radians(sigma_deg)))
    off = torch.remainder(found.yaw - SWEEP + math.pi, 2 * math.pi) - math.pi
    assert float(off.abs().max()) < 1e-6
    expected = math.exp(-(math.radians(sigma_deg) ** 2) / 2)
    assert float((found.resultant - expected).abs().max()) < 1e-5
    assert float((found.sigma - math.radians(sigma_deg)).abs().max()) < 1e-4


def test_a_target_narrower_than_a_bin_is_off_by_what_is_known() -> None:
    found = decode(log_target(SWEEP, BINS, math.radians(5)))
    off = torch.remainder(found.yaw - SWEEP + math.pi, 2 * math.pi) - math.pi
    assert 0.20 < math.degrees(float(off.abs().max())) < 0.25


def test_two_opposite_modes_have_no_direction_and_neighbouring_ones_have() -> None:
    for apart, length in ((math.pi, 0.0), (math.pi / 2, math.sqrt(0.5)), (0.0, 1.0)):
        one = log_target(torch.tensor([0.4]), BINS, SIGMA).exp()
        two = log_target(torch.tensor([0.4 + apart]), BINS, SIGMA).exp()
        found = decode(((one + two) / 2).log())
        assert float(found.resultant) == pytest.approx(length * math.exp(-(SIGMA**2) / 2), abs=1e-6)
        if length:
            assert float(found.yaw) == pytest.approx(0.4 + apart / 2, abs=1e-5)
    flat = decode(torch.zeros(1, BINS))
    assert float(flat.resultant) < 1e-12
    assert float(flat.sigma) > 7
    sure = decode(torch.tensor([[100.0, *[0.0] * 35]]))
    assert float(sure.sigma) == 0


@given(st.floats(-3.1, 3.1), st.floats(1.2, 2.0))
def test_other_directions_are_the_modes_that_the_mean_direction_hides(at: float, apart: float) -> None:
    modes = [at - apart, at + apart]
    mixed = sum(log_target(torch.tensor([mode]), BINS, SIGMA).exp() for mode in modes)
    assert isinstance(mixed, torch.Tensor)
    yaw = float(decode(mixed.log()).yaw)
    found = others(mixed.log()[0], yaw)
    for mode in modes:
        assert min(abs(math.remainder(one - mode, 2 * math.pi)) for one in found) <= math.pi / BINS + 1e-9


@given(st.integers(3, 48), st.floats(-3.1, 3.1), st.integers(0, 1000))
def test_other_directions_are_the_best_of_those_far_enough(bins: int, yaw: float, seed: int) -> None:
    logits = noise(1, bins, seed=seed)[0]
    centres, taken = bin_centres(bins).tolist(), [yaw]
    for one in (found := others(logits, yaw)):
        free = [
            k for k, c in enumerate(centres)
            if all(abs(math.remainder(c - t, 2 * math.pi)) >= math.pi / 3 for t in taken)
        ]  # fmt: skip
        assert one == centres[max(free, key=lambda k: float(logits[k]))]
        taken.append(one)
    assert len(found) == 2 or bins < 7


@given(st.integers(0, 35), st.floats(-3.1, 3.1), st.integers(0, 1000))
def test_a_turn_of_bins_turns_everything_and_changes_no_loss(turn: int, yaw: float, seed: int) -> None:
    logits, known = noise(1, BINS, seed=seed), torch.ones(1, dtype=torch.bool)
    angle = turn * 2 * math.pi / BINS
    turned = logits.roll(turn, dims=1)
    before = orientation_kl(logits, torch.tensor([yaw], dtype=torch.float64), known, SIGMA)
    after = orientation_kl(turned, torch.tensor([yaw + angle], dtype=torch.float64), known, SIGMA)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
    one, two = decode(logits), decode(turned)
    off = torch.remainder(two.yaw - one.yaw - angle + math.pi, 2 * math.pi) - math.pi
    assert float(off.abs()) < 1e-9
    assert float((two.resultant - one.resultant).abs()) < 1e-12
