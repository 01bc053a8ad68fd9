"""Training throughput and peak memory against transformers' own Trainer: same model, same data, one thread.

(a) Trainer with its normal settings, batches of eight dialogs, padded, each with its own copy of its views;
(b) the same batches in the same order with the chunked loss at learned tokens only;
(c) dialogs about one set of views behind a shared prefix, in batches of like length, with the same loss and
    at least as many steps as (a).

The model is a LLaVA with 8 M trained parameters: a tied vocabulary of the size of a real one (32,000 words,
4.1 M), a decoder of 12 layers of width 128 (3.7 M), a frozen tower. The head takes half of a token's
multiplications here, against a tenth to a quarter in models of 0.5 to 3 billion parameters: (b) gains more
here than it would there. What (c) gains over (b) does not come from the head. Data: 24 view sets of 2 to 6
views of 16 tokens, each with 1 to 6 dialogs of lognormal length (median 33 tokens, a tenth over 81), two
fifths of it the answer. Times are processor times, so that a busy machine does not show.

Asserted: (b) has the losses of (a) step by step, and (c) the same loss over all dialogs; (b) is at least as
fast as (a), (c) 1.5 times as fast.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2Config,
    SiglipVisionConfig,
    Trainer,
    TrainingArguments,
)

from vantage.models.vlm.batch import NOT_LEARNED
from vantage.models.vlm.cross_entropy import next_token_loss
from vantage.models.vlm.head import last_hidden, output_head
from vantage.models.vlm.prefix_inputs import prefix_inputs
from vantage.models.vlm.shared_prefix import Dialog, pack_dialogs, shared_length
from vantage.training.bucketing import Buckets, Limits

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

VOCABULARY, IMAGE_ID, PAD_ID = 32_000, 5, 0
VIEW_SETS, BATCH, ROUNDS, RATE = sized(24, 4), 8, sized(3, 1), 1e-4
Make = Callable[[Any], tuple[dict[str, Any], Tensor]]
"""Of a model, a batch: what the model is called with, and labels."""


def build() -> Any:
    """The model described above, the same at each call."""
    torch.manual_seed(0)
    vision = SiglipVisionConfig(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128, image_size=56,
        patch_size=14, vision_use_head=False,
    )  # fmt: skip
    text = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=128, num_hidden_layers=12, num_attention_heads=4,
        num_key_value_heads=4, intermediate_size=640, max_position_embeddings=4096, pad_token_id=PAD_ID,
        tie_word_embeddings=True,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE_ID, vision_feature_layer=-1,
        vision_feature_select_strategy="full", tie_word_embeddings=True,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.requires_grad_(False)
    return model.train()


class ViewSet:
    """Views, and dialogs about them."""

    def __init__(self, rng: np.random.Generator) -> None:
        views = int(rng.integers(2, 7))
        self.pixels = torch.from_numpy(rng.normal(size=(views, 3, 56, 56)).astype(np.float32))
        prefix = [7, *[IMAGE_ID] * (16 * views), 9]
        self.dialogs: list[Dialog] = []
        for _ in range(int(rng.integers(1, 7))):
            length = int(np.clip(np.exp(rng.normal(3.5, 0.7)), 6, 400))
            own = rng.integers(10, VOCABULARY, length).tolist()
            learned = torch.arange(len(prefix) + length) >= len(prefix) + round(0.6 * length)
            self.dialogs.append((torch.tensor(prefix + own), learned))

    @property
    def length(self) -> int:
        """Tokens of its row."""
        shared = shared_length(self.dialogs)
        return shared + sum(len(ids) - shared for ids, _ in self.dialogs)


def view_sets() -> list[ViewSet]:
    """The data."""
    rng = np.random.default_rng(1)
    return [ViewSet(rng) for _ in range(VIEW_SETS)]


class Dialogs(torch.utils.data.Dataset[int]):
    """Numbers of dialogs, in the order asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        self.asked.append(index)
        return index


