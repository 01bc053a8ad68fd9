"""Where poses come from; questions whose pose the ground-truth target chose (a leak at test time) apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vantage.evaluation.table import Group, Predictions
from vantage.records.questions import Question
from vantage.recover.selection import Strategy

TARGET, FREE = "target_pose", "free_pose"

RECOVERED: Mapping[str, tuple[Strategy, bool]] = {
    "recovered_top": ("top", False),
    "recovered_clip": ("clip", False),
    "recovered_top_target": ("top", True),
    "recovered_clip_target": ("clip", True),
}
"""Poses of `recover` at test time: the strategy, and whether for the target (a leak) or what a text names."""

_ORDER = ("none", "random", "recorded_frame", "clip", "top", "situation", "describer")


@dataclass(frozen=True)
class Source:
    """Where a pose came from.

    Attributes:
        name: `none`, `random`, `recorded_frame`, a strategy (`top`, `clip`) or an annotation.
        uses_target: whether the object that the answer rests on helped to choose it.
        at_test: whether it took the place of the question's own pose at test time.
    """

    name: str
    uses_target: bool = False
    at_test: bool = False

    @property
    def label(self) -> str:
        """For people: `top, knows the target`, `random, at test`."""
        knows = ", knows the target" if self.uses_target else ""
        return f"{self.name}{knows}{', at test' if self.at_test else ''}"

    def rank(self) -> tuple[bool, int, str, bool]:
        """The order shown: what knows the target last, else from no pose to an annotated one."""
        place = _ORDER.index(self.name) if self.name in _ORDER else len(_ORDER)
        return self.uses_target, place, self.name, not self.at_test


TEST_TIME: Mapping[str, Source] = {
    "no_pose": Source("none", at_test=True),
    "random_pose": Source("random", at_test=True),
    **{name: Source(strategy, leaks, at_test=True) for name, (strategy, leaks) in RECOVERED.items()},
}
"""What gives the model another pose than the question's own, and the source of that pose."""


@dataclass(frozen=True)
class ByPose:
    """What is told of questions some of whose poses were chosen for an object.

    Attributes:
        sources: number of questions by the source of their pose.
        uses_target: number of questions whose pose the target helped to choose.
        groups: where both kinds exist, the scores of each: `target_pose` and `free_pose`. Else empty.
    """

    sources: Mapping[str, int]
    uses_target: int
    groups: Mapping[str, Sequence[Group]]


def by_pose(
    questions: Sequence[Question], predictions: Predictions, score: Callable[[Predictions], Sequence[Group]]
) -> ByPose | None:
    """The two kinds of questions scored apart by `score`; None if every pose is one of the path."""
    sources = Counter(q.pose_source for q in questions)
    if sources.keys() == {"recorded_frame"}:
        return None
    leaked = {q.question_id for q in questions if q.pose_uses_target}
    kinds = {TARGET: leaked, FREE: {q.question_id for q in questions} - leaked}
    groups = {}
    if all(kinds.values()):
        groups = {
            kind: score(
                {item: [p for p in rows if p.question_id in ids] for item, rows in predictions.items()}
            )
            for kind, ids in kinds.items()
        }
    return ByPose(dict(sorted(sources.items())), len(leaked), groups)
