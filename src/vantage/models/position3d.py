"""3D position embedding of patches, and the three sites where it can enter a vision-language model.

Sites: `pre_vit`, summed with the tower's 2D position embedding before block 0 (the site published for the
KIST
multi-view model); `post_vit`, after the tower and before the projector (LLaVA-3D's); `post_projector`, on the
decoder's visual tokens (Video-3D-LLM's). The last layer starts at zero, so that the model with a fresh
encoder is bit for bit the model without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from vantage.core.errors import VantageError

Site = Literal["post_vit", "pre_vit", "post_projector"]
PERIODS_M = (16.0, 8.0, 4.0, 2.0, 1.0)


class PositionEncoder3D(nn.Module):
    """Coordinates in ego metres -> vector of the site's width.

    xyz / 3 and its sines and cosines at periods of 16 to 1 m go through a small MLP; a patch without
    valid depth
    gets a learned vector instead, zero at the start. Runs in float32 whatever the model runs in: a
    sinusoid in bfloat16 is off by more than its own amplitude.
    """

    def __init__(self, width: int, hidden: int = 128) -> None:
        super().__init__()
        frequencies = torch.tensor([2.0 * torch.pi / period for period in PERIODS_M])
        self.frequencies: Tensor
        self.register_buffer("frequencies", frequencies, persistent=False)
        inputs = 3 + 3 * 2 * len(PERIODS_M)
        self.mlp = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, width),
        )
        self.null = nn.Parameter(torch.zeros(width))
        last = self.mlp[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, xyz: Float32[Tensor, "*n 3"], valid: Bool[Tensor, "*n"]) -> Float32[Tensor, "*n c"]:
        """Embed `xyz` (metres, ego frame); where `valid` is False the null vector stands."""
        with torch.autocast(xyz.device.type, enabled=False):
            # Holes may hold NaN; NaN times zero is NaN, in the gradient too.
            xyz = torch.where(valid[..., None], xyz.float(), 0.0)
            angles = (xyz[..., None] * self.frequencies).flatten(-2)
            features = torch.cat([xyz / 3.0, angles.sin(), angles.cos()], dim=-1)
            return torch.where(valid[..., None], self.mlp(features), self.null)


def fresh_encoder(model: LlavaForConditionalGeneration, site: Site, seed: int) -> PositionEncoder3D:
    """An encoder of the width `site` needs, drawn from `seed` without touching torch's global state."""
    vision, text = model.config.vision_config, model.config.text_config
    width = text.hidden_size if site == "post_projector" else vision.hidden_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PositionEncoder3D(width)


@contextmanager
def inject(
    model: LlavaForConditionalGeneration, site: Site, embedding: Float32[Tensor, "b v p c"] | None
) -> Iterator[None]:
    """Add `embedding` (from the encoder) at `site` in the one forward pass made inside; None adds nothing.

    Raises `VantageError` when the tower saw another number of views or patches than the embedding has (a
    one-view embedding would broadcast silently), or when the pass did not happen exactly once.
    """
    if embedding is None:
        yield
        return
    calls = 0
    flat = embedding.flatten(0, 1)

    def add(tokens: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if tokens.shape != flat.shape:
            raise VantageError(
                "coordinates do not fit the views",
                where=f"3D position embedding, {site}",
                expected=str(tuple(tokens.shape)),
                found=str(tuple(flat.shape)),
                hint="give one 8x8 grid of coordinates for every view",
            )
        return tokens + flat.to(tokens.dtype)

    handle = _hook(model, site, add)
    try:
        yield
    finally:
        handle.remove()
    if calls != 1:
        raise VantageError(
            "the 3D position embedding was not used exactly once", expected="1", found=str(calls)
        )


def _hook(model: LlavaForConditionalGeneration, site: Site, add: Any) -> Any:
    inner = model.model
    if site == "pre_vit":
        return inner.vision_tower.embeddings.register_forward_hook(lambda _m, _i, output: add(output))
    if site == "post_vit":
        return inner.multi_modal_projector.register_forward_pre_hook(
            lambda _m, args: (add(args[0]), *args[1:])
        )
    if site == "post_projector":
        return inner.multi_modal_projector.register_forward_hook(lambda _m, _i, output: add(output))
    raise VantageError("unknown site", expected="pre_vit, post_vit or post_projector", found=site)
