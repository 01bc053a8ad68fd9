"""NVILA's dynamic tiling: an image alone in its sample, from the published folders to the model's answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_loading import write_nvila
from tiny_prompts import preparer, tokenizer
from tiny_vlms import CASES, IMAGE_ID
from transformers import SiglipImageProcessorPil

from vantage.lift.processors.block import lift_block
from vantage.models.encoders import EncoderConfig
from vantage.models.families.nvila_images import NvilaImageProcessor
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.loading import load_vlm
from vantage.models.patch_geometry import BatchGeometry, PatchGrid
from vantage.models.prompts import Preparer


def picture(width: int, height: int) -> Any:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def published(inner: Any, image: Any, edge: int, most: int) -> list[torch.Tensor]:
    """Written from the published description: the first nearest of the ratios by their number of tiles, or a
    later one for an image with more than half of its pixels."""
    ratios = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most]
    aspect, area = image.width / image.height, image.width * image.height
    best, nearest = (1, 1), np.inf
    for columns, rows in sorted(set(ratios), key=lambda ratio: ratio[0] * ratio[1]):
        away = abs(aspect - columns / rows)
        if away < nearest or (away == nearest and area > 0.5 * edge**2 * columns * rows):
            best, nearest = (columns, rows), away
    large = image.resize((best[0] * edge, best[1] * edge))
    boxes = [
        (c * edge, r * edge, (c + 1) * edge, (r + 1) * edge) for r in range(best[1]) for c in range(best[0])
    ]
    tiles = [large.crop(box) for box in boxes]
    if len(tiles) > 1:
        tiles.append(image.resize((edge, edge)))
    return [inner(images=[tile], return_tensors="pt")["pixel_values"][0] for tile in tiles]


@pytest.mark.parametrize("size", [(90, 30), (30, 90), (64, 48), (20, 20), (40, 41), (150, 100)])
def test_tiles_are_the_published_ones(size: tuple[int, int]) -> None:
    inner = SiglipImageProcessorPil(size={"height": 16, "width": 16})
    ours = NvilaImageProcessor(inner, 4, 1, 6)([[picture(*size)]])
    expected = published(inner, picture(*size), 16, 6)
    assert ours["num_tiles"] == [len(expected)]
    assert torch.equal(ours["pixel_values"], torch.stack(expected))


def test_an_image_alone_is_tiled_and_each_picture_has_its_line() -> None:
    prepare = preparer("nvila_3x3_tiles")
    images = [[picture(64, 32)], [picture(64, 32), picture(32, 64)], [picture(16, 16)]]
    shown = prepare.show(images)
    assert [[len(image) for image in own] for own in shown.samples] == [[3], [1, 1], [1]]
    assert [text.count("\n") for own in shown.texts for text in own] == [3, 1, 1, 1]
    assert shown.texts[0][0] == ("<image>" * 4 + "\n") * 3
    squashed = preparer("nvila_3x3").show(images[1:2]).inputs["pixel_values"]
    assert torch.equal(shown.inputs["pixel_values"][3:5], squashed), "several are not tiled"


def test_the_model_takes_tiles_and_their_points() -> None:
    prepare = preparer("nvila_3x3_tiles")
    made = prepare(["<image>where is the chair"], [[picture(64, 32)]])
    assert int((made.inputs["input_ids"] == IMAGE_ID).sum()) == 12
    grids = [[[PatchGrid(torch.ones(*g, 3), torch.ones(g, dtype=torch.bool)) for g in made.samples[0][0]]]]
    injector = Injector.fresh(prepare.model, InjectionConfig("pre_vit", encoder=EncoderConfig("mlp")), seed=0)
    with torch.no_grad():
        plain = prepare.model(**made.inputs).logits
        with injector.bind(BatchGeometry.of(grids)):
            assert torch.equal(prepare.model(**made.inputs).logits, plain)


@pytest.mark.parametrize("layout", ["flat", "folders"])
def test_the_models_configuration_asks_for_tiles(layout: str, tmp_path: Path) -> None:
    write_nvila(tmp_path, CASES["nvila_3x3"](), layout)
    words, pixels = (
        (tmp_path, tmp_path) if layout == "flat" else (tmp_path / "llm", tmp_path / "vision_tower")
    )
    tokenizer("<image>").save_pretrained(words)
    SiglipImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(pixels)
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"image_aspect_ratio": "dynamic", "max_tiles": 4})
    )
    loaded = Preparer.load(load_vlm(tmp_path).model, tmp_path)
    assert loaded.show([[picture(64, 32)]]).samples == [[[(4, 4)] * 3]]
    block = lift_block(tmp_path, 1)["processor"]
    assert (block["image_processor_type"], block["max_tiles"], block["patch_size"]) == (
        "NvilaImageProcessor",
        4,
        4,
    )
    load_vlm(tmp_path).model.save_pretrained(tmp_path / "again")
    again = load_vlm(tmp_path / "again").model.config
    assert (again.image_aspect_ratio, again.min_tiles, again.max_tiles) == ("dynamic", 1, 4)
