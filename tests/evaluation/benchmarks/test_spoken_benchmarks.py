"""SpatialRGPT-Bench, N3D-style and MSQA: what replies say by rules, and what is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from score_files import rows, scored, values

from vantage.core.errors import ContractError
from vantage.evaluation.metrics import spoken


@pytest.mark.parametrize(
    ("text", "yes", "region", "hour"),
    [
        ("Yes, Region [0] is taller.", True, 0, None), ("No, region 1 is not.", False, 1, None),
        ("Indeed, it isn't.", True, None, None), ("At 3 o'clock.", None, None, 3),
        ("nothing of note", None, None, None), ("three o'clock", None, None, 3),
        ("13 o'clock", None, None, None),
        ("2 o'clock or 4 o'clock", None, None, None), ("Region [12]", None, 12, None),
    ],
)  # fmt: skip
def test_what_is_said(text: str, yes: bool | None, region: int | None, hour: int | None) -> None:
    assert (spoken.polarity(text), spoken.first_region(text), spoken.clock_hour(text)) == (yes, region, hour)


def test_hours_go_round() -> None:
    assert [spoken.hours_apart(a, b) for a, b in ((12, 1), (11, 2), (6, 12), (3, 3))] == [1, 3, 6, 0]


def rgpt(i: int, kind: str, category: str, truth: str) -> dict[str, Any]:
    return {"question_id": i, "question": "?", "gt": truth, "qa_info": {"type": kind, "category": category}}


def test_spatialrgpt(tmp_path: Path) -> None:
    given = [
        rgpt(0, "quantitative", "width", "Region [0] is 2.0 meters wide."),
        rgpt(1, "quantitative", "width", "2.0 meters"),
        rgpt(2, "quantitative", "direction", "At 12 o'clock."),
        rgpt(3, "quantitative", "direction", "12 o'clock"),
        rgpt(4, "qualitative", "tall_choice", "Region [1]."),
        rgpt(5, "qualitative", "left_predicate", "Yes, it is."),
        rgpt(6, "quantitative", "width", "1 m"),
    ]  # fmt: skip
    texts = ["150 cm", "1.49 m", "1 o'clock", "3 o'clock", "I think Region [1] is", "No.", "very wide"]
    said = [{"question_id": i, "text": t} for i, t in enumerate(texts)]
    result = scored(tmp_path, "spatialrgpt_bench", said, given, name="given.jsonl")
    assert rows(result, "rules.success") == [1, 0, 1, 0, 1, 0, 0]
    found = values(result)["rules"]
    assert found["success.quantitative"] == pytest.approx(2 / 5), "what cannot be read stays in"
    assert found["relative_error"] == pytest.approx((0.25 + 0.255) / 2, abs=1e-3), "of those that were read"
    assert rows(result, "rules.error_deg") == pytest.approx([None, None, 30, 90, None, None, None])
    assert found["error_deg"] == pytest.approx((30 + 90) / 2)
    assert (result.unparsed, result.empty) == (1, 0)
    with pytest.raises(ContractError, match="one length"):
        scored(tmp_path, "spatialrgpt_bench", said, [rgpt(0, "quantitative", "width", "wide")])


def test_n3d_style(tmp_path: Path) -> None:
    def row(i: int, kind: str, truth: str) -> dict[str, Any]:
        return {"question_id": i, "type": kind, "question": "?", "answer": truth, "scene_id": "a"}

    given = [
        row(0, "numeric", "2 m"), row(1, "open", "Yes"), row(2, "open", "to the left of it"),
        row(3, "open", "left"), row(4, "open", "chair"), row(5, "numeric", "3"),
    ]  # fmt: skip
    texts = [
        "<think>maybe 9</think>240 cm",
        "yes, it is",
        "it is leftmost",
        "left and behind",
        "air",
        "<think>3</think>",
    ]
    said = [{"question_id": i, "text": t} for i, t in enumerate(texts)]
    result = scored(tmp_path, "n3d_style", said, given, name="given.jsonl")
    assert rows(result, "rules.success") == [1, 1, 1, 0, 0, 0]
    assert values(result)["rules"]["success.numeric"] == 0.5
    assert result.empty == 1, "nothing but reasoning"


def test_msqa_by_type(tmp_path: Path) -> None:
    given = [
        {
            "index": i,
            "scan_id": "scene0000_00",
            "situation": "I sit.",
            "question": "?",
            "answers": [a],
            "type": t,
        }
        for i, (a, t) in enumerate([("two", "counting"), ("yes", "existence"), ("red", "attribute")])
    ]
    said = [{"index": i, "text": t} for i, t in enumerate(["2", "Yes", "bright red"])]
    found = values(scored(tmp_path, "msqa", said, given))
    assert found["clean"]["em"] == pytest.approx(2 / 3)
    assert found["raw"]["em"] == 0
    assert found["refined_strict"]["em_refined.attribute"] == 1
