"""What is trained in an arm: the projector and, if the arm has one, the 3D position encoder."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from vantage.core.seeds import priority
from vantage.models.encoders import PositionEncoder
from vantage.models.injector import Injector
from vantage.models.losses import Losses
from vantage.models.packing import answer_logits
from vantage.models.pocket import bound, fresh_injector, pixels, prefix_positions
from vantage.training.collate import Batch
from vantage.training.config import ArmConfig
from vantage.training.samples import Samples

_CHUNK = 64


class Arm(nn.Module):
    """The base with everything frozen but the projector and a fresh encoder at the arm's site.

    `forward` gives the loss of a batch. Where the encoder enters after the tower, the frozen tower's features
    are computed once for each frame and kept; before block 0 they depend on what is being trained.
    """

    def __init__(
        self, base: LlavaForConditionalGeneration, config: ArmConfig, samples: Samples, seed: int
    ) -> None:
        super().__init__()
        base.requires_grad_(False)
        base.model.multi_modal_projector.requires_grad_(True)
        self.base = base
        self.injector: Injector | None = None
        self.encoder: PositionEncoder | None = None
        site = config.entry
        if site != "none":
            own_seed = priority(seed, "position encoder") % 2**63
            self.injector = fresh_injector(base, site, own_seed)
            self.encoder = self.injector.encoder
        self._pixels = samples.images
        self._features: Float32[Tensor, "f 64 c"] | None = None

        self._rates = config.rates()

    def trained(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name, in a fixed order."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def rate(self, name: str) -> float:
        """Peak learning rate: the projector's or the embedding's."""
        projector, position = self._rates
        return position if name.startswith("encoder.") else projector

    def checkpoint_gradients(self) -> None:
        """Compute the decoder's and the tower's activations again in the backward pass."""
        self.base.gradient_checkpointing_enable({"use_reentrant": False})

    def prepare(self, tell: Callable[[int, int], None] = lambda _d, _t: None) -> None:
        """Run the frozen tower over all frames once, where that is allowed."""
        if self.injector is not None and self.injector.config.site == "pre_vit":
            return
        parts = []
        device = self.base.device
        with torch.no_grad():
            for start in range(0, len(self._pixels), _CHUNK):
                images = pixels(self._pixels[start : start + _CHUNK]).to(device)
                tower = self.base.model.vision_tower(images, output_hidden_states=True)
                parts.append(tower.hidden_states[-1].float())
                tell(min(start + _CHUNK, len(self._pixels)), len(self._pixels))
        self._features = torch.cat(parts)

    def forward(self, batch: Batch) -> Losses:
        """Mean cross entropy of the answers over the whole vocabulary."""
        device = self.base.device
        scenes, views = batch.frames.shape
        with bound(self.injector, batch.xyz, batch.valid):
            if self._features is None:
                images = pixels(self._pixels[batch.frames.flatten().numpy()]).to(device)
                tokens = torch.stack(
                    list(self.base.model.get_image_features(pixel_values=images).pooler_output)
                )
            else:
                # Sharded, the model moves after its features were computed.
                rows = batch.frames.flatten().to(self._features.device)
                features = self._features[rows].to(device)
                tokens = self.base.model.multi_modal_projector(features)
        prefix = tokens.reshape(scenes, views * tokens.shape[1], tokens.shape[2])
        positions = prefix_positions(scenes, prefix.shape[1]).to(device)
        logits = answer_logits(self.base, prefix, batch.packed.to(device), positions)
        return Losses(nn.functional.cross_entropy(logits, batch.answer.to(device)), batch.tokens)
