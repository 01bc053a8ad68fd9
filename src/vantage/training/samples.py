"""Training samples in memory, from the folders that extract, lift and synthesize wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from vantage.core.errors import ContractError, ParameterError
from vantage.core.hashing import digest_bytes, digest_json
from vantage.core.seeds import fraction
from vantage.models.answering import model_image
from vantage.models.pocket import GRID, PATCHES
from vantage.models.tokens import answer_id, question_ids
from vantage.records.frames import kept_frames
from vantage.records.index import done_items
from vantage.records.patches import read_squashed_patches
from vantage.records.questions import Question, read_questions
from vantage.records.scan import read_scan
from vantage.scans.pixels import read_color


@dataclass(frozen=True)
class Situation:
    """An ego, its views, its questions. `views` are rows of the frame arrays, the ego's first; questions are
    (token ids, answer id); `name` says in messages which one it is."""

    name: str
    room: str
    views: tuple[int, ...]
    T_ego_aligned: Float64[np.ndarray, "4 4"]
    questions: tuple[tuple[tuple[int, ...], int], ...]


@dataclass(frozen=True)
class Samples:
    """Frames once, situations that point at them.

    `images` model-size pictures; `xyz_aligned` and `valid` the patches' points, metres, aligned world.
    """

    images: UInt8[np.ndarray, "f 64 64 3"]
    xyz_aligned: Float32[np.ndarray, "f 64 3"]
    valid: Bool[np.ndarray, "f 64"]
    situations: tuple[Situation, ...]

    @property
    def questions(self) -> int:
        """Number of questions."""
        return sum(len(s.questions) for s in self.situations)

    def split(self, share: float, seed: int) -> tuple[Samples, Samples]:
        """Training and validation samples: rooms go to validation by a hash of their names.

        Raises:
            ParameterError: one of the two has no situation.
        """
        kept = [s for s in self.situations if fraction(seed, "validation", s.room) >= share]
        aside = [s for s in self.situations if fraction(seed, "validation", s.room) < share]
        if not kept or not aside:
            raise ParameterError(
                "rooms cannot be divided into training and validation", where="finetune.validation_share",
                expected="a share that leaves rooms on both sides",
                found=f"{share}: {len(kept)} situations to train on, {len(aside)} to validate",
            )  # fmt: skip
        return replace(self, situations=tuple(kept)), replace(self, situations=tuple(aside))

    def digest(self) -> str:
        """Digest of everything a training run sees; a checkpoint is only taken up on the same samples."""
        arrays = [
            digest_bytes(np.ascontiguousarray(a).tobytes())
            for a in (self.images, self.xyz_aligned, self.valid)
        ]
        rows = [(s.room, s.views, s.T_ego_aligned.tolist(), s.questions) for s in self.situations]
        return digest_json([arrays, rows])


def load_samples(
    inputs: dict[str, Path], families: Sequence[str], tell: Callable[[int, int], None] = lambda _d, _t: None
) -> Samples:
    """All training situations of the run.

    Args:
        inputs: folders of the stages `download`, `extract`, `lift`, `synthesize`.
        families: question families to keep.
        tell: hears of scans done and scans in all.

    Raises:
        ContractError: no scan has a training question of these families, or records do not fit.
    """
    scans = done_items(inputs["synthesize"])
    frames: list[UInt8[np.ndarray, "64 64 3"]] = []
    xyz: list[Float32[np.ndarray, "n 64 3"]] = []
    valid: list[Bool[np.ndarray, "n 64"]] = []
    situations: list[Situation] = []
    for done, scan in enumerate(scans):
        questions = read_questions(inputs["synthesize"] / scan)
        questions = [q for q in questions if q.split == "train" and q.family in families]
        if questions:
            rows = _read_frames(
                inputs, scan, sorted({v for q in questions for v in q.views}), frames, xyz, valid
            )
            situations += _situations(scan, questions, rows)
        tell(done + 1, len(scans))
    if not situations:
        raise ContractError(
            "there is nothing to train on", where=inputs["synthesize"],
            expected="training questions of the families " + ", ".join(families),
            found=f"{len(scans)} scans, none",
            hint="lower synthesize.held_out_share, add rooms, or name other finetune.families",
        )  # fmt: skip
    return Samples(np.stack(frames), np.concatenate(xyz), np.concatenate(valid), tuple(situations))


def _read_frames(
    inputs: dict[str, Path],
    scan: str,
    frame_ids: Sequence[int],
    frames: list[UInt8[np.ndarray, "64 64 3"]],
    xyz: list[Float32[np.ndarray, "_ 64 3"]],
    valid: list[Bool[np.ndarray, "_ 64"]],
) -> dict[int, int]:
    """Append the frames' pictures and points; returns the row of each frame id."""
    patches = read_squashed_patches(inputs["lift"] / scan, (GRID, GRID))
    meta = read_scan(inputs["extract"] / scan)
    known = {frame.frame_id: frame for frame in kept_frames(inputs["extract"] / scan)}
    patch_row = patches.row_of()
    if missing := [f for f in frame_ids if f not in known or f not in patch_row]:
        raise ContractError(
            "a question shows a frame that was not kept", where=inputs["synthesize"] / scan,
            expected="kept frames with patches", found=f"frame {missing[0]}",
            hint="run lift and synthesize again",
        )  # fmt: skip
    rows = {frame_id: len(frames) + k for k, frame_id in enumerate(frame_ids)}
    raw = inputs["download"] / scan
    frames += [model_image(read_color(raw, meta, known[frame_id])) for frame_id in frame_ids]
    picked = [patch_row[frame_id] for frame_id in frame_ids]
    xyz.append(patches.xyz_aligned[picked].reshape(len(picked), PATCHES, 3))
    valid.append(patches.valid[picked].reshape(len(picked), PATCHES))
    return rows


def _situations(scan: str, questions: Sequence[Question], rows: dict[int, int]) -> list[Situation]:
    """Questions of one ego and one set of views together."""
    found = []
    ordered = sorted(questions, key=lambda q: (q.ego_frame_id, q.views, q.question_id))
    for (_, views), group in groupby(ordered, key=lambda q: (q.ego_frame_id, list(q.views))):
        asked = list(group)
        T_aligned_ego = np.asarray(asked[0].T_aligned_ego, dtype=np.float64)
        found.append(
            Situation(
                name=f"{scan}/frame {asked[0].ego_frame_id}",
                room=asked[0].room_id,
                views=tuple(rows[v] for v in views),
                T_ego_aligned=np.linalg.inv(T_aligned_ego),
                questions=tuple((question_ids(q.question), answer_id(q.answer)) for q in asked),
            )
        )
    return found


def view_points(
    samples: Samples, situation: Situation, views: Int64[np.ndarray, "v"]
) -> tuple[Float32[np.ndarray, "v 64 3"], Bool[np.ndarray, "v 64"]]:
    """Patch points of some views in the situation's `ego_level`, metres, and their validity."""
    T = situation.T_ego_aligned
    points = samples.xyz_aligned[views].astype(np.float64) @ T[:3, :3].T + T[:3, 3]
    return points.astype(np.float32), samples.valid[views]
