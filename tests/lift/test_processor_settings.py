import json
from pathlib import Path

import pytest
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
    LlavaOnevisionImageProcessorPil,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from vantage.core.errors import ParameterError
from vantage.lift.config import LiftConfig
from vantage.lift.processors.settings import read_processor
from vantage.lift.processors.table import PROCESSORS, processor_warp

# The settings of published models' preprocessor_config.json, as they stand there.
QWEN_2_5 = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2_5_VLProcessor",
}
QWEN_3 = {
    "size": {"longest_edge": 16777216, "shortest_edge": 65536},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_processor_type": "Qwen2VLImageProcessorFast",
}


def test_published_settings() -> None:
    assert processor_warp(QWEN_2_5, 640, 480).shape == (34, 46)  # 1564 rows, as measured
    assert processor_warp(QWEN_3, 640, 480).shape == (30, 40)


def test_a_processor_its_settings_and_its_folder_say_the_same(tmp_path: Path) -> None:
    for number, processor in enumerate(
        (
            Qwen2VLImageProcessorPil(min_pixels=50_000, max_pixels=90_000),
            LlavaOnevisionImageProcessorPil(image_grid_pinpoints=[[384, 768], [768, 384]]),
            SiglipImageProcessorPil(size={"height": 392, "width": 378}),
        )
    ):
        folder = tmp_path / str(number)
        processor.save_pretrained(folder)
        (folder / "config.json").write_text(json.dumps({"vision_config": {"patch_size": 14}}))
        found = [
            processor_warp(processor, 500, 333, patch_size=14),
            processor_warp({**processor.to_dict(), "patch_size": 14}, 500, 333),
            processor_warp(folder, 500, 333),
            processor_warp(str(folder / "preprocessor_config.json"), 500, 333),
        ]
        assert all(warp == found[0] for warp in found)


def test_the_processors_own_patch_size_is_kept(tmp_path: Path) -> None:
    Qwen2VLImageProcessorPil(patch_size=16).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": {"patch_size": 14}}))
    assert processor_warp(tmp_path, 640, 480).patch_size == 16


def test_a_processor_that_holds_an_image_processor(tmp_path: Path) -> None:
    class Holder:
        image_processor = SiglipImageProcessorPil()

    expected = processor_warp(SiglipImageProcessorPil(), 640, 480, patch_size=16)
    assert processor_warp(Holder(), 640, 480, patch_size=16) == expected
    inner = {"image_processor": SiglipImageProcessorPil().to_dict(), "processor_class": "PaliGemmaProcessor"}
    (tmp_path / "processor_config.json").write_text(json.dumps(inner))
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": {"patch_size": 16}}))
    assert processor_warp(tmp_path, 640, 480) == expected


def test_one_image_is_tiled_several_are_not() -> None:
    source = {"image_processor_type": "LlavaOnevisionImageProcessor", "patch_size": 14}
    assert len(processor_warp(source, 640, 480).tiles) == 5
    (tile,) = processor_warp(source, 640, 480, images=8).tiles
    assert tile.shift[1] == 48  # 80 of 640 pixels above, at 384 / 640
    assert LiftConfig(processor=source).warp(640, 480).shape == (27, 27)
    assert LiftConfig(processor=source, views_together=1).warp(640, 480).shape == (5 * 27 * 27,)


def test_an_unknown_processor_lists_those_known() -> None:
    with pytest.raises(
        ParameterError, match=r"(?s)unknown image processor 'FuyuImageProcessor'.*Qwen2VLImage"
    ):
        processor_warp({"image_processor_type": "FuyuImageProcessor", "patch_size": 14}, 640, 480)
    assert {"GotOcr2ImageProcessor", "SmolVLMImageProcessor"} <= set(PROCESSORS.names())
    with pytest.raises(ParameterError, match=r"(?s)unknown image processor.*did you mean 'Siglip"):
        LiftConfig(processor={"image_processor_type": "SigLipImageProcessor"})


def test_errors_say_what_is_missing(tmp_path: Path) -> None:
    siglip = {"image_processor_type": "SiglipImageProcessor"}
    with pytest.raises(ParameterError, match=r"(?s)how large .*vision_config"):
        LiftConfig(processor=siglip)
    with pytest.raises(ParameterError, match="do not name their image processor"):
        processor_warp({"size": 3}, 640, 480)
    with pytest.raises(ParameterError, match="no image processor"):
        processor_warp(tmp_path, 640, 480)
    with pytest.raises(ParameterError, match=r"(?s)this is no image processor.*found: int"):
        processor_warp(3, 640, 480)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ParameterError, match=r"(?s)not JSON.*preprocessor_config"):
        read_processor(tmp_path)
    for settings, message in (
        ({"size": {"width": 224}}, "height and width, or shortest_edge"),
        ({"size": "large"}, "edges and their pixels"),
        ({"patch_size": 0}, "a positive whole number"),
        ({"patch_size": 500}, "leaves nothing of this image"),
    ):
        with pytest.raises(ParameterError, match=message):
            processor_warp({**siglip, "patch_size": 14, **settings}, 640, 480)
    with pytest.raises(ParameterError, match=r"(?s)aspect ratio.*at most 200"):
        processor_warp(QWEN_2_5, 3000, 10)
