"""A small workspace made by hand: two-frame scans, questions, two untrained arms. No room is rendered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.geometry.transforms import level_ego
from vantage.lift.config import LiftConfig
from vantage.lift.stage import lift
from vantage.models.checkpoint import AdapterConfig, adapter_state, base_digest, save_adapter, save_base
from vantage.models.pocket import PocketShape, build, fresh_injector
from vantage.records.frames import kept_frames
from vantage.records.index import IndexRow, write_index
from vantage.records.objects import SceneObject, write_objects
from vantage.records.questions import Question, write_questions
from vantage.scans.config import ExtractConfig
from vantage.scans.stage import extract

SHAPE = PocketShape(vision_width=32, vision_layers=1, vision_mlp=32, layers=1, mlp=32)
FOLDERS = {
    "download": "data/raw",
    "extract": "data/frames",
    "lift": "data/lift",
    "synthesize": "data/questions",
    "finetune": "models/arms",
    "evaluate": "reports/evaluation",
}
TEXTS = (
    ("direction", "unseen", "where is the red chair from me?", "back-left"),
    ("direction", "seen", "where is the blue bed from me?", "front-left"),
    ("exist", "", "is there a red chair?", "yes"),
    ("nearest_to", "", "is the red chair closer to the blue bed than the green sofa?", "no"),
)


@dataclass(frozen=True)
class Made:
    """Where things are."""

    root: Path
    base: Path
    scans: tuple[str, ...]

    @property
    def inputs(self) -> dict[str, Path]:
        """Output folder of every stage."""
        return {stage: self.root / folder for stage, folder in FOLDERS.items()}


def make(root: Path, rooms: int = 3) -> Made:
    """Write the workspace below `root`."""
    (root / "dvc.yaml").write_text("stages: {}\n")
    scans = tuple(f"room{i:04d}_00" for i in range(rooms))
    made = Made(root, root / "base", scans)
    for number, scan in enumerate(scans):
        _scan(made, scan, number)
    for stage in ("download", "extract", "lift", "synthesize"):
        _index(made.inputs[stage])
    model = build(SHAPE)
    save_base(made.base, model, SHAPE, {})
    for seed, arm in enumerate(("projector", "embedding")):
        train(made, arm, seed)
    return made


def train(made: Made, arm: str, seed: int) -> None:
    """Write an untrained arm whose weights follow from `seed`, and the arms' index."""
    model = build(SHAPE, seed)
    injector = None if arm == "projector" else fresh_injector(model, "post_vit", seed)
    site = "none" if injector is None else "post_vit"
    folder = made.inputs["finetune"] / arm
    folder.mkdir(parents=True, exist_ok=True)
    save_adapter(folder, adapter_state(model, injector), AdapterConfig(base_digest(made.base), site))
    rows = [{"step": step, "loss": 3.0 - step / 10} for step in range(1, 4)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _index(made.inputs["finetune"])


def _index(folder: Path) -> None:
    items = sorted(path for path in folder.iterdir() if path.is_dir())
    write_index(folder, [IndexRow(path.name, "done", digest_tree(path)) for path in items])


def look(yaw: float, x: float, y: float) -> np.ndarray:
    """A level camera at 1.5 m that looks along `yaw`."""
    c, s = np.cos(yaw), np.sin(yaw)
    T = np.eye(4)
    T[:3, :3] = np.array([[s, 0, c], [-c, 0, s], [0, -1, 0]])
    T[:3, 3] = (x, y, 1.5)
    return T


def _scan(made: Made, scan: str, number: int) -> None:
    folders = {stage: made.inputs[stage] / scan for stage in ("download", "extract", "lift", "synthesize")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    _raw(folders["download"], number)
    work = made.root / "work"
    work.mkdir(exist_ok=True)
    extract(Task(scan, {"download": folders["download"]}, folders["extract"], work, 0), ExtractConfig())
    box = np.array([0.5, 0.6, 0.9])
    chair = SceneObject(1, "chair", 5, "chair", "red", np.array([1.0, 1.0, 0.45]), box, np.eye(3), 10)
    write_objects(folders["extract"], [chair])
    lift(Task(scan, folders, folders["lift"], work, 0), LiftConfig())
    frames = kept_frames(folders["extract"])
    views = [frame.frame_id for frame in frames]
    ego = level_ego(frames[0].T_raw_cam)
    write_questions(folders["synthesize"], [_question(scan, i, views, ego) for i in range(len(TEXTS))])


def _raw(folder: Path, number: int) -> None:
    """Two frames in ScanNet's extracted layout: noise in colour, a slanted plane in depth."""
    for name in ("color", "depth", "pose", "intrinsic"):
        (folder / name).mkdir()
    draw = np.random.default_rng(number)
    K = np.array([[60.0, 0, 39.5, 0], [0, 60.0, 29.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for kind in ("color", "depth"):
        np.savetxt(folder / "intrinsic" / f"intrinsic_{kind}.txt", K)
    for i in range(2):
        color = draw.integers(30, 220, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(color).save(folder / "color" / f"{i}.jpg", quality=95)
        depth = np.add.outer(np.arange(60) * 5, np.arange(80) * 10) + 1000 + 500 * number
        Image.fromarray(depth.astype(np.uint16)).save(folder / "depth" / f"{i}.png")
        np.savetxt(folder / "pose" / f"{i}.txt", look(0.4 * number + i, 0.3 * i, 0.1 * number))


def _question(scan: str, i: int, views: list[int], ego: np.ndarray) -> Question:
    family, part, text, answer = TEXTS[i]
    return Question(
        question_id=f"{scan}-{i}",
        scan_id=scan,
        room_id=scan[:8],
        split="heldout",
        family=family,
        slice=part,
        question=text,
        answer=answer,
        reasoning="",
        evidence={"object_ids": [1]},
        ego_frame_id=views[0],
        pose_source="recorded_frame",
        pose_uses_target=False,
        T_aligned_ego=ego,
        views=views,
        learnable_by_pocket=family != "nearest_to",
    )
