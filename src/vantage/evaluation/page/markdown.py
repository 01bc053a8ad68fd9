"""The report as Markdown, and the sections that it shares with the HTML page."""

from __future__ import annotations

from vantage.evaluation.page.chance import chance_sections
from vantage.evaluation.page.foundations import foundation_sections
from vantage.evaluation.page.scores import (
    empty_section,
    gain_section,
    headline,
    pose_note,
    refined_section,
    score_sections,
)
from vantage.evaluation.page.sections import Section, markdown_of
from vantage.evaluation.page.sources import opposite_sections, source_sections
from vantage.evaluation.report import Evaluation

TITLE = "Evaluation on held-out rooms"


def all_sections(evaluation: Evaluation) -> list[Section]:
    """Everything below the headline, in the order shown."""
    return [
        *score_sections(evaluation),
        gain_section(evaluation),
        *chance_sections(evaluation),
        *source_sections(evaluation),
        *opposite_sections(evaluation.opposite),
        refined_section(evaluation),
        empty_section(evaluation),
        *foundation_sections(evaluation),
    ]


def markdown(evaluation: Evaluation) -> str:
    """The report as a page of Markdown beside `scores.png`."""
    top = [headline(evaluation), *pose_note(evaluation.poses), "![scores](scores.png)"]
    return markdown_of([Section(TITLE, top, 1), *all_sections(evaluation)])
