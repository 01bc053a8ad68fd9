"""What the 3D position embedding adds at the sizes of a model of three billion parameters with eight views.

Qwen2.5-VL-3B's sizes with random weights, eight views of 448 x 448 pixels (8,192 patches, 2,048 tokens) and
64 words. The model is frozen but for its merger, as in the recipe `multiview`; a step is forward, chunked
loss, backward and AdamW. Against the same model with a trainable zero bias at the same site, in interleaved
pairs; the way of the gradient through the frozen tower, which both pay, is told apart.

Asserted: both give the same bits; on a GPU at full size the median ratio is under 1.02 for a forward and
under 1.03 for a step. `--tiny` runs the same on a CPU, for its own sake and for no figure.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from vantage.models.families import Site
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import BatchGeometry
from vantage.models.vlm.batch import NOT_LEARNED
from vantage.models.vlm.cross_entropy import next_token_loss
from vantage.models.vlm.head import last_hidden, output_head

sys.path.append(str(Path(__file__).parents[1]))

from paired import Ratio, Seconds, ratio
from real_sizes import build, device_there, view_ids, views, wait, write_table

VIEWS, WORDS = 8, 64
BOUNDS = {"forward": 1.02, "step": 1.03}
Bound = Callable[[], Any]
"""Opens what is summed at the site in a pass."""


class Bench:
    """A model and one sample of eight views."""

    def __init__(self, tiny: bool) -> None:
        self.device = device_there()
        self.model = build(self.device, tiny)
        edge = 8 if tiny else 32
        ids = torch.cat([view_ids(self.model, VIEWS, edge), torch.arange(10, 10 + WORDS)])[None]
        self.inputs = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == self.model.config.image_token_id).int(),
            **views(self.model, VIEWS, edge),
        }
        self.inputs = {name: value.to(self.device) for name, value in self.inputs.items()}
        learned = torch.arange(ids.shape[1]) >= ids.shape[1] - WORDS // 2
        self.labels = torch.where(learned, ids, NOT_LEARNED).to(self.device)
        xyz = torch.randn(1, VIEWS, edge * edge, 3, generator=torch.Generator().manual_seed(1)) * 2
        valid = torch.rand(xyz.shape[:3], generator=torch.Generator().manual_seed(2)) < 0.9
        self.geometry = BatchGeometry.uniform(xyz, valid, (edge, edge))

    def forward(self, bound: Bound) -> Seconds:
        """A forward pass without gradients."""

        @torch.no_grad()
        def run() -> float:
            return self._timed(lambda: self.hidden(bound))

        return run

    def step(self, bound: Bound, more: Sequence[nn.Parameter]) -> Seconds:
        """A training step that also trains `more`; its rate is 0, so that every step is the same."""
        trained = [p for p in self.model.parameters() if p.requires_grad] + list(more)
        optimiser = torch.optim.AdamW(trained, lr=0.0)

        def learn() -> None:
            found = next_token_loss(self.hidden(bound), self.labels, output_head(self.model))
            (found.total / found.tokens).backward()
            optimiser.step()
            optimiser.zero_grad()

        return lambda: self._timed(learn)

    def hidden(self, bound: Bound) -> Tensor:
        """The decoder's last hidden states."""
        with bound():
            return last_hidden(self.model, self.inputs)

    def _timed(self, run: Callable[[], object]) -> float:
        wait(self.device)
        start = time.perf_counter()
        run()
        wait(self.device)
        return time.perf_counter() - start


@contextmanager
def with_bias(injector: Injector, bias: nn.Parameter) -> Iterator[None]:
    """A bias where the injector would sum its embedding."""
    point = injector.point
    if point.before:
        handle = point.module.register_forward_pre_hook(lambda _m, args: (args[0] + bias, *args[1:]))
    else:
        handle = point.module.register_forward_hook(lambda _m, _a, output: output + bias)
    try:
        yield
    finally:
        handle.remove()


def measure(bench: Bench, site: Site, pairs: int) -> dict[str, Ratio]:
    """Forward and step of a site, and the way of the gradient."""
    injector = Injector.fresh(bench.model, InjectionConfig(site), seed=0)
    bias = nn.Parameter(torch.zeros(injector.encoder.width, device=bench.device, dtype=bench.model.dtype))

    def biased() -> Any:
        return with_bias(injector, bias)

    def spatial() -> Any:
        return injector.bind(bench.geometry)

    with torch.no_grad():
        assert torch.equal(bench.hidden(biased), bench.hidden(spatial)), site
    step = bench.step(biased, [bias])
    found = {
        "forward": ratio(bench.forward(biased), bench.forward(spatial), pairs),
        "step": ratio(step, bench.step(spatial, list(injector.encoder.parameters())), pairs),
        "gradient's way": ratio(bench.step(nullcontext, []), step, pairs),
    }
    for what, own in found.items():
        against = "one without" if what == "gradient's way" else "a zero bias"
        print(f"{site}: {what} {own} of {against}; {own.first_s:.4f} s and {own.second_s:.4f} s", flush=True)
    return found


def main() -> None:
    """Print the ratios, check them on a GPU, write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    given = parser.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        print("not measured: no GPU here (--tiny runs a tiny model on a CPU)")
        return
    bench, rows, over = Bench(given.tiny), [], []
    for site in get_args(Site):
        found = measure(bench, site, given.pairs)
        for what, own in found.items():
            rows.append(f"| {site} | {what} | {own.first_s:.4f} | {own.second_s:.4f} | {own} |")
            if what in BOUNDS and own.median >= BOUNDS[what]:
                over.append(f"{site} {what}: {own}")
    write_table(given.results, "embedding_overhead", rows, given.tiny)
    assert given.tiny or not over, over


if __name__ == "__main__":
    main()
