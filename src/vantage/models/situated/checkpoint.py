"""What a situated training learned, on disk, and what it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import transformers
from safetensors.torch import save

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.core.frames import FRAMES, require_frame
from vantage.models.loading.load import BaseIdentity, LoadedBase
from vantage.models.situated.config import SituatedConfig
from vantage.models.situated.module import Situated
from vantage.models.situated.tokens import NAMES, SituatedTokens
from vantage.models.state_file import read_state
from vantage.records.jsonfile import read_json_record

RECORD, VERSION = "situated", 1
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"


def save_situated(folder: Path, situated: Situated, identity: BaseIdentity) -> None:
    """Write `model.safetensors` and `config.json`: base, family, decoder width, tokens, frame, settings."""
    config = asdict(situated.config)
    described = {
        "record": RECORD,
        "version": VERSION,
        "base": asdict(identity),
        "family": situated.family.name,
        "width": situated.width,
        "tokens": dict(zip(NAMES, situated.tokens.ids, strict=True)),
        "frame": config.pop("frame"),
        "unit": "m",
        "config": config,
        "seed": situated.seed,
        "transformers": transformers.__version__,
    }
    state = {name: value.detach().cpu().contiguous() for name, value in situated.state_dict().items()}
    atomic.write_bytes(folder / WEIGHTS_FILE, save(state))
    atomic.write_json(folder / CONFIG_FILE, described)


def load_situated(
    folder: Path, base: LoadedBase, tokens: SituatedTokens, expected: SituatedConfig | None = None
) -> Situated:
    """What `save_situated` wrote, frozen and in evaluation mode, beside its base.

    Args:
        folder: written by `save_situated`.
        base: the model it was trained on.
        tokens: of the tokenizer that prompts are made with.
        expected: what the caller computes with; another frame, other bins or widths are refused.

    Raises:
        ContractError: another base, family, width, frame, bins or token ids; a tensor that is missing,
            unknown or of another shape; a file that is missing or damaged.
    """
    path = folder / CONFIG_FILE
    value = read_json_record(path, RECORD, VERSION)
    config = _config(path, value)
    if expected is not None:
        require_frame(config.frame, expected.frame, path)
        for name in ("bins", "head_width", "camera_width"):
            _require(path, name, getattr(config, name), getattr(expected, name))
    _require(path, "tokens", value["tokens"], dict(zip(NAMES, tokens.ids, strict=True)))
    if value["base"]["fingerprint"] != base.identity.fingerprint:
        _require(path, "base", BaseIdentity(**value["base"]).told(), base.identity.told())
    situated = Situated(base.model, tokens, config, int(value["seed"]))
    _require(path, "family", value["family"], situated.family.name)
    _require(path, "width", value["width"], situated.width)
    situated.load_state_dict(read_state(folder / WEIGHTS_FILE, situated.state_dict()))
    return situated.requires_grad_(False).eval()


def _config(path: Path, value: Mapping[str, Any]) -> SituatedConfig:
    known = {field.name for field in fields(SituatedConfig)} - {"frame"}
    if set(value["config"]) != known:
        raise ContractError(
            "not the settings of a situated model", where=path, expected=", ".join(sorted(known)),
            found=", ".join(sorted(value["config"])),
        )  # fmt: skip
    if value["frame"] not in FRAMES:
        raise ContractError("unknown frame", where=path, expected=", ".join(FRAMES), found=value["frame"])
    return SituatedConfig(frame=value["frame"], **value["config"])


def _require(path: Path, name: str, found: object, expected: object) -> None:
    if found != expected:
        raise ContractError(
            f"the checkpoint belongs to another {name}", where=path, expected=expected, found=found,
            hint="load it beside the base, tokenizer and settings it was trained with",
        )  # fmt: skip
