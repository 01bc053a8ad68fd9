"""Two generated rooms in ScanNet's formats, and questions about them in the official files' forms."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vantage.geometry.transforms import apply, level_ego, yaw_of
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan, write_scan

CONFIG = GeneratedConfig(
    frames_per_scan=12, color_width=96, color_height=72, depth_width=80, depth_height=60, mesh_edge=0.2
)
QUESTIONS = (
    ("is there a red chair?", "no"),
    ("how many chairs are there?", "two"),
    ("where is the bed from me?", "left"),
    ("is there a piano?", "no"),
    ("what color is the sofa?", "red"),
    ("is there a lamp?", "yes"),
)
SITUATIONS = ("is the bed left of me?", "where is the red chair?", "is there a lamp?")
"""In words that the pocket model knows."""
PIANO = "outside the model's vocabulary: piano"


@dataclass(frozen=True)
class Rooms:
    """Folder of raw scans, reference files, and where each question is asked from."""

    scans: Path
    scanqa: Path
    sqa3d: Path
    made: tuple[GeneratedScan, ...]
    stands: dict[str, tuple[GeneratedScan, int]]

    def ids(self) -> list[str]:
        return list(self.stands)


def rooms(folder: Path, number: int = 2) -> Rooms:
    """Write scans and references below `folder`."""
    scans = folder / "scans"
    made = tuple(generate_scan(f"room{k:04d}_00", 4, CONFIG) for k in range(number))
    questions: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    stands = {}
    for scan in made:
        (scans / scan.scan_id).mkdir(parents=True)
        write_scan(scan, scans / scan.scan_id)
        usable = [k for k in range(len(scan.color)) if np.isfinite(scan.T_raw_cam[k]).all()]
        for j, (text, answer) in enumerate(QUESTIONS):
            name = f"{scan.scan_id}-{j}"
            stands[name] = (scan, usable[j % len(usable)])
            row = {"scene_id": scan.scan_id, "question_id": name, "question": text}
            questions.append({**row, "situation": "I am here.", "answers": [answer]})
            place = annotated(*stands[name])
            notes.append(
                {"scene_id": scan.scan_id, "question_id": name, "answers": [{"answer": answer}], **place}
            )
    scanqa = folder / "ScanQA_v1.0_val.json"
    scanqa.write_text(json.dumps(questions))
    sqa3d = folder / "v1_balanced_sqa_annotations_test_scannetv2.json"
    sqa3d.write_text(json.dumps({"annotations": notes}))
    other = folder / "v1_balanced_questions_test_scannetv2.json"
    other.write_text(json.dumps({"questions": questions}))
    return Rooms(scans, scanqa, sqa3d, made, stands)


def annotated(scan: GeneratedScan, frame: int, origin: str = "aligned") -> dict[str, Any]:
    """Place and heading of a frame as SQA3D has them, counted from one of the origins."""
    T = scan.T_aligned_raw
    ego = level_ego(T @ scan.T_raw_cam[frame])
    at, yaw = ego[:3, 3], yaw_of(ego)
    vertices = np.asarray(scan.mesh.vertices, np.float64)
    if origin == "aligned_centre":
        at = at - _middle(apply(T, vertices))
    if origin == "raw_middle":
        at = apply(np.linalg.inv(T), at) - _middle(vertices)
        yaw -= yaw_of(T)
    half = (yaw - math.pi) / 2  # the asker faces the local -x axis
    rotation = {"_x": 0.0, "_y": 0.0, "_z": math.sin(half), "_w": math.cos(half)}
    return {"position": {"x": float(at[0]), "y": float(at[1]), "z": 0.0}, "rotation": rotation}


def localization(rooms: Rooms, folder: Path, origin: str = "aligned", turned: int = 0) -> Path:
    """SQA3D's situations in their published form; `turned`: as if told of frames so many further on."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for k, (name, (scan, frame)) in enumerate(rooms.stands.items()):
        usable = [i for i in range(len(scan.color)) if np.isfinite(scan.T_raw_cam[i]).all()]
        place = annotated(scan, usable[(usable.index(frame) + turned) % len(usable)], origin)
        text = SITUATIONS[k % len(SITUATIONS)]
        listed.append({"scene_id": scan.scan_id, "situation_id": name, "situation": text, **place})
    path = folder / "v1_balanced_localization_test.json"
    path.write_text(json.dumps({"annotations": listed}))
    return path


def _middle(points: np.ndarray) -> np.ndarray:
    return (points.min(0) + points.max(0)) / 2
