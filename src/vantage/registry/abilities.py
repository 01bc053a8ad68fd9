"""What a packaged model takes and gives, by the description among its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vantage.evaluation.benchmarks.interface import AnsweredWith
from vantage.models.checkpoint import CONFIG_FILE as POCKET_CONFIG
from vantage.models.loading.weights import read_json
from vantage.models.vlm.checkpoint import read_described
from vantage.registry.served_base import SERVED_FILE


@dataclass(frozen=True)
class Abilities:
    """Of a registered model.

    Attributes:
        pocket: one word for an answer.
        situated: takes a situation and tells a place.
        grounded: locates what a question names, in boxes.
        coordinates: poses and points reach it.
        posed: it has to be told where it is.
    """

    pocket: bool = True
    situated: bool = False
    grounded: bool = False
    coordinates: bool = True
    posed: bool = True

    @property
    def gives(self) -> frozenset[AnsweredWith]:
        """What benchmarks may want of it."""
        more: list[tuple[AnsweredWith, bool]] = [("place", self.situated), ("boxes", self.grounded)]
        return frozenset(["text", *(name for name, there in more if there)])

    @classmethod
    def of(cls, weights: Path) -> Abilities:
        """From the folder with a model's artifacts; `ContractError` for settings that are damaged."""
        if not (weights / "base" / SERVED_FILE).is_file():
            configs = [read_json(path) for path in sorted(weights.rglob(POCKET_CONFIG))]
            return cls(coordinates=all(config.get("site") != "none" for config in configs))
        described = read_described(weights / "adapter")
        situated = described.config.situated is not None
        grounded = described.about.get("dialogs") == "grounded"
        posed = situated or grounded or described.about.get("align") is not None
        return cls(False, situated, grounded, posed or described.config.injection is not None, posed)


POCKET = Abilities()
"""Of a pocket model with coordinates."""
