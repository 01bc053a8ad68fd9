"""From predictions to scores: every group of questions, every arm, intervals, gains; plain data, no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ContractError
from vantage.core.seeds import rng
from vantage.evaluation.scorers import HEADLINE, SCORERS
from vantage.evaluation.significance import Comparison, compare
from vantage.evaluation.statistics import Gain, Score, paired_gain, wilson
from vantage.records.predictions import Prediction

Predictions = Mapping[str, Sequence[Prediction]]
"""By item (an arm, or `arm@control`): its predictions."""


@dataclass(frozen=True)
class ItemScores:
    """One item on one group: the headline score, other scorers and the share of empty answers in per cent."""

    exact: Score
    others: Mapping[str, float]
    empty_percent: float


@dataclass(frozen=True)
class Group:
    """A family of questions, or a slice of one.

    Attributes:
        family, slice: `slice` is empty for a family without slices.
        n, rooms: questions and rooms.
        majority_answer, majority_percent: the commonest answer and the score of always giving it.
        learnable: whether the pocket model can be expected to learn it.
        items: scores by item.
        gains: by item other than the baseline, the paired difference to the baseline.
        tests: by the same items, whether it is more than chance; corrected over all groups of an item.
    """

    family: str
    slice: str
    n: int
    rooms: int
    majority_answer: str
    majority_percent: float
    learnable: bool
    items: Mapping[str, ItemScores]
    gains: Mapping[str, Gain]
    tests: Mapping[str, Comparison]

    @property
    def name(self) -> str:
        """For people: `direction (unseen)`."""
        return f"{self.family} ({self.slice})" if self.slice else self.family

    @property
    def key(self) -> str:
        """For metrics: `direction_unseen`."""
        return group_key(self.family, self.slice)


def group_key(family: str, part: str) -> str:
    """The name of a group in metrics: `direction_unseen`, `exist`."""
    return f"{family}_{part}" if part else family


def commonest(answers: Sequence[str]) -> str:
    """The answer given most often; of several, the first by name."""
    counts = Counter(answers)
    return min(counts, key=lambda answer: (-counts[answer], answer))


def exact(predictions: Sequence[Prediction]) -> Float64[np.ndarray, " n"]:
    """The headline score, 0 or 1, of each prediction."""
    score = SCORERS[HEADLINE].score
    return np.array([score(p.prediction, [p.answer]) for p in predictions], dtype=np.float64)


def same_questions(a: Sequence[Prediction], b: Sequence[Prediction], where: str) -> None:
    """Raise `ContractError`, naming `where`, unless both hold the same questions in the same order."""
    if [p.question_id for p in a] != [p.question_id for p in b]:
        raise ContractError("two arms answered different questions", where=where, hint="run evaluate again")


def paired(a: Sequence[Prediction], b: Sequence[Prediction], seed: int, purpose: str, resamples: int) -> Gain:
    """Gain of `a` over `b` on the same questions, by rooms; `ContractError` if the questions differ."""
    same_questions(a, b, purpose)
    rooms = np.array([p.room_id for p in a])
    return paired_gain(exact(a), exact(b), rooms, rng(seed, "bootstrap", purpose), resamples)


def score_groups(
    predictions: Predictions,
    unlearnable: frozenset[str],
    baseline: str,
    headline: tuple[str, str],
    seed: int,
    resamples: int,
) -> list[Group]:
    """Scores of every group: the headline first, its family next, then by name, unlearnable ones last.

    Args:
        predictions: by item, sorted by question id; all items must have answered the same questions.
        unlearnable: families that the model is known to have no circuit for.
        baseline: the item that gains are measured against.
        headline: family and slice.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        ContractError: there is nothing to score, or the items' questions differ.
    """
    if not predictions or not all(predictions.values()):
        raise ContractError("an arm has no predictions", found=[k for k, v in predictions.items() if not v])
    _same_questions(predictions)
    first = next(iter(predictions.values()))
    keys = {(p.family, p.slice) for p in first}

    def order(key: tuple[str, str]) -> tuple[bool, bool, bool, tuple[str, str]]:
        return key[0] in unlearnable, key != headline, key[0] != headline[0], key

    chosen = {
        key: {item: of_group(rows, *key) for item, rows in predictions.items()}
        for key in sorted(keys, key=order)
    }
    tests = {item: _tests(chosen, item, baseline) for item in predictions if item != baseline}
    return [
        _group(
            *key,
            rows,
            key[0] not in unlearnable,
            {
                item: paired(said, rows[baseline], seed, f"{key[0]}/{key[1]}/{item}", resamples)
                for item, said in rows.items()
                if baseline in rows and item != baseline
            },
            {item: found[key] for item, found in tests.items() if found},
        )
        for key, rows in chosen.items()
    ]


def of_group(rows: Sequence[Prediction], family: str, part: str) -> list[Prediction]:
    """The predictions of one group of questions."""
    return [p for p in rows if (p.family, p.slice) == (family, part)]


def _tests(
    chosen: Mapping[tuple[str, str], Predictions], item: str, baseline: str
) -> dict[tuple[str, str], Comparison]:
    """An item against the baseline on every group; empty without a baseline."""
    pairs = {
        key: (exact(rows[item]), exact(rows[baseline])) for key, rows in chosen.items() if baseline in rows
    }
    return compare(pairs)


def headline_tests(predictions: Predictions, headline: tuple[str, str], arm: str) -> dict[str, Comparison]:
    """An arm against every other item on the headline group, corrected over the items."""
    ours = exact(of_group(predictions[arm], *headline))
    return compare(
        {item: (ours, exact(of_group(rows, *headline))) for item, rows in predictions.items() if item != arm}
    )


def _same_questions(predictions: Predictions) -> None:
    (first, *others) = predictions
    expected = [p.question_id for p in predictions[first]]
    for item in others:
        if [p.question_id for p in predictions[item]] != expected:
            raise ContractError(
                "arms answered different questions",
                where=item,
                expected=f"the {len(expected)} questions of {first}",
                found=f"{len(predictions[item])} questions",
                hint="run evaluate again for every arm",
            )


def _group(
    family: str,
    part: str,
    chosen: Predictions,
    learnable: bool,
    gains: Mapping[str, Gain],
    tests: Mapping[str, Comparison],
) -> Group:
    rows = next(iter(chosen.values()))
    answers = [p.answer for p in rows]
    answer = commonest(answers)
    return Group(
        family=family,
        slice=part,
        n=len(rows),
        rooms=len({p.room_id for p in rows}),
        majority_answer=answer,
        majority_percent=100 * answers.count(answer) / len(rows),
        learnable=learnable,
        items={item: _item_scores(said) for item, said in chosen.items()},
        gains=gains,
        tests=tests,
    )


def _item_scores(said: Sequence[Prediction]) -> ItemScores:
    others = {
        name: 100 * sum(s.score(p.prediction, [p.answer]) for p in said) / len(said)
        for name, s in SCORERS.items()
        if name != HEADLINE
    }
    empty = 100 * sum(not p.prediction for p in said) / len(said)
    return ItemScores(wilson(int(exact(said).sum()), len(said)), others, empty)
