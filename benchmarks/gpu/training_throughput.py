"""Training throughput and peak memory against transformers' own Trainer at the sizes of a 3B model.

(a) Trainer, padded batches of four dialogs, each with its own copy of its views;
(b) `vantage.training.loop.train` on the same batches in the same order (chunked loss);
(c) the same loop with dialogs behind shared views, in batches of like length, with as many steps as
    (a) where there are that many view sets, one for each view set where not.

Qwen2.5-VL-3B's sizes with random weights, frozen but for the merger. Data: 12 view sets of 2 to 8 views of
224 x 224 pixels (64 tokens), each with 1 to 6 dialogs of lognormal length (median 33 tokens), two fifths of
it the answer. No embedding: it is measured in `embedding_overhead.py`. Times run from the end of the first
step to the end of the last; the rate is next to nothing, so that all ways see the same weights.

Asserted: (b) has the losses of (a) step by step and (c) the same over all dialogs; on a GPU at full size (b)
is at least as fast as (a), (c) 1.5 times, and neither takes more memory at its peak.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from vantage.core.progress import Silent
from vantage.models.patch_geometry import BatchGeometry
from vantage.models.vlm.batch import NOT_LEARNED, Batch
from vantage.models.vlm.model import Rates, SpatialVlm, VlmConfig
from vantage.models.vlm.prefix_inputs import prefix_inputs
from vantage.models.vlm.shared_prefix import Dialog, pack_dialogs, shared_length
from vantage.training.bucketing import Buckets, Limits
from vantage.training.loop import Plan, train

sys.path.append(str(Path(__file__).parents[1]))

from real_sizes import build, device_there, view_ids, views, wait, write_table

BATCH, RATE, PAD = 4, 1e-9, 0


@dataclass(frozen=True)
class ViewSet:
    """Views, and dialogs about them."""

    shown: Mapping[str, Tensor]
    dialogs: tuple[Dialog, ...]

    @property
    def length(self) -> int:
        """Tokens of its row."""
        shared = shared_length(self.dialogs)
        return shared + sum(len(ids) - shared for ids, _ in self.dialogs)

    @property
    def images(self) -> int:
        """Views."""
        return len(self.shown["image_grid_thw"])


def view_sets(model: Any, count: int, edge: int) -> list[ViewSet]:
    """The data."""
    rng, found = np.random.default_rng(1), []
    words = min(model.config.image_token_id, model.config.vision_start_token_id)
    for number in range(count):
        images = int(rng.integers(2, 9))
        prefix = view_ids(model, images, edge)
        dialogs = []
        for _ in range(int(rng.integers(1, 7))):
            length = int(np.clip(np.exp(rng.normal(3.5, 0.7)), 6, 400))
            own = torch.from_numpy(rng.integers(10, words, length))
            learned = torch.arange(len(prefix) + length) >= len(prefix) + round(0.6 * length)
            dialogs.append((torch.cat([prefix, own]), learned))
        found.append(ViewSet(views(model, images, edge, seed=number), tuple(dialogs)))
    return found


@dataclass
class Way:
    """What one way of training took."""

    losses: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    learned: list[int] = field(default_factory=list)
    peak_mib: float = 0.0

    @property
    def speed(self) -> float:
        """Tokens of dialogs a second, the first step left out."""
        return sum(self.tokens[1:]) / (self.ends[-1] - self.ends[0])

    @property
    def loss(self) -> float:
        """Over all learned tokens."""
        return float(np.average(self.losses, weights=self.learned))


class Data:
    """Everything of a model's data, and the batches of each way."""

    def __init__(self, model: Any, tiny: bool) -> None:
        self.model = model
        self.sets = view_sets(model, 4 if tiny else 12, 4 if tiny else 16)
        self.limits = Limits(max(s.length for s in self.sets), spread=0.25)

    @cached_property
    def every(self) -> list[tuple[ViewSet, Dialog]]:
        """All dialogs."""
        return [(own, dialog) for own in self.sets for dialog in own.dialogs]

    def padded(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """A row for each dialog, with its views."""
        chosen = [self.every[k] for k in numbers]
        ids = nn.utils.rnn.pad_sequence([own for _, (own, _) in chosen], True, PAD)
        learned = nn.utils.rnn.pad_sequence([own for _, (_, own) in chosen], True, False)
        mask = nn.utils.rnn.pad_sequence([torch.ones_like(own) for _, (own, _) in chosen], True, 0)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": torch.where(learned, ids, NOT_LEARNED),
            "mm_token_type_ids": (ids == self.model.config.image_token_id).int(),
            **joined([own for own, _ in chosen]),
        }

    def padded_batch(self, numbers: Sequence[int]) -> Batch:
        """The same for the loop."""
        inputs = self.padded(numbers)
        return as_batch(inputs, inputs.pop("labels"), [self.every[k][0].images for k in numbers])

    def shared_batch(self, numbers: Sequence[int]) -> Batch:
        """A row for each view set, its dialogs behind the views."""
        chosen = [self.sets[k] for k in numbers]
        rows = pack_dialogs([own.dialogs for own in chosen], self.model.config.image_token_id, PAD)
        inputs = prefix_inputs(self.model, rows, joined(chosen))
        return as_batch(inputs, rows.labels, [own.images for own in chosen])

    def buckets(self, steps: int) -> list[tuple[int, ...]]:
        """View sets of like length, under the largest budget that still makes as many steps."""
        lengths = np.array([s.length for s in self.sets])
        images = np.array([s.images for s in self.sets])
        longest = int(lengths.max())
        fitting = [
            made
            for tokens in range(longest, 4 * longest, 64)
            if (made := Buckets(lengths, images, Limits(tokens, spread=0.25))).rounds >= steps
        ]
        # Where every view set alone makes fewer steps than the padded batches do, a step is one of them.
        chosen = fitting[-1] if fitting else Buckets(lengths, images, Limits(longest, samples=1, spread=0.25))
        return [bucket.samples for (bucket,) in chosen.epoch(0, 0).rounds]


