"""The base and the adapters on disk: safetensors beside a JSON that says what they are and what they fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.core.frames import require_frame
from vantage.core.hashing import digest_bytes
from vantage.models.injector import Injector
from vantage.models.model_files import RECIPE_FILE, SHIPPED_BASE
from vantage.models.pocket import PocketShape, build, fresh_injector
from vantage.models.tokens import vocabulary_digest

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

_TIED = "lm_head.weight"
_PROJECTOR, _ENCODER = "projector.", "position_encoder."


def save_base(
    folder: Path, model: LlavaForConditionalGeneration, shape: PocketShape, recipe: dict[str, Any]
) -> None:
    """Write weights (half precision) and `recipe.json`, which holds their digest."""
    state = {k: v.to(torch.float16).contiguous() for k, v in model.state_dict().items() if k != _TIED}
    weights = save(state)
    recipe = {
        **recipe,
        "record": "pocket_base",
        "version": 1,
        "shape": asdict(shape),
        "weights_sha256": digest_bytes(weights),
        "vocabulary_sha256": vocabulary_digest(),
    }
    atomic.write_bytes(folder / WEIGHTS_FILE, weights)
    atomic.write_json(folder / RECIPE_FILE, recipe)


def load_base(folder: Path | None = None) -> LlavaForConditionalGeneration:
    """The frozen base, float32, in evaluation mode; by default the shipped one.

    Raises `ContractError` when files are missing, the weights are not those the recipe describes, or the
    vocabulary has changed since.
    """
    folder = SHIPPED_BASE if folder is None else folder
    recipe = _read_json(folder / RECIPE_FILE, "rebuild the base: make base")
    weights = _read_bytes(folder / WEIGHTS_FILE, "rebuild the base: make base")
    if digest_bytes(weights) != recipe["weights_sha256"]:
        raise ContractError(
            "the base's weights are not those its recipe describes", where=folder / WEIGHTS_FILE,
            expected=recipe["weights_sha256"], found=digest_bytes(weights),
            hint="rebuild the base: make base",
        )  # fmt: skip
    _require_vocabulary(recipe["vocabulary_sha256"], folder)
    model = build(PocketShape(**recipe["shape"]))
    state = {name: value.to(torch.float32) for name, value in load(weights).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if set(missing) - {_TIED} or unexpected:
        raise ContractError(
            "the base's weights do not fit the model", where=folder / WEIGHTS_FILE,
            expected=", ".join(sorted(missing)) or "no more",
            found=", ".join(sorted(unexpected)) or "no more",
        )  # fmt: skip
    model.requires_grad_(False)
    return model.eval()


def base_digest(folder: Path | None = None) -> str:
    """Digest of the base's weights, as its recipe states it."""
    recipe = _read_json(
        (SHIPPED_BASE if folder is None else folder) / RECIPE_FILE, "rebuild the base: make base"
    )
    return str(recipe["weights_sha256"])


@dataclass(frozen=True)
class AdapterConfig:
    """What an adapter is: the base it was trained on, where the 3D position enters, in which frame.

    `site` is `none` for an adapter without 3D position embedding.
    """

    base_sha256: str
    site: str
    frame: str = "ego_level"
    unit: str = "m"
    recipe: str = "multiview"
    coordinates: str = "true"


def adapter_state(model: LlavaForConditionalGeneration, injector: Injector | None) -> dict[str, Tensor]:
    """The trained tensors alone: the projector's and, if there is one, the encoder's."""
    state = {_PROJECTOR + k: v for k, v in model.model.multi_modal_projector.state_dict().items()}
    if injector is not None:
        state |= {_ENCODER + k: v for k, v in injector.encoder.state_dict().items()}
    return {name: value.detach().contiguous() for name, value in state.items()}


def save_adapter(folder: Path, state: Mapping[str, Tensor], config: AdapterConfig) -> None:
    """Write an adapter's weights and `config.json`."""
    atomic.write_bytes(folder / WEIGHTS_FILE, save(dict(state)))
    described = {
        "record": "adapter",
        "version": 1,
        **asdict(config),
        "vocabulary_sha256": vocabulary_digest(),
    }
    atomic.write_json(folder / CONFIG_FILE, described)


def load_adapter(folder: Path, model: LlavaForConditionalGeneration, base_sha256: str) -> Injector | None:
    """Put an adapter's projector into `model` and return what injects its coordinates (None without a site).

    Raises `ContractError` when it was trained on another base, another vocabulary or in another frame.
    """
    hint = "run finetune again"
    value = _read_json(folder / CONFIG_FILE, hint)
    if value["base_sha256"] != base_sha256:
        raise ContractError(
            "the adapter was trained on another base", where=folder, expected=base_sha256,
            found=value["base_sha256"], hint="use the base it names, or train it again",
        )  # fmt: skip
    _require_vocabulary(value["vocabulary_sha256"], folder)
    require_frame(value["frame"], "ego_level", str(folder / CONFIG_FILE))
    state = load(_read_bytes(folder / WEIGHTS_FILE, hint))
    model.model.multi_modal_projector.load_state_dict(_part(state, _PROJECTOR))
    if value["site"] == "none":
        return None
    injector = fresh_injector(model, value["site"], seed=0)
    injector.encoder.load_state_dict(_part(state, _ENCODER))
    injector.encoder.requires_grad_(False).eval()
    return injector


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _require_vocabulary(digest: str, where: Path) -> None:
    if digest != vocabulary_digest():
        raise ContractError(
            "the model was trained with another vocabulary", where=where, expected=vocabulary_digest(),
            found=digest, hint="rebuild the base (make base), then run finetune again",
        )  # fmt: skip


def _read_bytes(path: Path, hint: str) -> bytes:
    if not path.is_file():
        raise ContractError("a model file is missing", where=path, hint=hint)
    return path.read_bytes()


def _read_json(path: Path, hint: str) -> dict[str, Any]:
    value = json.loads(_read_bytes(path, hint))
    if not isinstance(value, dict):
        raise ContractError("not a model description", where=path, expected="a JSON object", hint=hint)
    return value
