"""What an evaluation leaves behind: report.json (all of it), metrics.json (flat), report.md (for people)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vantage.evaluation.comparisons import comparisons, table
from vantage.evaluation.poses import FREE, TARGET, ByPose
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
        questions_digest: digest of the held-out question ids.
        poses: scores by how the pose was chosen; None where all are of the path.
        tests: the headline arm against every other item on the headline group.
    """

    groups: Sequence[Group]
    arms: Sequence[str]
    controls: Sequence[str]
    arm: str
    baseline: str
    questions_digest: str
    poses: ByPose | None = None
    tests: Mapping[str, Comparison] = field(default_factory=dict)

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
            "questions_digest": evaluation.questions_digest,
        },
        "arms": list(evaluation.arms),
        "controls": list(evaluation.controls),
        "headline_tests": {item: test.record() for item, test in evaluation.tests.items()},
        "groups": _group_records(groups),
    }
    if poses:
        apart = {kind: _group_records(some) for kind, some in poses.groups.items()}
        record["poses"] = {"sources": poses.sources, "uses_target": poses.uses_target, "groups": apart}
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


def markdown(evaluation: Evaluation) -> str:
    """The report as a page: headline, scores of every group, gains, refined variants, empty answers."""
    groups, arm, baseline = evaluation.groups, evaluation.arm, evaluation.baseline
    parts = [
        "# Evaluation on held-out rooms\n",
        _headline(groups[0], arm, baseline),
        _pose_note(evaluation.poses),
        "![scores](scores.png)\n",
        "## Strict exact match\n",
        "Per cent with 95 % intervals (Wilson). *majority* is the score of always giving the commonest\n"
        "answer of the group. A name with @ is a change at test time that should not work.\n",
        _score_table(groups, evaluation.items),
        _unlearnable_note(groups),
        _pose_tables(evaluation.poses, evaluation.items),
        f"## Gain over `{baseline}`\n",
        "Percentage points on the same questions; 95 % intervals from a bootstrap over rooms.\n",
        _gain_table(groups, [item for item in evaluation.items if item != baseline]),
        comparisons(groups, arm, baseline, evaluation.tests),
        "## Refined exact match\n",
        "For comparison with published tables only. The refined variants accept a part of an answer for the\n"
        'whole ("left" for "front-left"), so they are uninformative for compass words and decide nothing;\n'
        "`em_refined_first_match` and `em_refined_membership_first` count an empty answer as right. "
        f"Scores of `{arm}`.\n",
        _refined_table(groups, arm),
        "## Empty answers\n",
        _empty_line(groups, evaluation.items),
    ]
    return "\n".join(part for part in parts if part)


def _headline(head: Group, arm: str, baseline: str) -> str:
    score = head.items[arm].exact
    text = f"**{head.name}: {score.percent:.1f} % [{score.low:.1f}, {score.high:.1f}] with `{arm}`**"
    if gain := head.gains.get(arm):
        text += f", {gain.points:+.1f} points [{gain.low:+.1f}, {gain.high:+.1f}] over `{baseline}`"
    scorer = f"{HEADLINE} version {SCORERS[HEADLINE].version}"
    return f"{text} ({head.n} questions in {head.rooms} rooms, {scorer}).\n"


def _score_table(groups: Sequence[Group], items: Sequence[str]) -> str:
    rows = []
    for g in groups:
        cells = [_interval(s.percent, s.low, s.high) for s in (g.items[item].exact for item in items)]
        mark = "" if g.learnable else " †"
        rows.append([g.name + mark, str(g.n), f"{g.majority_percent:.1f} ({g.majority_answer})", *cells])
    return table(["questions", "n", "majority", *(f"`{item}`" for item in items)], rows)


def _gain_table(groups: Sequence[Group], items: Sequence[str]) -> str:
    rows = []
    for g in groups:
        cells = [
            f"{d.points:+.1f} [{d.low:+.1f}, {d.high:+.1f}]" if (d := g.gains.get(item)) else "-"
            for item in items
        ]
        rows.append([g.name, str(g.n), str(g.rooms), *cells])
    return table(["questions", "n", "rooms", *(f"`{item}`" for item in items)], rows)


def _refined_table(groups: Sequence[Group], arm: str) -> str:
    names = list(SCORERS)
    rows = []
    for g in groups:
        scores = {HEADLINE: g.items[arm].exact.percent, **g.items[arm].others}
        rows.append([g.name, str(g.n), *(f"{scores[name]:.1f}" for name in names)])
    return table(["questions", "n", *(f"`{name}` v{SCORERS[name].version}" for name in names)], rows)


def _pose_note(poses: ByPose | None) -> str:
    if not poses:
        return ""
    sources, total = (
        ", ".join(f"`{name}` {n}" for name, n in poses.sources.items()),
        sum(poses.sources.values()),
    )
    return (
        f"**The pose of {poses.uses_target} of {total} questions was chosen with the ground-truth target**,\n"
        f"an oracle that no user has. Sources of poses: {sources}.\n"
    )


def _pose_tables(poses: ByPose | None, items: Sequence[str]) -> str:
    if not poses or not poses.groups:
        return ""
    return "\n".join(
        [
            "### Poses chosen with the target\n",
            _score_table(poses.groups[TARGET], items),
            "### Poses chosen without it\n",
            _score_table(poses.groups[FREE], items),
        ]
    )


def _unlearnable_note(groups: Sequence[Group]) -> str:
    names = sorted({g.family for g in groups if not g.learnable})
    if not names:
        return ""
    return f"† The pocket model has no circuit for {', '.join(names)}: expect chance.\n"


def _empty_line(groups: Sequence[Group], items: Sequence[str]) -> str:
    total = sum(g.n for g in groups)
    shares = [(item, sum(g.items[item].empty_percent * g.n for g in groups) / total) for item in items]
    return ", ".join(f"`{item}` {share:.1f} %" for item, share in shares) + f" of {total} each.\n"


def _interval(percent: float, low: float, high: float) -> str:
    return f"{percent:.1f} [{low:.1f}, {high:.1f}]"


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
