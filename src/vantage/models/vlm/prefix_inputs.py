"""What a model is called with for dialogs behind a shared prefix: its positions and its attention mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from jaxtyping import Int64
from torch import Tensor

from vantage.core.errors import ParameterError
from vantage.models.families import family_of
from vantage.models.vlm.head import stock
from vantage.models.vlm.shared_prefix import PREFIX, PrefixRows

_ATTENTION: Final = ("sdpa", "eager")
"""Implementations that take a mask of any form."""
_LAYERS: Final = ("full_attention", "sliding_attention")


@dataclass(frozen=True)
class SharedPrefix:
    """Whether a model computes dialogs behind a shared prefix exactly as alone; if not, `reason` says why."""

    possible: bool
    reason: str = ""


def shares_prefix(model: Any) -> SharedPrefix:
    """Whether dialogs may share their prefix in this model; if not, each needs a row with its own views."""
    inner = stock(model)
    family = family_of(inner)
    if family.prefix_sees_question:
        return SharedPrefix(False, f"{family.name} reads views and question in both directions")
    config = inner.config.get_text_config()
    attention = getattr(config, "_attn_implementation", None)
    if attention not in _ATTENTION:
        return SharedPrefix(False, f"attention {attention} takes no mask of its caller's")
    if odd := sorted(set(getattr(config, "layer_types", None) or ()) - set(_LAYERS)):
        return SharedPrefix(False, f"layers of {', '.join(odd)} hear of more than a mask tells")
    return SharedPrefix(True)


def prefix_inputs(model: Any, rows: PrefixRows, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What `model` is called with.

    Args:
        model: a transformers model of one of our families, in peft's wrapper or not.
        rows: the dialogs, on the model's device.
        shown: the model's inputs of all images, those of a sample once (`Preparer.show`).

    Raises:
        ParameterError: the model cannot share a prefix; the reason is told.
    """
    verdict = shares_prefix(model)
    if not verdict.possible:
        raise ParameterError(
            "this model cannot share the views among dialogs", found=verdict.reason,
            hint="give each dialog a row of its own (`batch.single_dialogs`)",
        )  # fmt: skip
    inner = stock(model)
    return {
        "input_ids": rows.input_ids,
        "attention_mask": _mask(inner, rows),
        "position_ids": _positions(inner, rows, shown),
        **family_of(inner).extra_inputs(rows.input_ids, int(inner.config.image_token_id)),
        **shown,
    }


def _positions(model: Any, rows: PrefixRows, shown: Mapping[str, Any]) -> Int64[Tensor, "*a b t"]:
    prefix = rows.slot == PREFIX
    found = family_of(model).positions(model, rows.input_ids, prefix, shown)
    if found is None:
        return rows.offset
    # Text goes on by ones, on every axis from the highest position so far.
    length = prefix.sum(1)
    after = torch.where(prefix, found, -1).amax((0, 2)) + 1
    own = rows.offset + (after - length)[:, None]
    return torch.where(prefix, found, own)


def _mask(model: Any, rows: PrefixRows) -> Tensor | dict[str, Tensor]:
    """The mask of all layers, or one of each kind where a decoder mixes them."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())

    def shaped(bound: int | None) -> Tensor:
        sees = rows.sees(bound)
        if config._attn_implementation == "sdpa":
            return sees
        lowest = torch.finfo(model.dtype).min
        return torch.zeros(sees.shape, dtype=model.dtype, device=sees.device).masked_fill_(~sees, lowest)

    if "sliding_attention" in kinds:
        return {"full_attention": shaped(None), "sliding_attention": shaped(window)}
    # Decoders that do not name their layers slide all of them, if they have a window.
    return shaped(None if kinds else window)
