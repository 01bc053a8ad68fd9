"""Sources of poses and views from opposite sides, as sections."""

from __future__ import annotations

from collections.abc import Sequence

from vantage.evaluation.opposite_questions import OppositeQuestions
from vantage.evaluation.page.chance import detectable, p_cell
from vantage.evaluation.page.scores import interval, signed
from vantage.evaluation.page.sections import Section, Table
from vantage.evaluation.pose_sources import Gap, SourceComparison
from vantage.evaluation.report import Evaluation

_WHAT = (
    "Where a pose was chosen with the answer's object in hand, it may give the answer away. The same\n"
    "questions (by id, else by the text asked about a scan) asked from poses of two sources show whether it\n"
    "does: a gain of a source that *knows the target* is a leak until shown otherwise, since no user has\n"
    "such a pose. *At test* means that the pose took the place of the question's own; *none* leaves the\n"
    "coordinates in the room's own frame. Points with 95 % intervals (bootstrap over rooms); p from\n"
    "McNemar's test where each pair is right or wrong, Holm's correction over all that is compared, single\n"
    "families included (in `report.json`)."
)
_OPPOSITE = (
    "Two views of an object from opposite sides (yaws more than {above:.0f} degrees apart) disagree about\n"
    "left and right. Of {asked} questions about an object that two of their views see, {opposite} have such\n"
    "views ({pairs} pairs). A view sees an object if a patch of it lies in the object's box. The\n"
    "difference's interval is the wider of a bootstrap over rooms and Newcombe's."
)


def source_sections(evaluation: Evaluation) -> list[Section]:
    """The comparison of pose sources of each item; empty where there is one source alone."""
    if not evaluation.sources:
        return []
    found = [Section("Pose sources compared", [_WHAT])]
    for comparison in evaluation.sources:
        body: list[str | Table] = [_scores(comparison)]
        body += _gaps(comparison, evaluation.groups[0].family)
        found.append(Section(f"`{comparison.item}`", body, 3))
    return found


def _scores(comparison: SourceComparison) -> Table:
    rows = [
        [source.label, str(score.n), interval(score.percent, score.low, score.high)]
        for source, score in comparison.scores.items()
    ]
    return Table(["source of the pose", "n", "strict exact match"], rows)


def _gaps(comparison: SourceComparison, family: str) -> list[str | Table]:
    same = [gap for gap in comparison.gaps if gap.same and gap.family in ("", family)]
    other = [gap for gap in comparison.gaps if not gap.same and gap.family == family]
    body: list[str | Table] = []
    if same:
        head = ["on the same questions", "questions", "n", "rooms", "points", "p", "p (Holm)", "detectable"]
        body.append(Table(head, [_same_row(gap) for gap in same]))
    if other:
        head = [f"on all questions, {family}", "n", "n of the other", "rooms", "points"]
        rows = [
            [_name(gap), str(gap.n_second), str(gap.n_first), str(gap.gain.rooms), _points(gap)]
            for gap in other
        ]
        body.append(Table(head, rows))
    return body


def _same_row(gap: Gap) -> list[str]:
    test = ["-", "-", "-"]
    if gap.test is not None:
        test = [p_cell(gap.test.p), p_cell(gap.test.p_holm), detectable(gap.test)]
    return [_name(gap), gap.family or "all", str(gap.n_first), str(gap.gain.rooms), _points(gap), *test]


def _name(gap: Gap) -> str:
    return f"{gap.second.label} over {gap.first.label}"


def _points(gap: Gap) -> str:
    return signed(gap.gain.points, gap.gain.low, gap.gain.high)


def opposite_sections(opposite: OppositeQuestions | None) -> Sequence[Section]:
    """How questions with views from opposite sides are answered; empty where there are none."""
    if opposite is None:
        return []
    what = _OPPOSITE.format(
        above=opposite.above_deg, asked=opposite.asked, opposite=opposite.opposite, pairs=opposite.pairs
    )
    rows = []
    for row in opposite.rows:
        scores = [(str(s.n), interval(s.percent, s.low, s.high)) for s in (row.opposite, row.others)]
        gain = signed(row.gain.points, row.gain.low, row.gain.high)
        rows.append([row.family, f"`{row.item}`", *scores[0], *scores[1], gain])
    head = ["questions", "item", "n opposite", "opposite", "n others", "others", "points"]
    return [Section("Views from opposite sides", [what, *([Table(head, rows)] if rows else [])])]
