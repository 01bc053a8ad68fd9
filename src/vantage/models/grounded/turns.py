"""The grounded recipe's dialogs for samples: as `Selection.dialog` wants them, scan by scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vantage.core.recent import Recent
from vantage.models.grounded.dialogs import GroundedDialogs, scan_dialogs
from vantage.models.vlm.sample import Turn
from vantage.records.box_lattice import METRIC, BoxLattice
from vantage.records.questions import Question

_SCANS_KEPT = 8


class GroundedTurns:
    """The two turns of every question; see `grounded_dialogs`.

    Args:
        inputs: folders of `extract` and `synthesize`.
        lattice: for the boxes of the first turn.
    """

    def __init__(self, inputs: Mapping[str, Path], lattice: BoxLattice = METRIC) -> None:
        self._extract, self._synthesize, self._lattice = inputs["extract"], inputs["synthesize"], lattice
        self._recent: Recent[GroundedDialogs] = Recent(_SCANS_KEPT)

    def __call__(self, question: Question) -> tuple[Turn, ...]:
        """The turns of a question; `ContractError` as `scan_dialogs` raises it."""
        scan = question.scan_id
        dialogs = self._recent.get(
            scan, lambda: scan_dialogs(self._extract / scan, self._synthesize / scan, self._lattice)
        )
        return dialogs.turns[question.question_id]
