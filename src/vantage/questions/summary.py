"""What a set of questions looks like: counts by split, family, slice and answer, and the majority's share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from vantage.core.errors import ContractError
from vantage.questions.split import SPLITS
from vantage.records.questions import Question


def summary_of(questions: Sequence[Question], scans: Sequence[str]) -> dict[str, Any]:
    """The summary of finished scans.

    Raises:
        ContractError: a room has questions in two splits.
    """
    split_of_room: dict[str, str] = {}
    for question in questions:
        if split_of_room.setdefault(question.room_id, question.split) != question.split:
            raise ContractError(
                f"room {question.room_id} has questions in two splits",
                where=question.question_id,
                expected=split_of_room[question.room_id],
                found=question.split,
                hint="synthesize all scans with the same held_out_share",
            )
    rooms = Counter(split_of_room.values())
    asked = {question.scan_id for question in questions}
    return {
        "questions": len(questions),
        "scans": len(scans),
        "scans_without_questions": sorted(set(scans) - asked),
        "rooms": {split: rooms[split] for split in SPLITS},
        "splits": {split: _families([q for q in questions if q.split == split]) for split in SPLITS},
    }


def _families(questions: Sequence[Question]) -> dict[str, Any]:
    by_family: dict[str, list[Question]] = {}
    for question in questions:
        by_family.setdefault(question.family, []).append(question)
    return {name: _family(rows) for name, rows in sorted(by_family.items())}


def _family(rows: Sequence[Question]) -> dict[str, Any]:
    slices: dict[str, list[Question]] = {}
    for row in rows:
        slices.setdefault(row.slice, []).append(row)
    summary: dict[str, Any] = {**_answers(rows), "learnable_by_pocket": rows[0].learnable_by_pocket}
    if set(slices) != {""}:
        summary["slices"] = {name: _answers(part) for name, part in sorted(slices.items())}
    return summary


def _answers(rows: Sequence[Question]) -> dict[str, Any]:
    answers = Counter(row.answer for row in rows)
    return {
        "questions": len(rows),
        "answers": dict(sorted(answers.items())),
        "majority_share": round(max(answers.values()) / len(rows), 4),
    }
