"""The recorded warps against the real image processors, by images whose colours tell where they come from."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from ramps import GAIN, SHIFT_PX, Case, compare

from vantage.lift.processors.table import processor_warp

pytest.importorskip("transformers")
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
    LlavaOnevisionImageProcessorPil,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from vantage.models.families.nvila_images import NvilaImageProcessor


def plain(found: Any, _: Any) -> list[np.ndarray]:
    return list(found["pixel_values"])


def nested(found: Any, _: Any) -> list[np.ndarray]:
    return list(found["pixel_values"][0])


def from_rows(found: Any, processor: Any) -> list[np.ndarray]:
    """Qwen's rows, which stand merge block by merge block, as a picture."""
    _, rows, columns = found["image_grid_thw"][0]
    m, p = processor.merge_size, processor.patch_size
    parts = found["pixel_values"].reshape(rows // m, columns // m, m, m, 3, -1, p, p)[..., 0, :, :]
    return [parts.transpose(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * p, columns * p)]


class NvilaOnArrays(NvilaImageProcessor):
    """Given arrays, as the processors of transformers take them too."""

    def __call__(self, images: Any, return_tensors: str = "np") -> dict[str, Any]:
        nested = images if isinstance(images, list) else [[images]]
        return super().__call__([[Image.fromarray(image) for image in own] for own in nested], return_tensors)


def nvila(edge: int, patch_size: int, **more: Any) -> NvilaOnArrays:
    size = {"height": edge, "width": edge}
    return NvilaOnArrays(SiglipImageProcessorPil(size=size), patch_size, **more)


def first(found: Any, _: Any) -> list[np.ndarray]:
    return list(found["pixel_values"][: found["num_tiles"][0]])


siglip = partial(Case, SiglipImageProcessorPil, pictures=plain)
onevision = partial(Case, LlavaOnevisionImageProcessorPil, pictures=nested)
qwen = partial(Case, Qwen2VLImageProcessorPil, patch_size=None, pictures=from_rows)
internvl = partial(Case, GotOcr2ImageProcessorPil, pictures=plain)
idefics3 = partial(Case, Idefics3ImageProcessorPil, pictures=nested, resizes=3, filter="lanczos")
smolvlm = partial(Case, SmolVLMImageProcessorPil, pictures=nested, resizes=3, filter="lanczos")
clip = partial(Case, CLIPImageProcessorPil, pictures=plain)
llava = partial(Case, LlavaImageProcessorPil, pictures=plain)

SMOL = {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}}
CASES = {
    "paligemma": siglip({"size": {"height": 224, "width": 224}}, 14),
    "nvila": siglip({"size": {"height": 448, "width": 448}}, 14),
    "nvila-tiles": Case(nvila, {"edge": 448, "patch_size": 14}, None, first),
    "nvila-views": Case(nvila, {"edge": 448, "patch_size": 14}, None, first, images=2),
    "siglip-384": siglip({"size": {"height": 384, "width": 384}}, 14),
    "onevision-one-image": onevision({}, 14),
    "onevision-eight-images": onevision({}, 14, images=8, blended=True),
    "qwen2.5-vl": qwen({"min_pixels": 3136, "max_pixels": 12845056}),
    "qwen3-vl": qwen({"patch_size": 16, "size": {"shortest_edge": 65536, "longest_edge": 16777216}}),
    "internvl-tiles": internvl({"size": {"height": 448, "width": 448}, "crop_to_patches": True}, 14),
    "internvl-whole": internvl({"size": {"height": 448, "width": 448}}, 14),
    "idefics3-split": idefics3({}, 14),
    "smolvlm-split": smolvlm(SMOL, 16),
    "smolvlm-whole": smolvlm({**SMOL, "do_image_splitting": False}, 16, resizes=2),
    "clip-crop": clip({"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}, 14),
    "llava-pad": llava({"size": {"shortest_edge": 336}, "crop_size": 336, "do_pad": True}, 14, blended=True),
}
SIZES = [(640, 480), (511, 377), (373, 613)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", CASES)
def test_every_patch_shows_what_the_warp_says(name: str, size: tuple[int, int]) -> None:
    case = CASES[name]
    warp = processor_warp(case.processor(), *size, case.images, case.patch_size)
    errors = compare(case, *size, warp)
    together = np.concatenate(errors)
    assert len(together) >= 100
    # Rounding averages out: a wrong pixel convention, a third of a pixel here, would not.
    assert (np.abs(together.mean(axis=0)) < 0.03).all(), together.mean(axis=0)


def test_filters_are_as_stated() -> None:
    """The error of each filter on a ramp, and its gain on noise, over many ratios: as `ramps` states them."""

    def bicubic(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        return np.where(
            x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((x - 5) * x + 8) * x * -0.5 + 2, 0)
        )

    def lanczos(x: np.ndarray) -> np.ndarray:
        return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)

    for name, kernel, reach in (("bicubic", bicubic, 2), ("lanczos", lanczos, 3)):
        shift, gain = 0.0, 0.0
        for pixels in range(30, 1200, 3):
            ratio = 200 / pixels
            centre, width = (np.arange(pixels) + 0.5) * ratio, max(1.0, ratio)
            place = np.arange(200) + 0.5
            weights = kernel((place - centre[:, None]) / width)
            weights /= weights.sum(axis=1, keepdims=True)
            inner = (centre > reach * width) & (centre < 200 - reach * width)
            shift = max(shift, np.abs(weights @ place - centre)[inner].max())
            gain = max(gain, np.abs(weights).sum(axis=1)[inner].max())
        assert 0.6 * SHIFT_PX[name] < shift <= SHIFT_PX[name]
        assert 0.9 * GAIN[name] < gain <= GAIN[name]


SMALL = {
    "siglip": siglip({"size": {"height": 42, "width": 70}}, 7),
    "onevision-one-image": onevision(
        {
            "size": {"height": 56, "width": 56},
            "image_grid_pinpoints": [[56, 112], [112, 56], [112, 112], [56, 224], [168, 56]],
        },
        14,
    ),
    "onevision-images": onevision({"size": {"height": 56, "width": 56}}, 14, images=2, blended=True),
    "qwen2.5-vl": qwen({"size": {"shortest_edge": 3136, "longest_edge": 20000}}),
    "qwen3-vl": qwen({"patch_size": 16, "size": {"shortest_edge": 4096, "longest_edge": 30000}}),
    "internvl": internvl(
        {"size": {"height": 56, "width": 42}, "crop_to_patches": True, "min_patches": 2, "max_patches": 7}, 14
    ),
    "nvila": Case(nvila, {"edge": 56, "patch_size": 7, "min_tiles": 2, "max_tiles": 7}, None, first),
    "idefics3-split": idefics3({"size": {"longest_edge": 228}, "max_image_size": {"longest_edge": 57}}, 14),
    "smolvlm-whole": smolvlm({"max_image_size": {"longest_edge": 60}, "do_image_splitting": False}, 12),
    "clip-crop": clip({"size": {"shortest_edge": 60}, "crop_size": {"height": 77, "width": 49}}, 7),
    "llava-pad": llava({"size": {"shortest_edge": 60}, "crop_size": 56, "do_pad": True}, 7, blended=True),
}


@pytest.mark.parametrize("name", SMALL)
@given(width=st.integers(30, 190), height=st.integers(30, 190))
@example(width=160, height=40)  # Idefics3 makes an odd edge of 57 even, and so two tiles of it
@settings(max_examples=25, deadline=None)
def test_images_of_any_size(name: str, width: int, height: int) -> None:
    case = SMALL[name]
    compare(
        case, width, height, processor_warp(case.processor(), width, height, case.images, case.patch_size)
    )


@given(width=st.integers(8, 4000), height=st.integers(8, 4000), most=st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_sizes_and_numbers_of_tiles(width: int, height: int, most: int) -> None:
    """What the processors' own helpers say of any image, without running it through them."""
    from transformers.image_processing_utils import select_best_resolution

    qwen_2 = Qwen2VLImageProcessorPil()
    if max(width, height) <= 200 * min(width, height):
        warp = processor_warp(qwen_2, width, height)
        assert warp.shape[0] * warp.shape[1] == qwen_2.get_number_of_image_patches(height, width)
    got_ocr = GotOcr2ImageProcessorPil(crop_to_patches=True, max_patches=most)
    warp = processor_warp(got_ocr, width, height, patch_size=14)
    assert len(warp.tiles) == got_ocr.get_number_of_image_patches(height, width)
    onevision_1 = LlavaOnevisionImageProcessorPil()
    rows, columns = select_best_resolution((height, width), onevision_1.image_grid_pinpoints)
    warp = processor_warp(onevision_1, width, height, patch_size=14)
    assert len(warp.tiles) == 1 + (rows // 384) * (columns // 384)
