"""NVILA-Lite's published layouts: one set of weights, or a folder each for decoder, tower and projector."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor
from transformers import Qwen2Config, SiglipVisionConfig

from vantage.core.errors import ContractError, ParameterError
from vantage.models.families.nvila import NvilaConfig
from vantage.models.loading.weights import Entry, entries, read_json

PARTS = ("llm", "vision_tower", "mm_projector")
_RENAMED = (
    (re.compile(r"^llm\.lm_head\."), "lm_head."),
    (re.compile(r"^llm\.model\."), "model.language_model."),
    (re.compile(r"^vision_tower\.(?:vision_tower\.)?(?:vision_model\.)?"), "model.vision_tower."),
    (re.compile(r"^mm_projector\."), "model.multi_modal_projector."),
    # As `save_pretrained` names them: a merged model.
    (re.compile(r"^(?=lm_head\.|model\.(?:language_model|vision_tower|multi_modal_projector)\.)"), ""),
)


def is_nvila(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a model's folder is NVILA's, by its configuration or by its three parts."""
    return config.get("model_type") == "nvila_lite" or all((folder / part).is_dir() for part in PARTS)


def nvila_config(folder: Path, config: Mapping[str, Any]) -> NvilaConfig:
    """The model's configuration from either layout.

    Raises:
        ParameterError: a multi-scale model, or a tower or decoder other than SigLIP and Qwen2.
        ContractError: a part's configuration is missing.
    """
    if all((folder / part).is_dir() for part in PARTS):
        text, vision, projector = (read_json(folder / part / "config.json") for part in PARTS)
        kind = projector.get("mm_projector_type")
    else:
        text, vision = config["text_config"], config["vision_config"]
        kind = config.get("mm_projector_type", "mlp_downsample_3x3_fix")
    _require(text, "model_type", {"qwen2"}, "its decoder")
    _require(vision, "model_type", {"siglip_vision_model"}, "its tower")
    shown = str(config.get("image_aspect_ratio") or "resize")
    if config.get("s2") or config.get("dynamic_s2") or shown == "dynamic_s2":
        raise ParameterError(
            "NVILA at several scales is not supported", where="s2, dynamic_s2", expected="off", found="on",
            hint="take an NVILA-Lite model",
        )  # fmt: skip
    image_token = config.get("image_token_id", config.get("image_token_index"))
    if image_token is None:
        image_token = _media_token(folder / "llm")
    return NvilaConfig(
        vision_config=SiglipVisionConfig(**vision).to_dict(),
        text_config=Qwen2Config(**text).to_dict(),
        mm_projector_type=kind,
        image_aspect_ratio=shown,
        min_tiles=int(config.get("min_tiles") or 1),
        max_tiles=int(config.get("max_tiles") or 12),
        vision_feature_layer=int(
            config.get("vision_feature_layer", config.get("mm_vision_select_layer")) or -2
        ),
        vision_feature_select_strategy="full",
        image_token_index=int(image_token),
        tie_word_embeddings=bool(text.get("tie_word_embeddings", False)),
    )


def nvila_entries(folder: Path) -> dict[str, Entry]:
    """The published tensors under the names of `NvilaForConditionalGeneration`.

    Raises `ContractError` as `entries` does, and for a name that belongs nowhere.
    """
    if all((folder / part).is_dir() for part in PARTS):
        published = {
            f"{part}.{name}": entry for part in PARTS for name, entry in entries(folder / part).items()
        }
    else:
        published = entries(folder)
    return {_renamed(name, entry): entry for name, entry in published.items()}


def read_tensors(found: Mapping[str, Entry]) -> dict[str, Tensor]:
    """The tensors themselves, under the names given."""
    state: dict[str, Tensor] = {}
    for file in sorted({entry.file for entry in found.values()}):
        with safe_open(file, framework="pt") as reader:
            state |= {name: reader.get_tensor(e.name) for name, e in found.items() if e.file == file}
    return state


def _renamed(name: str, entry: Entry) -> str:
    for pattern, ours in _RENAMED:
        if pattern.match(name):
            return pattern.sub(ours, name, count=1)
    raise ContractError(
        "a tensor that NVILA does not have", where=entry.file, expected=f"names in {', '.join(PARTS)}",
        found=name,
    )  # fmt: skip


def _require(config: Mapping[str, Any], key: str, known: set[str], what: str) -> None:
    if config.get(key) not in known:
        raise ParameterError(
            f"NVILA is supported with {' or '.join(sorted(known))} as {what}",
            where=key,
            found=config.get(key),
        )


def _media_token(folder: Path) -> int:
    """The id of `<image>` in the decoder's tokenizer, which knows it as an added token."""
    for name, key in (("added_tokens.json", None), ("tokenizer_config.json", "added_tokens_decoder")):
        if not (folder / name).is_file():
            continue
        value = read_json(folder / name)
        ids = value if key is None else {v.get("content"): k for k, v in value.get(key, {}).items()}
        if "<image>" in ids:
            return int(ids["<image>"])
    raise ContractError(
        "the placeholder of images is not known", where=folder, expected="<image> among the added tokens",
        found="none", hint="write image_token_id into the model's config.json",
    )  # fmt: skip
