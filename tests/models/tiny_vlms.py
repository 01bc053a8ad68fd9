"""Real transformers classes at tiny random configurations, with batches that a family can get wrong.

A batch has several samples, several images and, where the family has them, tiles and pictures that are not
square. `touch` changes the pixels of one patch of one picture: what then moves inside the model tells the
model's own order of patches, without any formula of the project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from vantage.models.families import family_of
from vantage.models.families.nvila import NvilaConfig, NvilaForConditionalGeneration
from vantage.models.patch_geometry import BatchGeometry, Grid, PatchGrid

IMAGE_ID, PAD_ID, VOCABULARY = 5, 0, 64
Inputs = dict[str, Any]
Samples = list[list[list[Grid]]]


@dataclass
class Case:
    """A model, a batch, the grids of its pictures (samples, images, tiles), and a way to touch a patch."""

    name: str
    model: Any
    pixels: Inputs
    samples: Samples
    touch: Callable[[Inputs, int, int, int], Inputs]

    def __post_init__(self) -> None:
        """Prompts of different lengths around the placeholders, padded at the left."""
        images = [image for sample in self.samples for image in sample]
        tokens = iter(family_of(self.model).image_tokens(self.model, images, self.pixels))
        rows = []
        for number, sample in enumerate(self.samples):
            row = [7] * (number + 1)
            for _ in sample:
                row += [9, *[IMAGE_ID] * next(tokens), 11]
            rows.append([*row, 13])
        length = max(map(len, rows))
        ids = torch.tensor([[PAD_ID] * (length - len(row)) + row for row in rows])
        self.text: Inputs = {"input_ids": ids, "attention_mask": (ids != PAD_ID).long()}
        if "qwen" in self.model.config.model_type:
            self.text["mm_token_type_ids"] = (ids == IMAGE_ID).int()
        if self.model.config.model_type == "paligemma":
            self.text["token_type_ids"] = torch.zeros_like(ids)

    @property
    def inputs(self) -> Inputs:
        """What the model is called with."""
        return {**self.text, **self.pixels}

    def to(self, device: torch.device, dtype: torch.dtype) -> Case:
        """Model and inputs there; numbers of the pictures in the precision of the model."""

        def moved(inputs: Inputs) -> Inputs:
            return {k: v.to(device, dtype if v.is_floating_point() else None) for k, v in inputs.items()}

        self.model.to(device, dtype)
        self.text, self.pixels = moved(self.text), moved(self.pixels)
        touch = self.touch
        self.touch = lambda *place: moved(touch(*place))
        return self

    @property
    def grids(self) -> list[Grid]:
        """Of all pictures, in order."""
        return [grid for sample in self.samples for image in sample for grid in image]

    def geometry(self, fill: Callable[[int, int, int], tuple[float, float, float]]) -> BatchGeometry:
        """Points by `fill(picture, row, column)`, all valid."""
        count = iter(range(len(self.grids)))

        def picture(grid: Grid) -> PatchGrid:
            number = next(count)
            points = [[fill(number, r, c) for c in range(grid[1])] for r in range(grid[0])]
            return PatchGrid(torch.tensor(points), torch.ones(grid, dtype=torch.bool))

        return BatchGeometry.of([[[picture(g) for g in image] for image in s] for s in self.samples])

    def random_geometry(self, seed: int = 0, beside: int = 0) -> BatchGeometry:
        """Random points, and numbers beside them; a fifth of them are missing, and the first three rows of
        the first picture."""
        generator = torch.Generator().manual_seed(seed)
        plain = self.geometry(lambda *_: (0.0, 0.0, 0.0))
        xyz = torch.randn(plain.xyz.shape, generator=generator) * 2
        valid = torch.rand(plain.valid.shape, generator=generator) < 0.8
        valid[: 3 * plain.grids[0][1]] = False
        more = torch.randn(len(xyz), beside, generator=generator) if beside else None
        return BatchGeometry(xyz, valid, plain.grids, plain.images, plain.samples, beside=more)


def _text(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 48, "max_position_embeddings": 2048,
        "pad_token_id": PAD_ID, "bos_token_id": 1, "eos_token_id": 2, **more,
    }  # fmt: skip


def _vision(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "image_size": 16, "patch_size": 4, **more,
    }  # fmt: skip


def seeded(make: Callable[[], Any], seed: int = 0) -> Any:
    """A model with weights large enough to see differences, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(std=0.2)
    return model.eval()


