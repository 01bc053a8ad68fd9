"""The synthesize stage: questions of one scan, and the summary over all scans."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.core.hashing import digest_bytes
from vantage.core.tasks import Facts, Task
from vantage.questions import words
from vantage.questions.balance import Asked, choose
from vantage.questions.config import SynthesizeConfig
from vantage.questions.families import family
from vantage.questions.sampling import every_candidate
from vantage.questions.scene import RoomObject, Scene, Situated
from vantage.questions.situations import Recorded, Situation, situations_of
from vantage.questions.split import scan_split
from vantage.questions.summary import summary_of
from vantage.records.frames import kept_frames
from vantage.records.index import IndexRow
from vantage.records.objects import read_objects
from vantage.records.questions import Question, read_questions, write_questions
from vantage.records.scan import ScanMeta, read_scan
from vantage.records.visibility import read_visibility

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
    situations: list[Situation] = []
    if scene.objects:
        recorded = read_recorded(task.inputs["extract"], task.inputs["recover"], config.min_visible_px)
        egos = config.heldout_egos if split == "heldout" else config.train_egos
        situations = situations_of(recorded, scene, egos, config.views_per_question, task.seed)
    asked = _ask(scene, situations, config, task.seed, meta.scan_id, dropped)
    by_ego = {situation.views[0]: situation for situation in situations}
    questions = [_record(meta, split, by_ego[one.ego], one) for one in asked]
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


def read_recorded(extract: Path, recover: Path, min_visible_px: float) -> Recorded:
    """The kept frames of a scan and what each of them shows.

    Raises:
        ContractError: the visibility record does not cover every kept frame.
    """
    meta = read_scan(extract)
    frames = kept_frames(extract)
    visibility = read_visibility(recover)
    rows = {int(frame): row for row, frame in enumerate(visibility.frame_ids)}
    if missing := [frame.frame_id for frame in frames if frame.frame_id not in rows]:
        raise ContractError(
            "kept frames have no visibility",
            where=recover,
            expected=f"{len(frames)} frames",
            found=f"none for frame {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""),
            hint="run recover again",
        )
    poses = np.array([meta.T_aligned_raw @ frame.T_raw_cam for frame in frames]).reshape(-1, 4, 4)
    return Recorded(
        scan_id=meta.scan_id,
        frame_ids=tuple(frame.frame_id for frame in frames),
        T_aligned_cam=poses,
        object_ids=tuple(int(object_id) for object_id in visibility.object_ids),
        sees=visibility.visible_px[[rows[frame.frame_id] for frame in frames]] >= min_visible_px,
        cameras=tuple(meta.color_of(frame) for frame in frames),
    )


def _ask(
    scene: Scene,
    situations: Sequence[Situation],
    config: SynthesizeConfig,
    seed: int,
    scan_id: str,
    dropped: Counter[tuple[str, str]],
) -> list[Asked]:
    situated = [(s.views[0], Situated(scene, s.T_aligned_ego, s.seen)) for s in situations]
    asked: list[Asked] = []
    for name, quota in sorted(config.questions.items()):
        kind = family(name)
        pool = [
            Asked(ego, candidate)
            for ego, each in situated
            for candidate in every_candidate(each, kind, config.margins, dropped)
        ]
        chosen = choose(pool, kind, quota * len(situated), seed, scan_id)
        dropped[name, "more than the quota or the balance allows"] += len(pool) - len(chosen)
        asked += chosen
    return asked


def _record(meta: ScanMeta, split: str, situation: Situation, asked: Asked) -> Question:
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
        pose_source="recorded_frame",
        pose_uses_target=False,
        T_aligned_ego=situation.T_aligned_ego,
        views=list(situation.views),
        learnable_by_pocket=kind.learnable_by_pocket,
    )


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (name, reason), count in sorted(counts.items()):
        if count:
            nested.setdefault(name, {})[reason] = count
    return nested
