"""3D position encoders and the normalisation of coordinates, against formulas written out."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vantage.align.embed import POSE_NUMBERS, TOKEN_NUMBERS
from vantage.core.errors import ParameterError
from vantage.models.encoders import EncoderConfig, PositionEncoder, fresh_encoder
from vantage.models.encoders.config import Kind, Normalisation
from vantage.models.encoders.normalise import encoder_numbers, normalised, rounded
from vantage.models.encoders.sinusoid import SinusoidEncoder
from vantage.models.patch_geometry import BatchGeometry, PatchGrid

KINDS = get_args(Kind)
WIDTH = 32


def config(kind: str, **more: Any) -> EncoderConfig:
    if kind == "voxel_index":
        more["normalisation"] = "voxel"
    return EncoderConfig(kind, **more)  # type: ignore[arg-type]


def woken(encoder: PositionEncoder) -> PositionEncoder:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return encoder


def voxels(kind: str, n: int = 6) -> torch.Tensor:
    """Numbers that every encoder takes, voxel indices included."""
    shape = (n, config(kind).numbers)
    return torch.randint(0, 100, shape, generator=torch.Generator().manual_seed(1)).float()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_encoder_gives_zero_and_learns_from_there(kind: str) -> None:
    encoder = fresh_encoder(config(kind), WIDTH, seed=0)
    valid = torch.tensor([True, True, False, True, True, True])
    out = encoder(voxels(kind), valid)
    assert torch.equal(out, torch.zeros(6, WIDTH))
    optimiser = torch.optim.Adam(encoder.parameters(), lr=0.05)
    target = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(3))
    losses = []
    for _ in range(40):
        loss = (encoder(voxels(kind), valid) - target).pow(2).mean()
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0] * 0.99
    assert encoder.null.detach().abs().max() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_invalid_patch_gets_the_null_vector_and_its_coordinates_never_matter(kind: str) -> None:
    encoder = woken(fresh_encoder(config(kind), WIDTH, seed=0))
    values = voxels(kind, 3)
    values[1, :2] = torch.tensor([float("nan"), float("inf")])
    values[2, -1] = 9e9
    out = encoder(values, torch.tensor([True, False, False]))
    assert torch.equal(out[1], encoder.null)
    assert torch.equal(out[2], encoder.null)
    out.sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in encoder.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_precision_is_float32_under_autocast_and_in_a_model_that_is_cast(kind: str) -> None:
    encoder = woken(fresh_encoder(config(kind), WIDTH, seed=0))
    valid = torch.ones(6, dtype=torch.bool)
    plain = encoder(voxels(kind), valid)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder(voxels(kind), valid), plain)
    around = torch.nn.ModuleDict({"encoder": encoder}).to(torch.bfloat16)
    assert torch.equal(around["encoder"](voxels(kind), valid), plain)
    assert plain.dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_encoder_and_torchs_own_generator_is_left_alone(kind: str) -> None:
    before = torch.get_rng_state()
    one, two = (fresh_encoder(config(kind), WIDTH, seed=4).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_concatenated_sinusoids_are_the_published_ones() -> None:
    width, encoder = 32, SinusoidEncoder(32, "concatenated", unit=1.0, scale=1.0)
    xyz = torch.tensor([[3.0, 100.0, 41.0]])
    per_axis = 2 * (width // 6)
    expected = []
    for value in xyz[0].tolist():
        for k in range(per_axis):
            angle = value / 10000 ** (2 * (k // 2) / per_axis)
            expected.append(math.cos(angle) if k % 2 else math.sin(angle))
    expected += [0.0] * (width - len(expected))
    out = encoder(xyz, torch.ones(1, dtype=torch.bool))[0]
    assert torch.allclose(out, torch.tensor(expected), atol=1e-5)
    assert not list(encoder.parameters())


def test_summed_sinusoids_are_the_published_ones_and_cannot_tell_the_axes_apart() -> None:
    width, encoder = 16, SinusoidEncoder(16, "summed", unit=1.0, scale=1.0)
    xyz = torch.tensor([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]])
    out = encoder(xyz, torch.ones(2, dtype=torch.bool))
    expected = [
        sum((math.cos if k % 2 else math.sin)(v / 10000 ** (2 * (k // 2) / width)) for v in (1.0, 2.0, 3.0))
        for k in range(width)
    ]
    assert torch.allclose(out[0], torch.tensor(expected), atol=1e-5)
    assert torch.allclose(out[0], out[1], atol=1e-5)
    other = SinusoidEncoder(16, "concatenated", unit=1.0, scale=1.0)(xyz, torch.ones(2, dtype=torch.bool))
    assert not torch.allclose(other[0], other[1], atol=0.1)


def test_a_fixed_scale_has_no_parameters_and_gives_zero_where_there_is_no_point() -> None:
    encoder = EncoderConfig("sinusoid", scale=0.25).build(WIDTH)
    out = encoder(torch.rand(4, 3), torch.tensor([True, False, True, True]))
    assert not list(encoder.parameters())
    assert torch.equal(out[1], torch.zeros(WIDTH))
    assert 0 < float(out.detach().abs().max()) <= 0.25


def test_voxels_beyond_256_stay_apart_where_bfloat16_would_join_them() -> None:
    encoder = woken(fresh_encoder(config("voxel_index"), WIDTH, seed=0)).bfloat16()
    index = torch.arange(301.0)
    xyz = torch.stack([index, torch.zeros(301), torch.zeros(301)], dim=-1)
    out = encoder(xyz, torch.ones(301, dtype=torch.bool))
    assert len(torch.unique(out, dim=0)) == 301
    assert len(torch.unique(index.bfloat16())) < 301


def test_a_pose_encoder_reads_every_number_and_waves_its_lengths_alone() -> None:
    """Against the formula written out: lengths over 3 m, their waves at five periods, then plain numbers."""
    for kind, lengths in (("pose_point", slice(6, 12)), ("pose_view", slice(0, 3))):
        encoder = woken(fresh_encoder(config(kind), WIDTH, seed=0))
        values = torch.randn(5, config(kind).numbers, generator=torch.Generator().manual_seed(4))
        metres = values[:, lengths]
        plain = torch.cat([values[:, : lengths.start], values[:, lengths.stop :]], dim=1)
        angles = torch.stack([metres * 2 * math.pi / period for period in (16, 8, 4, 2, 1)], dim=2).flatten(1)
        given = torch.cat([metres / 3, angles.sin(), angles.cos(), plain], dim=1)
        everywhere = torch.ones(5, dtype=torch.bool)
        found = encoder(values, everywhere)
        assert torch.allclose(found, encoder.mlp(given), atol=1e-4)
        for column in range(values.shape[1]):
            changed = values.clone()
            changed[:, column] += 0.1
            assert bool(((encoder(changed, everywhere) - found).abs().amax(1) > 1e-4).all()), column


def test_a_pose_encoder_reads_what_align_gives() -> None:
    assert (config("pose_point").beside, config("pose_point").numbers) == (POSE_NUMBERS, POSE_NUMBERS + 3)
    assert (config("pose_view").beside, config("pose_view").numbers) == (TOKEN_NUMBERS, TOKEN_NUMBERS)
    assert {(config(k).beside, config(k).numbers) for k in KINDS if "pose" not in k} == {(0, 3)}


@pytest.mark.parametrize(
    ("kind", "normalisation"),
    [("pose_point", "voxel"), *(("pose_view", name) for name in ("voxel", "scene_centred", "box_unit"))],
)
def test_a_normalisation_that_tears_pose_and_point_apart_is_refused(kind: str, normalisation: str) -> None:
    with pytest.raises(ParameterError, match="cannot be normalised so") as caught:
        EncoderConfig(kind, normalisation)  # type: ignore[arg-type]
    assert caught.value.where == "normalisation"


@given(st.integers(0, 2**20), st.sampled_from(["scene_centred", "box_unit"]))
def test_a_pose_is_normalised_with_the_points_of_its_sample(seed: int, name: Normalisation) -> None:
    """Relative places are those of the points: a patch that lies where the pose stands stays there."""
    generator = torch.Generator().manual_seed(seed)
    images = []
    for _ in range(2):
        xyz = torch.randn(2, 3, 3, generator=generator) * 5
        pose = torch.cat([torch.randn(6, generator=generator), xyz[0, 1]])
        images.append([[PatchGrid(xyz, torch.ones(2, 3, dtype=torch.bool), pose.expand(2, 3, 9))]])
    geometry = BatchGeometry.of(images)
    assert geometry.beside is not None
    settings = EncoderConfig("pose_point", name)
    found = encoder_numbers(normalised(geometry, settings), settings)
    plain = normalised(geometry, EncoderConfig("mlp", name)).xyz
    assert torch.equal(found[:, 9:], plain)
    assert torch.equal(found[:, :6], geometry.beside[:, :6])
    for sample in range(2):
        own = slice(6 * sample, 6 * sample + 6)
        assert torch.equal(found[own, 6:9], plain[6 * sample + 1].expand(6, 3))


def test_numbers_beside_the_points_that_do_not_fit_are_refused() -> None:
    xyz, valid = torch.zeros(1, 2, 3), torch.ones(1, 2, dtype=torch.bool)
    posed, bare = PatchGrid(xyz, valid, torch.ones(1, 2, 9)), PatchGrid(xyz, valid)
    seen = PatchGrid(xyz, valid, torch.ones(1, 2, 6))
    for other in (bare, seen):
        with pytest.raises(ParameterError, match="different numbers beside") as caught:
            BatchGeometry.of([[[posed]], [[other]]])
        assert caught.value.where == "picture 1 of the batch"
    with pytest.raises(ParameterError, match="different numbers beside"):
        BatchGeometry.of([[[bare]], [[posed]]])
    with pytest.raises(ParameterError, match="do not fill"):
        BatchGeometry(xyz[0], valid[0], ((1, 2),), (1,), (1,), beside=torch.ones(1, 9))
    joined = BatchGeometry.of([[[posed]], [[PatchGrid.absent(1, 2)]]])
    assert joined.beside is not None
    assert joined.beside.tolist() == [[1.0] * 9] * 2 + [[0.0] * 9] * 2
    assert BatchGeometry.of([[[bare]]]).beside is None


def test_a_table_without_voxels_is_refused() -> None:
    with pytest.raises(ParameterError, match="needs voxel indices"):
        EncoderConfig("voxel_index")


def two_samples(first: torch.Tensor, second: torch.Tensor, valid: torch.Tensor) -> BatchGeometry:
    """A sample of two images and one of one, grids of 1 x 4 patches."""
    everywhere = torch.ones(1, 4, dtype=torch.bool)
    images = [[PatchGrid(first[None], valid[None])], [PatchGrid(first[None], everywhere)]]
    return BatchGeometry.of([images, [[PatchGrid(second[None], everywhere)]]])


finite = st.floats(-20, 20, width=32)


@given(st.lists(st.tuples(finite, finite, finite), min_size=8, max_size=8))
def test_normalisation_is_that_of_the_sample_and_follows_its_valid_patches(
    points: list[tuple[float, float, float]],
) -> None:
    first, second = torch.tensor(points[:4]), torch.tensor(points[4:])
    valid = torch.tensor([True, False, True, True])
    poisoned = first.clone()
    poisoned[1] = float("nan")
    geometry = two_samples(first, second, valid)
    geometry = geometry.with_xyz(torch.cat([poisoned, first, second]))
    for sample, cloud in ((slice(0, 8), first), (slice(8, 12), second)):
        low, high = cloud.min(0).values, cloud.max(0).values
        centred = normalised(geometry, EncoderConfig("mlp", "scene_centred")).xyz[sample]
        assert torch.allclose(centred[-4:], cloud - (low + high) / 2, atol=1e-4)
        unit = normalised(geometry, EncoderConfig("mlp", "box_unit")).xyz[sample][-4:]
        assert float(unit.abs().max()) <= 1 + 1e-5
        half = float((high - low).max()) / 2
        assert torch.allclose(unit * (half if half > 0 else 1.0), centred[-4:], atol=1e-4)
    assert normalised(geometry, EncoderConfig("mlp")) is geometry


def test_voxels_are_whole_numbers_from_the_corner_cut_to_the_grid() -> None:
    xyz = torch.tensor([[-15.0, -15.0, -5.0], [0.04, 0.06, 0.0], [15.0, 15.0, 5.0], [99.0, -99.0, 99.0]])
    settings = EncoderConfig("voxel_index", "voxel")
    geometry = BatchGeometry.of([[[PatchGrid(xyz[None], torch.ones(1, 4, dtype=torch.bool))]]])
    index = rounded(normalised(geometry, settings).xyz, settings)
    expected = [[0, 0, 0], [150, 151, 50], [300, 300, 100], [300, 0, 100]]
    assert index.tolist() == expected
    assert settings.cells() == (301, 301, 101)


def test_a_sample_without_any_point_stays_finite() -> None:
    geometry = BatchGeometry.of([[[PatchGrid.absent(2, 2)]]])
    for name in get_args(Normalisation):
        settings = EncoderConfig("sinusoid", name)
        assert bool(torch.isfinite(rounded(normalised(geometry, settings).xyz, settings)).all())


def test_geometry_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(ParameterError, match="do not fill"):
        BatchGeometry(torch.zeros(3, 3), torch.ones(3, dtype=torch.bool), ((2, 2),), (1,), (1,))
    with pytest.raises(ParameterError, match="do not add up"):
        BatchGeometry(torch.zeros(4, 3), torch.ones(4, dtype=torch.bool), ((2, 2),), (1,), (2,))
    with pytest.raises(ParameterError, match="no picture"):
        BatchGeometry.of([[]])


def test_waves_have_the_same_lengths_in_voxels_as_in_metres() -> None:
    """Only the origin differs: a network on voxels sees the sixteen metres of its slowest wave too."""
    metres, voxels = (
        EncoderConfig("sinusoid_mlp", kind, hidden=16, voxel_m=0.25).build(24)  # type: ignore[arg-type]
        for kind in ("metres", "voxel")
    )
    torch.nn.init.normal_(metres.mlp[-1].weight)  # type: ignore[union-attr, index, arg-type]
    voxels.load_state_dict(metres.state_dict())
    xyz = torch.rand(50, 3) * 16 - 8
    valid = torch.ones(50, dtype=torch.bool)
    assert torch.allclose(metres(xyz, valid), voxels(xyz / 0.25, valid), atol=1e-4)
    assert not torch.allclose(metres(xyz, valid), voxels(xyz, valid), atol=1e-2)
