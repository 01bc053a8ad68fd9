"""What the 3D position embedding adds to a training step and to a forward pass of the pocket model.

Against the same model with a trainable zero bias at the same site, so that what is compared is the embedding
(encoder, token order, checks, sum) and not the gradient's way through a frozen tower, which both pay; that
stands in a line of its own, and so does the model with a bias against itself: the noise of the method. Both
ways give the same tokens.

Times are processor times of one thread, in interleaved pairs. Asserted: the median of the ratios is under
1.05 at every site, forward and step.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn

from vantage.models.families import Site
from vantage.models.injector import Injector
from vantage.models.packing import answer_logits, pack
from vantage.models.pocket import bound, build, fresh_injector, prefix_positions, view_tokens
from vantage.models.tokens import question_ids

sys.path.append(str(Path(__file__).parents[1]))

from paired import Seconds, ratio
from small import require, sized

SCENES, VIEWS, QUESTIONS = 4, 4, sized(16, 2)
BOUND = 1.05
Tokens = Callable[[], Tensor]


def with_bias(injector: Injector, bias: nn.Parameter, run: Tokens) -> Tensor:
    """`run()` with a bias summed where the injector would sum its embedding."""
    point = injector.point
    if point.before:
        handle = point.module.register_forward_pre_hook(lambda _m, args: (args[0] + bias, *args[1:]))
    else:
        handle = point.module.register_forward_hook(lambda _m, _a, output: output + bias)
    try:
        return run()
    finally:
        handle.remove()


class Bench:
    """The pocket model with its views, questions and points."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = build(seed=1)
        self.model.requires_grad_(False)
        self.model.model.multi_modal_projector.requires_grad_(True)
        self.images = torch.rand(SCENES, VIEWS, 3, 64, 64) * 2 - 1
        self.xyz = torch.randn(SCENES, VIEWS, 64, 3) * 3
        self.valid = torch.rand(SCENES, VIEWS, 64) < 0.9
        question = question_ids("where is the red chair from me?")
        self.packed = pack([[question] * QUESTIONS] * SCENES)

    def plain(self) -> Tensor:
        """The views' tokens."""
        return view_tokens(self.model, self.images)

    def ways(self, site: Site) -> tuple[Tokens, Tokens]:
        """Tokens with a zero bias, and with the points of all patches."""
        injector = fresh_injector(self.model, site, seed=0)
        bias = nn.Parameter(torch.zeros(injector.encoder.width))

        def with_points() -> Tensor:
            with bound(injector, self.xyz, self.valid):
                return self.plain()

        return lambda: with_bias(injector, bias, self.plain), with_points

    def logits(self, tokens: Tokens) -> Tensor:
        """Of all questions' answers."""
        prefix = tokens()
        return answer_logits(self.model, prefix, self.packed, prefix_positions(*prefix.shape[:2]))

    def forward(self, tokens: Tokens) -> Seconds:
        """A forward pass."""

        @torch.no_grad()
        def run() -> float:
            start = time.process_time()
            self.logits(tokens)
            return time.process_time() - start

        return run

    def step(self, tokens: Tokens) -> Seconds:
        """A forward and a backward pass."""

        def run() -> float:
            start = time.process_time()
            self.logits(tokens).logsumexp(-1).mean().backward()
            return time.process_time() - start

        return run


def main() -> None:
    """Print and check the ratios of every site."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=sized(20, 1))
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    bench, over = Bench(), []
    for site in get_args(Site):
        bias, points = bench.ways(site)
        assert torch.equal(bias(), points()), site
        for what, timed in (("forward", bench.forward), ("training step", bench.step)):
            found = ratio(timed(bias), timed(points), pairs)
            print(f"{site}: {what} {found} of the same with a zero bias", flush=True)
            over += [f"{site} {what}: {found}"] * (found.median >= BOUND)
        if site == "pre_vit":
            path = ratio(bench.step(bench.plain), bench.step(bias), pairs)
            print(f"{site}: the gradient's way through the frozen tower: step {path} of one without any")
            noise = ratio(bench.step(bias), bench.step(bias), pairs)
            print(f"{site}: a zero bias against itself: step {noise}", flush=True)
    require(not over, over)


if __name__ == "__main__":
    main()
