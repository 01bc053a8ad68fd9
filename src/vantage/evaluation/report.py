"""What an evaluation found, and what machines read of it: report.json (all of it), metrics.json (flat)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vantage.evaluation.basis import Basis
from vantage.evaluation.opposite_questions import OppositeQuestions
from vantage.evaluation.pose_sources import SourceComparison
from vantage.evaluation.poses import ByPose
from vantage.evaluation.scorers import HEADLINE, SCORERS
from vantage.evaluation.significance import ALPHA, POWER, Comparison
from vantage.evaluation.table import Group

RECORD = "evaluation"
VERSION = 1
_DECIMALS = 3  # of a per cent; far below any interval, far above the last bits of a sum


@dataclass(frozen=True)
class Evaluation:
    """Everything that a report tells.

    Attributes:
        groups: scores of each group of questions, the headline first.
        arms: trained arms, in the order shown.
        controls: test-time controls (`arm@control`).
        arm: the headline arm.
        baseline: the arm that gains are measured against.
        basis: what all of it rests on.
        poses: scores by how the pose was chosen; None where all are of the path.
        tests: the headline arm against every other item on the headline group.
        sources: the headline arm, and its blind control, by the source of the pose, where there are several.
        opposite: questions with views of an object from opposite sides, where there are any.
    """

    groups: Sequence[Group]
    arms: Sequence[str]
    controls: Sequence[str]
    arm: str
    baseline: str
    basis: Basis
    poses: ByPose | None = None
    tests: Mapping[str, Comparison] = field(default_factory=dict)
    sources: Sequence[SourceComparison] = ()
    opposite: OppositeQuestions | None = None

    @property
    def items(self) -> list[str]:
        """Arms, then controls."""
        return [*self.arms, *self.controls]


def report_record(evaluation: Evaluation) -> dict[str, Any]:
    """The report as JSON-able data."""
    groups, head, poses = evaluation.groups, evaluation.groups[0], evaluation.poses
    record: dict[str, Any] = {
        "record": RECORD,
        "version": VERSION,
        "unit": "per cent; gains in percentage points; intervals 95 %",
        "headline": {
            "group": head.key,
            "family": head.family,
            "slice": head.slice,
            "scorer": HEADLINE,
            "arm": evaluation.arm,
            "baseline": evaluation.baseline,
        },
        "scorers": {name: s.version for name, s in SCORERS.items()},
        "intervals": {"score": "Wilson", "gain": "paired bootstrap over rooms, percentiles"},
        "tests": {"test": "McNemar, exact, two-sided", "correction": "Holm", "alpha": ALPHA, "power": POWER},
        "split": {
            "name": "heldout",
            "questions": sum(g.n for g in groups),
            "questions_digest": evaluation.basis.questions_digest,
        },
        "arms": list(evaluation.arms),
        "controls": list(evaluation.controls),
        "basis": evaluation.basis.record(),
        "headline_tests": {item: test.record() for item, test in evaluation.tests.items()},
        "groups": _group_records(groups),
    }
    if poses:
        apart = {kind: _group_records(some) for kind, some in poses.groups.items()}
        record["poses"] = {"sources": poses.sources, "uses_target": poses.uses_target, "groups": apart}
    if evaluation.sources:
        record["pose_sources"] = [comparison.record() for comparison in evaluation.sources]
    if evaluation.opposite:
        record["opposite_views"] = evaluation.opposite.record()
    return record


def metrics(evaluation: Evaluation) -> dict[str, float]:
    """Flat metrics: `em_raw.ITEM.GROUP` in per cent, `gain_over_BASELINE.ITEM.GROUP` in points.

    `n.GROUP` is the number of questions behind each. Where some poses were chosen with the target, also
    `em_raw.ITEM.GROUP.target_pose` and `.free_pose`.
    """
    flat: dict[str, float] = {}
    for group in evaluation.groups:
        flat[f"n.{group.key}"] = group.n
        for item, scores in group.items.items():
            flat[f"{HEADLINE}.{item}.{group.key}"] = round(scores.exact.percent, _DECIMALS)
        for item, gain in group.gains.items():
            flat[f"gain_over_{evaluation.baseline}.{item}.{group.key}"] = round(gain.points, _DECIMALS)
    for kind, groups in (evaluation.poses.groups if evaluation.poses else {}).items():
        for group in groups:
            flat[f"n.{group.key}.{kind}"] = group.n
            for item, scores in group.items.items():
                flat[f"{HEADLINE}.{item}.{group.key}.{kind}"] = round(scores.exact.percent, _DECIMALS)
    return dict(sorted(flat.items()))


def _group_records(groups: Sequence[Group]) -> list[Any]:
    return [
        _rounded(asdict(g) | {"key": g.key, "name": g.name})
        | {"tests": {item: test.record() for item, test in g.tests.items()}}
        for g in groups
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return round(value, _DECIMALS) if isinstance(value, float) else value
