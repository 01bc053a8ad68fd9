"""A model of the sizes of Qwen2.5-VL-3B with random weights, or a tiny one of the same parts."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from vantage.models.families.base import patch_edge

MERGE = 2


def build(device: torch.device, tiny: bool) -> Any:
    """The model in training mode: bfloat16, or float32 if tiny; frozen but for its merger."""
    config = _tiny() if tiny else _three_billion()
    with torch.device(device), torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen2_5_VLForConditionalGeneration._from_config(
            config, dtype=torch.float32 if tiny else torch.bfloat16, attn_implementation="sdpa"
        )
    model.requires_grad_(False)
    model.model.visual.merger.requires_grad_(True)
    return model.train()


def views(model: Any, count: int, edge: int, seed: int = 0) -> dict[str, Tensor]:
    """What a model is called with for `count` square images of `edge` x `edge` patches of noise."""
    width = 3 * 2 * patch_edge(model) ** 2
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(count * edge * edge, width, generator=generator)
    return {
        "pixel_values": pixels.to(model.dtype),
        "image_grid_thw": torch.tensor([[1, edge, edge]] * count),
    }


def view_ids(model: Any, count: int, edge: int) -> Tensor:
    """The words of so many images: each between its marks."""
    config = model.config
    tokens = [config.image_token_id] * (edge // MERGE) ** 2
    return torch.tensor([config.vision_start_token_id, *tokens, config.vision_end_token_id] * count)


def device_there() -> torch.device:
    """A GPU if there is one; a CPU on one thread, for tiny models."""
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def wait(device: torch.device) -> None:
    """Until all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def machine() -> str:
    """What a table was measured on."""
    if not torch.cuda.is_available():
        return f"{platform.machine()} CPU, torch {torch.__version__}, transformers {transformers.__version__}"
    name = torch.cuda.get_device_name()
    return f"{name}, torch {torch.__version__}, transformers {transformers.__version__}"


def write_table(folder: Path, name: str, rows: Sequence[str], tiny: bool) -> None:
    """Put measured rows into the page `name`; only what a GPU gave at full size."""
    if tiny or not torch.cuda.is_available():
        print("no table: one is written for a GPU at full size alone; times of a tiny model mean nothing")
        return
    page = Path(__file__).parent / "results" / f"{name}.md"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / page.name).write_text(filled(page.read_text(), rows, machine()))


def filled(page: str, rows: Sequence[str], where: str) -> str:
    """A page with its table's rows, and where they were measured, instead of those it has."""
    lines = page.splitlines()
    rule = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    told = ("Not measured: ", "Measured on ")
    heading = [f"Measured on {where}." if line.startswith(told) else line for line in lines[: rule + 1]]
    return "\n".join([*heading, *rows, ""])


def _three_billion() -> Qwen2_5_VLConfig:
    rope = {"type": "default", "rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    return Qwen2_5_VLConfig(
        vision_config={
            "depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": 3420, "patch_size": 14,
            "out_hidden_size": 2048, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
            "spatial_merge_size": MERGE, "temporal_patch_size": 2, "in_channels": 3, "hidden_act": "silu",
        },
        text_config={
            "vocab_size": 151_936, "hidden_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 16,
            "num_key_value_heads": 2, "intermediate_size": 11_008, "max_position_embeddings": 128_000,
            "rope_parameters": rope, "tie_word_embeddings": True, "rms_norm_eps": 1e-6,
        },
        image_token_id=151_655, video_token_id=151_656, vision_start_token_id=151_652,
        vision_end_token_id=151_653, tie_word_embeddings=True,
    )  # fmt: skip


def _tiny() -> Qwen2_5_VLConfig:
    rope = {"type": "default", "rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    return Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 48, "patch_size": 4,
            "out_hidden_size": 32, "window_size": 16, "fullatt_block_indexes": [1],
            "spatial_merge_size": MERGE, "temporal_patch_size": 2, "in_channels": 3,
        },
        text_config={
            "vocab_size": 512, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "intermediate_size": 64, "max_position_embeddings": 4096,
            "rope_parameters": rope, "tie_word_embeddings": True,
        },
        image_token_id=505, video_token_id=506, vision_start_token_id=507, vision_end_token_id=508,
        tie_word_embeddings=True,
    )  # fmt: skip