def _noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _touch_rows(patch: int) -> Callable[[Inputs, int, int, int], Inputs]:
    """For `pixel_values` of (pictures, 3, height, width)."""

    def touch(pixels: Inputs, picture: int, row: int, column: int) -> Inputs:
        values = pixels["pixel_values"].clone()
        values[picture, :, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch] += 1.0
        return {**pixels, "pixel_values": values}

    return touch


def _single(name: str, model: Any, height: int = 16, width: int = 16) -> Case:
    """Two samples of two and one images, a picture each."""
    grid = (height // 4, width // 4)
    samples: Samples = [[[grid], [grid]], [[grid]]]
    return Case(name, model, {"pixel_values": _noise(3, 3, height, width)}, samples, _touch_rows(4))


def _siglip(**more: Any) -> SiglipVisionConfig:
    return SiglipVisionConfig(**_vision(vision_use_head=False, **more))


def llava() -> Case:
    config = LlavaConfig(
        vision_config=_siglip(), text_config=Qwen2Config(**_text()), image_token_index=IMAGE_ID,
        vision_feature_select_strategy="full", vision_feature_layer=-1,
    )  # fmt: skip
    return _single("llava", seeded(lambda: LlavaForConditionalGeneration(config)))


def llava_clip() -> Case:
    """The stock LLaVA-1.5 parts: CLIP with its class token, which is dropped; the last layer but one."""
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_vision()), text_config=Qwen2Config(**_text()),
        image_token_index=IMAGE_ID,
    )  # fmt: skip
    return _single("llava_clip", seeded(lambda: LlavaForConditionalGeneration(config)))


def llava_clip_whole() -> Case:
    """With the class token kept and two layers side by side."""
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_vision()), text_config=Qwen2Config(**_text()),
        image_token_index=IMAGE_ID, vision_feature_select_strategy="full", vision_feature_layer=[-2, -1],
    )  # fmt: skip
    return _single("llava_clip_whole", seeded(lambda: LlavaForConditionalGeneration(config)))


def paligemma() -> Case:
    config = PaliGemmaConfig(
        vision_config=_vision(model_type="siglip_vision_model", vision_use_head=False, projection_dim=32),
        text_config=_text(model_type="gemma", head_dim=16), image_token_index=IMAGE_ID, projection_dim=32,
    )  # fmt: skip
    return _single("paligemma", seeded(lambda: PaliGemmaForConditionalGeneration(config)))


def nvila_3x3() -> Case:
    """Four patches a side: a rest of one in the blocks of three."""
    return _nvila("mlp_downsample_3x3_fix")


def nvila_2x2() -> Case:
    """Five patches a side: a rest of one in the blocks of two."""
    return _nvila("mlp_downsample", 20)


