"""Small valid files of every benchmark, as they are distributed: references, predictions, uploads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Files:
    """References by file name (the first is the one that is named), predictions as records, an upload."""

    references: Mapping[str, Any]
    predictions: list[dict[str, Any]]
    upload: dict[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def corners(low: float, width: float = 1.0, depth: float = 0.0) -> list[list[float]]:
    """Eight corners of a box."""
    low_corner, size = (low, 0.0, depth), (width, 1.0, 1.0)
    return [[low_corner[k] + size[k] * s[k] for k in range(3)] for s in np.ndindex(2, 2, 2)]


def _bound(low: float) -> list[list[float]]:
    return [[low, 0.0, 0.0], [low + 1.0, 1.0, 1.0]]


def _said(*texts: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"question_id": f"q{i}", "text": text, **fields} for i, text in enumerate(texts)]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """Rows under the names of the first."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


_SCENE = "scene0011_00"
_SCANQA = [
    {"scene_id": _SCENE, "question_id": f"q{i}", "question": text, "answers": accepted, "object_ids": [3]}
    for i, (text, accepted) in enumerate(
        [("What color is it?", ["brown", "dark brown"]), ("Where is it?", ["left of the bed"]),
         ("How many chairs?", ["2"])]
    )
]  # fmt: skip
_SQA_ASKED = [
    {"scene_id": _SCENE, "question_id": 220602 + i, "situation": "I sit.", "alternative_situation": ["I am."],
     "question": text}
    for i, text in enumerate(["What is left of me?", "Can I see it?"])
]  # fmt: skip
_SQA_NOTED = [
    {"scene_id": _SCENE, "question_id": 220602 + i, "question_type": "N/A", "answer_type": "other",
     "answers": [{"answer": text, "answer_confidence": "yes", "answer_id": 1}],
     "rotation": {"_x": 0, "_y": 0, "_z": -0.99, "_w": 0.05}, "position": {"x": -0.9, "y": 1.1, "z": 0}}
    for i, text in enumerate(["desk", "yes"])
]  # fmt: skip
_SITUATIONS = [{"scene_id": _SCENE, "situation_id": i, "situation": "I sit at the desk."} for i in range(2)]
_PLACES = [
    {"scene_id": _SCENE, "situation_id": i, "position": {"x": 1.0, "y": float(i), "z": 0},
     "rotation": {"_x": 0, "_y": 0, "_z": 0.6, "_w": 0.8}}
    for i in range(2)
]  # fmt: skip
_GUESSES = [
    {"situation_id": i, "positions": [{"x": 1.2, "y": 0.1, "z": 0}, {"x": 0, "y": 0, "z": 0}],
     "rotations": [{"_x": 0, "_y": 0, "_z": 0.7, "_w": 0.7}], "sigma_m": 0.5, "sigma_rad": 0.2}
    for i in range(2)
]  # fmt: skip
_REFER = [
    {"scene_id": _SCENE, "object_id": str(k), "object_name": name, "ann_id": "0", "description": "the one",
     "token": ["the", "one"], "bbox": corners(3.0 * k)}
    for k, name in enumerate(["chair", "chair", "table"])
]  # fmt: skip
_REFER_SAID = [
    {"scene_id": _SCENE, "object_id": k, "ann_id": 0, "bbox": corners(3.0 * k + 0.2), "unique_multiple": 0,
     "others": 0, "mask": [0, 1, 2]}
    for k in range(2)
] + [{"question_id": f"{_SCENE}-2_0", "box": [6.5, 0.5, 0.5, 1, 1, 1], "mask": {"counts": [2]}}]  # fmt: skip
_MULTI = [
    {"scene_id": _SCENE, "object_ids": ids, "object_name": "chair", "ann_id": i, "eval_type": case,
     "description": "?", "aabb_bound": [_bound(3.0 * k) for k in ids]}
    for i, (ids, case) in enumerate([([0, 1], "mt"), ([], "zt_w_d"), ([2], "st_wo_d")])
]  # fmt: skip
_MULTI_SAID = [
    {"scene_id": _SCENE, "ann_id": 0, "aabb_bound": [_bound(3.1), _bound(0.4), _bound(20)]},
    {"scene_id": _SCENE, "ann_id": 1, "aabb_bound": []},
    {"question_id": f"{_SCENE}-2", "bbox": corners(6.0)},
]
_CAPTIONED = [
    {"scene_id": _SCENE, "object_id": k, "caption": "a brown chair .", "bbox": corners(3.0 * k)}
    for k in range(2)
] + [{"question_id": f"{_SCENE}|2|table", "text": "a table", "box": [6.5, 0.5, 0.5, 1, 1, 1]}]  # fmt: skip
_NR3D = [
    {"assignmentid": i, "stimulus_id": f"{_SCENE}-chair-{len(rest) + 1}-{target}-{'-'.join(rest)}",
     "utterance": "the chair, left", "tokens": "['the', 'left', 'chair']", "target_id": target,
     "instance_type": "chair", "scan_id": _SCENE, "mentions_target_class": "True", "correct_guess": "True"}
    for i, (target, rest) in enumerate([(0, ["1"]), (1, ["0", "2"]), (2, ["5"])])
]  # fmt: skip
_NR3D_SAID = [
    {"question_id": "0", "target_id": 0},
    {"question_id": "1", "target_id": "0", "box": [3.5, 0.5, 0.5, 1, 1, 1]},
    {"assignmentid": 2, "bbox": corners(1.0)},
]
_MUIR = [
    {"idx": f"q{i}", "question": "Which?", "options": ["a chair", "a bed", "None of the choices provided"],
     "answer": letter, "task": "Counting", "counterpart_idx": f"q{1 - i}", "image_type": "photo"}
    for i, letter in enumerate("AC")
]  # fmt: skip
_VSI = [
    {"id": f"q{i}", "dataset": "scannet", "scene_name": _SCENE, "question_type": kind, "question": "?",
     "ground_truth": truth, "options": options}
    for i, (kind, truth, options) in enumerate([
        ("object_counting", "4", None), ("object_rel_direction_hard", "B", ["A. left", "B. right"]),
        ("room_size_estimation", "23.5", None),
    ])
]  # fmt: skip
_RGPT = [
    {"question_id": f"q{i}", "question": "?", "gt": truth, "qa_info": {"type": kind, "category": category}}
    for i, (kind, category, truth) in enumerate([
        ("quantitative", "width", "Region [0] is 2.0 meters wide."),
        ("quantitative", "direction", "At 12 o'clock."), ("qualitative", "tall_choice", "Region [1]."),
    ])
] + [{"id": "q3", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "No."}],
      "qa_info": {"type": "qualitative", "category": "left_predicate"}}]  # fmt: skip
