"""ScanQA's boxes and its F-value, by the published rules."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_scene import write_scene
from score_files import rows, scored, values

from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.evaluation.benchmarks import scanqa
from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.metrics import unigram_f
from vantage.evaluation.metrics.unigram_f import f_value

SCENE = "scene0011_00"
BOXES = {
    k: (name, np.array([[low, 0.0, 0.0], [low + 1.0, 1.0, 1.0]]))
    for k, (name, low) in enumerate([("chair", 0.0), ("table", 3.0), ("lamp", 6.0)])
}


def question(k: int, object_ids: Any) -> dict[str, Any]:
    return {
        "scene_id": SCENE, "question_id": f"q{k}", "question": "What is it?", "answers": ["chair"],
        "object_ids": object_ids, "object_names": ["chair"] * 2,
    }  # fmt: skip


REFERENCES = [question(0, [0]), question(1, [1, 0]), question(2, [2]), question(3, [0, 1]), question(4, [2])]


def said(k: int, low: float | None, width: float = 1.0) -> dict[str, Any]:
    row: dict[str, Any] = {"scene_id": SCENE, "question_id": f"q{k}", "answer_top10": ["chair"]}
    if low is not None:
        row["bbox"] = [[low + width * x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    return row


UPLOAD = [
    said(0, 0.0, 2.0),  # IoU 0.5, which 1e-8 on the union lets it miss
    said(1, 0.0),  # the second of its objects
    said(2, 6.5),  # IoU a third
    said(3, 0.0),
    said(4, None),
]


def test_boxes_are_compared_with_the_first_object(tmp_path: Path) -> None:
    write_scene(tmp_path / "scans", SCENE, BOXES)
    result = scored(tmp_path, "scanqa", UPLOAD, REFERENCES, scans=tmp_path / "scans")
    assert rows(result, "boxes.acc@0.25") == [1, 0, 1, 1, 0]
    assert rows(result, "boxes.acc@0.5") == [0, 0, 0, 1, 0]
    assert rows(result, "boxes_any.acc@0.25") == [1, 1, 1, 1, 0], "any of a question's objects: ours"
    found = values(result)
    assert found["boxes"]["acc@0.25"] == pytest.approx(3 / 5), "one without a box is wrong"
    assert found["boxes"]["miou"] == pytest.approx((0.5 + 1 / 3 + 1.0) / 5, abs=1e-6)
    assert found["raw"]["em"] == 1.0


def test_a_missing_prediction_is_wrong(tmp_path: Path) -> None:
    write_scene(tmp_path / "scans", SCENE, BOXES)
    found = values(scored(tmp_path, "scanqa", UPLOAD[3:4], REFERENCES, scans=tmp_path / "scans"))
    assert found["boxes"]["acc@0.5"] == pytest.approx(1 / 5)


def test_boxes_are_not_reported_without_scans_or_predicted_boxes(tmp_path: Path) -> None:
    write_scene(tmp_path / "scans", SCENE, BOXES)
    assert values(scored(tmp_path, "scanqa", UPLOAD, REFERENCES))["boxes"] == {}
    texts = [{**said(k, None), "bbox": []} for k in range(5)]
    unread = tmp_path / "no such scans"
    assert values(scored(tmp_path, "scanqa", texts, REFERENCES, scans=unread))["boxes"] == {}
    with pytest.raises(ParameterError, match="a scene is missing"):
        scored(tmp_path, "scanqa", UPLOAD, REFERENCES, scans=unread)


def test_references_may_have_boxes_of_their_own(tmp_path: Path) -> None:
    given = [{**question(0, [7]), "box": [0.5, 0.5, 0.5, 1, 1, 1]}]
    assert values(scored(tmp_path, "scanqa", UPLOAD[:1], given))["boxes"]["acc@0.25"] == 1.0


@pytest.mark.parametrize(("ids", "words"), [([9], "object 9"), (["chair"], "numbers in object_ids")])
def test_objects_that_there_are_not_are_told(tmp_path: Path, ids: list[Any], words: str) -> None:
    write_scene(tmp_path / "scans", SCENE, BOXES)
    with pytest.raises(ContractError, match=words):
        scored(tmp_path, "scanqa", UPLOAD[:1], [question(0, ids)], scans=tmp_path / "scans")


def plural(word: str) -> str:
    """A lemmatiser that knows plurals in s."""
    return word[:-1] if word.endswith("s") else word


def published(said: str, references: list[str]) -> float:
    """The script's formula, term by term."""
    if said in references:
        return 1.0
    best = 0.0
    for text in references:
        ours, theirs = [plural(w) for w in said.split()], [plural(w) for w in text.split()]
        p = sum(1 if w in theirs else 0 for w in ours) / len(ours)
        r = sum(1 if w in ours else 0 for w in theirs) / len(theirs)
        best = max(best, 2 * r * p / (r + p) if r + p != 0.0 else 0.0)
    return best


