"""PaliGemma: a SigLIP tower, a linear projector, one picture per image."""

from __future__ import annotations

from vantage.models.families.base import Family


class PaliGemma(Family):
    """`PaliGemmaForConditionalGeneration`."""

    name = "paligemma"


PALIGEMMA = PaliGemma()
