"""Colour image to tower and depth to points, end to end: each patch shows the place that its point has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ramp_scan import camera, patches, pictures, pixel_of, write_ramp_scan
from tiny_prompts import PROCESSORS, preparer
from transformers import CLIPImageProcessorPil, LlavaOnevisionImageProcessorPil, Qwen2VLImageProcessorPil

from vantage.core.errors import ContractError
from vantage.lift.config import LiftConfig
from vantage.lift.processors.block import lift_block
from vantage.models.families.base import patch_edge
from vantage.models.prompts import Preparer
from vantage.models.vlm.batch import collate
from vantage.models.vlm.listing import Selection
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.same_pictures import require_same_pictures
from vantage.models.vlm.sample import Sample

pytest.importorskip("isal", reason="makes a scan: needs the extra `scans`")

SIZES = [(150, 100), (90, 140)]


def settings(prepare: Preparer, folder: Path, views: int) -> LiftConfig:
    """As a person gets them: from the files in the model's folder."""
    prepare.model.config.save_pretrained(folder)
    getattr(prepare.image_processor, "inner", prepare.image_processor).save_pretrained(folder)
    return LiftConfig(**lift_block(folder, views))


def told(name: str, prepare: Preparer, sample: Sample, size: tuple[int, int]) -> list[tuple[np.ndarray, ...]]:
    """Of each picture of each view: the places (colour pixels) that patches show and that their points have.

    The last array tells which of them show the image alone and have a point.
    """
    shown = prepare.show([[view.image() for view in sample.views]])
    counts = [len(image) for image in shown.samples[0]]
    levels = pictures(name, prepare.image_processor, shown.inputs, counts)
    assert len(levels) == sum(counts)
    views = [view for view, count in zip(sample.views, counts, strict=True) for _ in range(count)]
    grids = [picture for view in sample.views for picture in view.pictures or ()]
    found = []
    for level, view, grid in zip(levels, views, grids, strict=True):
        seen = patches(level, patch_edge(prepare.model))[: grid.valid.shape[0], : grid.valid.shape[1]]
        assert seen.shape[:2] == grid.valid.shape
        shows = seen[:, :, :2].mean(axis=(3, 4)) / 255 * size - 0.5
        has = pixel_of(grid.xyz.double().numpy(), view.T_frame_cam, camera(*size))
        image_alone = (np.abs(seen[:, :, 2] - 255) < 2).all(axis=(2, 3))
        found.append((shows, has, image_alone & grid.valid.numpy()))
    return found


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("name", [*PROCESSORS, "nvila_3x3_tiles"])
def test_a_patch_shows_the_place_of_its_point(
    name: str, together: int, size: tuple[int, int], tmp_path: Path
) -> None:
    prepare = preparer(name)
    views = [[0], [1]] if together == 1 else [[0, 1]]
    config = settings(prepare, tmp_path / "model", together)
    inputs = write_ramp_scan(tmp_path, *size, config, views)
    samples = QuestionSamples(inputs, Selection())
    assert require_same_pictures(samples, prepare) == 1
    compared = total = 0
    for sample in samples:
        per_view = told(name, prepare, sample, size)
        tiles = len(per_view) // len(sample.views)
        for number, (shows, has, known) in enumerate(per_view):
            frame = int(sample.views[number // tiles].name[-1])
            away = np.abs(shows - has)[known][:, frame]
            assert away.max() < 2.0, (number, away.max())
            compared, total = compared + int(known.sum()), total + known.size
    assert compared >= 0.5 * total and compared >= 16
    collate([samples[0]], prepare)


def test_a_crop_is_no_squash_though_their_grids_are_the_same(tmp_path: Path) -> None:
    prepare = preparer("llava")
    inputs = write_ramp_scan(tmp_path, 150, 100, LiftConfig(image_size=16, patch_size=4), [[0, 1]])
    samples = QuestionSamples(inputs, Selection())
    collate([samples[0]], prepare)  # the grids alone do not tell
    with pytest.raises(ContractError, match="other pictures") as caught:
        require_same_pictures(samples, prepare)
    text = str(caught.value)
    assert "sample ramp0000_00/0/0-1, view ramp0000_00/frame 0" in text
    assert "4x4 patches of the whole image" in text and "vantage params --base" in text
    assert "CLIPImageProcessorPil makes them of 150x100 pixels" in text


@pytest.mark.parametrize(
    ("name", "views", "config", "remedy"),
    [
        ("nvila_3x3", [0, 1], LiftConfig(), "lift.image_size to 16 and lift.patch_size to 4"),
        ("llava_onevision", [0], "together", "lift.views_together to 1"),
        ("qwen2_5_vl", [0, 1], "other", "lift.processor"),
        ("internvl", [0, 1], LiftConfig(image_size=16, patch_size=4), "lift.processor"),
    ],
)
def test_what_to_change_is_named(
    name: str, views: list[int], config: LiftConfig | str, remedy: str, tmp_path: Path
) -> None:
    prepare = preparer(name)
    if config == "together":
        config = settings(prepare, tmp_path / "model", 2)
    elif config == "other":
        wide = Preparer(
            prepare.model, prepare.tokenizer, Qwen2VLImageProcessorPil(patch_size=4, merge_size=2)
        )
        config = settings(wide, tmp_path / "model", 2)
    assert isinstance(config, LiftConfig)
    inputs = write_ramp_scan(tmp_path, 150, 100, config, [views])
    with pytest.raises(ContractError, match="other pictures") as caught:
        require_same_pictures(QuestionSamples(inputs, Selection()), prepare)
    assert remedy in str(caught.value.hint)


class Mirror(CLIPImageProcessorPil):  # type: ignore[misc]
    """A processor that no table knows."""


def test_of_an_unknown_processor_the_grids_are_compared(tmp_path: Path) -> None:
    prepare = preparer("llava")
    prepare.image_processor = Mirror(**prepare.image_processor.to_dict())
    fits = LiftConfig(image_size=16, patch_size=4)
    inputs = write_ramp_scan(tmp_path / "fits", 150, 100, fits, [[0, 1]])
    assert require_same_pictures(QuestionSamples(inputs, Selection()), prepare) == 1
    inputs = write_ramp_scan(tmp_path / "not", 150, 100, LiftConfig(image_size=32, patch_size=4), [[0]])
    with pytest.raises(ContractError, match="other pictures") as caught:
        require_same_pictures(QuestionSamples(inputs, Selection()), prepare)
    assert "lift.image_size" in str(caught.value)


def test_views_of_unequal_sizes_have_pictures_of_their_own(tmp_path: Path) -> None:
    """Each with its points; points of the other size are refused, and the view is named."""
    prepare = preparer("qwen2_5_vl")
    views = []
    for number, size in enumerate(SIZES):
        folder = tmp_path / str(number)
        inputs = write_ramp_scan(folder, *size, settings(prepare, folder / "model", 2), [[0]])
        views.append(QuestionSamples(inputs, Selection())[0].views[0])
    sample = Sample("both", tuple(views), QuestionSamples(inputs, Selection())[0].dialogs)
    grids = collate([sample], prepare).geometry.grids
    assert grids[0][0] < grids[0][1] and grids[1][0] > grids[1][1]
    swapped = replace(views[1], pictures=views[0].pictures)
    with pytest.raises(ContractError, match="other pictures") as caught:
        collate([replace(sample, views=(views[0], swapped))], prepare)
    assert "sample both, view ramp0000_00/frame 0" in str(caught.value)


def test_an_image_of_another_size_than_its_scan_is_refused(tmp_path: Path) -> None:
    prepare = preparer("qwen2_5_vl")
    inputs = write_ramp_scan(tmp_path, 150, 100, settings(prepare, tmp_path / "model", 1), [[0]])
    sample: Any = QuestionSamples(inputs, Selection())[0]
    turned = replace(sample.views[0], image=lambda: Image.new("RGB", (100, 150)))
    with pytest.raises(ContractError, match="other pictures"):
        collate([replace(sample, views=(turned,))], prepare)


def test_onevision_is_told_apart_by_its_canvases(tmp_path: Path) -> None:
    """One view is tiled, and other canvases give other tiles."""
    prepare = preparer("llava_onevision")
    inputs = write_ramp_scan(tmp_path, 150, 100, settings(prepare, tmp_path / "model", 1), [[0]])
    samples = QuestionSamples(inputs, Selection())
    assert len(samples.listed[0].grids) > 1
    narrow = {**prepare.image_processor.to_dict(), "image_grid_pinpoints": [[16, 16], [32, 16]]}
    prepare.image_processor = LlavaOnevisionImageProcessorPil(**narrow)
    with pytest.raises(ContractError, match="other pictures"):
        require_same_pictures(samples, prepare)
