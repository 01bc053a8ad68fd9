"""Every sample once, within the budget, the same for whoever computes it, and little padding."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from vantage.core.errors import ParameterError
from vantage.training.bucket_source import BucketBatches
from vantage.training.bucketing import Bucket, Buckets, Limits, padding_share, portions
from vantage.training.protocols import BatchSource, Measured

samples = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 9)), min_size=1, max_size=80)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])


def realistic(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Views of 196 tokens, one to eight of them, and dialogs of lognormal length."""
    rng = np.random.default_rng(seed)
    images = rng.choice([1, 2, 4, 8], count, p=[0.2, 0.2, 0.3, 0.3])
    return images * 196 + np.exp(rng.normal(4.5, 0.9, count)).astype(int) + 10, images


@settings(max_examples=200)
@given(
    samples, st.integers(1, 5), st.integers(1, 2), st.integers(300, 900), st.integers(1, 9), st.integers(0, 3)
)
def test_every_sample_once_within_the_limits_and_as_many_steps_for_all(
    pairs: list[tuple[int, int]], world: int, accumulate: int, tokens: int, most: int, number: int
) -> None:
    lengths, images = arrays(pairs)
    limits = Limits(tokens, most)
    buckets = Buckets(lengths, images, limits, world * accumulate)
    epoch = buckets.epoch(seed=1, number=number)
    assert len(epoch.rounds) == buckets.rounds
    ranks = [epoch.of(rank, world) for rank in range(world)]
    for step, batches in enumerate(epoch.rounds):
        assert all(len(own[step]) == accumulate for own in ranks)
        # What all processes see together does not depend on how many they are.
        assert Counter(b for own in ranks for b in own[step]) == Counter(batches)
    every = [b for batches in epoch.rounds for b in batches]
    assert sorted(s for b in every if b.counts for s in b.samples) == list(range(len(pairs)))
    for batch in every:
        own, shown = lengths[list(batch.samples)], images[list(batch.samples)]
        assert 1 <= len(batch.samples) <= most
        assert len(own) * own.max() <= tokens
        assert shown.max() <= max(1, shown.min()) * (1 + limits.spread) + 1e-9
    # Batches that only fill up appear when single samples do not make whole rounds, never a round of them.
    fill = [b for b in every if not b.counts]
    assert len(fill) < world * accumulate
    if fill:
        assert all(len(b.samples) == 1 for b in every)
        assert all(b == Bucket((int(lengths.argmin()),), counts=False) for b in fill)
    assert epoch.padding == pytest.approx(padding_share([b.samples for b in every if b.counts], lengths))


@given(samples, st.integers(1, 4))
def test_epochs_differ_in_order_only_and_repeat_exactly(pairs: list[tuple[int, int]], parts: int) -> None:
    lengths, images = arrays(pairs)
    one, other = (Buckets(lengths, images, Limits(600), parts) for _ in range(2))
    assert one.epoch(1, 4) == other.epoch(1, 4)

    def shape(number: int) -> list[int]:
        rounds = one.epoch(1, number).rounds
        return sorted(len(b.samples) for batches in rounds for b in batches)

    assert shape(0) == shape(1)


def test_order_and_company_change_with_seed_and_epoch() -> None:
    buckets = Buckets(*realistic(400), Limits(8192))
    epochs = [buckets.epoch(*which) for which in ((0, 0), (0, 1), (1, 0))]
    members = [{frozenset(b.samples) for r in e.rounds for b in r} for e in epochs]
    for k in range(3):
        assert epochs[k] != epochs[k - 1]
        assert len(members[k] & members[k - 1]) < len(members[k]) / 2
    lengths = buckets.lengths
    longest = [int(lengths[list(b.samples)].max()) for (b,) in epochs[0].rounds]
    assert longest != sorted(longest)
    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.4


def test_batches_of_a_step_cost_alike() -> None:
    lengths, images = realistic(2000)
    epoch = Buckets(lengths, images, Limits(8192), parts=4).epoch(0, 0)

    def cost(batch: Bucket) -> int:
        return len(batch.samples) * int(lengths[list(batch.samples)].max())

    waiting = [1 - np.mean([cost(b) for b in r]) / max(cost(b) for b in r) for r in epoch.rounds]
    assert np.mean(waiting) < 0.06


def test_padding_is_a_small_part_of_that_of_random_batches() -> None:
    lengths, images = realistic(4000)
    epoch = Buckets(lengths, images, Limits(8192)).epoch(0, 0)
    size = round(4000 / len(epoch.rounds))
    order = np.random.default_rng(0).permutation(4000)
    at_random = padding_share([order[k : k + size].tolist() for k in range(0, 4000, size)], lengths)
    assert at_random > 0.35
    assert epoch.padding < 0.05
    # And the budget is used: a batch is not small for the sake of its padding.
    tokens = [len(b.samples) * int(lengths[list(b.samples)].max()) for (b,) in epoch.rounds]
    assert np.mean(tokens) > 0.85 * 8192


