"""Tokenizers and image processors for the tiny models of `tiny_vlms`: real classes, small vocabularies."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_vlms import CASES, IMAGE_ID
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    GotOcr2ImageProcessorPil,
    Idefics3ImageProcessorPil,
    LlavaOnevisionImageProcessorPil,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    SiglipImageProcessorPil,
    SmolVLMImageProcessorPil,
)

from vantage.models.families import family_of
from vantage.models.prompts import Preparer

TAGS = [f"<row_{r}_col_{c}>" for r in range(1, 4) for c in range(1, 4)]
SPECIAL = ["<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<img>", "</img>", *TAGS]
SPECIAL += ["<|vision_start|>", "<|vision_end|>"]
WORDS = ["where", "is", "the", "chair", "from", "here", "answer", "briefly", ":"]


def tokenizer(placeholder: str) -> Any:
    """Words and newlines; the placeholder has the id that the tiny models know."""
    names = ["<pad>", "<bos>", "<eos>", "<unk>", "\n", placeholder, "<extra>", *WORDS, *SPECIAL]
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    inner.pre_tokenizer = split
    words = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>",
        additional_special_tokens=[placeholder, *SPECIAL], padding_side="left",
    )  # fmt: skip
    assert words.convert_tokens_to_ids(placeholder) == IMAGE_ID
    return words


SQUARE = {"height": 16, "width": 16}
PROCESSORS: dict[str, Any] = {
    "llava": lambda: CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=SQUARE),
    "llava_clip": lambda: CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=SQUARE),
    "nvila_3x3": lambda: SiglipImageProcessorPil(size=SQUARE),
    "paligemma": lambda: SiglipImageProcessorPil(size=SQUARE, image_seq_length=16),
    "llava_onevision": lambda: LlavaOnevisionImageProcessorPil(
        size=SQUARE, image_grid_pinpoints=[[16, 16], [16, 32], [32, 16], [32, 32]]
    ),
    "internvl": lambda: GotOcr2ImageProcessorPil(
        size=SQUARE, crop_to_patches=True, min_patches=1, max_patches=3
    ),
    "idefics3": lambda: Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 16}
    ),
    "smolvlm": lambda: SmolVLMImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 16}
    ),
    **{
        name: lambda: Qwen2VLImageProcessorPil(
            patch_size=4, merge_size=2, size={"shortest_edge": 64, "longest_edge": 16 * 400}
        )
        for name in ("qwen2_5_vl", "qwen3_vl")
    },
}


def processor(name: str) -> Any:
    try:
        return PROCESSORS[name]()
    except ImportError:
        pytest.skip("in this release of transformers the image processor wants torchvision")


def preparer(name: str) -> Preparer:
    model = CASES[name.removesuffix("_tiles")]().model
    if name == "nvila_3x3_tiles":
        model.config.image_aspect_ratio, model.config.max_tiles = "dynamic", 4
    family = family_of(model)
    inner = family.image_processor(model, processor(name.removesuffix("_tiles")))
    return Preparer(model, tokenizer(family.placeholder), inner)
