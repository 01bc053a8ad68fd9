"""Scores, gains and refined variants of every group of questions, as sections."""

from __future__ import annotations

from collections.abc import Sequence

from vantage.evaluation.page.sections import Section, Table
from vantage.evaluation.poses import FREE, TARGET, ByPose
from vantage.evaluation.report import Evaluation
from vantage.evaluation.scorers import HEADLINE, SCORERS
from vantage.evaluation.table import Group


def headline(evaluation: Evaluation) -> str:
    """The headline in a sentence, with interval, gain, sample size and scorer."""
    head, arm = evaluation.groups[0], evaluation.arm
    score = head.items[arm].exact
    text = f"**{head.name}: {interval(score.percent, score.low, score.high)} with `{arm}`**"
    text = text.replace(" [", " % [", 1)
    if gain := head.gains.get(arm):
        text += f", {signed(gain.points, gain.low, gain.high, ' points')} over `{evaluation.baseline}`"
    scorer = f"{HEADLINE} version {SCORERS[HEADLINE].version}"
    return f"{text} ({head.n} questions in {head.rooms} rooms, {scorer})."


def pose_note(poses: ByPose | None) -> list[str]:
    """How many poses the target chose, if any was chosen."""
    if not poses:
        return []
    sources = ", ".join(f"`{name}` {n}" for name, n in poses.sources.items())
    total = sum(poses.sources.values())
    return [
        f"**The pose of {poses.uses_target} of {total} questions was chosen with the ground-truth target**,\n"
        f"an oracle that no user has. Sources of poses: {sources}."
    ]


def score_sections(evaluation: Evaluation) -> list[Section]:
    """Strict exact match of every item, and apart where the target chose some of the poses."""
    groups, items = evaluation.groups, evaluation.items
    names = sorted({g.family for g in groups if not g.learnable})
    note = [f"† The pocket model has no circuit for {', '.join(names)}: expect chance."] if names else []
    about = (
        "Per cent with 95 % intervals (Wilson). *majority* is the score of always giving the commonest\n"
        "answer of the group. A name with @ is a change at test time that should not work."
    )
    found = [Section("Strict exact match", [about, _scores(groups, items), *note])]
    if evaluation.poses and evaluation.poses.groups:
        apart = evaluation.poses.groups
        found.append(Section("Poses chosen with the target", [_scores(apart[TARGET], items)], 3))
        found.append(Section("Poses chosen without it", [_scores(apart[FREE], items)], 3))
    return found


def gain_section(evaluation: Evaluation) -> Section:
    """Every item's gain over the baseline."""
    items = [item for item in evaluation.items if item != evaluation.baseline]
    rows = []
    for g in evaluation.groups:
        gains = [g.gains.get(item) for item in items]
        cells = ["-" if d is None else signed(d.points, d.low, d.high) for d in gains]
        rows.append([g.name, str(g.n), str(g.rooms), *cells])
    about = "Percentage points on the same questions; 95 % intervals from a bootstrap over rooms."
    head = ["questions", "n", "rooms", *(f"`{item}`" for item in items)]
    return Section(f"Gain over `{evaluation.baseline}`", [about, Table(head, rows)])


def refined_section(evaluation: Evaluation) -> Section:
    """Other scorers' numbers of the headline arm, and why they decide nothing."""
    arm, names, rows = evaluation.arm, list(SCORERS), []
    for g in evaluation.groups:
        scores = {HEADLINE: g.items[arm].exact.percent, **g.items[arm].others}
        rows.append([g.name, str(g.n), *(f"{scores[name]:.1f}" for name in names)])
    about = (
        "For comparison with published tables only. The refined variants accept a part of an answer for the\n"
        'whole ("left" for "front-left"), so they are uninformative for compass words and decide nothing;\n'
        "`em_refined_first_match` and `em_refined_membership_first` count an empty answer as right. "
        f"Scores of `{arm}`."
    )
    head = ["questions", "n", *(f"`{name}` v{SCORERS[name].version}" for name in names)]
    return Section("Refined exact match", [about, Table(head, rows)])


def empty_section(evaluation: Evaluation) -> Section:
    """The share of empty answers of every item."""
    groups = evaluation.groups
    total = sum(g.n for g in groups)
    shares = [
        (item, sum(g.items[item].empty_percent * g.n for g in groups) / total) for item in evaluation.items
    ]
    line = ", ".join(f"`{item}` {share:.1f} %" for item, share in shares)
    return Section("Empty answers", [f"{line} of {total} each."])


def _scores(groups: Sequence[Group], items: Sequence[str]) -> Table:
    rows = []
    for g in groups:
        scores = [g.items[item].exact for item in items]
        mark = "" if g.learnable else " †"
        majority = f"{g.majority_percent:.1f} ({g.majority_answer})"
        rows.append(
            [g.name + mark, str(g.n), majority, *(interval(s.percent, s.low, s.high) for s in scores)]
        )
    return Table(["questions", "n", "majority", *(f"`{item}`" for item in items)], rows)


def interval(value: float, low: float, high: float) -> str:
    """`88.2 [85.2, 90.6]`."""
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def signed(value: float, low: float, high: float, unit: str = "") -> str:
    """`+68.8 [+63.2, +74.3]`, the unit after the value."""
    return f"{value:+.1f}{unit} [{low:+.1f}, {high:+.1f}]"
