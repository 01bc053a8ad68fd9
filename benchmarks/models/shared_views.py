"""Eight questions on one set of eight views, answered in one batch: the tower once for each view, or for each
question again.

A LLaVA with random weights: a SigLIP tower of 12 layers of width 256 on 168 x 168 pixels (144 patches), a
decoder of 6 layers of width 256, answers of 8 tokens. Reading and resizing the pictures is a part of both.
Processor times of alternating passes. Tokens and margins have the same bits.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Generated, Request
from vantage.models.vlm.sample import View
from vantage.models.vlm.tower_once import TowerOnce

sys.path.append(str(Path(__file__).parents[1]))

from generation import preparer

from small import require, sized

QUESTIONS, VIEWS, NEW_TOKENS, ROUNDS = 8, sized(8, 2), 8, sized(5, 1)
SIDE_PX, PATCH_PX, WIDTH, LAYERS = sized(168, 28), 14, 256, sized(12, 2)


def requests() -> list[Request]:
    """Questions of other lengths on the same views, each with an image object of its own."""
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8) for _ in range(VIEWS)]
    views = tuple(View(f"view {k}", lambda own=own: Image.fromarray(own)) for k, own in enumerate(pixels))
    sizes = ((SIDE_PX, SIDE_PX),) * VIEWS
    texts = [" ".join(f"w{k}" for k in rng.integers(4, 500, 12 + q)) for q in range(QUESTIONS)]
    return [Request(f"q{q}", "<image> " * VIEWS + text, views, sizes) for q, text in enumerate(texts)]


def answered(generator: Generator, asked: list[Request]) -> tuple[float, list[Generated]]:
    """Processor seconds, and the answers by id."""
    start = time.process_time()
    found = [one for batch in generator.answers(asked) for one in batch if isinstance(one, Generated)]
    return time.process_time() - start, sorted(found, key=lambda one: one.id)


def main() -> None:
    """Print the ratio."""
    torch.set_num_threads(1)
    maker, asked = preparer(SIDE_PX, PATCH_PX, WIDTH, LAYERS), requests()
    decoding = Decoding(NEW_TOKENS, token_budget=10**6)
    shared, plain = Generator(maker, decoding), Generator(maker, decoding)
    plain.tower = TowerOnce(maker.family, maker.model, "pre_vit")  # which shares nothing
    pairs = []
    for _ in range(ROUNDS):
        (ours_s, ours), (plain_s, each) = answered(shared, asked), answered(plain, asked)
        assert [(o.tokens, o.margins) for o in ours] == [(o.tokens, o.margins) for o in each]
        pairs.append((plain_s, ours_s))
    assert len(ours) == QUESTIONS and shared.tower.computed * QUESTIONS == shared.tower.asked
    ratio = statistics.median(a / b for a, b in pairs)
    without, with_ = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{QUESTIONS} questions on {VIEWS} views: {without:.2f} s with the tower for each question, "
        f"{with_:.2f} s with the tower once a view: x{ratio:.2f}, answers and margins identical"
    )
    require(ratio >= 1.2, ratio)


if __name__ == "__main__":
    main()