class Numbers(Dataset[int]):
    """The samples are their own numbers."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> int:
        return index


@pytest.mark.parametrize("workers", [0, 2])
def test_data_workers_change_nothing(workers: int) -> None:
    lengths, images = realistic(60)
    batches = [list(b.samples) for (b,) in Buckets(lengths, images, Limits(4096)).epoch(3, 2).rounds]
    loader = DataLoader(Numbers(), batch_sampler=batches, num_workers=workers, collate_fn=torch.tensor)
    assert [batch.tolist() for batch in loader] == batches


PRINTED = """
import numpy as np
from vantage.training.bucketing import Buckets, Limits
lengths = np.arange(1, 200) * 7 % 311 + 1
print(Buckets(lengths, lengths % 5, Limits(900), parts=3).epoch(5, 6))
"""


def test_another_process_finds_the_same_epoch() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", PRINTED], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1 and "Epoch" in told.pop()


def test_what_cannot_be_batched_is_refused() -> None:
    lengths, images = np.array([5, 900, 7]), np.array([1, 1, 1])
    with pytest.raises(ParameterError, match="longer than a batch") as caught:
        Buckets(lengths, images, Limits(800))
    assert "sample 1" in str(caught.value)
    with pytest.raises(ParameterError, match="need samples"):
        Buckets(lengths[:0], images[:0], Limits(800))


@dataclass(frozen=True)
class Named:
    """A micro batch that is but its samples."""

    sample_ids: tuple[str, ...]
    tokens: int


def source(parts: int = 4, limit: int = 4096, seed: int = 2, data: str = "data") -> BucketBatches:
    def make(numbers: tuple[int, ...], learn: bool, step: int) -> Named:
        return Named(tuple(map(str, numbers)), len(numbers) * learn)

    return BucketBatches(Buckets(*realistic(90), Limits(limit), parts), seed, make, data)


def test_a_source_goes_through_epoch_after_epoch_whatever_the_number_of_processes() -> None:
    made = source()
    assert isinstance(made, BatchSource) and isinstance(made, Measured)
    steps = made.buckets.rounds

    def seen(step: int, world: int) -> list[tuple[str, ...]]:
        found = [made.batch(step, rank, world) for rank in range(world)]
        assert {len(own) for own in found} == {4 // world}
        return sorted(micro.sample_ids for own in found for micro in own if micro.tokens)

    for step in range(2 * steps):
        assert seen(step, 1) == seen(step, 2) == seen(step, 4)
    for epoch in range(2):
        ids = [i for step in range(epoch * steps, (epoch + 1) * steps) for b in seen(step, 1) for i in b]
        assert sorted(map(int, ids)) == list(range(90))
    assert [seen(step, 1) for step in range(steps)] != [seen(step, 1) for step in range(steps, 2 * steps)]
    # A later step needs no earlier one.
    assert source().batch(2 * steps - 1, 0, 1) == made.batch(2 * steps - 1, 0, 1)


def test_a_source_says_what_it_follows_from_and_what_it_holds() -> None:
    plain = source()
    assert plain.digest() == source().digest()
    others = [source(parts=2), source(limit=4000), source(seed=3), source(data="other")]
    assert len({s.digest() for s in [plain, *others]}) == 5
    assert list(plain.lengths()) == realistic(90)[0].tolist()
    assert plain.smallest().sample_ids == (str(realistic(90)[0].argmin()),)
    with pytest.raises(ParameterError, match="divided evenly") as refused:
        plain.batch(0, 0, 3)
    assert refused.value.where == "finetune.vlm.micro_batches"
    assert refused.value.expected == "a multiple of 3 processes"


@given(st.integers(0, 50), st.lists(st.integers(1, 40), max_size=12), st.integers(60, 150))
def test_dialogs_are_portioned_in_order_into_few_rows(shared: int, own: list[int], most: int) -> None:
    if own and shared + max(own) > most:
        with pytest.raises(ParameterError, match="longer than a row"):
            portions(shared, own, most)
        return
    rows = portions(shared, own, most)
    assert [number for row in rows for number in row] == list(range(len(own)))
    sizes = [shared + sum(own[number] for number in row) for row in rows]
    assert all(size <= most for size in sizes) and all(rows)
    # None could have taken the next one too.
    assert all(size + own[row[0]] > most for size, row in zip(sizes, rows[1:], strict=False))
