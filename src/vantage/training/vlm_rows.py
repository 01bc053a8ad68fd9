"""What an arm shows a vision-language model: rows of dialogs about one set of views, measured beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json
from vantage.core.recent import Recent
from vantage.core.seeds import fraction
from vantage.models.prompts import Preparer
from vantage.models.recipes import Recipe
from vantage.models.vlm.batch import Batch, Head, collate, encoded
from vantage.models.vlm.buckets import Meter
from vantage.models.vlm.dialog import NOT_LEARNED
from vantage.models.vlm.prefix_inputs import shares_prefix
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.request import Size
from vantage.models.vlm.sample import Sample, Turn
from vantage.models.vlm.shared_prefix import Dialog, shared_length
from vantage.models.vlm.showing import shown_sample
from vantage.training.bucket_source import BucketBatches
from vantage.training.bucketing import Buckets, Limits, portions
from vantage.training.config import Coordinates

_DIALOGS_KEPT = 1024  # of some thousand tokens each, nine bytes a token


@dataclass(frozen=True)
class Row:
    """Some dialogs of a sample, and the tokens that they take."""

    sample: int
    dialogs: tuple[int, ...]
    tokens: int


@dataclass(frozen=True)
class ArmRows:
    """The rows of an arm, and batches made of them.

    Attributes:
        samples: of the run, in the frame that the recipe lists them in.
        prepare: of the model.
        recipe: how they are shown.
        coordinates: the arm's control.
        seed: of controls and perturbations.
        limits: of a micro batch.
        dialogs: of a row, at most.
    """

    samples: QuestionSamples
    prepare: Preparer
    recipe: Recipe
    coordinates: Coordinates
    seed: int
    limits: Limits
    dialogs: int

    def shown(self, index: int, draw: int = 0) -> Sample:
        """A sample as the arm shows it; `draw` is the step, for what is drawn anew each time."""
        control = "" if self.coordinates == "true" else self.coordinates
        return shown_sample(self.samples, index, self.recipe.align, control, self.seed, draw)

    def rows(self, indices: Sequence[int], tell: Callable[[int, int], None]) -> list[Row]:
        """Rows of some samples: dialogs together where the model can share views, else one by one.

        Raises `ParameterError` for a dialog that is longer than a micro batch may be; the sample is named.
        """
        together = self.dialogs if shares_prefix(self.prepare.model).possible else 1
        found: list[Row] = []
        for done, index in enumerate(indices):
            found += self._rows_of(index, together)
            tell(done + 1, len(indices))
        return found

    def source(self, rows: Sequence[Row], parts: int) -> BucketBatches:
        """Batches of the rows; a step has `parts` micro batches over all processes."""
        lengths = np.array([row.tokens for row in rows])
        images = np.array([len(self.samples.listed[row.sample].views) for row in rows])
        data = digest_json([self.samples.digest(), [[r.sample, r.dialogs] for r in rows], self.coordinates])

        def make(numbers: tuple[int, ...], counts: bool, step: int) -> Batch:
            batch = collate([self._row(rows[k], step) for k in numbers], self.prepare, self._head, step)
            if counts:
                return batch
            return replace(batch, labels=torch.full_like(batch.labels, NOT_LEARNED))

        return BucketBatches(Buckets(lengths, images, self.limits, parts), self.seed, make, data)

    @cached_property
    def _meter(self) -> Meter:
        return Meter(self.prepare)

    @property
    def _head(self) -> Head:
        return self.recipe.model.head

    def _row(self, row: Row, step: int) -> Sample:
        whole = self.shown(row.sample, step)
        first = f"#{row.dialogs[0]}" if len(row.dialogs) < len(whole.dialogs) else ""
        dialogs = tuple(whole.dialogs[k] for k in row.dialogs)
        return replace(whole, sample_id=whole.sample_id + first, dialogs=dialogs)

    @cached_property
    def _known(self) -> Recent[Dialog]:
        return Recent(_DIALOGS_KEPT)

    def _encoded(self, sample: Sample, turns: tuple[Turn, ...], size: Size) -> Dialog:
        """A dialog's ids: the words that a scan is asked with come again from ego to ego."""
        views = len(sample.views)

        def make() -> Dialog:
            written = [self._meter.written(size, views == 1)] * views
            return encoded(sample, turns, self.prepare, self._head, written)

        return self._known.get(repr((self._head(sample, self.prepare.family), turns, size, views)), make)

    def _rows_of(self, index: int, together: int) -> list[Row]:
        sample, listed = self.shown(index), self.samples.listed[index]
        dialogs = [self._encoded(sample, turns, listed.size) for turns in sample.dialogs]
        shared = shared_length(dialogs) if len(dialogs) > 1 else 0
        own = [len(ids) - shared for ids, _ in dialogs]
        try:
            parts = portions(shared, own, self.limits.tokens)
        except ParameterError as error:
            raise ParameterError(
                error.message, where=f"sample {sample.sample_id}, {error.where}", expected=error.expected,
                found=error.found, hint="raise finetune.vlm.tokens, or show fewer views",
            ) from error  # fmt: skip
        cut = [part[k : k + together] for part in parts for k in range(0, len(part), together)]
        return [Row(index, tuple(part), shared + sum(own[k] for k in part)) for part in cut]


def divided(samples: QuestionSamples, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Samples to train on and to validate on; a room is on one side, by a hash of its name.

    Raises `ParameterError` when a side is empty that should not be.
    """
    rooms = [fraction(seed, "validation", listed.room_id) for listed in samples.listed]
    train = [k for k, value in enumerate(rooms) if value >= share]
    aside = [k for k, value in enumerate(rooms) if value < share]
    if not train or (share and not aside):
        raise ParameterError(
            "rooms cannot be divided into training and validation", where="finetune.validation_share",
            expected="a share that leaves rooms on both sides",
            found=f"{share}: {len(train)} samples to train on, {len(aside)} to validate",
        )  # fmt: skip
    return train, aside
