"""Every colour pixel finds its own place in a network's output: coordinate ramps through the real processors.

No weights are involved. An image whose red is a ramp of u and whose green is one of v goes through the
processor; its own colours, taken back to numbers, stand for a network's output that says of each pixel where
it came from.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.lift.estimators.grids import Axis, Warp, at_pixels
from vantage.lift.estimators.processors import depth_pro_processor, prepare, warp_of


def dpt(**settings: Any) -> Any:
    from transformers import DPTImageProcessorPil

    defaults = {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
    return DPTImageProcessorPil(**(defaults | settings))


def zoe(**settings: Any) -> Any:
    from transformers import ZoeDepthImageProcessorPil

    return ZoeDepthImageProcessorPil(**({"ensure_multiple_of": 32} | settings))


def glpn() -> Any:
    from transformers import GLPNImageProcessorPil

    return GLPNImageProcessorPil()


def pro(side: int) -> Any:
    return depth_pro_processor()(size={"height": side, "width": side})


PROCESSORS: dict[str, Callable[[], Any]] = {
    "dpt smaller": dpt,
    "dpt larger": lambda: dpt(size={"height": 518, "width": 518}),
    "dpt squashed": lambda: dpt(keep_aspect_ratio=False, size={"height": 84, "width": 70}),
    "dpt padded": lambda: dpt(
        do_pad=True, size_divisor=32, ensure_multiple_of=1, size={"height": 77, "width": 90}
    ),
    "dpt not resized, padded": lambda: dpt(do_resize=False, do_pad=True, size_divisor=14),
    "zoedepth": lambda: zoe(size={"height": 384, "width": 512}),
    "zoedepth smaller": lambda: zoe(size={"height": 64, "width": 96}),
    "zoedepth not padded": lambda: zoe(
        do_pad=False, size={"height": 96, "width": 96}, keep_aspect_ratio=False
    ),
    "glpn": glpn,
    "depth pro larger": lambda: pro(384),
    "depth pro smaller": lambda: pro(96),
}
SIZES = [(96, 120), (60, 80), (127, 97)]
GREYS_PER_PIXEL = 2


def places(processor: Any, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, Warp]:
    """What the processor makes of u and v, in pixels of the colour image, and the warp that is claimed."""
    height, width = size
    v, u = np.mgrid[:height, :width]
    image = (GREYS_PER_PIXEL * np.stack([u, v, 0 * u], axis=-1)).astype(np.uint8)
    pixels, warp = prepare(processor, [image])
    array = pixels[0].numpy().astype(np.float64)
    if getattr(processor, "do_normalize", False):
        mean, std = (
            np.array(getattr(processor, name))[:, None, None] for name in ("image_mean", "image_std")
        )
        array = array * std + mean
    array = array * (255 / GREYS_PER_PIXEL)
    return array[0].astype(np.float32), array[1].astype(np.float32), warp


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", PROCESSORS)
def test_a_coordinate_ramp_comes_back_to_its_own_pixels(name: str, size: tuple[int, int]) -> None:
    """To a twentieth of a pixel on average, one way as the other; to two thirds of one anywhere inside."""
    column, row, warp = places(PROCESSORS[name](), size)
    assert warp.size == size
    v, u = np.mgrid[: size[0], : size[1]]
    edge = 8  # an antialiasing filter leans inwards at the borders
    inside = (slice(edge, -edge), slice(edge, -edge))
    for found, true in ((at_pixels(column, warp), u), (at_pixels(row, warp), v)):
        off = (found - true)[inside]
        assert abs(off.mean()) < 0.05
        assert np.abs(off).max() < 0.67
        # A wrong convention would lean from one side to the other.
        half = off.shape[0] // 2, off.shape[1] // 2
        halves = (off[: half[0]], off[half[0] :], off[:, : half[1]], off[:, half[1] :])
        assert max(abs(part.mean()) for part in halves) < 0.1


def test_the_other_convention_would_be_seen() -> None:
    """The check above has teeth: ZoeDepth undone as a plain resize, or Depth Anything by corners, is off."""
    size = (96, 120)
    column, _, warp = places(PROCESSORS["zoedepth smaller"](), size)
    plain = Warp(size, warp.network, *(Axis.by_edges(a, b) for a, b in zip(size, warp.network, strict=True)))
    u = np.arange(size[1])
    assert np.abs(at_pixels(column, plain) - u)[8:-8, 8:-8].max() > 5
    column, _, warp = places(dpt(size={"height": 28, "width": 28}), size)
    corners = Warp(
        size, warp.network, *(Axis.by_corners(a, b) for a, b in zip(size, warp.network, strict=True))
    )
    off = (at_pixels(column, corners) - u)[8:-8, 8:-8]
    assert abs(off[:, :20].mean()) > 0.3


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 60), st.integers(4, 60), st.integers(4, 60), st.integers(4, 60), st.booleans())
def test_linear_functions_are_carried_exactly(h: int, w: int, gh: int, gw: int, corners: bool) -> None:
    """A plane sampled at the network's pixels is that plane at the colour pixels that lie among them."""
    by = Axis.by_corners if corners else Axis.by_edges
    warp = Warp((h, w), (gh, gw), by(h, gh), by(w, gw))
    row, column = np.mgrid[:gh, :gw]
    found = at_pixels((3.0 + 0.5 * row - 0.25 * column).astype(np.float32), warp)
    y, x = warp.y.at(h), warp.x.at(w)
    true = 3.0 + 0.5 * np.clip(y, 0, gh - 1)[:, None] - 0.25 * np.clip(x, 0, gw - 1)
    np.testing.assert_allclose(found, true, atol=1e-4)


def test_against_torch() -> None:
    """An independent oracle: PyTorch's interpolation with either convention."""
    import torch

    values = np.random.default_rng(0).normal(size=(17, 23)).astype(np.float32)
    for corners, by in ((False, Axis.by_edges), (True, Axis.by_corners)):
        ours = at_pixels(values, Warp((40, 31), (17, 23), by(40, 17), by(31, 23)))
        theirs = torch.nn.functional.interpolate(
            torch.from_numpy(values)[None, None], (40, 31), mode="bilinear", align_corners=corners
        )
        np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=1e-5)


def test_depth_pro_is_prepared_as_transformers_prepares_it() -> None:
    """Colours first, then bilinear without antialiasing to a square: PyTorch on the normalised image."""
    import torch

    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    pixels, warp = prepare(pro(48), [image])
    chw = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    normal = (chw - 0.5) / 0.5
    expected = torch.nn.functional.interpolate(normal[None], (48, 48), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(pixels.numpy(), expected.numpy(), atol=1e-5)
    assert warp_of(pro(48), (60, 90), (48, 48)) == warp


def test_an_output_of_another_size_is_not_guessed_at() -> None:
    warp = Warp((4, 4), (8, 8), Axis.by_edges(4, 8), Axis.by_edges(4, 8))
    with pytest.raises(ValueError, match=r"\(8, 8\) pixels was expected, found \(7, 8\)"):
        at_pixels(np.zeros((7, 8), np.float32), warp)
