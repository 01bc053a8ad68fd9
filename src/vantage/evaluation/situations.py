"""Held-out questions grouped by what they share: the ego, its views, and the points behind their patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from vantage.align.ego import EgoPose
from vantage.core.errors import ContractError
from vantage.models.answering import model_image
from vantage.models.pocket import GRID
from vantage.records.frames import Frame, kept_frames
from vantage.records.index import done_items
from vantage.records.patches import PatchCoordinates, read_squashed_patches
from vantage.records.questions import Question, read_questions
from vantage.records.scan import ScanMeta, read_scan
from vantage.scans.pixels import read_color


@dataclass(frozen=True)
class Situation:
    """What one answering pass needs.

    Attributes:
        questions: all asked from this ego of these views.
        images: the views at the model's size, the ego's first.
        xyz_aligned: a point for each patch, metres, aligned world.
        valid: whether the patch has one.
        T_aligned_others: cameras (x right, y down, z forward) of the scan's other kept frames to the aligned
            world, metres; by frame id.
    """

    questions: Sequence[Question]
    images: UInt8[np.ndarray, "v 64 64 3"]
    xyz_aligned: Float32[np.ndarray, "v gh gw 3"]
    valid: Bool[np.ndarray, "v gh gw"]
    T_aligned_others: Float64[np.ndarray, "m 4 4"]

    @property
    def room_id(self) -> str:
        """The room it is in."""
        return self.questions[0].room_id

    @property
    def key(self) -> str:
        """A name of its own: scan, ego frame, views."""
        first = self.questions[0]
        return f"{first.scan_id}/{first.ego_frame_id}/{'-'.join(map(str, first.views))}"

    @property
    def ego(self) -> EgoPose:
        """Where the questions are asked from."""
        T = np.asarray(self.questions[0].T_aligned_ego, dtype=np.float64)
        return EgoPose(T, "aligned", "ego_level")

    def points(self, ego: EgoPose | None = None) -> Float32[np.ndarray, "v gh gw 3"]:
        """The patches' points in the frame (metres, `ego_level`) of the questions' ego, or of another one."""
        ego = ego or self.ego
        points: Float64[np.ndarray, "v gh gw 3"] = ego.to_ego(self.xyz_aligned, "aligned")
        return np.where(self.valid[..., None], points, 0.0).astype(np.float32)


def heldout_questions(synthesize: Path) -> dict[str, list[Question]]:
    """Held-out questions of every scan that has some, by scan id, sorted.

    Raises:
        ContractError: no scan has one.
    """
    found = {}
    for scan in done_items(synthesize):
        questions = [q for q in read_questions(synthesize / scan) if q.split == "heldout"]
        if questions:
            found[scan] = questions
    if not found:
        raise ContractError(
            "no question is held out, so nothing can be evaluated",
            where=synthesize,
            hint="raise synthesize.held_out_share or add rooms",
        )
    return found


def situations(inputs: Mapping[str, Path], scan: str, questions: Sequence[Question]) -> Iterator[Situation]:
    """The situations of a scan's questions, in a fixed order.

    Args:
        inputs: folders of the stages `download`, `extract` and `lift`.
        scan: the scan's id.
        questions: its held-out questions.

    Raises:
        ContractError: a question shows a frame that later stages do not know.
    """
    patches = read_squashed_patches(inputs["lift"] / scan, (GRID, GRID))
    shown = sorted({frame for question in questions for frame in question.views})
    meta = read_scan(inputs["extract"] / scan)
    known = {frame.frame_id: frame for frame in kept_frames(inputs["extract"] / scan)}
    images = _images(inputs["download"] / scan, meta, known, shown)

    def key(q: Question) -> tuple[int, list[int]]:
        return q.ego_frame_id, list(q.views)

    for (ego, views), group in groupby(sorted(questions, key=lambda q: (*key(q), q.question_id)), key=key):
        xyz, valid = _points_of(patches, views, scan)
        others = [meta.T_aligned_raw @ known[frame].T_raw_cam for frame in sorted(known.keys() - {ego})]
        shown_images = np.stack([images[frame] for frame in views])
        yield Situation(list(group), shown_images, xyz, valid, np.array(others).reshape(-1, 4, 4))


def _images(
    raw: Path, meta: ScanMeta, known: Mapping[int, Frame], shown: Sequence[int]
) -> dict[int, UInt8[np.ndarray, "64 64 3"]]:
    if missing := sorted(set(shown) - known.keys()):
        raise _unknown_frame(meta.scan_id, missing[0])
    return {frame_id: model_image(read_color(raw, meta, known[frame_id])) for frame_id in shown}


def _points_of(
    patches: PatchCoordinates, views: Sequence[int], scan: str
) -> tuple[Float32[np.ndarray, "v gh gw 3"], Bool[np.ndarray, "v gh gw"]]:
    row_of = patches.row_of()
    if missing := [frame for frame in views if frame not in row_of]:
        raise _unknown_frame(scan, missing[0])
    rows = [row_of[frame] for frame in views]
    return patches.xyz_aligned[rows], patches.valid[rows]


def _unknown_frame(scan: str, frame: int) -> ContractError:
    return ContractError(
        "a question shows a frame that was not kept",
        where=f"questions of {scan}",
        found=f"frame {frame}",
        hint="run lift and synthesize again",
    )
