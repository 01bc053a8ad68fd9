"""The four recipes as presets: what each adds to a stock model, trains of it, and shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from vantage.align.config import AlignConfig
from vantage.core.errors import ParameterError
from vantage.core.frames import Frame
from vantage.models.encoders import EncoderConfig
from vantage.models.families import Site
from vantage.models.grounded.recipe import INJECTION as GROUNDED_INJECTION
from vantage.models.injector import InjectionConfig
from vantage.models.situated import SituatedConfig
from vantage.models.vlm.dialog import Dialogs
from vantage.models.vlm.model import Rates, VlmConfig
from vantage.models.vlm.tuning import LoraSettings, Tune

RecipeName = Literal["multiview", "situated", "grounded", "posealign"]


@dataclass(frozen=True)
class RecipeOptions:
    """What of a recipe is done otherwise than its preset says; None: as the preset.

    Attributes:
        tune: `projector`, `lora` or `full`.
        tower: whether the vision tower is trained too.
        lora: of `tune: lora`, and of nothing else.
        encoder: of the coordinates, where there are some.
        situated: layout and situation modelling, beside any recipe that tells no pose; always in the
            `aligned` world, whatever its `frame` says.
        align: how the ego pose reaches the model.
        dialogs: `single` (the question, then its answer) or `grounded` (boxes first, then reasoning).
        rates: learning rates.
    """

    tune: Tune | None = None
    tower: bool | None = None
    lora: LoraSettings | None = None
    encoder: EncoderConfig | None = None
    situated: SituatedConfig | None = None
    align: AlignConfig | None = None
    dialogs: Dialogs | None = None
    rates: Rates | None = None


@dataclass(frozen=True)
class Recipe:
    """What a model is made, trained and asked with.

    Attributes:
        model: what is added and trained.
        align: how the ego pose reaches it; None: coordinates stand in `ego_level` already, or nobody tells.
        dialogs: what a question becomes.
    """

    model: VlmConfig
    align: AlignConfig | None
    dialogs: Dialogs

    @property
    def listed_frame(self) -> Literal["ego_level", "aligned"]:
        """The frame that samples are read in, before they are aligned."""
        return "aligned" if self.align is not None or self.model.situated is not None else "ego_level"


def read_options(values: Mapping[str, Any], where: str) -> RecipeOptions:
    """Options out of parameters; `ParameterError` names the key that is wrong."""
    try:
        found: RecipeOptions = TypeAdapter(RecipeOptions).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(
            "not a recipe's option", where=".".join([where, *map(str, first["loc"])]), expected=first["msg"],
            found=first["input"],
        ) from error  # fmt: skip
    known = _keys(asdict(found))
    if unknown := sorted(_keys(values) - known):
        inside, _, name = unknown[0].rpartition(".")
        parted = [key.rpartition(".") for key in known]
        beside = sorted(last for before, _, last in parted if before == inside)
        raise ParameterError(
            "unknown key", where=f"{where}.{unknown[0]}", expected=f"one of {', '.join(beside)}", found=name
        )
    return found


def _keys(values: Mapping[str, Any], before: str = "") -> set[str]:
    """Dotted names of all keys."""
    found = set()
    for name, value in values.items():
        found |= {f"{before}{name}"} | (
            _keys(value, f"{before}{name}.") if isinstance(value, Mapping) else set()
        )
    return found


def recipe(
    name: RecipeName, site: Site | Literal["none"] | None, options: RecipeOptions | None = None
) -> Recipe:
    """A recipe's preset with what an arm changes of it.

    Published choices: `multiview` trains the projector alone (KIST); `situated` the decoder beside a frozen
    tower (Loc3R-VLM); `grounded` tower and decoder (N3D-VLM); `posealign` adapters of rank 32 (PoseAlign3D).

    Args:
        name: of the recipe.
        site: where coordinates enter, `none` for nowhere, None for the preset's site.
        options: what is done otherwise.

    Raises:
        ParameterError: parts that do not go together.
    """
    own = options or RecipeOptions()
    preset = _PRESETS[name]
    align = own.align or preset.align
    situated = own.situated or preset.model.situated
    if situated is not None:
        # In the asker's own frame every place would be the origin, and nothing to learn.
        situated = replace(situated, frame="aligned")
    dialogs = own.dialogs or preset.dialogs
    if dialogs == "grounded" and align is not None and align.sample_frame == "ego_camera":
        raise ParameterError(
            "boxes are reasoned over in a level frame", where="align.frame", expected="ego_level",
            found="ego_camera", hint="take align.frame: ego_level, or dialogs: single",
        )  # fmt: skip
    if situated is not None and align is not None:
        raise ParameterError(
            "a pose that is told is not one to be found", where="situated, align", expected="one of them",
            found="both", hint="take recipe: situated without align, or posealign without situated",
        )  # fmt: skip
    frame: Frame = "ego_level"
    if situated is not None:
        frame = situated.frame
    elif align is not None:
        frame = align.sample_frame
    tune = own.tune or preset.model.tune
    if own.lora is not None and tune != "lora":
        raise ParameterError(
            "settings of adapters that are not trained", where="lora, tune", expected="tune: lora",
            found=f"tune: {tune}", hint="set tune: lora, or take lora out",
        )  # fmt: skip
    model = replace(
        preset.model,
        injection=_injection(preset, site, frame, own.encoder, align),
        situated=situated,
        tune=tune,
        tower=preset.model.tower if own.tower is None else own.tower,
        lora=own.lora or preset.model.lora,
        rates=own.rates or preset.model.rates,
    )
    return Recipe(model, align, dialogs)


def _injection(
    preset: Recipe,
    site: Site | Literal["none"] | None,
    frame: Frame,
    encoder: EncoderConfig | None,
    align: AlignConfig | None,
) -> InjectionConfig | None:
    before = preset.model.injection
    if site == "none" or (site is None and before is None):
        _require_unused(encoder, align)
        return None
    found = before or InjectionConfig()
    chosen = encoder or found.encoder
    if encoder is None and align is not None and align.mode == "embed":
        chosen = EncoderConfig(align.numbers)
    if align is not None and (align.mode == "embed") != (chosen.kind in ("pose_point", "pose_view")):
        raise ParameterError(
            "the encoder does not read what the alignment gives", where="encoder.kind, align.mode",
            expected="pose_point or pose_view with embed, another kind without",
            found=f"{chosen.kind} with {align.mode}",
        )  # fmt: skip
    return InjectionConfig(site or found.site, frame, chosen)


def _require_unused(encoder: EncoderConfig | None, align: AlignConfig | None) -> None:
    """Raise `ParameterError` for what a model without coordinates would never hear of."""
    if align is not None and align.mode in ("transform", "embed"):
        raise ParameterError(
            "no coordinates to tell the pose by", where="site, align.mode",
            expected="a site, or the pose in words (prompt) or not at all (none)",
            found=f"site: none with align.mode: {align.mode}",
            hint="name a site, or take align.mode: none for the baseline",
        )  # fmt: skip
    if encoder is not None:
        raise ParameterError(
            "an encoder that nothing enters through", where="encoder, site",
            expected="pre_vit, post_vit or post_projector", found="none",
            hint="name a site, or take encoder out",
        )  # fmt: skip


_METRES = EncoderConfig("sinusoid_mlp", "metres")
_PRESETS: dict[RecipeName, Recipe] = {
    "multiview": Recipe(VlmConfig(InjectionConfig("pre_vit", "ego_level", _METRES)), None, "single"),
    "situated": Recipe(VlmConfig(None, "full", situated=SituatedConfig(frame="aligned")), None, "single"),
    "grounded": Recipe(VlmConfig(GROUNDED_INJECTION, "full", tower=True), None, "grounded"),
    "posealign": Recipe(
        VlmConfig(InjectionConfig("post_vit", "ego_level", _METRES), "lora"), AlignConfig(), "single"
    ),
}