def padded(chosen: Sequence[tuple[ViewSet, Dialog]]) -> dict[str, Tensor]:
    """A row for each dialog, with its views."""
    length = max(len(ids) for _, (ids, _) in chosen)
    rows: dict[str, list[Tensor]] = {"input_ids": [], "labels": [], "attention_mask": []}
    for _, (ids, learned) in chosen:
        fill = (0, length - len(ids))
        rows["input_ids"].append(nn.functional.pad(ids, fill, value=PAD_ID))
        labels = torch.where(learned, ids, NOT_LEARNED)
        rows["labels"].append(nn.functional.pad(labels, fill, value=NOT_LEARNED))
        rows["attention_mask"].append(nn.functional.pad(torch.ones_like(ids), fill))
    pixels = torch.cat([views.pixels for views, _ in chosen])
    return {**{name: torch.stack(own) for name, own in rows.items()}, "pixel_values": pixels}


class Recording(Trainer):  # type: ignore[misc]
    """Trainer that keeps the loss of each step."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.losses: list[float] = []

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """As ever."""
        loss = super().compute_loss(*args, **kwargs)
        self.losses.append(float(loss.detach()))
        return loss


def with_trainer(sets: Sequence[ViewSet], seed: int) -> tuple[float, list[float], list[list[int]]]:
    """Seconds of an epoch, losses, and the batches as drawn."""
    every = [(views, dialog) for views in sets for dialog in views.dialogs]
    data = Dialogs(len(every))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Recording(
            model=build(), train_dataset=data, data_collator=lambda rows: padded([every[k] for k in rows]),
            args=TrainingArguments(
                folder, num_train_epochs=1, per_device_train_batch_size=BATCH, learning_rate=RATE,
                lr_scheduler_type="constant", save_strategy="no", report_to="none", use_cpu=True, seed=seed,
                logging_strategy="no", disable_tqdm=True, remove_unused_columns=False,
            ),
        )  # fmt: skip
        start = time.process_time()
        trainer.train()
        seconds = time.process_time() - start
    order = data.asked
    return seconds, trainer.losses, [order[k : k + BATCH] for k in range(0, len(order), BATCH)]


def ours(batches: Sequence[Make]) -> tuple[float, list[float]]:
    """Seconds and losses of plain steps with Trainer's settings."""
    model = build()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        trained, lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=True
    )
    losses = []
    start = time.process_time()
    for batch in batches:
        inputs, labels = batch(model)
        found = next_token_loss(last_hidden(model, inputs), labels, output_head(model))
        loss = found.total / found.tokens
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return time.process_time() - start, losses


def padded_batches(sets: Sequence[ViewSet], drawn: Sequence[Sequence[int]]) -> list[Make]:
    """The batches as drawn, a row for each dialog."""
    every = [(views, dialog) for views in sets for dialog in views.dialogs]

    def batch(numbers: Sequence[int]) -> Make:
        def make(_model: Any) -> tuple[dict[str, Any], Tensor]:
            inputs = padded([every[k] for k in numbers])
            return inputs, inputs.pop("labels")

        return make

    return [batch(numbers) for numbers in drawn]


def shared_batches(sets: Sequence[ViewSet], steps: int, seed: int) -> tuple[list[Make], float]:
    """In buckets under the largest budget that still makes as many steps, and their padding."""
    lengths, images = np.array([s.length for s in sets]), np.array([len(s.pixels) for s in sets])
    budget = max(
        tokens
        for tokens in range(int(lengths.max()), 8 * int(lengths.max()), 16)
        if Buckets(lengths, images, Limits(tokens, spread=0.25)).rounds >= steps
    )
    epoch = Buckets(lengths, images, Limits(budget, spread=0.25)).epoch(seed, 0)

    def batch(numbers: Sequence[int]) -> Make:
        def make(model: Any) -> tuple[dict[str, Any], Tensor]:
            rows = pack_dialogs([sets[k].dialogs for k in numbers], IMAGE_ID, PAD_ID)
            pixels = torch.cat([sets[k].pixels for k in numbers])
            return prefix_inputs(model, rows, {"pixel_values": pixels}), rows.labels

        return make

    return [batch(bucket.samples) for (bucket,) in epoch.rounds], epoch.padding


