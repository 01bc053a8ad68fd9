"""The pocket vision-language model: 2.4 M parameters out of real transformers parts.

A SigLIP tower (additive 2D position embedding), LLaVA's two-layer projector and a Qwen2 decoder, assembled as
`LlavaForConditionalGeneration`. It reads four views of 64x64 pixels (8x8 patches each) and answers one word.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor, nn
from transformers import LlavaConfig, LlavaForConditionalGeneration, Qwen2Config, SiglipVisionConfig

from vantage.models.drawing import drawn_from
from vantage.models.families.base import Site
from vantage.models.families.llava import LLAVA
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import BatchGeometry
from vantage.models.tokens import IMAGE_ID, PAD_ID, VOCABULARY_SIZE

VIEWS = 4
IMAGE_SIZE = 64
PATCH_SIZE = 8
GRID = IMAGE_SIZE // PATCH_SIZE
PATCHES = GRID * GRID


@dataclass(frozen=True)
class PocketShape:
    """Sizes of the three parts; the defaults are the shipped base."""

    vision_width: int = 128
    vision_layers: int = 3
    vision_heads: int = 4
    vision_mlp: int = 512
    width: int = 192
    layers: int = 4
    heads: int = 4
    mlp: int = 512


def build(shape: PocketShape = PocketShape(), seed: int = 0) -> LlavaForConditionalGeneration:
    """A fresh model: fixed word vectors, everything else drawn from `seed` without touching torch's
    global state.

    The word vectors are orthonormal and are never trained: a patch can then carry several words as their sum
    (a colour, a class, a quadrant) and each can be read back exactly, and the stages of the base can be
    trained side by side against the same targets.
    """
    vision = SiglipVisionConfig(
        hidden_size=shape.vision_width,
        num_hidden_layers=shape.vision_layers,
        num_attention_heads=shape.vision_heads,
        intermediate_size=shape.vision_mlp,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
        vision_use_head=False,
    )
    text = Qwen2Config(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        intermediate_size=shape.mlp,
        max_position_embeddings=1024,
        pad_token_id=PAD_ID,
        tie_word_embeddings=True,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=IMAGE_ID,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=PATCHES,
        tie_word_embeddings=True,
    )
    with drawn_from(seed):
        model = LlavaForConditionalGeneration(config)
        _initialise(model)
    # On sequences this short the plain attention trains a third faster on a CPU than the fused kernel.
    model.set_attn_implementation("eager")
    # The base class leaves the model in training mode; there is no dropout, so `eval` changes nothing but
    # is honest.
    return model.eval()


@torch.no_grad()
def _initialise(model: LlavaForConditionalGeneration) -> None:
    """Wider weights than the library's 0.02, and keys equal to queries: attention starts by matching like
    with like, without which the look-up circuits take far longer to appear."""
    decoder = model.model.language_model
    for name, parameter in decoder.named_parameters():
        if parameter.ndim == 2 and "embed_tokens" not in name:
            nn.init.normal_(parameter, std=0.07)
    for layer in decoder.layers:
        layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)
    table = torch.empty(VOCABULARY_SIZE, decoder.config.hidden_size)
    nn.init.orthogonal_(table)
    table[PAD_ID] = 0.0
    decoder.embed_tokens.weight.copy_(table)


def pixels(images: UInt8[np.ndarray, "*batch 64 64 3"]) -> Float32[Tensor, "*batch 3 64 64"]:
    """Images as the tower wants them: float32 in [-1, 1], channels first."""
    tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, -3)))
    return tensor.to(torch.float32) / 127.5 - 1.0


def fresh_injector(model: LlavaForConditionalGeneration, site: Site, seed: int) -> Injector:
    """A fresh encoder at `site` of a pocket model.

    The family is named outright: the packaged model carries the modules it imports, not those of a table.
    """
    return Injector.fresh(model, InjectionConfig(site), seed, LLAVA)


def bound(
    injector: Injector | None, xyz: Float32[Tensor, "b v p 3"], valid: Bool[Tensor, "b v p"]
) -> AbstractContextManager[None]:
    """A pass with the points of all views bound to it, or a plain one without an injector."""
    if injector is None:
        return nullcontext()
    return injector.bind(BatchGeometry.uniform(xyz, valid, (GRID, GRID)))


def view_tokens(model: LlavaForConditionalGeneration, images: Float32[Tensor, "b v 3 64 64"]) -> Tensor:
    """Tokens of all views through tower and projector, (b, v*64, width); bound geometry applies."""
    batch, views = images.shape[:2]
    features = model.model.get_image_features(pixel_values=images.flatten(0, 1)).pooler_output
    tokens = torch.stack(list(features))
    return tokens.reshape(batch, views * tokens.shape[1], tokens.shape[2])


def prefix_positions(batch: int, length: int) -> Int64[Tensor, "b p"]:
    """Positions of view tokens: raster order inside a view, views one after another."""
    return torch.arange(length).expand(batch, length)
