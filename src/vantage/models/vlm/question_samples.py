"""Samples for any family from the folders that `download`, `extract`, `lift` and `synthesize` wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.align.alignment import Pose
from vantage.align.sources import ego_of_question
from vantage.core.errors import ContractError
from vantage.core.hashing import digest_json
from vantage.core.recent import Recent
from vantage.core.tasks import Facts
from vantage.geometry.transforms import invert
from vantage.geometry.warp import ImageWarp
from vantage.models.vlm.lifted_scan import LiftedScan
from vantage.models.vlm.listing import Listed, Selection, Unusable, list_scan, one_turn
from vantage.models.vlm.sample import Place, Sample
from vantage.records.index import done_items, read_index
from vantage.records.questions import Question, read_questions

STAGES = ("download", "extract", "lift", "synthesize")
_SCANS_KEPT = 8


class QuestionSamples(Sequence[Sample]):
    """A sample for each scan, ego and choice of views, with all its questions as dialogs.

    Opening reads the records of every scan once and keeps a few hundred bytes of each sample; a sample is
    read when it is asked for, its pictures when they are looked at. The records of the scans used last stay
    in memory, so that samples of one scan are best read one after another.

    Attributes:
        inputs: folders of the stages in `STAGES`.
        selection: which questions, and how they are put.
        listed: what is known of each sample, scan by scan.
        unusable: questions that were set aside because of their data.
    """

    def __init__(
        self,
        inputs: Mapping[str, Path],
        selection: Selection,
        tell: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """List the samples.

        Args:
            inputs: folders of the stages in `STAGES`.
            selection: which questions, and how they are put.
            tell: hears of scans listed and in all.

        Raises:
            ContractError: no sample is left, or records do not fit.
        """
        self.inputs = {stage: inputs[stage] for stage in STAGES}
        self.selection = selection
        self.listed: list[Listed] = []
        self.unusable: list[Unusable] = []
        self._recent: Recent[tuple[LiftedScan, dict[str, Question]]] = Recent(_SCANS_KEPT)
        scans = done_items(self.inputs["synthesize"])
        for done, scan in enumerate(scans):
            if questions := self._asked(scan):
                listed, unusable = list_scan(LiftedScan.read(self.inputs, scan), questions, selection)
                self.listed += listed
                self.unusable += unusable
            tell(done + 1, len(scans))
        if not self.listed:
            raise self._nothing(len(scans))

    def __len__(self) -> int:
        return len(self.listed)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        listed, asked = self.listed[index], self.questions(index)
        scan, _ = self._scan(listed.scan_id)
        ego = ego_of_question(asked[0])
        level = self.selection.frame == "ego_level"
        T_frame_aligned = invert(ego.T_world_ego) if level else np.eye(4)
        x, y = (float(value) for value in ego.T_world_ego[:2, 3])
        return Sample(
            sample_id=listed.sample_id,
            views=tuple(scan.view(frame_id, T_frame_aligned) for frame_id in listed.views),
            dialogs=tuple(self.selection.dialog(question) for question in asked),
            frame=self.selection.frame,
            situation=self.selection.situation(asked[0]),
            place=None if level else Place(x, y, ego.yaw),
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[k] for k in range(len(self)))

    def in_one_turn(self) -> QuestionSamples:
        """The same samples with each question as one turn, as a model in use is asked."""
        made = copy(self)
        made.selection = replace(self.selection, dialog=one_turn)
        return made

    def questions(self, index: int) -> list[Question]:
        """The records of a sample's questions, in the order of its dialogs."""
        listed = self.listed[index]
        _, questions = self._scan(listed.scan_id)
        return [questions[question_id] for question_id in listed.question_ids]

    def other_cameras(self, index: int) -> Float64[np.ndarray, "m 4 4"]:
        """Cameras (to the aligned world, metres) of the scan's kept frames but the ego's."""
        listed = self.listed[index]
        return self._scan(listed.scan_id)[0].T_aligned_others(listed.ego_frame_id)

    def pose(self, index: int) -> Pose:
        """The pose that a sample's questions are asked from, with its camera, to align the sample by.

        `ContractError` when the ego frame's camera is not where the questions say.
        """
        listed = self.listed[index]
        scan, ego_frame = self._scan(listed.scan_id)[0], listed.ego_frame_id
        scan.require_known([ego_frame], f"sample {listed.sample_id}")
        ego = ego_of_question(self.questions(index)[0], scan.T_aligned_cam(ego_frame))
        return Pose(ego, listed.sample_id, scan.meta.color_of(scan.frames[ego_frame]))

    def warp(self, index: int) -> ImageWarp | None:
        """What the patches of a sample's scan were made for; None for the whole image, divided evenly."""
        return self._scan(self.listed[index].scan_id)[0].patches.warp

    def digest(self) -> str:
        """Digest of everything that a run sees of these samples; no picture is read for it.

        The scans' files by the digests that stand in the stages' indexes, the samples by their ids and words.
        """
        scans = {listed.scan_id for listed in self.listed}
        rows = {
            stage: {row.item: row.digest for row in read_index(folder) if row.item in scans}
            for stage, folder in self.inputs.items()
        }
        samples = [{**asdict(listed), "grids": None} for listed in self.listed]
        return digest_json([self.selection.frame, rows, samples])

    def facts(self) -> Facts:
        """Counts, for a log: of samples, of questions, and of what was set aside (with the first reason)."""
        counts = {
            "samples": len(self.listed),
            "questions": sum(len(listed.question_ids) for listed in self.listed),
            "scans": len({listed.scan_id for listed in self.listed}),
            "samples_without_points": sum(not listed.has_points for listed in self.listed),
            "questions_set_aside": len(self.unusable),
        }
        return {**counts, "first_set_aside": self._first()} if self.unusable else counts

    def _first(self) -> str:
        first = self.unusable[0]
        return f"question {first.question_id}: {first.reason}"

    def _asked(self, scan: str) -> list[Question]:
        rows = read_questions(self.inputs["synthesize"] / scan)
        return [question for question in rows if self.selection.takes(question)]

    def _scan(self, scan: str) -> tuple[LiftedScan, dict[str, Question]]:
        def read() -> tuple[LiftedScan, dict[str, Question]]:
            questions = {question.question_id: question for question in self._asked(scan)}
            return LiftedScan.read(self.inputs, scan), questions

        return self._recent.get(scan, read)

    def _nothing(self, scans: int) -> ContractError:
        of = self.selection.families
        aside = f"; {len(self.unusable)} set aside, first {self._first()}" if self.unusable else ""
        return ContractError(
            "there is no question to ask",
            where=self.inputs["synthesize"],
            expected=f"questions of the split {self.selection.split}"
            + ("" if of is None else f" and of the families {', '.join(of)}"),
            found=f"none in {scans} scans{aside}",
            hint="change synthesize.held_out_share, add rooms, or name other families",
        )
