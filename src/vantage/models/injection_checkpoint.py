"""A trained injection on disk: encoder and projector, and what they belong to.

The pocket model's adapters have a form of their own (`vantage.models.checkpoint`), which also fixes the
vocabulary; this one is for stock models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args

import transformers
from safetensors.torch import save
from torch import Tensor, nn

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.core.frames import FRAMES, require_frame
from vantage.models.encoders import EncoderConfig
from vantage.models.encoders.config import Kind, Normalisation
from vantage.models.families import Site
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.loading.load import BaseIdentity, LoadedBase
from vantage.models.state_file import read_state
from vantage.records.jsonfile import read_json_record

RECORD, VERSION = "injection", 1
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
_ENCODER = "position_encoder"


def injection_state(injector: Injector) -> dict[str, Tensor]:
    """The tensors that a training of projector and embedding may change, by name."""
    return {
        f"{part}.{name}": value.detach().contiguous()
        for part, module in _parts(injector).items()
        for name, value in module.state_dict().items()
    }


def save_injection(folder: Path, injector: Injector, identity: BaseIdentity) -> None:
    """Write `model.safetensors` and `config.json`: base, family, site, encoder, normalisation and frame."""
    described = {
        "record": RECORD,
        "version": VERSION,
        "base": asdict(identity),
        "family": injector.family.name,
        "site": injector.config.site,
        "frame": injector.config.frame,
        "unit": "m",
        "encoder": asdict(injector.config.encoder),
        "transformers": transformers.__version__,
    }
    atomic.write_bytes(folder / WEIGHTS_FILE, save(injection_state(injector)))
    atomic.write_json(folder / CONFIG_FILE, described)


def load_injection(folder: Path, base: LoadedBase, expected: InjectionConfig | None = None) -> Injector:
    """Put a trained projector into the base's model and return what injects coordinates.

    Args:
        folder: written by `save_injection`.
        base: the model it was trained on.
        expected: what the caller computes with; anything else in the checkpoint is refused.

    Raises:
        ContractError: another base, family, site, normalisation or frame; a tensor that is missing, unknown
            or of another shape; a file that is missing or damaged.
    """
    path = folder / CONFIG_FILE
    value = read_json_record(path, RECORD, VERSION)
    config = _config(path, value)
    if value["base"]["fingerprint"] != base.identity.fingerprint:
        raise ContractError(
            "the checkpoint was trained on another base", where=path,
            expected=BaseIdentity(**value["base"]).told(), found=base.identity.told(),
            hint="load the base it names",
        )  # fmt: skip
    injector = Injector.fresh(base.model, config, seed=0)
    if value["family"] != injector.family.name:
        raise ContractError(
            "the checkpoint is of another family", where=path, expected=injector.family.name,
            found=value["family"],
        )  # fmt: skip
    if expected is not None:
        _require_same(path, config, expected)
    _load_state(folder / WEIGHTS_FILE, injector)
    injector.encoder.requires_grad_(False).eval()
    return injector


def _parts(injector: Injector) -> dict[str, nn.Module]:
    return {_ENCODER: injector.encoder, **injector.family.projectors(injector.model)}


def _config(path: Path, value: Mapping[str, Any]) -> InjectionConfig:
    known = {field.name for field in fields(EncoderConfig)}
    if set(value["encoder"]) != known:
        raise ContractError(
            "not the settings of an encoder", where=path, expected=", ".join(sorted(known)),
            found=", ".join(sorted(value["encoder"])),
        )  # fmt: skip
    for name, found, names in (
        ("site", value["site"], get_args(Site)),
        ("frame", value["frame"], FRAMES),
        ("kind", value["encoder"]["kind"], get_args(Kind)),
        ("normalisation", value["encoder"]["normalisation"], get_args(Normalisation)),
    ):
        if found not in names:
            raise ContractError(f"unknown {name}", where=path, expected=", ".join(names), found=found)
    return InjectionConfig(value["site"], value["frame"], EncoderConfig(**value["encoder"]))


def _require_same(path: Path, found: InjectionConfig, expected: InjectionConfig) -> None:
    require_frame(found.frame, expected.frame, path)
    ours = {"site": expected.site, **asdict(expected.encoder)}
    theirs = {"site": found.site, **asdict(found.encoder)}
    if other := [name for name in ours if ours[name] != theirs[name]]:
        raise ContractError(
            "the checkpoint was trained with another embedding", where=path,
            expected=", ".join(f"{name} {ours[name]}" for name in other),
            found=", ".join(f"{name} {theirs[name]}" for name in other),
        )  # fmt: skip


def _load_state(path: Path, injector: Injector) -> None:
    state = read_state(path, injection_state(injector))
    for part, module in _parts(injector).items():
        own = {n.removeprefix(f"{part}."): v for n, v in state.items() if n.startswith(f"{part}.")}
        module.load_state_dict(own)