def _nvila(kind: str, size: int = 16) -> Case:
    config = NvilaConfig(
        vision_config=_siglip(image_size=size), text_config=Qwen2Config(**_text()),
        image_token_index=IMAGE_ID, vision_feature_select_strategy="full", mm_projector_type=kind,
    )  # fmt: skip
    grid = (size // 4, size // 4)
    samples: Samples = [[[grid] * 3, [grid]], [[grid]]]  # a tiled image beside one that is not
    model = seeded(lambda: NvilaForConditionalGeneration(config))
    return Case(kind, model, {"pixel_values": _noise(5, 3, size, size)}, samples, _touch_rows(4))


def internvl() -> Case:
    """Tiles and a thumbnail in one image, one picture in the others."""
    config = InternVLConfig(
        vision_config=_vision(image_size=[16, 16], patch_size=[4, 4], use_absolute_position_embeddings=True),
        text_config=_text(model_type="qwen2"), image_token_id=IMAGE_ID, downsample_ratio=0.5,
    )  # fmt: skip
    grid = (4, 4)
    samples: Samples = [[[grid] * 3, [grid]], [[grid]]]
    model = seeded(lambda: InternVLForConditionalGeneration(config))
    return Case("internvl", model, {"pixel_values": _noise(5, 3, 16, 16)}, samples, _touch_rows(4))


def llava_onevision() -> Case:
    """Images alone in their samples, tiled 1 x 2 and 2 x 2, their tiles padded to the most."""
    sizes = torch.tensor([[10, 32], [32, 26]])
    samples: Samples = [[[(4, 4)] * 3], [[(4, 4)] * 5]]
    pixels = {"pixel_values": _noise(2, 5, 3, 16, 16), "image_sizes": sizes}
    pixels["pixel_values"][0, 3:] = 0.0
    return Case("llava_onevision", _onevision(), pixels, samples, _touch_tiles(samples))


def llava_onevision_together() -> Case:
    """Two images in one sample, one in the other: only the latter is tiled."""
    sizes = torch.tensor([[10, 32], [32, 26], [16, 32]])
    samples: Samples = [[[(4, 4)], [(4, 4)]], [[(4, 4)] * 3]]
    pixels = {
        "pixel_values": _noise(3, 3, 3, 16, 16), "image_sizes": sizes,
        "batch_num_images": torch.tensor([2, 1]),
    }  # fmt: skip
    return Case("llava_onevision_together", _onevision(), pixels, samples, _touch_tiles(samples))


def llava_onevision_shrunk() -> Case:
    """More tiles than the model keeps the patches of: it shrinks them bilinearly."""
    model = _onevision(vision_aspect_ratio="anyres_max_1")
    pixels = {"pixel_values": _noise(1, 5, 3, 16, 16), "image_sizes": torch.tensor([[32, 32]])}
    samples: Samples = [[[(4, 4)] * 5]]
    return Case("llava_onevision_shrunk", model, pixels, samples, _touch_tiles(samples))


def _onevision(**more: Any) -> Any:
    config = LlavaOnevisionConfig(
        vision_config=_siglip(), text_config=Qwen2Config(**_text()), image_token_index=IMAGE_ID,
        video_token_index=6, image_grid_pinpoints=[[16, 16], [16, 32], [32, 16], [32, 32]],
        vision_feature_layer=-1, **more,
    )  # fmt: skip
    return seeded(lambda: LlavaOnevisionForConditionalGeneration(config))


def _touch_tiles(samples: Samples) -> Callable[[Inputs, int, int, int], Inputs]:
    places = [(i, t) for i, image in enumerate(im for s in samples for im in s) for t in range(len(image))]

    def touch(pixels: Inputs, picture: int, row: int, column: int) -> Inputs:
        image, tile = places[picture]
        values = pixels["pixel_values"].clone()
        values[image, tile, :, row * 4 : (row + 1) * 4, column * 4 : (column + 1) * 4] += 1.0
        return {**pixels, "pixel_values": values}

    return touch


def _idefics(name: str, config_class: Any, model_class: Any) -> Case:
    """Tiles in one image; a sample with fewer pictures, padded with zeros; pictures padded inside too."""
    config = config_class(
        vision_config=_vision(), text_config=_text(model_type="llama"), image_token_id=IMAGE_ID,
        scale_factor=2, pad_token_id=PAD_ID,
    )  # fmt: skip
    samples: Samples = [[[(4, 4)] * 2, [(2, 4)]], [[(4, 3)]]]
    pixels, mask = _noise(2, 3, 3, 16, 16), torch.ones(2, 3, 16, 16, dtype=torch.bool)
    for sample, picture, rows, columns in ((0, 2, 8, 16), (1, 0, 16, 12)):
        mask[sample, picture, rows:] = False
        mask[sample, picture, :, columns:] = False
        pixels[sample, picture, :, rows:] = 0.0
        pixels[sample, picture, :, :, columns:] = 0.0
    pixels[1, 1:] = 0.0
    mask[1, 1:] = False

    def touch(given: Inputs, picture: int, row: int, column: int) -> Inputs:
        values = given["pixel_values"].clone()
        sample, place = ((0, 0), (0, 1), (0, 2), (1, 0))[picture]
        values[sample, place, :, row * 4 : (row + 1) * 4, column * 4 : (column + 1) * 4] += 1.0
        return {**given, "pixel_values": values}

    inputs = {"pixel_values": pixels, "pixel_attention_mask": mask}
    return Case(name, seeded(lambda: model_class(config)), inputs, samples, touch)


def idefics3() -> Case:
    return _idefics("idefics3", Idefics3Config, Idefics3ForConditionalGeneration)


def smolvlm() -> Case:
    return _idefics("smolvlm", SmolVLMConfig, SmolVLMForConditionalGeneration)


def _qwen(name: str, model: Any) -> Case:
    """Pictures of three shapes through the image processor; touching a patch is touching the image."""
    patch = model.config.vision_config.patch_size
    processor = Qwen2VLImageProcessorPil(
        patch_size=patch, merge_size=2, temporal_patch_size=2,
        size={"shortest_edge": 4 * patch * patch, "longest_edge": 400 * patch * patch},
    )  # fmt: skip
    grids: list[Grid] = [(4, 10), (6, 4), (10, 4)]
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 128, (rows * patch, columns * patch, 3), dtype=np.uint8) for rows, columns in grids
    ]

    def processed(pictures: list[np.ndarray]) -> Inputs:
        return dict(processor(images=pictures, return_tensors="pt"))

    def touch(_given: Inputs, picture: int, row: int, column: int) -> Inputs:
        changed = [image.copy() for image in images]
        changed[picture][row * patch : (row + 1) * patch, column * patch : (column + 1) * patch] += 100
        return processed(changed)

    samples: Samples = [[[grids[0]], [grids[1]]], [[grids[2]]]]
    return Case(name, model, processed(images), samples, touch)


