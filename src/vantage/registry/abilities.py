"""What a packaged model takes and gives, by the description among its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    """

    pocket: bool = True
    situated: bool = False
    grounded: bool = False
    coordinates: bool = True

    @classmethod
    def of(cls, weights: Path) -> Abilities:
        """From the folder with a model's artifacts; `ContractError` for settings that are damaged."""
        if not (weights / "base" / SERVED_FILE).is_file():
            configs = [read_json(path) for path in sorted(weights.rglob(POCKET_CONFIG))]
            return cls(coordinates=all(config.get("site") != "none" for config in configs))
        described = read_described(weights / "adapter")
        situated = described.config.situated is not None
        grounded = described.about.get("dialogs") == "grounded"
        told = described.about.get("align") is not None or described.config.injection is not None
        return cls(False, situated, grounded, situated or grounded or told)
