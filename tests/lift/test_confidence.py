"""What the confidence is made of: known lines of sight, every number against the box, bounds."""

import dataclasses

import numpy as np
import pytest

from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import from_yaw
from vantage.lift.confidence import WEIGHTS, Evidence, confidence_of, extent_seen, features

GOOD = Evidence(2, 0, 4000, 3900, 10, 20, 0, 0.0, thinned=1500, trimmed=5, points=3800, extent_seen=0.9)


def box(size: float = 0.8, yaw: float = 0.0) -> OrientedBox:
    return OrientedBox(np.zeros(3), np.full(3, size), from_yaw(yaw)[:3, :3])


@pytest.mark.parametrize(
    ("places", "seen"),
    [
        ([[5.0, 0, 0]], 0.0),
        ([[5.0, 5, 0]], np.sqrt(0.5)),
        ([[4.0, 0, 3]], 0.6),
        ([[5.0, 0, 0], [0, 5.0, 0]], 1.0),
        ([[1.0, 1, 1]], np.sqrt(2 / 3)),
    ],
)
def test_an_edge_along_the_line_of_sight_is_not_seen(places: list[list[float]], seen: float) -> None:
    views = [np.array(place) for place in places]
    assert extent_seen(box(), views) == pytest.approx(seen)
    turned = [from_yaw(0.7)[:3, :3] @ place for place in views]
    assert extent_seen(box(yaw=0.7), turned) == pytest.approx(seen)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"thinned": 30, "trimmed": 5}, "few points"),
        ({"trimmed": 400}, "trimmed"),
        ({"contradicted": 900}, "contradicted"),
        ({"sides_cut": 2}, "sides cut"),
        ({"hidden_border": 0.5}, "hidden border"),
        ({"extent_seen": 0.1}, "extent unseen"),
        ({"bare_boxes": 2}, "bare boxes"),
    ],
)
def test_worse_evidence_is_less_confidence(change: dict[str, float], name: str) -> None:
    worse = dataclasses.replace(GOOD, **change)  # type: ignore[arg-type]
    assert features(worse, box())[name] > features(GOOD, box())[name]
    assert confidence_of(worse, box()) < confidence_of(GOOD, box())


def test_a_flat_box_is_trusted_less_and_all_stays_in_bounds() -> None:
    assert confidence_of(GOOD, box(0.02)) < 0.5 * confidence_of(GOOD, box())
    assert set(features(GOOD, box())) == set(WEIGHTS)
    assert all(weight < 0 for weight in WEIGHTS.values())
    worst = Evidence(1, 1, 9, 9, 9, 0, 4, 1.0, contradicted=10**6, thinned=12, trimmed=11, points=12)
    assert 0 < confidence_of(worst, box(0.02)) < 0.01
    assert 0.8 < confidence_of(GOOD, box()) < 1
