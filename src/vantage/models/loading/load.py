"""Loading a stock model: checked before and after, and never by code that comes with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from vantage.core.errors import ContractError, ResourceError
from vantage.models.families import family_named
from vantage.models.families.nvila import NvilaForConditionalGeneration
from vantage.models.loading.nvila import is_nvila, nvila_config, nvila_entries, read_tensors
from vantage.models.loading.weights import Entry, entries, fingerprint, read_json
from vantage.models.model_files import MODEL_FILES

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class BaseIdentity:
    """Which model something was trained on.

    Attributes:
        base: the hub's name of it, or `local`.
        revision: the hub's commit, branch or tag that was asked for; empty for a folder.
        model_type: of its configuration.
        fingerprint: of configuration and weights, see `loading.weights.fingerprint`.
    """

    base: str
    revision: str
    model_type: str
    fingerprint: str

    def told(self) -> str:
        """For messages."""
        return f"{self.base} {self.revision} ({self.fingerprint[:12]})"


@dataclass(frozen=True)
class LoadedBase:
    """A frozen model in evaluation mode, the folder of its files, and what it is."""

    model: nn.Module
    folder: Path
    identity: BaseIdentity


def load_vlm(
    base: str | os.PathLike[str], revision: str | None = None, precision: Precision = "float32"
) -> LoadedBase:
    """A vision-language model from a folder or, by name, from the hub.

    Args:
        base: a folder, or a hub name such as `Qwen/Qwen2.5-VL-3B-Instruct`.
        revision: the hub's commit, branch or tag.
        precision: of the loaded weights.

    Raises:
        ParameterError: a family that is not supported; the message lists those that are.
        ContractError: a file that is missing or cut short, a tensor that is missing, unknown or of another
            shape, weights that are not safetensors; file and tensor are named.
        ResourceError: the hub cannot give the model.
    """
    folder, name, asked = base_folder(base, revision)
    values = read_json(folder / "config.json")
    dtype: torch.dtype = getattr(torch, precision)
    with _no_bars():
        model, report, found = (_nvila if is_nvila(folder, values) else _stock)(folder, values, dtype)
    _require_complete(folder, report, found)
    config_bytes = (folder / "config.json").read_bytes()
    kind = str(model.config.model_type)
    identity = BaseIdentity(name, asked, kind, fingerprint(config_bytes, found.items()))
    return LoadedBase(model.requires_grad_(False).eval(), folder, identity)


def base_fingerprint(folder: Path) -> str:
    """`BaseIdentity.fingerprint` of a model's folder, whose weights are not loaded for it.

    Raises `ContractError` for files that are missing or damaged.
    """
    return fingerprint((folder / "config.json").read_bytes(), _tensors(folder).items())


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model's tensors, sorted; raises as `base_fingerprint` does."""
    return sorted({entry.file for entry in _tensors(folder).values()})


def _tensors(folder: Path) -> Mapping[str, Entry]:
    values = read_json(folder / "config.json")
    return nvila_entries(folder) if is_nvila(folder, values) else entries(folder)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without transformers' bars: a stage tells its own progress."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _nvila(
    folder: Path, values: Mapping[str, Any], dtype: torch.dtype
) -> tuple[Any, Mapping[str, Any], dict[str, Entry]]:
    found = nvila_entries(folder)
    model, report = NvilaForConditionalGeneration.from_pretrained(
        None, config=nvila_config(folder, values), state_dict=read_tensors(found), dtype=dtype,
        output_loading_info=True, ignore_mismatched_sizes=True,
    )  # fmt: skip
    return model, report, found


def _stock(
    folder: Path, values: Mapping[str, Any], dtype: torch.dtype
) -> tuple[Any, Mapping[str, Any], dict[str, Entry]]:
    from transformers import AutoConfig, AutoModelForImageTextToText

    # Asked before gigabytes are read.
    family_named(str(values.get("model_type", "unknown")), folder / "config.json")
    found = entries(folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    model, report = AutoModelForImageTextToText.from_pretrained(
        folder, config=config, dtype=dtype, use_safetensors=True, trust_remote_code=False,
        local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True,
    )  # fmt: skip
    return model, report, found


def _require_complete(folder: Path, report: Mapping[str, Any], found: Mapping[str, Entry]) -> None:
    """Raise `ContractError` for the first tensor that is missing, unknown or of another shape."""
    hint = "download the model again, or take one that fits the installed transformers"
    for name, in_file, expected in sorted(tuple(map(str, row)) for row in report["mismatched_keys"]):
        raise ContractError(
            "a tensor of another shape", where=_file(found, name, folder), expected=f"{name} {expected}",
            found=in_file, hint=hint,
        )  # fmt: skip
    for name in sorted(map(str, report["missing_keys"])):
        raise ContractError("a tensor is missing", where=folder, expected=name, found="none", hint=hint)
    for name in sorted(map(str, report["unexpected_keys"])):
        raise ContractError(
            "a tensor that the model does not have", where=_file(found, name, folder), found=name, hint=hint
        )


def _file(found: Mapping[str, Entry], name: str, folder: Path) -> Path:
    entry = found.get(name)
    return folder if entry is None else entry.file


def base_folder(
    base: str | os.PathLike[str], revision: str | None, patterns: Sequence[str] = MODEL_FILES
) -> tuple[Path, str, str]:
    """Folder, name and revision: of a folder as it is, else of the hub's snapshot with such files.

    `ResourceError` when the hub cannot give it.
    """
    if Path(base).is_dir():
        return Path(base), "local", ""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        found = snapshot_download(str(base), revision=revision, allow_patterns=list(patterns))
    except (OSError, HFValidationError, ValueError) as error:
        raise ResourceError(
            "the base model cannot be had", where=base, expected="a folder, or a name on the hub",
            found=str(error).splitlines()[0], hint="check the spelling, the network and HF_TOKEN",
        ) from error  # fmt: skip
    return Path(found), str(base), revision or "main"
