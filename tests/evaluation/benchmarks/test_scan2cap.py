"""Scan2Cap: both protocols beside the slow formulas, gates at their borders, files of either kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import naive_captions
import numpy as np
import pytest
from score_files import rows, scored, values

from vantage.core.errors import ContractError, ParameterError


def corners(low: tuple[float, float, float], size: tuple[float, float, float]) -> list[list[float]]:
    return [[low[k] + size[k] * s[k] for k in range(3)] for s in np.ndindex(2, 2, 2)]


def described(scene: str, object_id: int, low: float, texts: list[str]) -> list[dict[str, Any]]:
    return [
        {"scene_id": scene, "object_id": str(object_id), "object_name": "chair", "ann_id": str(i),
         "description": t, "token": t.split(), "bbox": corners((low, 0, 0), (1, 1, 1))}
        for i, t in enumerate(texts)
    ]  # fmt: skip


REFERENCES = [
    *described("scene0011_00", 1, 0.0, ["a brown chair .", "the chair is brown ."]),
    *described("scene0011_00", 2, 5.0, ["a white table ."]),
    *described("scene0015_00", 1, 9.0, ["this is a lamp in the corner ."]),
]


def caption(scene: str, object_id: int, text: str, low: float, width: float = 1.0) -> dict[str, Any]:
    box = [low + width / 2, 0.5, 0.5, width, 1.0, 1.0]
    return {"scene_id": scene, "object_id": object_id, "caption": text, "box": box}


SAID = [
    caption("scene0011_00", 1, "a brown chair .", 0.0),
    caption("scene0011_00", 2, "a white desk .", 5.0, 2.5),  # IoU 0.4
]


def oracle(texts: list[str]) -> dict[str, float]:
    given = [
        ["sos a brown chair . eos", "sos the chair is brown . eos"], ["sos a white table . eos"],
        ["sos this is a lamp in the corner . eos"],
    ]  # fmt: skip
    parts = [naive_captions.bleu_parts(a, b) for a, b in zip(texts, given, strict=True)]
    bleu = naive_captions.bleu([sum(column) for column in zip(*parts, strict=True)])
    rouge = [naive_captions.rouge_l(a, b) for a, b in zip(texts, given, strict=True)]
    return {
        **{f"bleu_{n + 1}": bleu[n] for n in range(4)},
        "rouge_l": float(np.mean(rouge)),
        "cider": float(np.mean(naive_captions.cider(texts, given))),
    }


def test_legacy_replaces_what_was_not_found(tmp_path: Path) -> None:
    result = scored(tmp_path, "scan2cap", SAID, REFERENCES)
    assert (len(result.items), result.missing) == (3, 1), "items are objects"
    found = values(result)["legacy"]
    first, second = "sos a brown chair . eos", "sos a white desk . eos"
    for k, texts in (("0.25", [first, second, "sos eos"]), ("0.5", [first, "sos eos", "sos eos"])):
        for name, value in oracle(texts).items():
            assert found[f"{name}@{k}"] == pytest.approx(value, abs=1e-9), (name, k)
    assert (found["kept@0.25"], found["kept@0.5"]) == pytest.approx((2 / 3, 1 / 3))
    assert found["rouge_l@0.5"] > 0, "sos eos matches sos and eos"


def test_the_benchmark_protocol_multiplies_by_the_mask(tmp_path: Path) -> None:
    found = values(scored(tmp_path, "scan2cap", SAID, REFERENCES))["benchmark"]
    given = [["sos a brown chair . eos", "sos the chair is brown . eos"], ["sos a white table . eos"]]
    texts = ["sos a brown chair . eos", "sos a white desk . eos"]
    rouge = [naive_captions.rouge_l(a, b) for a, b in zip(texts, given, strict=True)]
    assert found["rouge_l@0.25.recall"] == pytest.approx(sum(rouge) / 3)
    assert found["rouge_l@0.25.precision"] == pytest.approx(sum(rouge) / 2)
    p, r = found["rouge_l@0.5.precision"], found["rouge_l@0.5.recall"]
    assert (p, r) == pytest.approx((rouge[0] / 2, rouge[0] / 3))
    assert found["rouge_l@0.5.f1"] == pytest.approx(2 * p * r / (p + r))
    sentence = [
        naive_captions.bleu(naive_captions.bleu_parts(a, b))[3] for a, b in zip(texts, given, strict=True)
    ]
    assert found["bleu_4@0.25.recall"] == pytest.approx(sum(sentence) / 3, abs=1e-9), "the mean of sentences"


def test_a_gate_is_passed_above_or_at_its_border(tmp_path: Path) -> None:
    def kept(width: float) -> list[float]:
        said = {k: v for k, v in caption("scene0011_00", 1, "a brown chair .", 0.0).items() if k != "box"}
        said["bbox"] = corners((0, 0, 0), (width, 1, 1))
        found = values(scored(tmp_path, "scan2cap", [said], REFERENCES))
        return [found[name]["kept@0.5"] for name in ("legacy", "llava3d", "video3dllm", "leo")]

    third = pytest.approx(1 / 3)
    assert kept(2.0 - 1e-7) == [third] * 4
    assert kept(2.0 - 1e-8) == [0, third, third, third], "0.5 with the published 1e-8 on the union"
    assert kept(2.0) == [0, 0, 0, 0], "a true IoU of 0.5 misses it by that"


def test_harnesses_prepare_texts_differently(tmp_path: Path) -> None:
    said = [caption("scene0011_00", 1, "A brown chair.", 0.0)]
    found = values(scored(tmp_path, "scan2cap", said, REFERENCES[:2]))
    assert found["llava3d"]["rouge_l@0.5"] == found["video3dllm"]["rouge_l@0.5"] == pytest.approx(1.0)
    assert found["legacy"]["rouge_l@0.5"] < found["leo"]["rouge_l@0.5"] < 1.0, "chair. is no word; A is not a"
    long = described("scene0011_00", 1, 0.0, ["word " * 40])
    said = [caption("scene0011_00", 1, "word " * 30, 0.0)]
    found = values(scored(tmp_path, "scan2cap", said, long))
    assert found["legacy"]["rouge_l@0.5"] == pytest.approx(1.0), "references are cut to 30 tokens"
    assert found["video3dllm"]["rouge_l@0.5"] < 1.0


def test_the_upload_format_is_given_to_objects(tmp_path: Path) -> None:
    def proposal(text: str, low: float) -> dict[str, Any]:
        return {
            "caption": text,
            "box": corners((low, 0, 0), (1, 1, 1)),
            "sem_prob": [0.0] * 18,
            "obj_prob": [0, 1],
        }

    upload = {
        "scene0011_00": [
            proposal("a white table .", 5.1),
            proposal("nothing", 30.0),
            proposal("a brown chair .", 0.1),
        ]
    }
    result = scored(tmp_path, "scan2cap", upload, REFERENCES)
    assert rows(result, "legacy.kept@0.5") == [1, 1, 0]
    found = values(result)["benchmark"]
    assert found["rouge_l@0.5.recall"] == pytest.approx(2 / 3)
    assert found["rouge_l@0.5.precision"] == pytest.approx(2 / 3), "all three proposals count"
    nothing = {**upload, "scene0015_00": [proposal("a lamp .", 30.0), proposal("a lamp .", 40.0)]}
    result = scored(tmp_path, "scan2cap", nothing, REFERENCES)
    assert (result.missing, result.empty) == (1, 0), "no proposal is the lamp's"
    found = values(result)
    assert found["benchmark"]["rouge_l@0.5.precision"] == pytest.approx(2 / 5), "nor those of its scene less"
    assert found["benchmark"]["rouge_l@0.5.recall"] == pytest.approx(2 / 3)
    assert found["benchmark"]["rouge_l@0.recall"] == pytest.approx(2 / 3)
    assert found["legacy"]["kept@0.25"] == pytest.approx(2 / 3)
    with pytest.raises(ContractError, match="scene0099_00"):
        scored(tmp_path, "scan2cap", {"scene0099_00": []}, REFERENCES)


def test_a_corpus_file_needs_boxes_from_somewhere(tmp_path: Path) -> None:
    said = [caption("scene0011_00", 1, "a brown chair .", 0.0)]
    with pytest.raises(ParameterError, match="--scans"):
        scored(tmp_path, "scan2cap", said, {"scene0011_00|1|chair": ["sos a brown chair . eos"]})
    with pytest.raises(ContractError, match=r"said.jsonl:1[\s\S]*a box beside"):
        scored(tmp_path, "scan2cap", [{k: v for k, v in said[0].items() if k != "box"}], REFERENCES)