def joined(sets: Sequence[ViewSet]) -> dict[str, Tensor]:
    """The images of all."""
    return {name: torch.cat([s.shown[name] for s in sets]) for name in ("pixel_values", "image_grid_thw")}


def as_batch(inputs: dict[str, Any], labels: Tensor, images: Sequence[int]) -> Batch:
    """What the loop's model is given; points are not used here."""
    grids = tuple((int(rows), int(columns)) for _, rows, columns in inputs["image_grid_thw"].tolist())
    patches = sum(rows * columns for rows, columns in grids)
    nowhere = torch.zeros(patches, dtype=torch.bool)
    geometry = BatchGeometry(torch.zeros(patches, 3), nowhere, grids, (1,) * len(grids), tuple(images))
    rows = len(labels)
    names = tuple(str(row) for row in range(rows))
    return Batch(
        names, inputs, labels, geometry, torch.zeros(len(grids), 9), torch.full((rows, 3), torch.nan)
    )


class Timed(Trainer):  # type: ignore[misc]
    """Trainer that keeps losses and the end of each step, once the device has done it."""

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """As ever."""
        loss = super().training_step(*args, **kwargs)
        self.way.losses.append(float(loss))
        return loss


class Ends:
    """A tracked run that keeps the end of each step."""

    def __init__(self, way: Way, device: torch.device) -> None:
        self.way, self.device = way, device

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A step is done."""
        wait(self.device)
        self.way.ends.append(time.perf_counter())


def with_trainer(data: Data, device: torch.device) -> tuple[Way, list[list[int]]]:
    """Way (a), and its batches as drawn."""
    way, asked = Way(), []

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_args: Any, **_kwargs: Any) -> None:
            wait(device)
            way.ends.append(time.perf_counter())

    def drawn(numbers: list[int]) -> dict[str, Tensor]:
        asked.append(list(numbers))
        return data.padded(numbers)

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=1, per_device_train_batch_size=BATCH, learning_rate=RATE,
            lr_scheduler_type="constant", save_strategy="no", report_to="none", logging_strategy="no",
            use_cpu=device.type == "cpu", disable_tqdm=True, remove_unused_columns=False,
            bf16=data.model.dtype == torch.bfloat16,
        )  # fmt: skip
        trainer = Timed(
            model=data.model, train_dataset=list(range(len(data.every))), data_collator=drawn, args=arguments,
            callbacks=[Marks()],
        )  # fmt: skip
        trainer.way = way
        measured(device, way, trainer.train)
    way.tokens = [sum(len(data.every[k][1][0]) for k in numbers) for numbers in asked]
    way.learned = [sum(int(data.every[k][1][1].sum()) for k in numbers) for numbers in asked]
    return way, asked


@dataclass(frozen=True)
class Made:
    """A source of batches that were made before."""

    batches: Sequence[Batch]

    def batch(self, step: int, rank: int, world: int) -> Sequence[Batch]:
        """One for each step."""
        return [self.batches[step]]

    def digest(self) -> str:
        """Nothing is resumed here."""
        return "benchmark"


def spatial_of(model: Any) -> SpatialVlm:
    """The model as arms train it: what is trained in float32, whatever the base is held in."""
    spatial = SpatialVlm(model, VlmConfig(None, rates=Rates(projector=RATE)), seed=0)
    spatial.train_in_float32()
    return spatial


def with_loop(data: Data, batches: Sequence[Batch], tokens: Sequence[int], device: torch.device) -> Way:
    """Ways (b) and (c)."""
    way = Way(tokens=list(tokens), learned=[batch.tokens for batch in batches])
    spatial = spatial_of(data.model)
    plan = Plan(len(batches), "benchmark", weight_decay=0.0, precision="fp32", resume=False)
    AcceleratorState._reset_state()  # one of Trainer's precision would be refused
    with tempfile.TemporaryDirectory() as folder:

        def run() -> None:
            ends: Any = Ends(way, device)
            way.losses += train(spatial, Made(batches), plan, Path(folder), Silent(), run=ends).losses

        measured(device, way, run)
    return way


def measured(device: torch.device, way: Way, run: Any) -> None:
    """Run, and keep the peak of the device's memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    run()
    if device.type == "cuda":
        way.peak_mib = torch.cuda.max_memory_allocated() / 2**20


