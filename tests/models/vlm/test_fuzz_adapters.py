"""Damaged adapters: settings and tensors that are sound, or an error that names the file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from damaged import as_json, changed_bytes, changed_trees, examples
from vantage.core.errors import ContractError, VantageError
from vantage.models.injector import InjectionConfig
from vantage.models.loading.load import BaseIdentity
from vantage.models.state_file import read_state
from vantage.models.vlm.checkpoint import CONFIG_FILE, RECORD, VERSION, read_described
from vantage.models.vlm.model import VlmConfig
from vantage.models.vlm.trained import TrainedVlm

SETTINGS = {
    "record": RECORD, "version": VERSION, "base": asdict(BaseIdentity("a/b", "main", "llava", "0" * 64)),
    "family": "llava", "unit": "m", "config": asdict(VlmConfig(InjectionConfig("post_vit"))), "tokens": None,
    "about": {"recipe": "multiview", "align": None, "dialogs": "single"}, "transformers": "5.17.0",
}  # fmt: skip
OURS = {"encoder.null": torch.zeros(4), "encoder.scale": torch.ones(2, 3)}


def test_seeds_are_read(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_bytes(as_json(SETTINGS))
    assert read_described(tmp_path).family == "llava"
    (tmp_path / "model.safetensors").write_bytes(save(OURS))
    assert read_state(tmp_path / "model.safetensors", OURS).keys() == OURS.keys()


@examples(300)
@given(data=st.data())
def test_settings(data: st.DataObject, tmp_path: Path) -> None:
    """They are read whole before a base is loaded, which here there is none of."""
    whole = as_json(SETTINGS)
    tree = data.draw(st.booleans())
    changed = as_json(data.draw(changed_trees(SETTINGS))) if tree else data.draw(changed_bytes(whole))
    (tmp_path / CONFIG_FILE).write_bytes(changed)
    try:
        found = read_described(tmp_path)
    except ContractError as error:
        assert error.where and (error.expected or error.found)
        return
    assert asdict(found.config) == json.loads(changed)["config"]
    with pytest.raises(VantageError) as caught:
        TrainedVlm.load(str(tmp_path), tmp_path)
    assert caught.value.where


@examples(400)
@given(changed_bytes(save(OURS)))
def test_tensors(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "model.safetensors"
    path.write_bytes(data)
    try:
        found = read_state(path, OURS)
    except ContractError as error:
        assert error.where and (error.expected or error.found)
        return
    assert found.keys() == OURS.keys()
    for name, value in found.items():
        assert value.shape == OURS[name].shape and value.isfinite().all() and value.is_floating_point()


@pytest.mark.parametrize(
    "wrong",
    [torch.full((4,), float("nan")), torch.full((4,), float("inf")), torch.zeros(4, dtype=torch.int64)],
    ids=["nan", "infinite", "integers"],
)
def test_tensors_that_no_training_leaves(wrong: torch.Tensor, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(save({**OURS, "encoder.null": wrong}))
    with pytest.raises(ContractError, match=r"encoder\.null: finite"):
        read_state(tmp_path / "model.safetensors", OURS)


KINDS = [("tokens", None), ("tokens", {"x": 1}), ("family", "x"), ("about", {"x": 1})]
OTHERS = [(key, value) for key in ("base", "family", "config", "tokens", "about")
          for value in (None, [], 5, "x", {"x": 1}) if (key, value) not in KINDS]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), OTHERS)
def test_settings_of_another_kind(key: str, value: object, tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_bytes(as_json({**SETTINGS, key: value}))
    with pytest.raises(ContractError, match=CONFIG_FILE):
        TrainedVlm.load("no/such", tmp_path)


@pytest.mark.parametrize("about", [{"dialogs": "many"}, {"dialogs": []}, {"align": 5}, {"align": {"x": 1}}])
def test_a_way_of_asking_that_is_none(about: object, tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_bytes(as_json({**SETTINGS, "about": about}))
    with pytest.raises(ContractError, match=CONFIG_FILE):
        TrainedVlm.load("no/such", tmp_path)
