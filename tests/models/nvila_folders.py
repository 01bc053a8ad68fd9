"""NVILA's published layouts, written with the weights of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_vlms import Case

from vantage.models.loading.weights import INDEX, SINGLE


def published(case: Case) -> dict[str, torch.Tensor]:
    """NVILA's tensors under the names that its authors publish."""
    names = (
        ("lm_head.", "llm.lm_head."),
        ("model.language_model.", "llm.model."),
        ("model.vision_tower.", "vision_tower.vision_tower.vision_model."),
        ("model.multi_modal_projector.", "mm_projector."),
    )
    state = {}
    for name, value in case.model.state_dict().items():
        ours, theirs = next(pair for pair in names if name.startswith(pair[0]))
        state[theirs + name.removeprefix(ours)] = value.contiguous()
    return state


def write_shards(folder: Path, state: dict[str, torch.Tensor], shards: int) -> None:
    """Weights spread over files, and the index."""
    folder.mkdir(parents=True, exist_ok=True)
    if shards == 1:
        save_file(state, folder / SINGLE, metadata={"format": "pt"})
        return
    where = {}
    for number in range(shards):
        name = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        own = dict(list(state.items())[number::shards])
        save_file(own, folder / name, metadata={"format": "pt"})
        where |= dict.fromkeys(own, name)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": where}))


def write_nvila(folder: Path, case: Case, layout: str) -> None:
    config = case.model.config
    text, vision = config.text_config.to_dict(), config.vision_config.to_dict()
    state = published(case)
    if layout == "flat":
        flat = {k.replace("vision_tower.vision_tower.", "vision_tower."): v for k, v in state.items()}
        write_shards(folder, flat, 3)
        value = {
            "model_type": "nvila_lite", "text_config": text, "vision_config": vision, "image_token_id": 5,
            "auto_map": {"AutoModel": "modeling_nvila_lite.NVILALite"},
        }  # fmt: skip
        (folder / "config.json").write_text(
            json.dumps({**value, "mm_projector_type": config.mm_projector_type})
        )
        return
    for part, described, shards in (
        ("llm", text, 3),
        ("vision_tower", vision, 1),
        ("mm_projector", {"mm_projector_type": config.mm_projector_type}, 1),
    ):
        prefix = "vision_tower.vision_tower." if part == "vision_tower" else f"{part}."
        own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        write_shards(folder / part, own, shards)
        (folder / part / "config.json").write_text(json.dumps(described))
    (folder / "llm" / "added_tokens.json").write_text(json.dumps({"<image>": 5}))
    top = {"model_type": "llava_llama", "architectures": ["LlavaLlamaModel"], "mm_vision_select_layer": -2}
    (folder / "config.json").write_text(json.dumps(top))
