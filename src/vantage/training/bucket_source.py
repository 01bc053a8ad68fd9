"""Buckets as the training loop takes batches: by step, process and number of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_bytes, digest_json
from vantage.training.bucketing import Buckets
from vantage.training.protocols import Micro


class BucketBatches:
    """`BatchSource` and `Measured` of samples in buckets, epoch after epoch.

    Args:
        buckets: of the samples' lengths.
        seed: of the draw.
        make: the micro batch of some samples by their numbers, in a step; if its second argument is False,
            one of which nothing is learned (no `tokens`).
        data: digest of the samples and of all that `make` does to them.
    """

    def __init__(
        self, buckets: Buckets, seed: int, make: Callable[[tuple[int, ...], bool, int], Micro], data: str
    ) -> None:
        self.buckets, self.seed, self.make, self.data = buckets, seed, make, data
        # Steps come in order, from a few threads: two epochs are in use at a time.
        self._epoch = lru_cache(maxsize=2)(lambda number: buckets.epoch(seed, number))

    def batch(self, step: int, rank: int, world: int) -> Sequence[Micro]:
        """The micro batches of a process; `ParameterError` where a step's batches cannot be divided so."""
        if self.buckets.parts % world:
            raise ParameterError(
                "a step's micro batches cannot be divided evenly", where="finetune.vlm.micro_batches",
                expected=f"a multiple of {world} processes", found=self.buckets.parts,
            )  # fmt: skip
        number, turn = divmod(step, self.buckets.rounds)
        own = self._epoch(number).rounds[turn][rank::world]
        return [self.make(bucket.samples, bucket.counts, step) for bucket in own]

    def digest(self) -> str:
        """Digest of the samples, of their buckets, and of the seed."""
        buckets = self.buckets
        lengths = digest_bytes(buckets.lengths.astype("<i8").tobytes())
        cut = [asdict(buckets.limits), buckets.sizes, buckets.parts]
        return digest_json([self.data, lengths, cut, self.seed])

    def lengths(self) -> Sequence[int]:
        """Tokens of each sample."""
        found: list[int] = self.buckets.lengths.tolist()
        return found

    def smallest(self) -> Micro:
        """The shortest sample alone."""
        return self.make((int(self.buckets.lengths.argmin()),), True, 0)
