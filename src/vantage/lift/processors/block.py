"""The parameters of `lift` that fit a base model, from the files in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vantage.lift.processors.settings import TYPE
from vantage.lift.processors.table import known

GEOMETRIC: Final = (
    "crop_size",
    "crop_to_patches",
    "default_to_square",
    "do_center_crop",
    "do_image_splitting",
    "do_pad",
    "do_resize",
    "image_grid_pinpoints",
    "max_image_size",
    "max_patches",
    "max_pixels",
    "max_tiles",
    "merge_size",
    "min_patches",
    "min_pixels",
    "min_tiles",
    "patch_size",
    "size",
)
"""Settings that decide where the patches lie; others (means, filters, dtypes) do not."""


def lift_block(source: object, views: int) -> dict[str, Any]:
    """The keys `processor` and `views_together` of the section `lift` of params.yaml.

    Args:
        source: the folder of a model, or what else `processor_warp` takes.
        views: how many views the model is shown together.

    Raises:
        ParameterError: the processor is none of those known, or its patch size is in none of the files.
    """
    processor, settings = known(source)
    told: dict[str, Any] = {TYPE: settings.kind, "patch_size": settings.number("patch_size")}
    for name in sorted({*GEOMETRIC, *processor.stock}):
        given, stock = _plain(settings.given.get(name)), _plain(processor.stock.get(name))
        if name not in told and given is not None and given != stock:
            told[name] = given
    return {"processor": told, "views_together": views}


def _plain(value: Any) -> Any:
    """Mappings without what is null, and lists, as YAML holds them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
