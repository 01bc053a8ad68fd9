"""The real office sequence as views of two families: every point falls into its own patch of its own tile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.core.tasks import Task
from vantage.geometry.transforms import apply, invert
from vantage.lift.config import LiftConfig
from vantage.lift.stage import lift
from vantage.models.vlm.lifted_scan import LiftedScan
from vantage.scans.config import DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.stage import download, extract

pytest.importorskip("open3d", reason="makes a scan: needs the extra `scans`")

QWEN: dict[str, Any] = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14}
ONEVISION: dict[str, Any] = {"image_processor_type": "LlavaOnevisionImageProcessor", "patch_size": 14}


@pytest.fixture(scope="module")
def stages(office: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("office")
    folders = {stage: root / stage / office.name for stage in ("download", "extract")}
    for folder in (*folders.values(), root / "work"):
        folder.mkdir(parents=True)
    source = DownloadConfig(source="folder", folder=FolderConfig(path=str(office)))
    download(Task(office.name, {}, folders["download"], root / "work", 0), source)
    inputs = {"download": folders["download"]}
    extract(Task(office.name, inputs, folders["extract"], root / "work", 0), ExtractConfig())
    return {stage: folder.parent for stage, folder in folders.items()}


@pytest.mark.parametrize(("settings", "views", "tiles"), [(QWEN, 4, 1), (ONEVISION, 1, 3), (ONEVISION, 4, 1)])
def test_points_fall_into_their_patches(
    stages: dict[str, Path], office: Path, settings: dict[str, Any], views: int, tiles: int, tmp_path: Path
) -> None:
    out = tmp_path / "lift" / office.name
    out.mkdir(parents=True)
    (tmp_path / "work").mkdir()
    inputs = {stage: folder / office.name for stage, folder in stages.items()}
    lift(
        Task(office.name, inputs, out, tmp_path / "work", 0),
        LiftConfig(processor=settings, views_together=views),
    )
    scan = LiftedScan.read({**stages, "lift": out.parent}, office.name)
    warp = scan.patches.warp
    assert warp is not None and len(warp.tiles) >= tiles
    T_frame_aligned = invert(scan.T_aligned_cam(min(scan.frames)))
    share = []
    for frame_id in list(scan.frames)[::6]:
        assert not scan.fault(frame_id)
        view = scan.view(frame_id, T_frame_aligned)
        assert view.image().size == (540, 360) and view.pictures is not None and view.T_frame_cam is not None
        assert [tuple(p.valid.shape) for p in view.pictures] == list(warp.grids)
        for number, picture in enumerate(view.pictures):
            p_cam = apply(invert(view.T_frame_cam), picture.xyz.double().numpy())
            valid = picture.valid.numpy()
            uv, _ = scan.meta.color.project(p_cam[valid])
            own = np.flatnonzero(valid.reshape(-1))
            # A pixel's centre on a border between patches rounds to either side.
            nudged = [(0.0, 0.0), (0.01, 0.0), (-0.01, 0.0), (0.0, 0.01), (0.0, -0.01)]
            assert np.any([warp.patch_of(number, uv + shift) == own for shift in nudged], axis=0).all()
            share.append(valid.mean())
    assert np.mean(share) > 0.4