@torch.no_grad()
def require_the_same_loss(sets: Sequence[ViewSet], drawn: Sequence[Sequence[int]]) -> None:
    """Over all dialogs, by the model's own loss and by (c)'s."""
    model, theirs, mine, tokens = build(), 0.0, 0.0, [0, 0]
    for make in padded_batches(sets, drawn):
        inputs, labels = make(model)
        count = int((labels != NOT_LEARNED).sum())
        theirs += float(model(**inputs, labels=labels).loss) * count
        tokens[0] += count
    for make in shared_batches(sets, len(drawn), 0)[0]:
        inputs, labels = make(model)
        found = next_token_loss(last_hidden(model, inputs), labels, output_head(model))
        mine += float(found.total)
        tokens[1] += found.tokens
    assert tokens[0] == tokens[1]
    assert abs(theirs - mine) < 1e-5 * theirs, (theirs, mine)


def peak_mib() -> float:
    """Of this process, since it was last set back."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def memory(way: str) -> float:
    """The peak of an epoch's memory by one way, above what the libraries took, MiB."""
    sets = view_sets()
    drawn = np.random.default_rng(0).permutation(sum(len(s.dialogs) for s in sets)).tolist()
    batches = [drawn[k : k + BATCH] for k in range(0, len(drawn), BATCH)]
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_mib()
    if way == "a":
        with_trainer(sets, 0)
    elif way == "b":
        ours(padded_batches(sets, batches))
    else:
        ours(shared_batches(sets, len(batches), 0)[0])
    return peak_mib() - before


def peak_of(way: str) -> float:
    """Peak memory in a process of its own that has the libraries and nothing else, MiB."""
    with get_context("fork").Pool(1) as own:
        return own.apply(memory, (way,))


def alternated(sets: Sequence[ViewSet]) -> dict[str, list[float]]:
    """Seconds of epochs of each way, one after another."""
    seconds: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for number in range(ROUNDS):
        spent, losses, drawn = with_trainer(sets, seed=number)
        seconds["a"].append(spent)
        spent, same = ours(padded_batches(sets, drawn))
        seconds["b"].append(spent)
        assert np.allclose(losses, same, rtol=1e-4), (losses, same)
        batches, padding = shared_batches(sets, len(drawn), seed=number)
        seconds["c"].append(ours(batches)[0])
        if not number:
            require_the_same_loss(sets, drawn)
            print(f"steps: {len(drawn)} and, in buckets with {padding:.1%} padding, {len(batches)}")
    return seconds


def main() -> None:
    """Print ratios of time and memory."""
    torch.set_num_threads(1)
    peaks = {way: peak_of(way) for way in "abc"}  # before this process has done anything
    sets = view_sets()
    tokens = sum(len(ids) for s in sets for ids, _ in s.dialogs)
    seconds, ratios = alternated(sets), {}
    names = ("transformers' Trainer", "padding, chunked loss", "shared prefix, buckets, chunked loss")
    for way, what in zip("abc", names, strict=True):
        ratios[way] = statistics.median(a / own for a, own in zip(seconds["a"], seconds[way], strict=True))
        print(
            f"({way}) {what}: {tokens / statistics.median(seconds[way]):.0f} tokens of dialogs/s, "
            f"x{ratios[way]:.2f} of (a); peak {peaks[way]:.0f} MiB, x{peaks[way] / peaks['a']:.2f}"
        )
    require(ratios["b"] >= 1.0 and ratios["c"] >= 1.5, ratios)


if __name__ == "__main__":
    main()
