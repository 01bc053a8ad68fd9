"""Vision-language model families: where a 3D position embedding enters each, and in which token order."""

from __future__ import annotations

from typing import Any, Final

from vantage.core.errors import ParameterError
from vantage.core.names import Names
from vantage.models.families.base import Family, Site

__all__ = ["FAMILIES", "Family", "Site", "family_named", "family_of"]

FAMILIES: Final[Names[Family]] = Names(
    "model family",
    {
        "idefics3": "vantage.models.families.idefics:IDEFICS3",
        "internvl": "vantage.models.families.internvl:INTERNVL",
        "llava": "vantage.models.families.llava:LLAVA",
        "llava_onevision": "vantage.models.families.llava_onevision:LLAVA_ONEVISION",
        "nvila_lite": "vantage.models.families.nvila:NVILA",
        "paligemma": "vantage.models.families.paligemma:PALIGEMMA",
        "qwen2_5_vl": "vantage.models.families.qwen:QWEN2_5_VL",
        "qwen3_vl": "vantage.models.families.qwen:QWEN3_VL",
        "smolvlm": "vantage.models.families.idefics:SMOLVLM",
    },
    group="vantage.vlm_families",
)
"""Families by `model_type`; others add theirs through the entry-point group `vantage.vlm_families`."""


def family_of(model: Any) -> Family:
    """The family of a transformers model, from its configuration's `model_type`.

    Raises `ParameterError`, with the families there are, when it is none of them.
    """
    kind = str(getattr(getattr(model, "config", None), "model_type", type(model).__name__))
    return family_named(kind, type(model).__name__)


def family_named(kind: str, where: object) -> Family:
    """The family of a `model_type`; `where` is named in the error. Raises as `family_of` does."""
    if kind not in FAMILIES.names():
        raise ParameterError(
            f"no 3D position embedding for models of type {kind!r}", where=where,
            expected=f"one of {', '.join(FAMILIES.names())}", found=kind,
            hint="add a family through the entry-point group vantage.vlm_families",
        )  # fmt: skip
    return FAMILIES.get(kind)
