"""METEOR through its jar: known oddities, and the published wrapper's own numbers."""

import pytest

from vantage.evaluation.metrics.meteor import jar, meteor

SAID = ["a brown chair", "chairs", "two chairs", "", "the table is left of the sofa"]
GIVEN = [
    ["a brown chair"],
    ["chair"],
    ["two chair"],
    ["a b"],
    ["the desk stands left of the couch", "table left"],
]


@pytest.mark.slow
def test_what_the_published_wrapper_gives() -> None:
    if jar() is None:
        pytest.skip("needs java and pycocoevalcap")
    corpus, each = meteor(SAID, GIVEN)
    assert each == pytest.approx([1.0, 0.0, 0.7, 0.0, 0.8044692737430167], abs=1e-9), (
        "a stem alone is nothing"
    )
    assert corpus == pytest.approx(0.6741728217138053, abs=1e-9)
    assert corpus != pytest.approx(each.mean(), abs=0.1), "the corpus value is not the mean"
