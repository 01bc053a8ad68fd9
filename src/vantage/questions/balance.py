"""Which candidates of a scan are asked: even over answers and situations, whatever other scans there are.

For each family and slice: round-robin over the answers, in each answer first one candidate of every
situation, then a second, by hash priority. What a scan asks depends on that scan, the seed and the parameters
only.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vantage.core import seeds
from vantage.core.errors import ContractError
from vantage.questions.families import Candidate, Family


@dataclass(frozen=True)
class Asked:
    """A candidate and the frame id of the ego it is asked from."""

    ego: int
    candidate: Candidate


def choose(pool: Iterable[Asked], kind: Family, budget: int, seed: int, scan_id: str) -> list[Asked]:
    """At most `budget` questions of one family.

    The budget is divided evenly over the family's slices; what a slice cannot fill is not given to another,
    so that easy questions never stand in for the headline's. Within a slice no answer takes more than the
    family's `max_share`, even if the budget stays unspent; an answer that is the only one is asked once
    (unless `max_share` is 1).

    Raises:
        ContractError: a candidate's slice is not one of the family's.
    """
    slices: dict[str, list[Asked]] = defaultdict(list)
    for asked in pool:
        slices[asked.candidate.slice].append(asked)
    chosen = []
    for number, name in enumerate(kind.slices):
        part = budget // len(kind.slices) + (number < budget % len(kind.slices))
        chosen += _round_robin(slices.pop(name, []), part, kind.max_share, seed, scan_id)
    if slices:
        raise ContractError(
            f"family {kind.name} makes candidates of a slice that it does not declare",
            expected=", ".join(map(repr, kind.slices)),
            found=", ".join(map(repr, sorted(slices))),
        )
    return chosen


def _round_robin(
    pool: Sequence[Asked], budget: int, max_share: float, seed: int, scan_id: str
) -> list[Asked]:
    answers: dict[str, list[Asked]] = defaultdict(list)
    for asked in _in_order(pool, seed, scan_id):
        answers[asked.candidate.answer].append(asked)
    turns = sorted(answers, key=lambda answer: seeds.priority(seed, "turn", scan_id, answer))
    taken = _shares([len(answers[answer]) for answer in turns], budget, max_share)
    return [asked for answer, n in zip(turns, taken, strict=True) for asked in answers[answer][:n]]


def _in_order(pool: Sequence[Asked], seed: int, scan_id: str) -> list[Asked]:
    """By rank within the candidate's own situation and answer, then by priority."""
    keyed = sorted(
        (seeds.priority(seed, "balance", scan_id, a.ego, a.candidate.family, a.candidate.text), i)
        for i, a in enumerate(pool)
    )
    rank: Counter[tuple[int, str]] = Counter()
    ranked = []
    for priority, i in keyed:
        place = (pool[i].ego, pool[i].candidate.answer)
        ranked.append((rank[place], priority, i))
        rank[place] += 1
    return [pool[i] for _, _, i in sorted(ranked)]


def _shares(available: Sequence[int], budget: int, max_share: float) -> list[int]:
    """How many to take of each answer: round-robin, then the larger ones cut to `max_share` of the total."""
    taken = [0] * len(available)
    left = budget
    while left > 0 and taken != list(available):
        for i, most in enumerate(available):
            if left > 0 and taken[i] < most:
                taken[i] += 1
                left -= 1
    if max_share < 1:
        for i, n in enumerate(taken):
            others = sum(taken) - n
            taken[i] = min(n, max(1, math.floor(others * max_share / (1 - max_share) + 1e-9)))
    return taken
