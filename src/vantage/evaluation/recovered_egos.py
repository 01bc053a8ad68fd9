"""Another pose for each held-out question: the one that `recover` chooses, with and without the target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vantage.align.ego import EgoPose
from vantage.align.sources import ego_of_choice
from vantage.core.recent import Recent
from vantage.evaluation.named_objects import named_objects
from vantage.evaluation.poses import RECOVERED
from vantage.records.frames import kept_frames
from vantage.records.intersections import Intersections
from vantage.records.objects import SceneObject, read_objects
from vantage.records.questions import Question
from vantage.records.scan import read_scan
from vantage.records.visibility import read_visibility
from vantage.recover.choice import PoseChoice
from vantage.recover.selection import Poses, Selection, choose_pose

_Scan = tuple[Intersections, Poses, list[SceneObject]]


class RecoveredEgos:
    """Chooses by what the `recover` stage wrote.

    Args:
        inputs: folders of the stages `extract` and `recover`.
        source: one of `RECOVERED`.
        seed: of the draws, together with the question's id.
    """

    def __init__(self, inputs: Mapping[str, Path], source: str, seed: int) -> None:
        self._extract, self._recover = inputs["extract"], inputs["recover"]
        self._strategy, self._leaks = RECOVERED[source]
        self._seed = seed
        self._recent: Recent[_Scan] = Recent(1)

    def choice(self, question: Question) -> PoseChoice:
        """The pose for the objects that the question names, or that its answer rests on; aligned world.

        Raises `ContractError` where the scan was not scored.
        """
        found, poses, objects = self._recent.get(question.scan_id, lambda: self._read(question.scan_id))
        ids = named_objects(question.question, objects)
        if self._leaks:
            ids = [int(object_id) for object_id in question.evidence.get("object_ids", [])]
        selection = Selection(self._strategy, seed=self._seed, ids_are_target=self._leaks)
        return choose_pose(found, poses, ids, selection, key=question.question_id, world="aligned")

    def ego(self, question: Question) -> EgoPose:
        """The same as an ego, `ego_level`."""
        return ego_of_choice(self.choice(question)).seen_as("ego_level")

    def _read(self, scan: str) -> _Scan:
        extract = self._extract / scan
        T = read_scan(extract).T_aligned_raw
        poses = {frame.frame_id: T @ frame.T_raw_cam for frame in kept_frames(extract)}
        return read_visibility(self._recover / scan).intersections(), poses, read_objects(extract)
