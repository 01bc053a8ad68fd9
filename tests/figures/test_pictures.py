"""Pictures: same input, same bytes; other input, other picture; nothing of time or machine inside."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vantage.figures.capture import CaptureCard, capture_picture
from vantage.figures.question import QuestionCard, footprint, plan_picture, question_picture
from vantage.figures.scores import Bar, ScoreRow, score_picture
from vantage.figures.style import arm_colors
from vantage.figures.views import views_picture
from vantage.geometry.boxes import OrientedBox
from vantage.records.objects import SceneObject

ARMS = ["projector", "embedding"]
ROWS = [
    ScoreRow("direction (unseen)", 40, 30.0, {a: Bar(50.0, 35.0, 65.0) for a in [*ARMS, "embedding@blind"]}),
    ScoreRow("exist", 40, 50.0, {a: Bar(90.0, 80.0, 96.0) for a in ARMS}, "no circuit in the base"),
]


def scene_object(yaw: float) -> SceneObject:
    c, s = np.cos(yaw), np.sin(yaw)
    rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return SceneObject(
        3, "chair", 5, "chair", "red", np.array([1.0, 2.0, 0.4]), np.array([0.5, 0.7, 0.8]), rotation, 9
    )


@pytest.fixture
def card() -> QuestionCard:
    ego = np.eye(4)
    cam = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1.0]])
    views = [np.full((48, 64, 3), 40 * (i + 1), dtype=np.uint8) for i in range(4)]
    return QuestionCard(
        "where is the red chair from me?", "front-left", {"projector": "", "embedding": "front-left"},
        [scene_object(0.3)], frozenset({3}), ego, np.stack([cam] * 4), 0.6, views, "room0001_00, frame 2",
    )  # fmt: skip


def test_score_picture_is_deterministic_and_depends_on_its_scores() -> None:
    def draw(rows: list[ScoreRow]) -> bytes:
        return score_picture(rows, ARMS, "direction (unseen)", ["embedding@blind"])

    first = draw(ROWS)
    assert first == draw(ROWS)
    changed = replace(ROWS[1], bars={a: Bar(20.0, 10.0, 30.0) for a in ARMS})
    assert first != draw([ROWS[0], changed])
    picture = Image.open(io.BytesIO(first))
    assert "Software" not in picture.info
    assert picture.size[0] > 1000


def test_question_picture_is_deterministic_and_shows_the_views(card: QuestionCard) -> None:
    first = question_picture(card)
    assert first == question_picture(card)
    shown = np.asarray(Image.open(io.BytesIO(first)).convert("RGB"))
    for i in range(4):
        level = 40 * (i + 1)
        assert (shown == level).all(-1).mean() > 0.02, f"view {i + 1} is missing from the picture"


def test_one_view_is_enough(card: QuestionCard) -> None:
    alone = replace(card, views=card.views[:1], T_aligned_cams=card.T_aligned_cams[:1])
    assert question_picture(alone) != question_picture(card)


@pytest.mark.parametrize("yaw", [0.0, 0.7, -2.0])
def test_footprint_is_the_box_seen_from_above(yaw: float) -> None:
    item = scene_object(yaw)
    corners = OrientedBox(item.center, item.size, item.rotation).corners()[:, :2]
    ours = {tuple(np.round(p, 9)) for p in footprint(item)}
    assert ours == {tuple(np.round(p, 9)) for p in corners}


def test_arms_that_every_report_has_keep_their_colours() -> None:
    assert arm_colors(["embedding", "x"])["embedding"] == arm_colors(["y", "embedding"])["embedding"]
    many = [f"control{i}" for i in range(9)]
    assert len(set(arm_colors(many[:6]).values())) == 6
    assert set(arm_colors(many)) == set(many)


def test_a_capture_as_a_picture() -> None:
    rng = np.random.default_rng(0)
    color = np.full((60, 80, 3), 120, np.uint8)
    off = np.where(rng.random((30, 40)) < 0.1, np.nan, rng.normal(0, 0.01, (30, 40)))
    card = CaptureCard("as claimed", 3, 12, 0.97, color, np.array([[10.0, 20.0], [40.0, 30.0]]), off, 0.02)
    png = capture_picture(card)
    assert capture_picture(card) == png
    assert capture_picture(replace(card, off=off + 0.1)) != png
    assert capture_picture(replace(card, edges_px=np.empty((0, 2)))) != png
    assert Image.open(io.BytesIO(png)).width > 1000


def test_the_plan_alone(card: QuestionCard) -> None:
    first = plan_picture(card)
    assert first == plan_picture(card)
    turned = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    assert plan_picture(replace(card, T_aligned_ego=turned)) != first
    assert plan_picture(replace(card, targets=frozenset())) != first
    assert plan_picture(replace(card, answer="back-left")) == first, "the answer stands beside it"
    assert Image.open(io.BytesIO(first)).width < 400


def test_views_stand_side_by_side_at_one_height_and_are_never_enlarged() -> None:
    views = [Image.new("RGB", (400, 300), "red"), Image.new("L", (80, 40), 90), Image.new("RGB", (100, 200))]
    sheet = Image.open(io.BytesIO(views_picture(views, height_px=100)))
    assert sheet.size == (133 + 4 + 80 + 4 + 50, 100) and sheet.format == "PNG"
    at = [(66, 50), (134, 50), (150, 20), (150, 70), (250, 50)]
    assert [sheet.getpixel(p) for p in at] == [(255, 0, 0), (255,) * 3, (90,) * 3, (255,) * 3, (0, 0, 0)]
    assert views_picture(views) == views_picture(views)