@pytest.mark.parametrize(
    ("said", "references", "value"),
    [
        ("brown chairs", ["brown chair"], 1.0),
        ("two brown chairs", ["brown chair", "desk"], 0.8),
        ("chair chair table", ["chair"], 0.8),
        ("Chair", ["chair"], 0.0),
        ("chair.", ["chair"], 0.0),
        ("on  the desk", ["on the desk"], 1.0),
        ("lamp", ["chair", "desk"], 0.0),
    ],
)
def test_the_f_value_counts_words_that_the_other_side_has(
    said: str, references: list[str], value: float
) -> None:
    assert f_value(said, references, plural) == pytest.approx(value)
    assert f_value(said, references, plural) == pytest.approx(published(said, references))


def test_the_f_value_is_the_published_one_on_random_words() -> None:
    rng, words = np.random.default_rng(0), ["a", "chair", "chairs", "the", "Desk", "red,", "reds"]
    for _ in range(300):
        text, *given = (" ".join(rng.choice(words, rng.integers(1, 6))) for _ in range(4))
        assert f_value(text, given, plural) == pytest.approx(published(text, given), abs=1e-12)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_side_is_0_where_the_script_divides_by_it(text: str) -> None:
    assert f_value(text, ["chair"], plural) == 0.0
    assert f_value("chair", [text], plural) == 0.0
    with pytest.raises(ZeroDivisionError):
        published(text, ["chair"])


def test_the_variant_counts_every_item() -> None:
    contents = [
        scanqa.Question(q, ("chair",), g) for q, g in [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")]
    ]
    items = [Item(str(k), "", "", content) for k, content in enumerate(contents)]
    variant = scanqa.f_variant(lambda: plural, lambda: None)
    found = variant.score(items, [Reply("chairs"), None, Reply(" "), Reply("red chair")])
    assert found["f"].value == pytest.approx((1 + 2 / 3) / 4)
    assert found["f.x"].value == 0.5
    assert found["f"].per_item is not None and list(found["f"].per_item[:3]) == [1, 0, 0]


def test_what_the_f_value_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unigram_f, "find_spec", lambda name: None)
    assert "pip install nltk" in scored(tmp_path, "scanqa", UPLOAD, REFERENCES).lacking["f_value"]
    with pytest.raises(ResourceError, match="f_value cannot be reported"):
        scored(tmp_path, "scanqa", UPLOAD, REFERENCES, variant="f_value")


@pytest.mark.parametrize("there", [False, True])
def test_nltk_is_used_where_its_corpus_is(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands in for nltk, whose corpus is a download: the same names, and its error without the corpus."""

    class WordNetLemmatizer:
        def lemmatize(self, word: str) -> str:
            if not there:
                raise LookupError("Resource wordnet not found")
            return plural(word)

    stem = types.ModuleType("nltk.stem")
    stem.WordNetLemmatizer = WordNetLemmatizer  # type: ignore[attr-defined]
    nltk = types.ModuleType("nltk")
    nltk.stem = stem  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nltk", nltk)
    monkeypatch.setitem(sys.modules, "nltk.stem", stem)
    monkeypatch.setattr(unigram_f, "find_spec", lambda name: object())
    texts = [{"question_id": f"q{k}", "text": "chairs"} for k in range(5)]
    result = scored(tmp_path, "scanqa", texts, REFERENCES)
    if there:
        assert values(result)["f_value"]["f"] == 1.0
    else:
        assert "nltk's corpora" in result.lacking["f_value"]
