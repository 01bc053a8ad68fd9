"""Questions whose pose was chosen with the ground-truth target (a leak at test time), scored apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vantage.evaluation.table import Group, Predictions
from vantage.records.questions import Question

TARGET, FREE = "target_pose", "free_pose"


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
