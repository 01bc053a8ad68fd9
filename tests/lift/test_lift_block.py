"""The parameters of lift from a model's folder: they give the warp that the whole settings give."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_processor_ramps import CASES, SIZES, NvilaOnArrays

from vantage.core.errors import ParameterError
from vantage.lift.config import LiftConfig
from vantage.lift.processors import block
from vantage.lift.processors.block import GEOMETRIC, lift_block
from vantage.lift.processors.table import processor_warp

SOURCES = Path(block.__file__).parent


@pytest.mark.parametrize("name", CASES)
def test_the_block_gives_the_warp_of_the_processor(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    processor = case.processor()
    vision = {"model_type": "some_vlm", "vision_config": {"patch_size": case.patch_size}}
    if isinstance(processor, NvilaOnArrays):
        told = {"image_aspect_ratio": "dynamic", "min_tiles": 1, "max_tiles": 12}
        vision = {"vision_config": {"patch_size": processor.patch_size}, **told}
        processor = processor.inner
    processor.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(vision))
    made = lift_block(tmp_path, case.images)
    config = LiftConfig(**yaml.safe_load(yaml.safe_dump(made)))
    for size in SIZES:
        expected = processor_warp(case.processor(), *size, case.images, case.patch_size)
        assert config.warp(*size) == expected
    assert "image_mean" not in made["processor"] and made["views_together"] == case.images


def test_every_setting_that_a_warp_reads_is_carried_over() -> None:
    """Those that the modules name outright, found in their text."""
    named = re.compile(r'(?:value|flag|number|size|given\.get)\("([a-z_]+)"')
    read = {name for path in SOURCES.glob("*.py") for name in named.findall(path.read_text())}
    assert len(read) > 10 and read == set(GEOMETRIC)


def test_stock_settings_are_left_out_and_odd_places_are_looked_at(tmp_path: Path) -> None:
    stock: dict[str, Any] = {"image_processor_type": "SiglipImageProcessorFast", "image_mean": [0.5] * 3}
    stock["size"] = {"height": 224, "width": 224, "longest_edge": None}
    (tmp_path / "vision_tower").mkdir()
    (tmp_path / "vision_tower" / "preprocessor_config.json").write_text(json.dumps(stock))
    (tmp_path / "vision_tower" / "config.json").write_text('{"patch_size": [14, 14]}')
    expected = {"image_processor_type": "SiglipImageProcessor", "patch_size": 14}
    assert lift_block(tmp_path, 8) == {"processor": expected, "views_together": 8}
    (tmp_path / "vision_tower" / "config.json").write_text('{"patch_size": [14, 16]}')
    with pytest.raises(ParameterError, match="cannot be followed"):
        lift_block(tmp_path, 8)
    (tmp_path / "vision_tower" / "config.json").unlink()
    with pytest.raises(ParameterError, match="how large the vision tower's patches are"):
        lift_block(tmp_path, 8)
