"""Requests to the tiny models of every family; run as a program it answers a share of them."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
import tiny_prompts as prompts
import torch
from PIL import Image
from tiny_vlms import CASES, FAMILY_CASES, IMAGE_ID
from tokenizers import AddedToken

from vantage.models.families import family_of
from vantage.models.prompts import Preparer
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Generated, Request
from vantage.models.vlm.sample import View

WORDS = ("where", "is", "the", "chair", "from", "here", "answer", "briefly")
NEW_TOKENS = 10
# Drawn until the closest call of any answer was far from rounding: see `least_margin` in test_generate.
SEEDS = {
    "llava": 1,
    "llava_onevision": 1,
    "nvila_3x3": 14,
    "paligemma": 9,
    "internvl": 2,
    "idefics3": 2,
    "smolvlm": 2,
    "qwen2_5_vl": 4,
    "qwen3_vl": 4,
}


def preparer(name: str, seed: int | None = None) -> Preparer:
    """The tiny model with real tokenizer and image processor; every token has a text."""
    model = CASES[name]().model
    reseed(model, SEEDS.get(name, 0) if seed is None else seed)
    words = prompts.tokenizer(family_of(model).placeholder)
    missing = model.config.get_text_config().vocab_size - len(words)
    words.add_tokens([AddedToken(f" w{i}", normalized=False) for i in range(missing)])
    return Preparer(model, words, prompts.processor(name))


@torch.no_grad()
def reseed(model: Any, seed: int) -> None:
    """Weights of its own for the last layer, where answers are decided: tied to the first, a model says
    again what it was told last."""
    generator, last = torch.Generator().manual_seed(seed), model.get_output_embeddings()
    weight = torch.randn(last.weight.shape, generator=generator) * 0.5
    weight[IMAGE_ID] = 0.0  # a whole pass would look for the image of a placeholder that was said
    last.weight = torch.nn.Parameter(weight)


def requests(placeholder: str, n: int = 9) -> list[Request]:
    """Prompts of many lengths about one to three images of many sizes."""
    rng = np.random.default_rng(5)
    made = []
    for number in range(n):
        views, sizes = [], []
        for k in range(1 + number % 3):
            width, height = (int(v) for v in rng.integers(14, 34, 2))
            image = Image.fromarray(rng.integers(1, 255, (height, width, 3), dtype=np.uint8))
            views.append(View(f"q{number}, view {k}", lambda image=image: image))
            sizes.append((width, height))
        text = " ".join([placeholder] * len(views) + list(rng.choice(WORDS, 1 + 2 * number)))
        made.append(Request(f"q{number}", text, tuple(views), tuple(sizes)))
    return made


def answered(maker: Preparer, asked: list[Request], **decoding: Any) -> dict[str, Generated]:
    """Answers by id, in the order in which they came."""
    decoding = {"max_new_tokens": NEW_TOKENS, "token_budget": 10**6, **decoding}
    found = {}
    for batch in Generator(maker, Decoding(**decoding)).answers(asked):
        for answer in batch:
            assert isinstance(answer, Generated), answer
            found[answer.id] = answer
    return found


def main() -> None:
    """`asked_vlms.py K N`: the answers to every Nth request from the Kth on, by family."""
    torch.set_num_threads(1)
    first, step = int(sys.argv[1]), int(sys.argv[2])
    said = {}
    for name in FAMILY_CASES:
        try:
            maker = preparer(name)
        except pytest.skip.Exception:
            continue
        share = requests(maker.family.placeholder)[first::step]
        said[name] = {key: answer.text for key, answer in answered(maker, share).items()}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
