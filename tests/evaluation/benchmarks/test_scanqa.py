"""ScanQA: the published variants on replies that tell them apart, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from score_files import rows, scored, values

from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.evaluation.benchmarks.files import load
from vantage.evaluation.benchmarks.scanqa import question_class

REFERENCES = [
    {"scene_id": "scene0011_00", "question_id": f"val-scene0011-{i}", "question": q, "answers": a}
    for i, (q, a) in enumerate(
        [
            ("What is beside the table?", ["brown chair", "chair"]),
            ("Where is the lamp?", ["on the desk"]),
            ("How many chairs are there?", ["4", "four"]),
            ("What color is the sofa?", ["red"]),
            ("What is on the wall?", ["TV"]),
        ]
    )
]
SAID = ["chair", "On the desk.", "4", "", "screen"]


def ids(texts: list[str]) -> list[dict[str, Any]]:
    return [{"question_id": r["question_id"], "text": t} for r, t in zip(REFERENCES, texts, strict=True)]


def test_every_variant_on_replies_that_tell_them_apart(tmp_path: Path) -> None:
    result = scored(tmp_path, "scanqa", ids(SAID), REFERENCES)
    record = result.record()
    assert {k: record[k] for k in ("n", "missing", "empty", "unparsed")} == {
        "n": 5, "missing": 0, "empty": 1, "unparsed": 0,
    }  # fmt: skip
    assert rows(result, "raw.em") == [1, 0, 1, 0, 0]
    assert rows(result, "clean.em") == [1, 1, 1, 0, 0]
    assert rows(result, "refined_first_match.em") == [0, 1, 1, 0, 0], "brown chair comes first"
    assert rows(result, "refined_first_match.em_refined") == [1, 1, 1, 1, 0], "the empty reply scores"
    assert rows(result, "refined_membership_first.em") == [1, 1, 1, 0, 0]
    assert rows(result, "refined_membership_first.em_refined") == [1, 1, 1, 1, 0]
    assert rows(result, "refined_strict.em_refined") == [1, 1, 1, 0, 0]
    assert values(result)["raw"]["em"] == pytest.approx(0.4)
    assert values(result)["clean"]["em.place"] == 1


def test_a_missing_prediction_is_wrong_in_every_variant_and_stays_in_the_denominator(tmp_path: Path) -> None:
    result = scored(tmp_path, "scanqa", ids(SAID)[:3], REFERENCES)
    assert (result.missing, result.empty, len(result.items)) == (2, 0, 5)
    for row in result.per_item()[3:]:
        ems = [value for name, value in row.items() if ".em" in name]
        assert ems and not any(ems), "unlike an empty reply, which the refined variants accept"
        assert row["captions_ptb.cider"] == row["captions_ptb.rouge_l"] == 0


def test_the_ranked_upload_format(tmp_path: Path) -> None:
    upload = [
        {"scene_id": "scene0011_00", "question_id": r["question_id"], "answer_top10": ["sofa", *r["answers"]]}
        for r in REFERENCES
    ]
    assert values(scored(tmp_path, "scanqa", upload, REFERENCES))["raw"] == {
        **dict.fromkeys(("em", "em.color", "em.number", "em.object", "em.place"), 0.0), "em_at_10": 1.0,
    }  # fmt: skip


def test_caption_variants_differ_by_how_texts_are_prepared(tmp_path: Path) -> None:
    found = values(scored(tmp_path, "scanqa", ids(["the chair.", *SAID[1:]]), REFERENCES))
    assert found["captions_ptb"]["bleu_1"] < found["captions_clean_ptb"]["bleu_1"]
    assert found["captions_plain"]["rouge_l"] < found["captions_ptb"]["rouge_l"], "a capital letter counts"
    assert found["captions_ptb"].keys() == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"}


def test_captions_of_the_references_themselves(tmp_path: Path) -> None:
    found = values(scored(tmp_path, "scanqa", ids([r["answers"][0] for r in REFERENCES]), REFERENCES))
    for name in ("captions_ptb", "captions_clean_ptb", "captions_plain"):
        assert pytest.approx(found[name]["bleu_1"]) == pytest.approx(1.0) == found[name]["rouge_l"]
    assert found["raw"]["em"] == found["refined_strict"]["em"] == 1


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Where is it?", "place"), ("How many?", "number"), ("What is the color of it?", "color"),
        ("What type of chair?", "object_nature"), ("What is it?", "object"), ("what is it?", "other"),
    ],
)  # fmt: skip
def test_classes_are_by_case_sensitive_words(question: str, name: str) -> None:
    assert question_class(question) == name


def test_what_is_refused_names_file_and_line(tmp_path: Path) -> None:
    twice, unknown = [*ids(SAID), ids(SAID)[1]], [*ids(SAID), {"question_id": "x", "text": "a"}]
    with pytest.raises(ContractError, match=r"comes twice[\s\S]*said.jsonl:6[\s\S]*said.jsonl:2"):
        scored(tmp_path, "scanqa", twice, REFERENCES)
    with pytest.raises(ContractError, match=r"no item 'x'[\s\S]*said.jsonl:6"):
        scored(tmp_path, "scanqa", unknown, REFERENCES)
    with pytest.raises(ContractError, match=r"said.jsonl:1[\s\S]*text or"):
        scored(tmp_path, "scanqa", [{"question_id": "val-scene0011-0"}], REFERENCES)
    with pytest.raises(ContractError, match=r"given.json, record 1[\s\S]*withheld"):
        scored(tmp_path, "scanqa", ids(SAID), [{**REFERENCES[0], "answers": []}])
    with pytest.raises(ParameterError, match="raw, clean"):
        scored(tmp_path, "scanqa", ids(SAID), REFERENCES, variant="fuzzy")
    (tmp_path / "broken.jsonl").write_text('{"question_id": 1}\n{"question_id"')
    with pytest.raises(ContractError, match=r"broken.jsonl:2"):
        load(tmp_path / "broken.jsonl")


def test_without_its_jar_meteor_is_named_and_not_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VANTAGE_METEOR")
    monkeypatch.setenv("PATH", str(tmp_path))  # no Java
    result = scored(tmp_path, "scanqa", ids(SAID), REFERENCES)
    assert "meteor" not in result.variants
    assert "Java on the path" in result.lacking["meteor"]
    with pytest.raises(ResourceError, match="meteor cannot be reported"):
        scored(tmp_path, "scanqa", ids(SAID), REFERENCES, variant="meteor")
