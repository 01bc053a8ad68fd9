"""SQA3D: the official files, types by prefix, and sanity scores on the real annotations."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from score_files import rows, scored, values, write

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.benchmarks.sqa3d import question_type
from vantage.evaluation.scoring import score

ANNOTATIONS = "v1_balanced_sqa_annotations_val_scannetv2.json"
QUESTIONS = "v1_balanced_questions_val_scannetv2.json"


def files(folder: Path, asked: list[tuple[str, str]]) -> dict[str, Any]:
    """Questions written, annotations returned."""
    questions = [
        {"scene_id": f"scene{i % 3:04d}_00", "situation": "I sit.", "question": q, "question_id": 10 + i}
        for i, (q, _) in enumerate(asked)
    ]
    write(folder / QUESTIONS, {"questions": questions})
    annotations = [
        {"scene_id": f"scene{i % 3:04d}_00", "question_id": 10 + i, "answers": [{"answer": a}],
         "rotation": {"_x": 0, "_y": 0, "_z": 0, "_w": 1}, "position": {"x": 0, "y": 0, "z": 0}}
        for i, (_, a) in enumerate(asked)
    ]  # fmt: skip
    return {"annotations": annotations}


ASKED = [("What is behind me?", "office chair"), ("Is it red?", "no"), ("Which side?", "left")]


def test_scores_by_type_and_the_loose_rule(tmp_path: Path) -> None:
    said = [{"question_id": 10, "text": "a wooden chair"}, {"question_id": 11, "text": "north"}]
    result = scored(tmp_path, "sqa3d", said, files(tmp_path, ASKED), name=ANNOTATIONS)
    assert rows(result, "sqa3d_llm.em") == [1, 0, 0], "chair is shared; north does not stand in no"
    assert rows(result, "refined_first_match.em_refined") == [0, 1, 0], "no stands in north"
    assert rows(result, "refined_strict.em_refined") == [0, 0, 0]
    assert values(result)["raw"].keys() == {"em", "em.what", "em.is", "em.which"}


def test_a_question_that_repeats_counts_once_in_the_official_script(tmp_path: Path) -> None:
    asked = [ASKED[0]] * 4  # scenes 0, 1, 2, 0: the first and the last are the same question
    said = [{"question_id": 10 + i, "text": "sofa" if i == 3 else "office chair"} for i in range(4)]
    found = values(scored(tmp_path, "sqa3d", said, files(tmp_path, asked), name=ANNOTATIONS))["sqa3d_llm"]
    assert found == {"em": 0.75, "em_deduplicated": 1.0}


@pytest.mark.parametrize(
    ("question", "kind"),
    [("  What?", "what"), ("Island or not?", "is"), ("Candle?", "can"), ("Do I?", "others")],
)
def test_types_are_prefixes(question: str, kind: str) -> None:
    assert question_type(question) == kind


def test_either_file_may_be_named_and_both_are_needed(tmp_path: Path) -> None:
    said = [{"question_id": 10, "text": "office chair"}]
    annotations = files(tmp_path, ASKED)
    one = scored(tmp_path, "sqa3d", said, annotations, name=ANNOTATIONS)
    two = score(BENCHMARKS.get("sqa3d"), tmp_path / "said.jsonl", tmp_path / QUESTIONS)
    assert values(one) == values(two)
    with pytest.raises(ContractError, match="not of one split"):
        scored(tmp_path, "sqa3d", said, {"annotations": annotations["annotations"][1:]}, name=ANNOTATIONS)
    (tmp_path / QUESTIONS).unlink()
    with pytest.raises(ParameterError, match=QUESTIONS):
        scored(tmp_path, "sqa3d", said, annotations, name=ANNOTATIONS)


def test_on_the_real_annotations(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "sqa3d" / ANNOTATIONS
    noted = json.loads(path.read_text())["annotations"]
    right = [{"question_id": a["question_id"], "text": a["answers"][0]["answer"]} for a in noted]
    perfect = score(BENCHMARKS.get("sqa3d"), write(tmp_path / "right.jsonl", right), path)
    assert {v for found in values(perfect).values() for v in found.values()} == {1.0}
    kinds = Counter(item.content.group for item in perfect.items)
    assert kinds == {"what": 1147, "is": 652, "how": 465, "can": 338, "which": 351, "others": 566}
    yes = [{"question_id": a["question_id"], "text": "yes"} for a in noted]
    constant = score(BENCHMARKS.get("sqa3d"), write(tmp_path / "yes.jsonl", yes), path)
    assert values(constant)["raw"]["em"] == pytest.approx(385 / 3519), "the published count of yes"
