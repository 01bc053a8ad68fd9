"""Right and wrong answers with what the model was shown, chosen by hash before anybody looks at them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vantage.core.seeds import priority
from vantage.evaluation.page.html import image
from vantage.evaluation.pictures import card_of
from vantage.evaluation.report import Evaluation
from vantage.evaluation.scorers import HEADLINE, SCORERS
from vantage.evaluation.table import Predictions
from vantage.figures.question import QuestionCard, plan_picture
from vantage.records.questions import Question

CARDS = 24
"""About so many questions are shown."""
_EGO_PX, _VIEW_PX, _QUALITY = 320, 150, 78


@dataclass(frozen=True)
class Shown:
    """A question of the gallery and whether the headline arm answered it right."""

    question_id: str
    right: bool


def chosen(evaluation: Evaluation, predictions: Predictions) -> list[Shown]:
    """Of every group of questions as many right answers as wrong ones where there are both, first by hash.

    A group with one kind alone shows as many of that kind as others show of each.
    """
    groups = evaluation.groups
    each = min(3, max(1, CARDS // (2 * len(groups))))
    score = SCORERS[HEADLINE].score
    found: list[Shown] = []
    for group in groups[: CARDS // (2 * each)]:
        of_group = [
            Shown(p.question_id, bool(score(p.prediction, [p.answer])))
            for p in predictions[evaluation.arm]
            if (p.family, p.slice) == (group.family, group.slice)
        ]
        of_group.sort(key=lambda shown: priority("gallery", shown.question_id))
        kinds = [[s for s in of_group if s.right is right][:each] for right in (True, False)]
        least = min(map(len, kinds)) or each
        found += [shown for kind in kinds for shown in kind[:least]]
    return found


def gallery_html(
    inputs: Mapping[str, Path],
    evaluation: Evaluation,
    predictions: Predictions,
    questions: Sequence[Question],
) -> str:
    """The cards, each with the ego's view, the other views, the room from above and every item's answer.

    Args:
        inputs: folders of the stages `download` and `extract`.
        evaluation: for the headline arm and the order of groups and items.
        predictions: by item.
        questions: all held-out questions.
    """
    by_id = {q.question_id: q for q in questions}
    answers = {item: {p.question_id: p.prediction for p in rows} for item, rows in predictions.items()}
    cards = []
    for shown in chosen(evaluation, predictions):
        question = by_id[shown.question_id]
        said = {item: answers[item][question.question_id] for item in evaluation.items}
        cards.append(_card(question, card_of(inputs, question, said), evaluation.arm, shown.right))
    return '<div class="gallery">\n' + "\n".join(cards) + "\n</div>"


def _card(question: Question, card: QuestionCard, arm: str, right: bool) -> str:
    family = question.family + (f" ({question.slice})" if question.slice else "")
    ego, *others = card.views
    views = f"views of {question.scan_id}"
    first = f"view 1, the ego's, of {question.scan_id}, frame {question.ego_frame_id}"
    rest = "".join(
        _jpeg(view, _VIEW_PX, f"view {number} of {question.scan_id}, frame {frame}", "")
        for number, (view, frame) in enumerate(zip(others, question.views[1:], strict=True), start=2)
    )
    return "\n".join(
        [
            f'<article class="{"right" if right else "wrong"}">',
            f'<div class="verdict">{"✓ right" if right else "✗ wrong"} · {escape(family)}</div>',
            f"<h4>{escape(question.question)}</h4>",
            _jpeg(ego, _EGO_PX, first, "ego"),
            f'<div class="others" role="group" aria-label="{escape(views)}">{rest}</div>' if rest else "",
            _answers(question.answer, card.said, arm),
            _plan(card),
            _where(question),
            "</article>",
        ]
    )


def _answers(expected: str, said: Mapping[str, str], arm: str) -> str:
    rows = [f"<dt>expected</dt><dd><strong>{escape(expected)}</strong></dd>"]
    for item in [arm, *(item for item in said if item != arm)]:
        hit = SCORERS[HEADLINE].score(said[item], [expected])
        word = escape(said[item]) or "(nothing)"
        text = f"<strong>{word}</strong>" if item == arm else word
        mark = "✓" if hit else "✗"
        kind = "hit" if hit else "miss"
        rows.append(f'<dt>{escape(item)}</dt><dd class="{kind}">{mark} {text}</dd>')
    return f"<dl>{''.join(rows)}</dl>"


def _where(question: Question) -> str:
    knows = ", knows the target" if question.pose_uses_target else ""
    pose = f"{question.pose_source}{knows}, frame {question.ego_frame_id}"
    rows = {"scan": question.scan_id, "pose": pose, "question": question.question_id}
    return "<dl>" + "".join(f"<dt>{k}</dt><dd>{escape(v)}</dd>" for k, v in rows.items()) + "</dl>"


def _plan(card: QuestionCard) -> str:
    """In a fold, so that the page stays short: the room from above."""
    picture = Image.open(io.BytesIO(plan_picture(card))).convert("RGB")
    small = picture.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    names = ", ".join(o.label for o in card.objects if o.object_id in card.targets) or "nothing in particular"
    alt = f"the room from above with the ego and the cameras; asked about: {names}"
    inner = image(buffer.getvalue(), "png", alt, picture.size, "plan")
    return f"<details><summary>the room from above</summary>{inner}</details>"


def _jpeg(view: UInt8[np.ndarray, "h w 3"], width: int, alt: str, css: str) -> str:
    """A thumbnail at most `width` pixels wide."""
    picture = Image.fromarray(view)
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return image(buffer.getvalue(), "jpeg", alt, picture.size, css)
