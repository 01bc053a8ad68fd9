"""A situated training on disk: equal after loading, and refused where it does not belong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from situated_cases import BEYOND, WITHIN, Scene
from tiny_vlms import CASES, FAMILY_CASES

from vantage.core.errors import ContractError
from vantage.models.loading.load import BaseIdentity, LoadedBase
from vantage.models.situated import SituatedConfig, load_situated, save_situated
from vantage.models.situated.checkpoint import CONFIG_FILE, WEIGHTS_FILE

IDENTITY = BaseIdentity("someone/some-vlm", "main", "llava", "0" * 64)


def moved(name: str) -> Scene:
    """With parameters that no seed gives."""
    scene = Scene(name, seed=3)
    with torch.no_grad():
        for parameter in scene.situated.parameters():
            parameter.add_(0.05)
    return scene


def base(name: str, identity: BaseIdentity = IDENTITY) -> LoadedBase:
    return LoadedBase(CASES[name]().model, Path(), identity)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_it_answers_the_same_after_loading(name: str, tmp_path: Path) -> None:
    scene = moved(name)
    save_situated(tmp_path, scene.situated, IDENTITY)
    with torch.no_grad():
        hidden = scene.hidden()
        expected = scene.situated.read(hidden, scene.inputs["input_ids"]), scene.losses()
        scene.situated = load_situated(
            tmp_path, LoadedBase(scene.model, Path(), IDENTITY), BEYOND, scene.config
        )
        assert torch.equal(scene.hidden(), hidden)
        assert scene.situated.read(hidden, scene.inputs["input_ids"]) == expected[0]
        assert scene.losses() == expected[1]
    assert not scene.situated.training
    assert not any(p.requires_grad for p in scene.situated.parameters())
    assert scene.situated.seed == 3


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_situated(tmp_path, moved("llava").situated, IDENTITY)
    return tmp_path


def test_it_says_what_it_belongs_to_and_nothing_of_this_machine(saved: Path) -> None:
    text = (saved / CONFIG_FILE).read_text()
    value = json.loads(text)
    assert value["tokens"] == {"<Cam>": 64, "<Pos>": 65, "<Ori>": 66}
    assert (value["family"], value["frame"], value["unit"], value["width"]) == ("llava", "ego_level", "m", 32)
    assert value["base"]["base"] == "someone/some-vlm"
    assert value["config"]["bins"] == 36
    assert str(saved) not in text
    before = (saved / WEIGHTS_FILE).read_bytes()
    save_situated(saved, moved("llava").situated, IDENTITY)
    assert (saved / WEIGHTS_FILE).read_bytes() == before
    assert (saved / CONFIG_FILE).read_text() == text


def test_another_base_family_width_frame_or_tokens_are_refused(saved: Path) -> None:
    expected = SituatedConfig(head_width=64, camera_drop=0.0)
    for other, message in (
        (replace(expected, frame="aligned"), "wrong frame"),
        (replace(expected, bins=72), "another bins"),
        (replace(expected, camera_width=768), "another camera_width"),
        (replace(expected, head_width=32), "another head_width"),
    ):
        with pytest.raises(ContractError, match=message):
            load_situated(saved, base("llava"), BEYOND, other)
    # Weights of the losses and the share withheld may change between trainings.
    load_situated(saved, base("llava"), BEYOND, replace(expected, layout_weight=0.0, camera_drop=0.5))
    with pytest.raises(ContractError, match="another tokens"):
        load_situated(saved, base("llava"), WITHIN)
    with pytest.raises(ContractError, match="another base"):
        load_situated(saved, base("llava", replace(IDENTITY, fingerprint="1" * 64)), BEYOND)
    load_situated(saved, base("llava", replace(IDENTITY, base="local")), BEYOND)
    # PaliGemma's widths are LLaVA's here: only the family's name tells them apart.
    with pytest.raises(ContractError, match="another family"):
        load_situated(saved, base("paligemma"), BEYOND)
    wide = base("llava")
    wide.model.config.text_config.hidden_size = 48
    with pytest.raises(ContractError, match="another width"):
        load_situated(saved, wide, BEYOND)


@pytest.mark.parametrize(
    "change",
    [{"frame": "lunar"}, {"config": {}}, {"version": 9}, {"tokens": {"<Cam>": 64}}, {"record": "injection"}],
)
def test_a_description_that_is_not_understood_is_refused(saved: Path, change: dict[str, object]) -> None:
    path = saved / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ContractError, match=r"unknown frame|not the settings|another"):
        load_situated(saved, base("llava"), BEYOND)


def test_weights_that_are_missing_unknown_misshaped_or_damaged_are_refused(saved: Path) -> None:
    path = saved / WEIGHTS_FILE
    good = load_file(path)
    for change in (
        {k: v for k, v in good.items() if k != "camera.null"},
        {**good, "heads.height.bias": torch.zeros(2)},
        {**good, "pos": torch.zeros(3)},
    ):
        save_file(change, path)
        with pytest.raises(ContractError, match="does not fit the model"):
            load_situated(saved, base("llava"), BEYOND)
    path.write_bytes(b"no weights")
    with pytest.raises(ContractError, match="damaged"):
        load_situated(saved, base("llava"), BEYOND)
    path.unlink()
    with pytest.raises(ContractError, match="missing"):
        load_situated(saved, base("llava"), BEYOND)
