"""Sources of the pose compared: none, random, recovered with and without the target's identity, annotated.

A pose that was chosen with the answer's object in hand may give the answer away. Whether it does shows where
the same questions are asked from poses of two sources, so that is compared first; all questions of a family
are compared beside it, because two sources may ask different questions and that is a leak as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.core.seeds import rng
from vantage.evaluation.poses import TEST_TIME, Source
from vantage.evaluation.scorers import HEADLINE, SCORERS
from vantage.evaluation.significance import Comparison, compare
from vantage.evaluation.statistics import Gain, Score, gain_between, paired_gain, wilson
from vantage.evaluation.table import Predictions
from vantage.records.predictions import Prediction
from vantage.records.questions import Question


@dataclass(frozen=True)
class Gap:
    """One source less another.

    Attributes:
        first, second: the sources; the gap is the second's score less the first's.
        family: of the questions; empty for all families together.
        same: whether both answered the same questions. Then they are paired: by question, or by the text
            asked about a scan, averaged where it is asked from several poses.
        n_first, n_second: questions of each (pairs, where they are the same).
        gain: points with the interval over rooms.
        test: McNemar's, where pairs are right or wrong; corrected over all gaps of the comparison.
    """

    first: Source
    second: Source
    family: str
    same: bool
    n_first: int
    n_second: int
    gain: Gain
    test: Comparison | None = None


@dataclass(frozen=True)
class SourceComparison:
    """All sources that one item's answers rest on.

    Attributes:
        item: an arm, or `arm@control`.
        scores: each source's score, in the order shown, over all its questions.
        gaps: every pair of sources.
    """

    item: str
    scores: Mapping[Source, Score]
    gaps: Sequence[Gap]

    def record(self) -> dict[str, Any]:
        """JSON-able; per cent and points to three decimals."""
        return {
            "item": self.item,
            "scores": [{**vars(source), **_rounded(vars(score))} for source, score in self.scores.items()],
            "gaps": [
                {
                    "first": vars(gap.first),
                    "second": vars(gap.second),
                    "family": gap.family,
                    "same_questions": gap.same,
                    "n_first": gap.n_first,
                    "n_second": gap.n_second,
                    **_rounded({k: v for k, v in vars(gap.gain).items() if k != "n"}),
                    "test": None if gap.test is None else gap.test.record(),
                }
                for gap in self.gaps
            ],
        }


_Pair = tuple[np.ndarray, np.ndarray]  # scores of the same questions; their number differs from gap to gap


@dataclass(frozen=True)
class _Answer:
    question_id: str
    text: tuple[str, str, str]  # scan, family, question
    room: str
    right: float

    @property
    def family(self) -> str:
        return self.text[1]


def compare_sources(
    item: str, predictions: Predictions, questions: Sequence[Question], seed: int, resamples: int
) -> SourceComparison | None:
    """The item's answers by the source of the pose, its test-time poses included; None for one source alone.

    Args:
        item: an arm, or `arm@control`; `item@no_pose` and all others of `TEST_TIME` count too.
        predictions: by item.
        questions: all that were asked.
        seed, resamples: of the bootstrap over rooms.
    """
    own = {q.question_id: Source(q.pose_source, q.pose_uses_target) for q in questions}
    answers: dict[Source, list[_Answer]] = defaultdict(list)
    for p in predictions[item]:
        answers[own[p.question_id]].append(_answer(p))
    for condition, source in TEST_TIME.items():
        for p in predictions.get(f"{item}@{condition}", ()):
            answers[source].append(_answer(p))
    if len(answers) < 2:
        return None
    sources = sorted(answers, key=Source.rank)
    found: list[tuple[Gap, _Pair | None]] = []
    for first, second in combinations(sources, 2):
        purpose = f"{item}/{first.label}/{second.label}"
        found += _gaps(first, second, answers[first], answers[second], (seed, purpose, resamples))
    scores = {s: wilson(int(sum(a.right for a in answers[s])), len(answers[s])) for s in sources}
    return SourceComparison(item, scores, _tested(found))


def _answer(p: Prediction) -> _Answer:
    right = SCORERS[HEADLINE].score(p.prediction, [p.answer])
    return _Answer(p.question_id, (p.scan_id, p.family, p.question), p.room_id, float(right))


def _gaps(
    first: Source, second: Source, a: Sequence[_Answer], b: Sequence[_Answer], drawn: tuple[int, str, int]
) -> list[tuple[Gap, _Pair | None]]:
    """Over the same questions, all families and each; then over all questions of each family."""
    seed, purpose, resamples = drawn
    families = sorted({x.family for x in a} & {x.family for x in b})
    found: list[tuple[Gap, _Pair | None]] = []
    for family in ("", *families):
        ours, theirs, rooms = pairs_of(_of(b, family), _of(a, family))
        if len(ours):
            draws = rng(seed, "pose_sources", purpose, "same", family)
            gain = paired_gain(ours, theirs, rooms, draws, resamples)
            found.append((Gap(first, second, family, True, len(ours), len(ours), gain), (ours, theirs)))
    if {x.question_id for x in a} & {x.question_id for x in b}:
        return found
    for family in families:
        some, others = _of(b, family), _of(a, family)
        draws = rng(seed, "pose_sources", purpose, "all", family)
        gain = gain_between(*_columns(some), *_columns(others), draws, resamples)
        found.append((Gap(first, second, family, False, len(others), len(some), gain), None))
    return found


def _of(answers: Sequence[_Answer], family: str) -> list[_Answer]:
    return [x for x in answers if family in ("", x.family)]


def _columns(answers: Sequence[_Answer]) -> tuple[Float64[np.ndarray, " n"], np.ndarray]:
    return np.array([x.right for x in answers]), np.array([x.room for x in answers])


def pairs_of(
    a: Sequence[_Answer], b: Sequence[_Answer]
) -> tuple[Float64[np.ndarray, " p"], Float64[np.ndarray, " p"], np.ndarray]:
    """Scores of the questions that both answered, and their rooms: by id if any is shared, else by text."""
    ids = {x.question_id for x in a} & {x.question_id for x in b}
    ours, theirs = (_means(some, bool(ids)) for some in (a, b))
    keys = sorted(ours.keys() & theirs.keys())
    rooms = {key: room for key, (room, _) in ours.items()}
    return (
        np.array([ours[key][1] for key in keys], dtype=np.float64),
        np.array([theirs[key][1] for key in keys], dtype=np.float64),
        np.array([rooms[key] for key in keys], dtype=np.str_),
    )


def _means(answers: Iterable[_Answer], by_id: bool) -> dict[tuple[str, ...], tuple[str, float]]:
    right: dict[tuple[str, ...], list[float]] = defaultdict(list)
    rooms: dict[tuple[str, ...], str] = {}
    for x in answers:
        key = (x.question_id,) if by_id else x.text
        right[key].append(x.right)
        rooms[key] = x.room
    return {key: (rooms[key], sum(values) / len(values)) for key, values in right.items()}


def _tested(found: Sequence[tuple[Gap, _Pair | None]]) -> list[Gap]:
    """The gaps with McNemar's test where every pair is right or wrong, Holm's correction over all."""
    pairs = {
        number: pair
        for number, (_, pair) in enumerate(found)
        if pair is not None and all(np.isin(scores, (0, 1)).all() for scores in pair)
    }
    tests = compare(pairs)
    return [replace(gap, test=tests.get(number)) for number, (gap, _) in enumerate(found)]


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in values.items()}
