"""Any text as boxes: every box is one that can be written again, and nothing is lost without being named."""

from __future__ import annotations

import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damaged import TEXTS, examples
from vantage.geometry.camera import Pinhole
from vantage.records.box_lattice import METRIC, BoxLattice, n3d_lattice
from vantage.records.box_text import ReadBoxes, read_boxes

CAMERA = Pinhole(640, 480, 577.0, 578.0, 318.0, 242.0)
LATTICES = [METRIC, n3d_lattice(0.3211534006652012, 2.591796875)]
LINES = [
    "bbox_0=Bbox(chair,420,300,150,12,30,40,50)", "bbox_1=Bbox(night stand,10,20,30,1,2,3)",
    "bbox_2=Bbox(a%2Cb,420.0,300,150,0,30,40,50)", "bbox_0=Bbox(table,1,2,3,4,5,6,7)",
]  # fmt: skip
PIECES = [
    *("bbox_", "bbox_0=", "Bbox(", "=Bbox(", "(", ")", ",", "=", "%", "%FF", "\n", "\r", "\u2028", " "),
    *("nan", "inf", "-inf", "1e9", "-1", "999999999999", "1.0", "1.5", "00000000001", "bbox_9999999999="),
    *TEXTS,
]  # fmt: skip
words = st.sampled_from(LINES + PIECES) | st.text(max_size=4)


def require_all_told(text: str, found: ReadBoxes) -> None:
    """Whatever looks like a box is one of the boxes, or is in what is bad."""
    assert len({box.box_id for box in found.boxes}) == len(found.boxes)
    for box in found.boxes:
        assert (
            all(map(math.isfinite, (*box.center, *box.size, box.angle))) and box.center[2] > 0 and box.label
        )
    assert len(found.boxes) + len(found.bad) >= len(re.findall(r"\bBbox\(", text, re.IGNORECASE) and [0])
    left = re.sub(r"\bbbox\s*_\s*[0-9]{1,9}\s*=\s*Bbox\s*\([^()\n]*\)", "", text, flags=re.IGNORECASE)
    if re.search(r"\w", left):
        assert found.bad


@pytest.mark.parametrize("lattice", LATTICES, ids=["metric", "n3d"])
@examples(500)
@given(pieces=st.lists(words, max_size=12), joint=st.sampled_from(["", "\n", " ", ";"]))
def test_any_text(lattice: BoxLattice, pieces: list[str], joint: str) -> None:
    text = joint.join(pieces)
    require_all_told(text, read_boxes(text, lattice, CAMERA))


@pytest.mark.parametrize(
    "piece",
    [
        "bbox_0=Bbox(",
        "bbox_0=Bbox(a,",
        "bbox _ ",
        "bbox\t",
        "(",
        ",1",
        "bbox_0=Bbox(a,1,2,3,4,5,6,7)",
        "1" * 50,
    ],
)
def test_long_texts_take_no_longer_than_they_are(piece: str) -> None:
    begin = time.perf_counter()
    read_boxes(piece * (200_000 // len(piece)), METRIC, CAMERA)
    assert time.perf_counter() - begin < 5