_CV = [
    {"idx": f"q{i}", "type": "3D", "task": task, "source": source, "question": "Which?", "prompt": "A or B?",
     "choices": ["lamp", "bed"], "answer": "(A)"}
    for i, (task, source) in enumerate([("Depth", "Omni3D"), ("Count", "ADE20K"), ("Count", "COCO")])
]  # fmt: skip
_MSQA = [
    {"index": f"q{i}", "scan_id": _SCENE, "situation": "I sit.", "question": "What?", "answers": [text],
     "type": "counting"}
    for i, text in enumerate(["two", "a desk"])
]  # fmt: skip
_N3D = [
    {"question_id": f"q{i}", "question": "?", "answer": truth, "type": kind, "scene_id": _SCENE}
    for i, (kind, truth) in enumerate([("numeric", "2 m"), ("open", "Yes"), ("open", "on the left")])
]
_GROUND = [
    {"question_id": f"q{i}", "description": "the cup", "intrinsics": K, "image": "1.jpg", **box}
    for i, (K, box) in enumerate([
        ([500.0, 480.0, 320.0, 240.0], {"box": [0.1, -0.2, 3.0, 1.0, 0.8, 0.6]}),
        ([[500.0, 0, 320.0], [0, 480.0, 240.0], [0, 0, 1]], {"bbox": corners(0.5, 1.0, 2.0)}),
    ])
]  # fmt: skip

FILES: dict[str, Files] = {
    "scanqa": Files(
        {"ScanQA_v1.0_val.json": _SCANQA},
        [*_said("brown", "on the right."), {"question_id": "q2", "answer_top10": ["2", "3"]}],
    ),
    "sqa3d": Files(
        {
            "v1_balanced_sqa_annotations_val_scannetv2.json": {"annotations": _SQA_NOTED, "license": {}},
            "v1_balanced_questions_val_scannetv2.json": {"questions": _SQA_ASKED, "license": {}},
        },
        [{"question_id": 220602 + i, "text": text} for i, text in enumerate(["a desk", "Yes."])],
    ),
    "sqa3d_localization": Files(
        {
            "v1_localization_annotations_test_scannetv2.json": {"annotations": _PLACES},
            "v1_situations_test_scannetv2.json": {"situations": _SITUATIONS},
        },
        _GUESSES,
    ),
    "scanrefer": Files({"ScanRefer_filtered_val.json": _REFER}, _REFER_SAID),
    "multi3drefer": Files({"multi3drefer_val.json": _MULTI}, _MULTI_SAID, {_SCENE: _MULTI_SAID}),
    "scan2cap": Files(
        {"ScanRefer_filtered_val.json": _REFER},
        _CAPTIONED,
        {_SCENE: [{"caption": "a chair", "box": corners(0.1), "obj_prob": [0, 1]}]},
        {"corpus.json": {f"{_SCENE}|0|chair": {"captions": ["sos a chair eos"], "bbox": corners(0.0)}}},
    ),
    "nr3d": Files({"nr3d.csv": _NR3D}, _NR3D_SAID),
    "muirbench": Files({"muirbench.json": _MUIR}, _said("A", "(C) None")),
    "vsibench": Files({"test.jsonl": _VSI}, _said("about 3", "B. right", "20 square meters")),
    "spatialrgpt_bench": Files(
        {"SpatialRGPT-Bench_v1.jsonl": _RGPT}, _said("150 cm", "1 o'clock", "Region [1]", "No.")
    ),
    "cv_bench": Files({"test_3d.jsonl": _CV}, _said("(A)", "the bed", "B")),
    "msqa": Files({"MSQA_scannet_test.json": {"data": _MSQA}}, _said("two", "desk")),
    "n3d_style": Files({"n3d.jsonl": _N3D}, _said("<think>a</think> 240 cm", "yes", "left")),
    "grounding3d": Files(
        {"grounding.jsonl": _GROUND},
        [
            {"question_id": "q0", "box": [0.1, -0.2, 3.1, 1, 1, 1]},
            {"question_id": "q1", "bbox": corners(0.4)},
        ],
    ),
}