def qwen2_5_vl() -> Case:
    """Windows of two merge blocks: grids of 2 x 5, 3 x 2 and 5 x 2 blocks are cut at their borders."""
    rope = {"type": "default", "rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 3, "hidden_size": 24, "num_heads": 2, "intermediate_size": 32, "patch_size": 4,
            "out_hidden_size": 32, "window_size": 16, "fullatt_block_indexes": [1], "spatial_merge_size": 2,
        },
        text_config=_text(rope_parameters=rope), image_token_id=IMAGE_ID, video_token_id=6,
        vision_start_token_id=9, vision_end_token_id=11,
    )  # fmt: skip
    return _qwen("qwen2_5_vl", seeded(lambda: Qwen2_5_VLForConditionalGeneration(config)))


def qwen3_vl() -> Case:
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10000.0}
    config = Qwen3VLConfig(
        vision_config={
            "depth": 3, "hidden_size": 24, "num_heads": 2, "intermediate_size": 32, "patch_size": 4,
            "out_hidden_size": 32, "num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1],
            "spatial_merge_size": 2,
        },
        text_config=_text(rope_parameters=rope, head_dim=16), image_token_id=IMAGE_ID, video_token_id=6,
        vision_start_token_id=9, vision_end_token_id=11,
    )  # fmt: skip
    return _qwen("qwen3_vl", seeded(lambda: Qwen3VLForConditionalGeneration(config)))


CASES: dict[str, Callable[[], Case]] = {
    make.__name__: make
    for make in (
        llava, llava_clip, llava_clip_whole,
        llava_onevision, llava_onevision_together, llava_onevision_shrunk,
        nvila_3x3, nvila_2x2, paligemma, internvl, idefics3, smolvlm, qwen2_5_vl, qwen3_vl,
    )
}  # fmt: skip
FAMILY_CASES = (
    "llava", "llava_onevision", "nvila_3x3", "paligemma", "internvl", "idefics3", "smolvlm", "qwen2_5_vl",
    "qwen3_vl",
)  # fmt: skip
"""One case for each family."""


@torch.no_grad()
def still(model: Any) -> Any:
    """The model with a tower whose blocks add nothing, so that no patch hears of another."""
    tower = family_of(model).tower(model)
    silent = ("out_proj", "fc2", "down_proj", "attn.proj", "linear_fc2", "lambda_1", "lambda_2")
    for name, parameter in tower.named_parameters():
        layer = name.removesuffix(".weight").removesuffix(".bias")
        if layer.endswith(silent) and "merger" not in name:
            nn.init.zeros_(parameter)
    return model
