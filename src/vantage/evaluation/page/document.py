"""The report as one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from vantage.evaluation.page.gallery import gallery_html
from vantage.evaluation.page.html import anchor, figure_html, inline, section_html
from vantage.evaluation.page.markdown import TITLE, all_sections
from vantage.evaluation.page.scores import headline, pose_note, signed
from vantage.evaluation.page.style import CSS
from vantage.evaluation.pictures import score_row
from vantage.evaluation.report import Evaluation
from vantage.evaluation.table import Group, Predictions
from vantage.figures.families import GainRow, family_svg, gains_svg
from vantage.figures.style import arm_colors
from vantage.records.questions import Question

_PLOTS, _GALLERY = "Family by family", "Right and wrong answers"
_ABOUT_PLOTS = (
    "Strict exact match in per cent, lines are 95 % intervals; the dashed line is the score of always giving "
    "the commonest answer. A name with @ is a change at test time that should not work."
)
_ABOUT_GALLERY = (
    "Answers of `{arm}`, of each group of questions as many right as wrong ones, chosen by a hash of the "
    "question's id. The large picture is the ego's view, the small ones are the other views "
    "that the model was given."
)


def html_page(
    inputs: Mapping[str, Path],
    evaluation: Evaluation,
    predictions: Predictions,
    questions: Sequence[Question],
) -> str:
    """The page; the same evaluation gives the same text.

    Args:
        inputs: folders of the stages `download` and `extract`, for the gallery.
        evaluation: what is told.
        predictions: by item.
        questions: all held-out questions.
    """
    sections = all_sections(evaluation)
    titles = [_PLOTS, _GALLERY, *(section.title for section in sections if section.level == 2)]
    parts = [
        f"<h1>{TITLE}</h1>",
        f"<p>{inline(headline(evaluation))}</p>",
        _lead(evaluation),
        *(f'<p class="warn">{inline(note)}</p>' for note in pose_note(evaluation.poses)),
        f"<nav>{''.join(_link(title) for title in titles)}</nav>",
        _heading(_PLOTS),
        f"<p>{inline(_ABOUT_PLOTS)}</p>",
        _plots(evaluation),
        _heading(_GALLERY),
        f"<p>{inline(_ABOUT_GALLERY.format(arm=evaluation.arm))}</p>",
        gallery_html(inputs, evaluation, predictions, questions),
        *(section_html(section) for section in sections),
        "<footer>All of it for machines: <code>report.json</code>, <code>metrics.json</code>; "
        "as text: <code>report.md</code>.</footer>",
    ]
    return _DOCUMENT.format(title=escape(TITLE), css=CSS, body="\n".join(part for part in parts if part))


_DOCUMENT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{css}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _heading(title: str) -> str:
    return f'<h2 id="{anchor(title)}">{inline(title)}</h2>'


def _link(title: str) -> str:
    return f'<a href="#{anchor(title)}">{inline(title)}</a>'


def _lead(evaluation: Evaluation) -> str:
    """The numbers that are read first: the score, the gain, the strongest control."""
    head, arm = evaluation.groups[0], evaluation.arm
    score = head.items[arm].exact
    boxes = [
        (
            f"{score.percent:.1f} %",
            f"`{arm}` on {head.name}, 95 % [{score.low:.1f}, {score.high:.1f}], n = {head.n}",
        )
    ]
    if gain := head.gains.get(arm):
        within = f"95 % [{gain.low:+.1f}, {gain.high:+.1f}], {gain.rooms} rooms"
        boxes.append((f"{gain.points:+.1f}", f"points over `{evaluation.baseline}`, {within}"))
    if evaluation.controls:
        best = max(evaluation.controls, key=lambda item: (head.items[item].exact.percent, item))
        s = head.items[best].exact
        boxes.append((f"{s.percent:.1f} %", f"best control, `{best}`, 95 % [{s.low:.1f}, {s.high:.1f}]"))
    shown = (f"<div><b>{escape(number)}</b><span>{inline(about)}</span></div>" for number, about in boxes)
    return f'<div class="lead">{"".join(shown)}</div>'


def _plots(evaluation: Evaluation) -> str:
    figures = [_gains(evaluation)]
    for number, group in enumerate(evaluation.groups):
        row = score_row(group)
        svg = family_svg(row, evaluation.items, f"family{number}")
        note = "" if group.learnable else ", no circuit in the base"
        caption = f"**{group.name}** n = {group.n}, {group.rooms} rooms{note}"
        figures.append(figure_html(svg, caption, _in_words(group, evaluation.items)))
    drawn = "\n".join(part for part in figures if part)
    return f'<div class="plots">\n{drawn}\n</div>'


def _gains(evaluation: Evaluation) -> str:
    arm = evaluation.arm
    gains = [(g.name, g.gains[arm]) for g in evaluation.groups if arm in g.gains]
    if not gains:
        return ""
    rows = [GainRow(name, d.points, d.low, d.high) for name, d in gains]
    svg = gains_svg(rows, arm_colors([arm])[arm], "gains")
    alt = "; ".join(f"{name} {signed(d.points, d.low, d.high)}" for name, d in gains)
    caption = f"**Gain of `{arm}` over `{evaluation.baseline}`**, points"
    return figure_html(svg, caption, f"gain of {arm} over {evaluation.baseline} in points: {alt}")


def _in_words(group: Group, items: Sequence[str]) -> str:
    told = "; ".join(
        f"{item} {s.percent:.1f} [{s.low:.1f}, {s.high:.1f}]"
        for item, s in ((item, group.items[item].exact) for item in items)
    )
    return f"{group.name}, per cent: {told}; majority {group.majority_percent:.1f}"
