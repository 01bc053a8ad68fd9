"""Pictures as SVG elements of a page: well-formed, the same bytes, geometry that follows the numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from vantage.figures.families import GainRow, family_svg, gains_svg
from vantage.figures.scores import Bar, ScoreRow
from vantage.figures.style import ARM_COLORS

ITEMS = ["projector", "embedding", "embedding@blind"]
ROW = ScoreRow(
    "direction (unseen)",
    40,
    30.0,
    {
        "projector": Bar(25.0, 15.0, 35.0),
        "embedding": Bar(75.0, 60.0, 85.0),
        "embedding@blind": Bar(50.0, 40.0, 60.0),
    },
)
GAINS = [GainRow("direction", 40.0, 30.0, 50.0), GainRow("exist", -10.0, -20.0, 1.0)]


def extents(svg: str, style: str) -> list[tuple[float, float]]:
    """Left and right end of every path whose style holds the text."""
    found = []
    for path in re.findall(r"<path [^>]*>", svg):
        if style in path:
            xs = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", path)]
            found.append((min(xs), max(xs)))
    return found


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")]


def test_an_element_that_needs_nothing_and_tells_no_time() -> None:
    svg = family_svg(ROW, ITEMS, "f0")
    assert svg == family_svg(ROW, ITEMS, "f0") and svg.startswith("<svg ")
    assert set(ITEMS) <= set(texts(svg))
    head = svg[: svg.index(">")]
    assert "viewBox" in head and "width" not in head and "height" not in head, "as wide as its place"
    for word in ("<metadata", "<?xml", "DOCTYPE", "Matplotlib", "<image"):
        assert word not in svg
    assert "var(--ink)" in svg and "#22262b" not in svg
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert ids and all(name.startswith("f0-") for name in ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', svg)) <= set(ids)
    other = re.findall(r'\bid="([^"]*)"', family_svg(ROW, ITEMS, "f1"))
    assert not set(ids) & set(other)


def test_bars_and_intervals_are_as_long_as_their_numbers() -> None:
    svg = family_svg(ROW, ITEMS, "f0")
    ((left, quarter),) = extents(svg, f"fill: {ARM_COLORS['projector']}")
    ((zero, three),) = extents(svg, f"fill: {ARM_COLORS['embedding']}")
    assert zero == left and three - zero == pytest.approx(3 * (quarter - left), rel=1e-4)
    percent = (quarter - left) / 25
    lines = extents(svg, "stroke: var(--ink); stroke-width: 1.2")
    for (low, high), item in zip(lines, ITEMS, strict=True):
        bar = ROW.bars[item]
        assert (low - left) / percent == pytest.approx(bar.low, abs=0.01)
        assert (high - left) / percent == pytest.approx(bar.high, abs=0.01)
    ((majority, _),) = extents(svg, "stroke-dasharray")
    assert (majority - left) / percent == pytest.approx(30, abs=0.01)
    assert svg != family_svg(replace(ROW, majority=31.0), ITEMS, "f0")


def test_gains_stand_on_their_side_of_nothing() -> None:
    svg = gains_svg(GAINS, "#123456", "gains")
    assert svg == gains_svg(GAINS, "#123456", "gains")
    assert {"direction", "exist"} <= set(texts(svg))
    lines = extents(svg, "stroke: #123456; stroke-width: 2;")
    assert len(lines) == 2
    per_point = (lines[0][1] - lines[0][0]) / 20
    zero = lines[0][0] - 30 * per_point
    assert lines[1] == pytest.approx((zero - 20 * per_point, zero + per_point), abs=0.01)
