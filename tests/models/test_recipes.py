"""Recipes as presets: what goes together, in which frame, and what is refused."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from vantage.align.config import AlignConfig
from vantage.core.errors import ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.recipes import RecipeName, read_options, recipe


def made(name: Any, site: Any = None, **options: Any) -> Any:
    return recipe(name, site, read_options(options, "options"))


@pytest.mark.parametrize("name", get_args(RecipeName))
def test_points_and_places_of_every_preset_are_in_the_frame_that_samples_end_in(name: Any) -> None:
    found = made(name)
    ends = found.align.sample_frame if found.align else found.listed_frame
    parts = [part for part in (found.model.injection, found.model.situated) if part is not None]
    assert parts and all(part.frame == ends for part in parts)


def test_a_place_is_learned_in_the_world_whatever_the_options_say() -> None:
    found = made("multiview", "post_vit", situated={"layout_weight": 0.1})
    assert found.model.situated.frame == found.model.injection.frame == found.listed_frame == "aligned"
    assert found.model.situated.layout_weight == 0.1


def test_published_choices_stand_until_an_arm_says_otherwise() -> None:
    tuned = {name: (made(name).model.tune, made(name).model.tower) for name in get_args(RecipeName)}
    assert tuned == {
        "multiview": ("projector", False), "situated": ("full", False), "grounded": ("full", True),
        "posealign": ("lora", False),
    }  # fmt: skip
    assert made("multiview").model.injection.site == "pre_vit"
    assert made("situated").model.injection is None
    assert made("situated", "pre_vit").model.injection.site == "pre_vit"
    assert made("posealign", "none", align={"mode": "prompt"}).model.injection is None
    assert made("posealign", align={"mode": "embed"}).model.injection.encoder.kind == "pose_point"


def test_published_numbers_are_what_the_presets_have() -> None:
    """Loc3R-VLM's weights and bins, N3D-VLM's embedding, PoseAlign3D's adapters, KIST's site and freezing."""
    situated = made("situated").model.situated
    weights = (situated.layout_weight, situated.situation_weight, situated.orientation_weight)
    assert weights == (0.05, 0.075, 3.5) and situated.bins == 36
    assert situated.sigma_ori_deg == 10.0  # not published; at 36 bins exact from 10 on
    entry = made("grounded").model.injection
    assert (entry.site, entry.encoder) == ("post_vit", EncoderConfig("sinusoid", "n3d", scale=1.0))
    adapters = made("posealign").model.lora
    assert (adapters.rank, adapters.alpha, adapters.dropout) == (32, 64.0, 0.05)
    assert made("posealign").align == AlignConfig("transform")
    assert [made(name).dialogs for name in get_args(RecipeName)] == ["single", "single", "grounded", "single"]
    assert made("multiview").model.tune == "projector" and not made("multiview").model.tower


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("situated", {"align": {"mode": "prompt"}}, "not one to be found"),
        ("posealign", {"encoder": {"kind": "pose_point"}}, "does not read"),
        ("posealign", {"align": {"mode": "embed"}, "encoder": {"kind": "mlp"}}, "does not read"),
        ("grounded", {"align": {"mode": "transform", "frame": "ego_camera"}}, "level frame"),
        ("multiview", {"lora": {"rank": 4}}, "adapters that are not trained"),
        ("situated", {"tune": "projector", "lora": {}}, "adapters that are not trained"),
        ("situated", {"encoder": {"kind": "mlp"}}, "an encoder that nothing enters through"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(name: Any, options: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        made(name, **options)


@pytest.mark.parametrize("mode", ["transform", "embed"])
@pytest.mark.parametrize("name", ["posealign", "multiview", "grounded"])
def test_a_pose_that_only_coordinates_tell_needs_coordinates(name: Any, mode: str) -> None:
    with pytest.raises(ParameterError, match="no coordinates to tell the pose by") as refused:
        made(name, "none", align={"mode": mode})
    assert refused.value.found == f"site: none with align.mode: {mode}"


def test_without_coordinates_a_pose_is_told_in_words_or_not_at_all() -> None:
    for mode in ("prompt", "none"):
        assert made("posealign", "none", align={"mode": mode}).model.injection is None
    assert made("multiview", "none").align is None


@pytest.mark.parametrize(
    ("options", "key"),
    [({"tunes": "lora"}, "tunes"), ({"tune": "most"}, "tune"), ({"lora": {"rank": 0}}, "rank"),
     ({"rates": {"speed": 1.0}}, "speed")],
)  # fmt: skip
def test_a_wrong_option_is_named(options: Any, key: str) -> None:
    with pytest.raises(ParameterError, match=key):
        read_options(options, "finetune.arms.a.options")


def test_an_unknown_option_is_told_those_beside_it() -> None:
    with pytest.raises(ParameterError) as refused:
        read_options({"tune": "lora", "lora": {"r": 3}}, "options")
    assert refused.value.where == "options.lora.r" and refused.value.found == "r"
    assert refused.value.expected == "one of alpha, dropout, rank"
    with pytest.raises(ParameterError) as refused:
        read_options({"tunes": "lora"}, "options")
    assert refused.value.expected == ("one of align, dialogs, encoder, lora, rates, situated, tower, tune")
