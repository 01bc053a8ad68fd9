"""A trained model on disk: its trained tensors beside what they belong to, or merged to a stock model."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import transformers
from safetensors.torch import save
from torch import Tensor

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.core.frames import require_frame
from vantage.models.injector import InjectionConfig
from vantage.models.loading.load import BaseIdentity, LoadedBase, load_vlm
from vantage.models.situated import SituatedTokens
from vantage.models.situated.tokens import NAMES
from vantage.models.state_file import read_state
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.records.jsonfile import read_json_record, validated

RECORD, VERSION = "spatial_vlm", 1
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
ADAPTER_FOLDER = "spatial"
"""Inside a merged model: what a stock model has no place for."""
_STOCK_FILES = ("*.json", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True)
class Described:
    """What an adapter's `config.json` says.

    Attributes:
        base: what it was trained on.
        family: of the model.
        config: all that was added.
        tokens: ids of a situated model's own tokens.
        about: recipe and arm, and how it is to be asked.
    """

    base: BaseIdentity
    family: str
    config: VlmConfig
    tokens: dict[str, int] | None
    about: dict[str, Any]


def adapter_state(model: SpatialVlm) -> dict[str, Tensor]:
    """The trained tensors and all that was added to the base, by name, on the CPU."""
    names = set(model.trained())
    return {
        name: value.detach().cpu().contiguous()
        for name, value in model.state_dict().items()
        if name in names or name.startswith(("encoder.", "situated."))
    }


def save_adapter(folder: Path, model: SpatialVlm, identity: BaseIdentity, about: dict[str, Any]) -> None:
    """Write `model.safetensors` and `config.json`: base, family, all that is added, `about` (recipe, arm)."""
    described = {
        "record": RECORD,
        "version": VERSION,
        "base": asdict(identity),
        "family": model.family.name,
        "unit": "m",
        "config": asdict(model.config),
        "tokens": _tokens(None if model.situated is None else model.situated.tokens),
        "about": about,
        "transformers": transformers.__version__,
    }
    atomic.write_bytes(folder / WEIGHTS_FILE, save(adapter_state(model)))
    atomic.write_json(folder / CONFIG_FILE, described)


def load_adapter(
    folder: Path,
    base: LoadedBase,
    expected: InjectionConfig | None = None,
    tokens: SituatedTokens | None = None,
) -> SpatialVlm:
    """The trained model, in evaluation mode; `base.model` becomes part of it.

    Args:
        folder: written by `save_adapter`.
        base: the model it was trained on.
        expected: how the caller computes coordinates; anything else in the adapter is refused.
        tokens: of the tokenizer that a situated model is asked with.

    Raises:
        ContractError: another base, family, site, encoder, normalisation, frame or token ids; a tensor that
            is missing, unknown or of another shape; a file that is missing or damaged.
        ParameterError: a situated model without its tokens.
    """
    path, described = folder / CONFIG_FILE, read_described(folder)
    if described.base.fingerprint != base.identity.fingerprint:
        raise ContractError(
            "the adapter was trained on another base", where=path, expected=described.base.told(),
            found=base.identity.told(),
            hint="load the base it names",
        )  # fmt: skip
    config = described.config
    if expected is not None:
        _require_same(path, config.injection, expected)
    if tokens is not None and described.tokens not in (None, _tokens(tokens)):
        raise ContractError(
            "the adapter was trained with other token ids", where=path, expected=_tokens(tokens),
            found=described.tokens,
        )  # fmt: skip
    model = SpatialVlm(base.model, config, 0, tokens if config.situated else None)
    if described.family != model.family.name:
        raise ContractError(
            "the adapter is of another family", where=path, expected=model.family.name,
            found=described.family,
        )  # fmt: skip
    model.load_state_dict(read_state(folder / WEIGHTS_FILE, adapter_state(model)), strict=False)
    return model.requires_grad_(False).eval()


def export_merged(folder: Path, model: SpatialVlm, base: LoadedBase, about: dict[str, Any]) -> None:
    """Write a stock model's folder with everything folded in that it has a place for.

    What it has none for (the position encoder, what makes it situated) is an adapter of the merged model, in
    `spatial/`. Afterwards `model` is merged itself.
    """
    model.merge()
    folder.mkdir(parents=True, exist_ok=True)
    for file in _stock_files(base.folder):
        shutil.copyfile(file, folder / file.name)
    model.base.save_pretrained(folder)
    merged = load_vlm(folder)
    tokens = None if model.situated is None else model.situated.tokens
    left = SpatialVlm(merged.model, replace(model.config, tune="projector", tower=False), 0, tokens)
    for ours, theirs in ((left.encoder, model.encoder), (left.situated, model.situated)):
        if ours is not None and theirs is not None:
            ours.load_state_dict(theirs.state_dict())
    save_adapter(folder / ADAPTER_FOLDER, left, merged.identity, about)


def _stock_files(folder: Path) -> list[Path]:
    """Tokenizer and image processor of a model's folder; of NVILA's parts, those of its decoder and tower."""
    parts = [folder / "vision_tower", folder / "llm"] if (folder / "llm").is_dir() else [folder]
    files = [file for part in parts for pattern in _STOCK_FILES for file in sorted(part.glob(pattern))]
    return [file for file in files if file.name != "config.json" and not file.name.endswith(".index.json")]


def load_merged(folder: Path, tokens: SituatedTokens | None = None) -> SpatialVlm:
    """The model of `export_merged`."""
    return load_adapter(folder / ADAPTER_FOLDER, load_vlm(folder), None, tokens)


def _tokens(tokens: SituatedTokens | None) -> dict[str, int] | None:
    return None if tokens is None else dict(zip(NAMES, tokens.ids, strict=True))


def read_described(folder: Path) -> Described:
    """What an adapter says of itself; `ContractError` where that is missing, damaged or of another kind."""
    path = folder / CONFIG_FILE
    value = read_json_record(path, RECORD, VERSION)
    missing = object()
    fields = {field.name: value.get(field.name, missing) for field in dataclass_fields(Described)}
    for name in [name for name, one in fields.items() if one is missing]:
        raise ContractError("not the settings of a trained model", where=path, expected=name, found="none")
    return validated(Described, fields, "not the settings of a trained model", path)


def _require_same(path: Path, found: InjectionConfig | None, expected: InjectionConfig) -> None:
    if found is not None:
        require_frame(found.frame, expected.frame, path)
    if found != expected:
        raise ContractError(
            "the adapter was trained with another embedding", where=path, expected=expected,
            found=found or "none",
        )  # fmt: skip
