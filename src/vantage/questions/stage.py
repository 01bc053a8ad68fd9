"""The synthesize stage: questions of one scan, and the summary over all scans."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vantage.core import atomic
from vantage.core.hashing import digest_bytes
from vantage.core.tasks import Facts, Task
from vantage.questions import words
from vantage.questions.asking import ask
from vantage.questions.balance import Asked
from vantage.questions.config import SynthesizeConfig
from vantage.questions.families import family
from vantage.questions.must_see import MustSee
from vantage.questions.recorded import read_recorded
from vantage.questions.scene import RoomObject, Scene
from vantage.questions.situations import Situation, situations_of
from vantage.questions.split import scan_split
from vantage.questions.summary import summary_of
from vantage.records.index import IndexRow
from vantage.records.objects import read_objects
from vantage.records.questions import Question, read_questions, write_questions
from vantage.records.scan import ScanMeta, read_scan

DROPPED_FILE = "dropped.json"
SUMMARY_FILE = "summary.json"


def synthesize(task: Task, config: SynthesizeConfig) -> Facts:
    """Write `questions.parquet` and `dropped.json` (candidates not asked, by family and reason) of one scan.

    A scan without objects gets an empty table.

    Raises:
        ContractError: an upstream record is missing or does not fit the others.
        ParameterError: `config.questions` names an unknown family, or a split list is damaged.
        ScanError: the scan's room is in no split list.
    """
    meta = read_scan(task.inputs["extract"])
    split = scan_split(meta.room_id, config)
    dropped: Counter[tuple[str, str]] = Counter()
    scene = read_scene(task.inputs["extract"], dropped)
    questions: list[Question] = []
    situations: list[Situation] = []
    if scene.objects:
        recorded = read_recorded(task.inputs["extract"], task.inputs["recover"], config.min_visible_px)
        egos = config.heldout_egos if split == "heldout" else config.train_egos
        situations = situations_of(recorded, scene, egos, task.seed, config)
        must_see = MustSee(recorded, config.views_per_question, task.seed) if config.must_see else None
        by_ego = {situation.views[0]: situation for situation in situations}
        for one in ask(scene, situations, must_see, config, task.seed, meta.scan_id, dropped):
            situation = by_ego[one.ego]
            ids = one.candidate.object_ids
            views = must_see.views(situation, ids) if must_see else situation.views
            questions.append(_record(meta, split, situation, views, one))
    write_questions(task.out, questions)
    atomic.write_json(task.out / DROPPED_FILE, _nested(dropped))
    return {
        "questions": len(questions),
        "situations": len(situations),
        "objects": len(scene.objects),
        "direction_unseen": sum(q.slice == "unseen" for q in questions),
    }


def summarize(task: Task, config: SynthesizeConfig, rows: Sequence[IndexRow]) -> Facts:
    """Write `summary.json` over the finished scans in the assembled folder `task.out`.

    Raises:
        ContractError: a room has questions in two splits, or a scan's tables cannot be read.
    """
    scans = [row.item for row in rows if row.status == "done"]
    questions = [question for scan in scans for question in read_questions(task.out / scan)]
    dropped: Counter[tuple[str, str]] = Counter()
    for scan in scans:
        for name, reasons in json.loads((task.out / scan / DROPPED_FILE).read_text()).items():
            dropped.update({(name, reason): count for reason, count in reasons.items()})
    summary = summary_of(questions, scans)
    summary["dropped"] = _nested(dropped)
    atomic.write_json(task.out / SUMMARY_FILE, summary)
    return {"questions": len(questions), "scans": len(scans)}


def read_scene(extract: Path, dropped: Counter[tuple[str, str]] | None = None) -> Scene:
    """The scene of a scan's extract folder; `dropped` counts objects whose label is not a class of ours."""
    objects = []
    for row in read_objects(extract):
        label = words.class_of(row.label) or words.class_of(row.nyu40)
        if label is None:
            if dropped is not None:
                dropped["objects", "label outside the vocabulary"] += 1
            continue
        color = row.color if row.color in words.COLORS else ""
        upright = float(np.abs(row.rotation[2]) @ row.size)
        x, y, z = (float(value) for value in row.center)
        size = (float(row.size[0]), float(row.size[1]), upright)
        objects.append(RoomObject(row.object_id, label, color, (x, y, z), size))
    return Scene(objects)


def _record(
    meta: ScanMeta, split: str, situation: Situation, views: tuple[int, ...], asked: Asked
) -> Question:
    candidate, kind = asked.candidate, family(asked.candidate.family)
    digest = digest_bytes(candidate.text.encode())[:10]
    return Question(
        question_id=f"{meta.scan_id}-{asked.ego:06d}-{candidate.family}-{digest}",
        scan_id=meta.scan_id,
        room_id=meta.room_id,
        split=split,
        family=candidate.family,
        slice=candidate.slice,
        question=candidate.text,
        answer=candidate.answer,
        reasoning=kind.explain(candidate),
        evidence=candidate.evidence(),
        ego_frame_id=asked.ego,
        T_aligned_ego=situation.T_aligned_ego,
        views=list(views),
        learnable_by_pocket=kind.learnable_by_pocket,
        **situation.pose_of(candidate.object_ids),
    )


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (name, reason), count in sorted(counts.items()):
        if count:
            nested.setdefault(name, {})[reason] = count
    return nested
