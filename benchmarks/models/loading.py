"""Batches prepared ahead: how long training stands still for its pictures, with no worker and with two.

A step reads 16 JPEG pictures of 1296 x 968 pixels (four samples of four views, ScanNet's size), makes them
384 pixels square and trains a vision transformer on them, through the training loop itself. The losses are
the same.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vantage.core.progress import Silent
from vantage.core.seeds import rng
from vantage.models.losses import Losses
from vantage.training.loop import Outcome, Plan, train

sys.path.append(str(Path(__file__).parents[1]))

from small import sized

STEPS, PICTURES, EDGE, PATCH, WIDTH = sized(12, 2), sized(16, 2), sized(384, 64), 32, 384


@dataclass(frozen=True)
class Pictures:
    """Pixels of a batch, and what is to be said of each picture."""

    sample_ids: tuple[str, ...]
    pixels: Tensor
    labels: Tensor

    @property
    def tokens(self) -> int:
        """One for each picture."""
        return len(self.labels)


class Jpegs:
    """Decodes the pictures of a step."""

    def __init__(self) -> None:
        draw = rng(0, "pictures")
        self.files = []
        for _ in range(24):
            coarse = Image.fromarray(draw.integers(0, 256, (31, 41, 3), dtype=np.uint8))
            buffer = io.BytesIO()
            coarse.resize((1296, 968), Image.Resampling.BICUBIC).save(buffer, "jpeg", quality=90)
            self.files.append(buffer.getvalue())

    def batch(self, step: int, rank: int, world: int) -> Sequence[Pictures]:
        """One micro batch."""
        chosen = rng(0, "step", step).integers(0, len(self.files), PICTURES).tolist()
        pixels = []
        for number in chosen:
            picture = Image.open(io.BytesIO(self.files[number])).convert("RGB")
            small = np.asarray(picture.resize((EDGE, EDGE), Image.Resampling.BICUBIC), np.float32)
            pixels.append(torch.from_numpy(small / 127.5 - 1.0).permute(2, 0, 1))
        names = tuple(f"picture {number}" for number in chosen)
        return [Pictures(names, torch.stack(pixels), torch.tensor(chosen) % 2)]

    def digest(self) -> str:
        """There is but one."""
        return "jpegs"


class Tower(nn.Module):
    """A vision transformer of four layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, 6, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 2)

    def trained(self) -> dict[str, nn.Parameter]:
        """All of it."""
        return dict(self.named_parameters())

    def rate(self, name: str) -> float:
        """The same for all."""
        return 1e-4

    def forward(self, batch: Pictures) -> Losses:
        """Cross entropy of the labels."""
        tokens = self.embed(batch.pixels).flatten(2).transpose(1, 2)
        logits = self.head(self.layers(tokens).mean(1))
        return Losses(nn.functional.cross_entropy(logits, batch.labels), batch.tokens)


def run(source: Jpegs, workers: int) -> tuple[Outcome, float]:
    """Train; returns the outcome and seconds."""
    plan = Plan(STEPS, "loading", precision="fp32", workers=workers, checkpoint_every=1000)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        outcome = train(Tower(), source, plan, Path(work), Silent())
    return outcome, time.perf_counter() - started


def main() -> None:
    """Print the share of the time that the loop waited, for each number of workers."""
    torch.set_num_threads(1)
    source = Jpegs()
    started = time.perf_counter()
    source.batch(0, 0, 1)
    print(f"reading the {PICTURES} pictures of a step: {time.perf_counter() - started:.2f} s")
    losses, before = None, 0.0
    for workers in (0, 2):
        outcome, seconds = run(source, workers)
        assert losses is None or outcome.losses == losses, "the number of workers changed a loss"
        losses = outcome.losses
        gain = f"   {before / seconds:.2f} times as fast" if before else ""
        before = seconds
        share = f"{outcome.data_wait_share:6.1%} of it waiting"
        print(f"{workers} workers: {seconds / STEPS:.2f} s a step, {share}{gain}")


if __name__ == "__main__":
    main()
