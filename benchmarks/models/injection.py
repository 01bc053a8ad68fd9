"""What the 3D position embedding adds to a training step and to a forward pass of the pocket model.

Against the same model with a trainable zero bias at the same site, so that what is compared is the embedding
(encoder, token order, checks, sum) and not the gradient's way through a frozen tower, which both pay. Both
give the same tokens.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor, nn

from vantage.models.families import Site
from vantage.models.injector import Injector
from vantage.models.packing import answer_logits, pack
from vantage.models.pocket import bound, build, fresh_injector, prefix_positions, view_tokens
from vantage.models.tokens import question_ids

SCENES, VIEWS, QUESTIONS = 4, 4, 16
ROUNDS = 9


def with_bias(injector: Injector, bias: nn.Parameter, run: Callable[[], Tensor]) -> Tensor:
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


def seconds(run: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def side_by_side(plain: Callable[[], object], ours: Callable[[], object]) -> float:
    """Median of the ratios of calls made one after the other."""
    plain(), ours()
    return statistics.median(seconds(ours) / seconds(plain) for _ in range(ROUNDS))


def main() -> None:
    """Print both ratios for every site."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build(seed=1)
    model.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    images = torch.rand(SCENES, VIEWS, 3, 64, 64) * 2 - 1
    xyz, valid = torch.randn(SCENES, VIEWS, 64, 3) * 3, torch.rand(SCENES, VIEWS, 64) < 0.9
    question = question_ids("where is the red chair from me?")
    packed = pack([[question] * QUESTIONS] * SCENES)
    for site in get_args(Site):
        injector = fresh_injector(model, site, seed=0)
        bias = nn.Parameter(torch.zeros(injector.encoder.width))

        def tokens_with_bias(injector: Injector = injector, bias: nn.Parameter = bias) -> Tensor:
            return with_bias(injector, bias, lambda: view_tokens(model, images))

        def tokens_with_points(injector: Injector = injector) -> Tensor:
            with bound(injector, xyz, valid):
                return view_tokens(model, images)

        def step(tokens: Callable[[], Tensor]) -> None:
            prefix = tokens()
            logits = answer_logits(model, prefix, packed, prefix_positions(*prefix.shape[:2]))
            logits.logsumexp(-1).mean().backward()

        assert torch.equal(tokens_with_bias(), tokens_with_points()), site

        def forward(tokens: Callable[[], Tensor]) -> None:
            with torch.no_grad():
                prefix = tokens()
                answer_logits(model, prefix, packed, prefix_positions(*prefix.shape[:2]))

        ahead = side_by_side(lambda: forward(tokens_with_bias), lambda: forward(tokens_with_points))
        whole = side_by_side(lambda: step(tokens_with_bias), lambda: step(tokens_with_points))
        print(f"{site}: forward x{ahead:.3f}, training step x{whole:.3f} of the same with a zero bias")


if __name__ == "__main__":
    main()
