"""Every layout against the recording that was written in it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from layout_names import LOST, NAMES, ONE_CAMERA

from vantage.core.errors import ScanError
from vantage.core.hashing import file_digests
from vantage.core.tasks import Task
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Frame, kept_frames
from vantage.records.scan import ScanMeta
from vantage.scans.agreement import depth_agreement, median_share
from vantage.scans.config import CaptureConfig, DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.layouts import LAYOUTS
from vantage.scans.layouts.base import Recording
from vantage.scans.pixels import read_color, read_depth
from vantage.scans.raw import RawScan
from vantage.scans.source import layout_of, matching, open_scan
from vantage.scans.stage import download, extract, list_scans

Write = Callable[[str], Path]
LOSSLESS = ("tum", "seven_scenes", "icl_nuim", "arkitscenes")


def meta_of(scan: RawScan) -> ScanMeta:
    return ScanMeta("scan", "scan", np.eye(4), scan.color, scan.depth, scan.depth_unit_m, False)


def frames_of(scan: RawScan) -> list[Frame]:
    return [
        Frame(
            f.frame_id, not f.problem, f.problem, f.T_raw_cam, f.timestamp_s, f.color, f.depth,
            1.0, 99.0, 0.5,
            color_intrinsics=f.color_intrinsics, depth_intrinsics=f.depth_intrinsics,
        )
        for f in scan.frames
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_poses_cameras_and_pixels_come_back(
    name: str, written: Write, recording: Recording, one_camera: Recording
) -> None:
    source = one_camera if name in ONE_CAMERA else recording
    folder = written(name)
    scan = open_scan(folder, "scan", 1, CaptureConfig())
    meta, frames = meta_of(scan), frames_of(scan)
    assert scan.layout == name
    assert scan.recorded == len(frames) == len(source.color)
    assert [frame.frame_id for frame in frames] == list(range(len(frames)))
    for camera, exact in ((scan.color, source.color_camera), (scan.depth, source.depth_camera)):
        close(camera, exact)
    for k, frame in enumerate(frames):
        if k == LOST:
            assert frame.reason or not np.isfinite(frame.T_raw_cam).all()
            continue
        assert not frame.reason
        expected = source.T_world_cam[k]
        if name == "icl_nuim":
            np.testing.assert_allclose(frame.T_raw_cam, expected, atol=1e-9)
        np.testing.assert_allclose(frame.T_raw_cam, expected, atol=2e-6)
        depth = read_depth(folder, meta, frame)
        np.testing.assert_allclose(depth, source.depth_mm[k] / 1000, atol=0.5 * scan.depth_unit_m + 1e-6)
        color = read_color(folder, meta, frame).astype(int)
        error = np.abs(color - source.color[k])
        assert error.max() == 0 if name in LOSSLESS else error.mean() < 4
        close(meta.color_of(frame), source.color_camera)
        close(meta.depth_of(frame), source.depth_camera)


def close(camera: Pinhole, exact: Pinhole) -> None:
    found = np.array(list(camera.to_dict().values()))
    np.testing.assert_allclose(found, list(exact.to_dict().values()), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_see_the_same_surfaces(name: str, written: Write) -> None:
    folder = written(name)
    scan = open_scan(folder, "scan", 1, CaptureConfig())
    usable = [frame for frame in frames_of(scan) if np.isfinite(frame.T_raw_cam).all()]
    share, pairs = median_share(depth_agreement(folder, usable, meta_of(scan)), min_shared=500)
    assert pairs >= 5
    assert share > 0.95
    turned = [replace(f, T_raw_cam=f.T_raw_cam @ np.diag([1.0, -1.0, -1.0, 1.0])) for f in usable]
    assert not median_share(depth_agreement(folder, turned, meta_of(scan)), min_shared=500)[0] > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_recognised_by_its_layout_alone(name: str, written: Write) -> None:
    folder = written(name)
    assert [layout.name for layout in matching(folder)] == [name]
    assert [other for other in NAMES if LAYOUTS.get(other).recognises(folder)] == [name]
    with pytest.raises(ScanError, match="no frames in the scan's folder"):
        layout_of(folder.parent, "parent")


@pytest.mark.parametrize("name", NAMES)
def test_the_listed_files_are_all_that_is_needed(name: str, written: Write, tmp_path: Path) -> None:
    folder = written(name)
    (folder / "notes.docx").write_text("mine")
    listed = LAYOUTS.get(name).files(folder, "scan")
    copy = tmp_path / "copy" / "scan"
    for relative, path in listed.items():
        assert path.is_file() and ".." not in Path(relative).parts
        (copy / relative).parent.mkdir(parents=True, exist_ok=True)
        (copy / relative).write_bytes(path.read_bytes())
    assert "notes.docx" not in file_digests(copy)
    first, second = (open_scan(place, "scan", 1, CaptureConfig()) for place in (folder, copy))
    assert (first.color, first.depth, first.depth_unit_m) == (second.color, second.depth, second.depth_unit_m)
    for one, other in zip(first.frames, second.frames, strict=True):
        assert (one.color, one.depth, one.problem) == (other.color, other.depth, other.problem)
        np.testing.assert_array_equal(one.T_raw_cam, other.T_raw_cam)


@pytest.mark.parametrize("name", NAMES)
def test_stride_comes_before_dropping_and_the_users_word_goes_first(name: str, written: Write) -> None:
    folder = written(name)
    plain = open_scan(folder, "scan", 1, CaptureConfig())
    assert [f.frame_id for f in open_scan(folder, "scan", LOST, CaptureConfig()).frames] == [0, 3, 6]
    own = (50.0, 51.0, 30.0, 31.0)
    said = CaptureConfig(
        poses="world_to_camera", depth_units_per_m=256.0, color_intrinsics=own, depth_intrinsics=own, up="-x"
    )
    told = open_scan(folder, "scan", 1, said)
    assert (told.color.fx, told.depth.cy, told.up) == (50.0, 31.0, "-x")
    if name != "scannet":
        assert told.depth_unit_m == 1 / 256
    assert all(f.color_intrinsics is None for f in told.frames)
    opposite = name != "arkitscenes"
    changed = not np.allclose(told.frames[1].T_raw_cam, plain.frames[1].T_raw_cam)
    assert changed == opposite


@pytest.mark.parametrize("name", ["tum", "redwood", "replica", "arkitscenes", "icl_nuim", "seven_scenes"])
def test_download_and_extract(name: str, written: Write, tmp_path: Path) -> None:
    folder = written(name)
    config = DownloadConfig(source="folder", folder=FolderConfig(path=str(folder.parent)))
    assert list_scans(config, 0) == ["scan"]
    raw, out = (Task("scan", {}, tmp_path / part, tmp_path, 0) for part in ("raw", "out"))
    raw.out.mkdir(), out.out.mkdir()
    download(raw, config)
    facts = extract(replace(out, inputs={"download": raw.out}), ExtractConfig(min_blur=0.0))
    assert facts["layout"] == name
    assert (facts["kept"], facts["dropped"]) == (7, 1)
    assert [frame.frame_id for frame in kept_frames(out.out)] == [0, 1, 2, 4, 5, 6, 7]


def test_frames_with_intrinsics_of_their_own(one_camera: Recording, tmp_path: Path) -> None:
    from vantage.scans.layouts import arkitscenes

    arkitscenes.write(one_camera, tmp_path / "scan", focal_drift=0.01)
    scan = open_scan(tmp_path / "scan", "scan", 1, CaptureConfig())
    meta = meta_of(scan)
    for k, frame in enumerate(frames_of(scan)):
        assert meta.color_of(frame).fx == pytest.approx(one_camera.color_camera.fx * (1 + 0.01 * k))
        assert meta.depth_of(frame).fy == pytest.approx(one_camera.depth_camera.fy * (1 + 0.01 * k))


def test_another_package_adds_a_layout(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("mine", "third_party:LAYOUT", "vantage.scan_layouts")
    monkeypatch.setattr("vantage.core.names.entry_points", lambda group: [point])
    importlib.import_module("vantage.scans.layouts.extracted").write(recording, tmp_path / "scan" / "inner")
    (tmp_path / "scan" / "mine.txt").write_text("a layout that wraps another")
    assert open_scan(tmp_path / "scan", "scan", 2, CaptureConfig()).layout == "mine"


def test_a_folder_of_two_recordings_is_refused(written: Write, one_camera: Recording) -> None:
    folder = written("tum")
    importlib.import_module("vantage.scans.layouts.replica").write(one_camera, folder)
    with pytest.raises(ScanError, match="fits several layouts"):
        open_scan(folder, "scan", 1, CaptureConfig())