def all_ways(data: Data, device: torch.device, tiny: bool) -> dict[str, Way]:
    """Each way once over all dialogs, its losses checked against those of the others."""
    spatial_of(data.model)  # Trainer is given the same precisions
    way_a, drawn = with_trainer(data, device)
    padded = [data.padded_batch(numbers) for numbers in drawn]
    way_b = with_loop(data, padded, way_a.tokens, device)
    buckets = data.buckets(len(drawn))
    tokens = [sum(len(ids) for k in own for ids, _ in data.sets[k].dialogs) for own in buckets]
    way_c = with_loop(data, [data.shared_batch(own) for own in buckets], tokens, device)
    assert len(way_a.losses) == len(way_b.losses) == len(drawn)
    close = 1e-4 if tiny else 2e-2
    assert np.allclose(way_a.losses, way_b.losses, rtol=close), (way_a.losses, way_b.losses)
    assert sum(way_c.learned) == sum(way_b.learned)
    assert abs(way_c.loss - way_b.loss) <= close * way_b.loss, (way_c.loss, way_b.loss)
    return {"a": way_a, "b": way_b, "c": way_c}


NAMES = {
    "a": "Trainer, padded", "b": "the loop, same batches, chunked loss",
    "c": "the loop, shared views, buckets, chunked loss",
}  # fmt: skip


def main() -> None:
    """Print the ratios, check them on a GPU, write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    given = parser.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        print("not measured: no GPU here (--tiny runs a tiny model on a CPU)")
        return
    device = device_there()
    data = Data(build(device, given.tiny), given.tiny)
    rounds = [all_ways(data, device, given.tiny) for _ in range(given.rounds)]
    rows, speed, memory = [], {}, {}
    for way, name in NAMES.items():
        speed[way] = float(np.median([r[way].speed / r["a"].speed for r in rounds]))
        peaks = [r[way].peak_mib for r in rounds]
        memory[way] = max(peaks) / max(1e-9, max(r["a"].peak_mib for r in rounds))
        pace = np.median([r[way].speed for r in rounds])
        told = f"{pace:.0f} | x{speed[way]:.2f} | {max(peaks):.0f} | x{memory[way]:.2f}"
        rows.append(f"| ({way}) {name} | {told} |")
        print(rows[-1], flush=True)
    write_table(given.results, "training_throughput_3b", rows, given.tiny)
    if not given.tiny:
        assert speed["b"] >= 1.0 and speed["c"] >= 1.5, speed
        assert memory["b"] <= 1.0 and memory["c"] <= 1.0, memory


if __name__ == "__main__":
    main()
