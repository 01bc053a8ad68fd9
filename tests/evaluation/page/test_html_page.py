"""The whole page, made from a workspace: self-contained, escaped, the same bytes, a gallery that is fair."""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from made_workspace import Made
from PIL import Image

from vantage.evaluation.answers import as_prediction
from vantage.evaluation.basis import basis_of
from vantage.evaluation.page.document import html_page
from vantage.evaluation.page.gallery import chosen
from vantage.evaluation.report import Evaluation
from vantage.evaluation.situations import heldout_questions
from vantage.evaluation.table import headline_tests, score_groups
from vantage.records.frames import kept_frames
from vantage.records.index import IndexRow
from vantage.records.predictions import Prediction
from vantage.records.questions import Question
from vantage.records.scan import read_scan
from vantage.scans.pixels import read_color

Predictions = dict[str, list[Prediction]]
HEAD = ("direction", "unseen")
EVIL = "<script>alert(1)</script>&\"'"
VOID = {"meta", "img", "rect", "path", "use"}


class Page(HTMLParser):
    """Checks that tags are balanced; keeps every start tag with its attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def questions(made: Made) -> list[Question]:
    return [q for rows in heldout_questions(made.inputs["synthesize"]).values() for q in rows]


def answered(questions: list[Question]) -> Predictions:
    """The embedding answers the first scan wrong; the projector is right about nothing, in odd letters."""
    ordered = sorted(questions, key=lambda q: q.question_id)
    first = ordered[0].scan_id
    return {
        "projector": [as_prediction(q, EVIL) for q in ordered],
        "embedding": [as_prediction(q, "no idea" if q.scan_id == first else q.answer) for q in ordered],
        "embedding@blind": [as_prediction(q, "") for q in ordered],
    }


def evaluation_of(made: Made, questions: list[Question], predictions: Predictions) -> Evaluation:
    rows = [IndexRow(item, "done", "c" * 64) for item in predictions]
    return Evaluation(
        groups=score_groups(predictions, frozenset({"nearest_to"}), "projector", HEAD, 0, 200),
        arms=["projector", "embedding"],
        controls=["embedding@blind"],
        arm="embedding",
        baseline="projector",
        basis=basis_of(questions, made.inputs["finetune"], rows, 0, 200, str(made.base)),
        tests=headline_tests(predictions, HEAD, "embedding"),
    )


@pytest.fixture(scope="module")
def text(made: Made, questions: list[Question]) -> str:
    predictions = answered(questions)
    return html_page(made.inputs, evaluation_of(made, questions, predictions), predictions, questions)


def test_nothing_is_fetched_run_or_hidden(text: str, made: Made) -> None:
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert attrs.get(name, "#").startswith(("#", "data:image/"))
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    assert str(made.root) not in text and "C" * 9 not in text
    assert "prefers-color-scheme: dark" in text
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_ids_are_unique_links_lead_somewhere_and_pictures_have_words(text: str) -> None:
    page = Page(text)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    links = {attrs["href"].removeprefix("#") for attrs in page.all("a")}
    assert len(links) > 5 and links <= set(ids)
    assert all(len(attrs["alt"]) > 10 for attrs in page.all("img"))
    drawn = page.all("svg")
    assert len(drawn) == 1 + 4 and all(len(attrs["aria-label"]) > 10 for attrs in drawn)


def test_what_an_arm_says_stays_text(text: str) -> None:
    assert EVIL in Page(text).words and "<script" not in text


def test_the_same_evaluation_gives_the_same_bytes(text: str, made: Made, questions: list[Question]) -> None:
    predictions = answered(questions)
    again = html_page(made.inputs, evaluation_of(made, questions, predictions), predictions, questions[::-1])
    assert again == text
    other = {**predictions, "embedding": [replace(p, prediction="yes") for p in predictions["embedding"]]}
    assert html_page(made.inputs, evaluation_of(made, questions, other), other, questions) != text


def test_numbers_stand_where_they_belong(text: str) -> None:
    words = Page(text).words
    assert "direction (unseen): 66.7 % [20.8, 93.9] with embedding, +66.7 points" in words
    assert "3 questions in 3 rooms" in words and "12 held out, in 3 scans of 3 rooms" in words
    assert "own: weights" in words and "post_vit" in words
    svg_labels = [attrs["aria-label"] for attrs in Page(text).all("svg")]
    assert "exist, per cent: projector 0.0 [0.0, 56.1]; embedding 66.7 [20.8, 93.9]" in svg_labels[3]


def test_cards_show_question_answers_family_scan_and_the_egos_view_first(
    text: str, made: Made, questions: list[Question]
) -> None:
    predictions = answered(questions)
    shown = chosen(evaluation_of(made, questions, predictions), predictions)
    cards = re.findall(r"<article.*?</article>", text, re.DOTALL)
    assert len(cards) == len(shown) > 0
    by_id = {q.question_id: q for q in questions}
    for card, one in zip(cards, shown, strict=True):
        q, page = by_id[one.question_id], Page(card)
        said = next(p for p in predictions["embedding"] if p.question_id == q.question_id).prediction
        assert one.right == (said == q.answer) == ("✓ right" in page.words) == ("✗ wrong" not in page.words)
        for words in (
            q.question,
            q.family,
            q.scan_id,
            q.question_id,
            f"expected{q.answer}",
            "recorded_frame",
        ):
            assert words in page.words
        assert f"embedding{'✓' if one.right else '✗'} {said}" in page.words and "(nothing)" in page.words
        pictures = [re.sub(r"^data:image/\w+;base64,", "", a["src"]) for a in page.all("img")]
        views = [Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB") for data in pictures]
        meta, raw = read_scan(made.inputs["extract"] / q.scan_id), made.inputs["download"] / q.scan_id
        frames = {f.frame_id: f for f in kept_frames(made.inputs["extract"] / q.scan_id)}
        expected = [Image.fromarray(read_color(raw, meta, frames[view])) for view in q.views]
        assert len(views) == len(expected) + 1, "the room from above is the last"
        for number, view in enumerate(views[:-1]):
            off = [far(view, image) for image in expected]
            assert int(np.argmin(off)) == number, "views in the question's order, the ego's first"


def far(a: Image.Image, b: Image.Image) -> float:
    small = (20, 15)
    return float(np.abs(np.asarray(a.resize(small), float) - np.asarray(b.resize(small), float)).mean())


def test_the_gallery_is_fair_and_chosen_by_the_questions_ids_alone(
    made: Made, questions: list[Question]
) -> None:
    """200 questions of two families, of which a third is wrong: as many right as wrong ones of each."""
    base = questions[0]
    many = [
        replace(
            base,
            question_id=f"q{i:03d}",
            family="exist" if i % 2 else "direction",
            slice="" if i % 2 else "unseen",
        )
        for i in range(200)
    ]
    said = [as_prediction(q, "no idea" if i % 3 == 0 else q.answer) for i, q in enumerate(many)]
    predictions = {"projector": said, "embedding": said}
    evaluation = evaluation_of(made, many, predictions)
    shown = chosen(evaluation, predictions)
    kind = {p.question_id: (p.family, p.prediction == p.answer) for p in said}
    counts = Counter(kind[s.question_id] for s in shown)
    assert counts == dict.fromkeys([(f, r) for f in ("direction", "exist") for r in (True, False)], 3)
    assert all(kind[s.question_id][1] == s.right for s in shown)
    assert shown == chosen(evaluation, {"embedding": said[::-1]})
    # One answer that turns from right to wrong moves that question alone.
    turned = [replace(p, prediction="x") if p.question_id == shown[0].question_id else p for p in said]
    after = chosen(evaluation, {"embedding": turned})
    assert len({s.question_id for s in after} - {s.question_id for s in shown}) <= 1


def test_a_group_of_one_kind_shows_that_kind(made: Made, questions: list[Question]) -> None:
    predictions = {
        item: [as_prediction(q, q.answer) for q in questions] for item in ("projector", "embedding")
    }
    for rows in predictions.values():
        rows.sort(key=lambda p: p.question_id)
    shown = chosen(evaluation_of(made, questions, predictions), predictions)
    assert shown and all(s.right for s in shown)
