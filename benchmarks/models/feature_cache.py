"""Training steps with the frozen tower's features kept, against steps that run the tower, on one thread.

The bound is what the tower's share of a step's floating-point operations allows: operations of a step with
the tower over those of one without it, forward and backward, counted by torch. Reached is the time of a step
over that of a step whose pictures are all known. What lies between the two is the price of knowing a picture
again (SHA-256 of its pixels, and of the features read from disk), and that tower and decoder do not make the
same use of the processor.

The model is a LLaVA whose projector and 3D position embedding are trained: a SigLIP tower of 12 layers of
width 256 on 168 x 168 pixels (144 patches), a decoder of 6 layers of width 256; 2 samples of 3 views with 48
words. Times are processor times of alternating steps, so that a busy machine does not show. Two other towers
tell how the bound moves, of 4 layers and of 24.

Asserted: losses and parameters are the same with and without to 1e-5, the tower does not run on what is
known, and at least 0.9 of the bound is reached.
"""

from __future__ import annotations

import copy
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count
from transformers import LlavaConfig, LlavaForConditionalGeneration, Qwen2Config, SiglipVisionConfig

from vantage.models.injector import InjectionConfig
from vantage.models.patch_geometry import BatchGeometry, PatchGrid
from vantage.models.vlm.batch import NOT_LEARNED, Batch
from vantage.models.vlm.model import SpatialVlm, VlmConfig

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

SAMPLES, VIEWS, PATCHES, WORDS, IMAGE_ID = 2, 3, 144, 48, 5
ROUNDS = sized(7, 1)
_CPU_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_CPU_ATTENTION_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def build(layers: int) -> SpatialVlm:
    """A model whose tower has so many layers."""
    torch.manual_seed(0)
    vision = SiglipVisionConfig(
        hidden_size=256, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=1024,
        image_size=168, patch_size=14, vision_use_head=False,
    )  # fmt: skip
    text = Qwen2Config(
        vocab_size=4096, hidden_size=256, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=4,
        intermediate_size=1024, max_position_embeddings=4096,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE_ID, vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    return SpatialVlm(model, VlmConfig(InjectionConfig("post_vit"), "projector"), 0).train()


def batch() -> Batch:
    """Random pictures, points and words."""
    generator = torch.Generator().manual_seed(1)
    side = int(PATCHES**0.5)
    words = torch.randint(10, 4096, (SAMPLES, WORDS), generator=generator)
    ids = torch.cat([torch.full((SAMPLES, VIEWS * PATCHES), IMAGE_ID), words], 1)
    labels = torch.full_like(ids, NOT_LEARNED)
    labels[:, -WORDS // 2 :] = ids[:, -WORDS // 2 :]

    def grid() -> PatchGrid:
        return PatchGrid(torch.randn(side, side, 3, generator=generator), torch.ones(side, side).bool())

    return Batch(
        sample_ids=tuple(f"sample {k}" for k in range(SAMPLES)),
        inputs={
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values": torch.randn(SAMPLES * VIEWS, 3, 168, 168, generator=generator),
        },
        labels=labels,
        geometry=BatchGeometry.of([[[grid()] for _ in range(VIEWS)] for _ in range(SAMPLES)]),
        cameras=torch.zeros(SAMPLES * VIEWS, 9),
        places=torch.full((SAMPLES, 3), float("nan")),
    )


class Operations(TorchDispatchMode):
    """Counts floating-point operations by torch's own formulas.

    torch's `FlopCounterMode` also hooks modules, which a loss that makes its gradient at once does not allow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count it."""
        found = func(*args, **(kwargs or {}))
        operation = func._overloadpacket
        if formula := flop_registry.get(operation):
            self.total += int(formula(*args, **(kwargs or {}), out_val=found))
        elif operation is _CPU_ATTENTION:  # which torch's table lacks
            self.total += sdpa_flop_count(*(value.shape for value in args[:3]))
        elif operation is _CPU_ATTENTION_BACKWARD:
            self.total += sdpa_backward_flop_count(*(value.shape for value in args[:4]))
        return found


class Steps:
    """A model in training."""

    def __init__(self, model: SpatialVlm) -> None:
        self.model = model
        self.optimiser: Any = torch.optim.AdamW(model.trained().values(), lr=1e-4)
        self.losses: list[float] = []

    def step(self, shown: Batch) -> float:
        """Processor seconds of a step."""
        start = time.process_time()
        self.optimiser.zero_grad()
        total = self.model(shown).total
        total.backward()
        self.optimiser.step()
        self.losses.append(float(total.detach()))
        return time.process_time() - start

    def operations(self, shown: Batch) -> int:
        """Floating-point operations of a step."""
        with Operations() as counter:
            self.step(shown)
        return counter.total

    def state(self) -> dict[str, Tensor]:
        """What is trained."""
        return {name: parameter.detach() for name, parameter in self.model.trained().items()}


def measured(layers: int) -> float:
    """Print and return the share of the bound that is reached."""
    shown = batch()
    plain = Steps(build(layers))
    kept = Steps(copy.deepcopy(plain.model))
    with tempfile.TemporaryDirectory() as folder:
        kept.model.keep_features("benchmark", Path(folder))
        features = kept.model.features
        assert features is not None
        first = kept.step(shown)  # computes what is then known
        plain.step(shown)
        bound = plain.operations(shown) / kept.operations(shown)
        pairs = [(plain.step(shown), kept.step(shown)) for _ in range(ROUNDS)]
        assert features.computed == SAMPLES * VIEWS
        assert torch.allclose(torch.tensor(plain.losses), torch.tensor(kept.losses), rtol=1e-5)
        apart = max(float((v - kept.state()[n]).abs().max()) for n, v in plain.state().items())
        assert apart < 1e-5, apart
    reached = statistics.median(a / b for a, b in pairs)
    without, with_ = (statistics.median(own) for own in zip(*pairs, strict=True))
    print(
        f"tower of {layers} layers: a step {without:.3f} s, {with_:.3f} s with known pictures (the first "
        f"{first:.3f} s): x{reached:.2f}; bound x{bound:.2f}; reached/bound {reached / bound:.3f}; "
        f"parameters differ by {apart:.1e} at most"
    )
    return reached / bound


def main() -> None:
    """Print ratios for three towers."""
    torch.set_num_threads(1)
    shares = {layers: measured(layers) for layers in sized((4, 12, 24), (2,))}
    require(min(shares.values()) >= 0.9, shares)


if __name__ == "__main__":
    main()
