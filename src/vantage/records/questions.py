"""One record for a question: text, answer, the pose it is asked from, its views, what it rests on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.core.frames import Frame, require_frame
from vantage.core.hashing import canonical_json
from vantage.records.tables import read_table, write_table

QUESTIONS_FILE = "questions.parquet"
VERSION = 2
_NAMES = (
    "question_id",
    "scan_id",
    "room_id",
    "split",
    "family",
    "slice",
    "question",
    "answer",
    "reasoning",
    "evidence",
    "ego_frame_id",
    "pose_source",
    "pose_uses_target",
    "pose_meaning",
    "pose_object_id",
    "pose_score",
    "pose_rank",
    "pose_drawn_from",
    "pose_seed",
    "pose_fallback",
    "ego_frame",
    "T_aligned_ego",
    "views",
    "learnable_by_pocket",
)


@dataclass(frozen=True)
class Question:
    """A question about a scan.

    Attributes:
        question_id: unique; made from the scan, the ego frame, the family and a hash of the text.
        scan_id, room_id: where it is asked.
        split: `train` or `heldout`; a property of the room.
        family: for instance `direction`.
        slice: part of the family that is reported apart ("seen", "unseen"), else empty.
        question, answer: text and one word.
        reasoning: short steps that quote the evidence and end in the answer.
        evidence: object ids and measured quantities, with units in their names.
        ego_frame_id: frame whose camera is the ego; view 1.
        pose_source: how the ego was chosen: "recorded_frame" (of the path, whatever is asked), or by the
            strategy "top", "clip" or "random".
        pose_uses_target: whether the answer's object was used to choose the pose (a leak at test time).
        T_aligned_ego: ego (`ego_level`: x forward, y left, z up, on the floor) to the aligned world, metres.
        views: frame ids shown, the ego first.
        learnable_by_pocket: false where the pocket model is known to have no circuit for the family.
        pose_meaning: "paper" or "released"; this and the rest is empty for a frame of the path.
        pose_object_id: the object whose scores decided; None if none did.
        pose_score: its score from the pose (`recover.mode`).
        pose_rank: of the score among the frames that see the object: 0 is the highest.
        pose_drawn_from: how many frames the pose was drawn from.
        pose_seed: of the draw.
        pose_fallback: why the strategy could not be followed and the pose is any ("unseen",
            "unknown_object"); else empty.
    """

    question_id: str
    scan_id: str
    room_id: str
    split: str
    family: str
    slice: str
    question: str
    answer: str
    reasoning: str
    evidence: dict[str, Any]
    ego_frame_id: int
    pose_source: str
    pose_uses_target: bool
    T_aligned_ego: Float64[np.ndarray, "4 4"]
    views: list[int]
    learnable_by_pocket: bool
    pose_meaning: str = ""
    pose_object_id: int | None = None
    pose_score: float | None = None
    pose_rank: int | None = None
    pose_drawn_from: int | None = None
    pose_seed: int | None = None
    pose_fallback: str = ""
    ego_frame: Frame = "ego_level"


def _schema() -> object:
    import pyarrow as pa

    kinds = dict.fromkeys(_NAMES, pa.string())
    kinds |= {
        "ego_frame_id": pa.int64(),
        "views": pa.list_(pa.int64()),
        "T_aligned_ego": pa.list_(pa.float64(), 16),
    }
    kinds |= dict.fromkeys(("pose_object_id", "pose_rank", "pose_drawn_from", "pose_seed"), pa.int64())
    kinds |= {"pose_score": pa.float64()}
    kinds |= {"pose_uses_target": pa.bool_(), "learnable_by_pocket": pa.bool_()}
    return pa.schema([(name, kinds[name]) for name in _NAMES])


def write_questions(folder: Path, questions: Sequence[Question]) -> None:
    """Write `questions.parquet`, sorted by question id, into a scan's folder."""
    rows = sorted(questions, key=lambda question: question.question_id)
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    columns["evidence"] = [canonical_json(value) for value in columns["evidence"]]
    columns["T_aligned_ego"] = [
        np.asarray(T, dtype=np.float64).ravel().tolist() for T in columns["T_aligned_ego"]
    ]
    write_table(folder / QUESTIONS_FILE, "questions", VERSION, columns, _schema())


def read_questions(folder: Path) -> list[Question]:
    """Questions of a scan, sorted by id; `ContractError` when unreadable or in another ego frame."""
    path = folder / QUESTIONS_FILE
    columns = read_table(path, "questions", VERSION, _NAMES)
    questions = []
    for i in range(len(columns["question_id"])):
        row = {name: columns[name][i] for name in _NAMES}
        require_frame(row["ego_frame"], "ego_level", f"{path}, question {row['question_id']}")
        row["evidence"] = json.loads(row["evidence"])
        row["T_aligned_ego"] = np.asarray(row["T_aligned_ego"], dtype=np.float64).reshape(4, 4)
        questions.append(Question(**row))
    return questions
