"""N3D-VLM's embedding: its published values, its units, and its place in the model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_vlms import CASES

from vantage.core.errors import ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.encoders.normalise import normalised, rounded
from vantage.models.grounded.recipe import INJECTION
from vantage.models.injector import Injector
from vantage.models.patch_geometry import BatchGeometry, PatchGrid

WIDTH = 1280


def embedded(*points: tuple[float, float, float]) -> torch.Tensor:
    encoder = EncoderConfig("sinusoid", "n3d", scale=1.0).build(WIDTH)
    assert not list(encoder.parameters())
    return encoder(torch.tensor(points), torch.ones(len(points), dtype=torch.bool))


def test_the_published_values() -> None:
    (one, zero) = embedded((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
    np.testing.assert_allclose(one[0:4], [0.841471, 0.540302, 0.817859, 0.575419], atol=1e-6)
    np.testing.assert_allclose(one[426:428], [0.909297, -0.416147], atol=1e-6)
    np.testing.assert_allclose(one[852:854], [0.141120, -0.989992], atol=1e-6)
    assert one[1278:].tolist() == [0.0, 0.0]
    assert zero[:4].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert float(one.norm()) == pytest.approx(25.278, abs=5e-4)
    assert float(zero.norm()) == pytest.approx(25.278, abs=5e-4)


@given(st.tuples(*[st.integers(-2000, 2000)] * 3))
def test_every_channel_is_the_published_formula(point: tuple[int, int, int]) -> None:
    out = embedded((float(point[0]), float(point[1]), float(point[2])))[0]
    n = WIDTH // 3
    for axis in range(3):
        for k in (0, 1, 2, 57, 212, 424, 425):
            angle = point[axis] / 10000 ** (2 * (k // 2) / n)
            expected = math.cos(angle) if k % 2 else math.sin(angle)
            assert float(out[axis * n + k]) == pytest.approx(expected, abs=3e-4), "float32 at 2000 radians"


def test_the_summed_form_of_the_paper() -> None:
    encoder = EncoderConfig("sinusoid_summed", "n3d", scale=1.0).build(WIDTH)
    out = encoder(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([True]))[0]
    np.testing.assert_allclose(out[:4], [1.891888, -0.865837, 1.937895, -0.82076], atol=1e-5)


def published_units(points: np.ndarray) -> np.ndarray:
    """The reference page's recipe step by step, all points valid: shift, scale, one mean, thousandths."""
    moved = points - points.min(axis=0)
    scaled = moved * (1 / np.linalg.norm(moved, axis=1).mean())
    return np.round((scaled - scaled.mean(axis=0).mean()) / 0.001)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 50))
def test_units_are_the_published_ones_sample_by_sample(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    clouds = [rng.normal(rng.uniform(-9, 9, 3), size, (6, 3)) for _ in range(2)]
    grids = [PatchGrid(torch.tensor(c, dtype=torch.float32)[None], torch.ones(1, 6, dtype=torch.bool))
             for c in clouds]  # fmt: skip
    holes = PatchGrid(torch.full((1, 2, 3), torch.nan), torch.zeros(1, 2, dtype=torch.bool))
    geometry = BatchGeometry.of([[[grids[0]], [holes]], [[grids[1]]]])
    settings = EncoderConfig("sinusoid", "n3d", scale=1.0)
    found = rounded(normalised(geometry, settings).xyz, settings)
    for rows, cloud in ((slice(0, 6), clouds[0]), (slice(8, 14), clouds[1])):
        assert np.abs(found[rows].numpy() - published_units(cloud)).max() <= 1, "float32 points"
    assert bool(torch.isfinite(found).all())
    assert torch.equal(found, found.round())


def test_units_do_not_change_with_the_scene_s_size_or_place() -> None:
    cloud = torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(0))
    settings, everywhere = EncoderConfig("sinusoid", "n3d", scale=1.0), torch.ones(1, 9, dtype=torch.bool)

    def units(points: torch.Tensor) -> torch.Tensor:
        return normalised(BatchGeometry.of([[[PatchGrid(points, everywhere)]]]), settings).xyz

    assert torch.allclose(units(cloud), units(cloud * 7 + 3), atol=0.01)
    same = units(torch.full((1, 9, 3), 4.0))
    assert torch.equal(same, torch.zeros(9, 3))


def test_units_of_n3d_go_with_sinusoids_only() -> None:
    for kind in ("mlp", "sinusoid_mlp"):
        with pytest.raises(ParameterError, match="go with sinusoids"):
            EncoderConfig(kind, "n3d")  # type: ignore[arg-type]


def test_each_token_gets_its_own_point_after_the_tower_in_the_towers_order() -> None:
    """Qwen2.5-VL: rows at the site are merge blocks in windows; in raster order they would be others'."""
    case = CASES["qwen2_5_vl"]()
    injector = Injector.fresh(case.model, INJECTION, seed=0)
    assert not list(injector.encoder.parameters())
    geometry = case.random_geometry()
    added: list[torch.Tensor] = []
    original = injector.embedding

    def kept(*arguments: object) -> torch.Tensor:
        added.append(original(*arguments))  # type: ignore[arg-type]
        return added[-1]

    injector.embedding = kept  # type: ignore[method-assign, assignment]
    with torch.no_grad(), injector.bind(geometry):
        with_points = case.model(**case.inputs).logits
    settings = INJECTION.encoder
    units = rounded(normalised(geometry, settings).xyz, settings)
    raster = injector.encoder(units, geometry.valid)
    (rows,) = added
    assert rows.shape == raster.shape
    assert not torch.equal(rows, raster), "raster order is another order here"
    assert torch.allclose(rows.sum(0), raster.sum(0), atol=1e-3), "the same vectors, each once"
    plain = case.model(**case.inputs).logits
    assert not torch.allclose(with_points, plain)
