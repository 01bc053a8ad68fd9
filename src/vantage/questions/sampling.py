"""Candidates of a situation: all of them, or a quick draw of a few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence

import numpy as np
from jaxtyping import Float64

from vantage.questions.families import Candidate, Dropped, Family, Margins, family
from vantage.questions.families.base import Buckets
from vantage.questions.scene import Scene, Seen, Situated

_TRIES = 4
"""Draws for one question before its family is given up for that question."""


def every_candidate(
    situated: Situated, kind: Family, margins: Margins, dropped: Counter[tuple[str, str]] | None = None
) -> Iterator[Candidate]:
    """All candidates of a family, in a fixed order; `dropped` counts (family, reason) of those not asked."""
    for bucket in kind.choices(situated):
        for arguments in bucket:
            outcome = kind.ask(situated, arguments, margins)
            if isinstance(outcome, Candidate):
                yield outcome
            elif dropped is not None:
                dropped[kind.name, outcome.value] += 1


def sample_questions(
    scene: Scene,
    T_aligned_ego: Float64[np.ndarray, "4 4"],
    seen: Seen,
    rng: np.random.Generator,
    n: int,
    families: Sequence[str],
    margins: Margins | None = None,
) -> list[Candidate]:
    """Draw up to `n` different questions, evenly over families; name a family twice for more of it.

    A family's buckets (yes and no of existence, seen and unseen of direction, numbers of count) are drawn
    evenly. Not every candidate is made first, so a scene takes about half a millisecond. Fewer than `n` come
    back when the scene offers fewer.

    Args:
        scene: the room.
        T_aligned_ego: maps `ego_level` to `aligned`, metres.
        seen: what the views show.
        rng: the only source of randomness.
        n: how many.
        families: names of `FAMILIES`.
        margins: how far from a tie; the defaults if None.
    """
    margins = margins or Margins()
    situated = Situated(scene, T_aligned_ego, seen)
    offers = [(kind, _filled(kind.choices(situated))) for kind in map(family, families)]
    offers = [(kind, buckets) for kind, buckets in offers if buckets]
    found: dict[str, Candidate] = {}
    start = int(rng.random() * len(offers)) if offers else 0
    for turn in range(2 * n if offers else 0):
        kind, buckets = offers[(start + turn) % len(offers)]
        candidate = _draw(situated, kind, buckets, margins, rng, found)
        if candidate is not None:
            found[candidate.text] = candidate
        if len(found) == n:
            break
    return list(found.values())


def _filled(buckets: Buckets) -> Buckets:
    return [bucket for bucket in buckets if bucket]


def _draw(
    situated: Situated,
    kind: Family,
    buckets: Buckets,
    margins: Margins,
    rng: np.random.Generator,
    found: Container[str],
) -> Candidate | None:
    for _ in range(_TRIES):
        bucket = buckets[int(rng.random() * len(buckets))]
        outcome = kind.ask(situated, bucket[int(rng.random() * len(bucket))], margins)
        if not isinstance(outcome, Dropped) and outcome.text not in found:
            return outcome
    return None
