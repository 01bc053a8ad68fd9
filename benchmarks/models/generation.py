"""Greedy answers in batches of like length, beside one request at a time and batches in the file's order.

A LLaVA of 10 M parameters with random weights, requests of one to eight images and texts of many lengths, as
a benchmark's file mixes them. All three ways give the same tokens.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)

from vantage.models.prompts import Preparer
from vantage.models.vlm.differences import changed
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Generated, Request
from vantage.models.vlm.sample import View

sys.path.append(str(Path(__file__).parents[1]))

from small import sized

REQUESTS, NEW_TOKENS, BUDGET, ROUNDS = sized(48, 6), sized(24, 4), 4096, sized(3, 1)
SIDE_PX, VOCABULARY, IMAGE_ID = 56, 512, 3


def preparer(side_px: int = SIDE_PX, patch_px: int = 7, width: int = 128, layers: int = 3) -> Preparer:
    """The model, its tower of a size, with a tokenizer of words `w4`, `w5`, ..."""
    torch.manual_seed(0)
    text = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=256, num_hidden_layers=6, num_attention_heads=4, eos_token_id=2,
        num_key_value_heads=2, intermediate_size=768, max_position_embeddings=4096, pad_token_id=0,
    )  # fmt: skip
    vision = SiglipVisionConfig(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=2 * width,
        patch_size=patch_px, image_size=side_px, vision_use_head=False,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE_ID, vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.08)
    names = ["<pad>", "<unk>", "<eos>", "<image>", *(f"w{k}" for k in range(4, VOCABULARY))]
    inner = Tokenizer(models.WordLevel({name: k for k, name in enumerate(names)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    square = {"height": side_px, "width": side_px}
    return Preparer(model, words, CLIPImageProcessorPil(size={"shortest_edge": side_px}, crop_size=square))


def requests() -> list[Request]:
    """In the order of a file that mixes long and short."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(REQUESTS):
        count = int(rng.integers(1, 9))
        images = [Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)) for _ in range(count)]
        words = " ".join(f"w{k}" for k in rng.integers(4, VOCABULARY, int(rng.integers(5, 60))))
        views = tuple(View(f"{number}-{k}", lambda image=image: image) for k, image in enumerate(images))
        made.append(Request(f"{number:02d}", "<image> " * count + words, views, ((80, 60),) * count))
    return made


def ordered(generator: Generator, asked: list[Request], size: int) -> list[Any]:
    """Answers of batches of `size` requests in the order given."""
    by_id = {one.request.id: one for batch in generator.plan(asked).batches for one in batch}
    row = [by_id[request.id] for request in asked]
    return [a for k in range(0, len(row), size) for a in generator.answer(row[k : k + size])]


def timed(run: Any) -> tuple[float, list[Generated]]:
    """Seconds and answers."""
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def main() -> None:
    """Print how many times as fast batches of like length are, and how much of each way is padding."""
    torch.set_num_threads(1)
    generator = Generator(preparer(), Decoding(NEW_TOKENS, token_budget=BUDGET))
    asked = requests()
    batches = generator.plan(asked).batches
    size = round(REQUESTS / len(batches))

    def ours() -> list[Any]:
        return [answer for batch in generator.answers(asked) for answer in batch]

    ratios: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        seconds, found = timed(ours)
        alone_s, alone = timed(lambda: ordered(generator, asked, 1))
        order_s, in_order = timed(lambda: ordered(generator, asked, size))
        assert changed(found, alone) == changed(found, in_order) == []
        ratios.append((alone_s / seconds, order_s / seconds))
    lengths = {one.request.id: one.tokens for batch in batches for one in batch}
    row = [lengths[request.id] for request in asked]
    padded = sum(len(batch) * batch[0].tokens for batch in batches)
    unsorted = sum(len(row[k : k + size]) * max(row[k : k + size]) for k in range(0, REQUESTS, size))
    against_one, against_order = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(
        f"{REQUESTS} requests in {len(batches)} batches of like length: {against_one:.1f} times as fast as"
        f" one at a time, {against_order:.2f} times as fast as batches of {size} in the file's order;"
        f" padding {1 - sum(row) / padded:.0%} against {1 - sum(row) / unsorted:.0%}"
    )


if __name__ == "__main__":
    main()
