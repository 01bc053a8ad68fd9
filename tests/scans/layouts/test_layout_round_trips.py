"""Every layout on exact ground truth: write a made recording, read it, and lose nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depth_agreement import depth_agreement, median_share
from vantage.core.errors import ScanError
from vantage.core.tasks import Task
from vantage.lift.config import LiftConfig
from vantage.lift.stage import lift
from vantage.records.frames import Frame, kept_frames, read_frames
from vantage.records.patches import read_patches
from vantage.records.scan import ScanMeta, read_scan
from vantage.scans.codecs import decode_color, encode_jpeg
from vantage.scans.config import CaptureConfig, DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.frames import judge
from vantage.scans.generated.scan import GeneratedScan
from vantage.scans.generated.scan import write_scan as write_sens
from vantage.scans.layout import scan_files, take
from vantage.scans.layouts import LAYOUTS
from vantage.scans.layouts.base import Recording
from vantage.scans.pixels import read_color, read_depth
from vantage.scans.raw import RawScan
from vantage.scans.source import matching
from vantage.scans.stage import download, extract

LOST = 3
Opened = Callable[..., RawScan]


def judged(folder: Path, scan: RawScan) -> tuple[ScanMeta, list[Frame]]:
    """As the rest of the system sees a scan."""
    eye = np.eye(4)
    meta = ScanMeta(folder.name, folder.name, eye, scan.color, scan.depth, scan.depth_unit_m, labelled=False)
    return meta, [judge(folder, meta, raw, (0.0, 0.0), ExtractConfig(min_blur=0.0)) for raw in scan.frames]


def test_every_layout_of_ours_is_proved_here(cases: dict[str, Any]) -> None:
    assert sorted([*cases, "scannet"]) == LAYOUTS.names()


def test_what_is_written_is_read(case: Any, recording: Recording, folder: Path, opened: Opened) -> None:
    scan = opened(case.write(recording, folder), case.capture(recording))
    kept = case.kept(recording)
    assert (scan.layout, scan.recorded) == (case.name, len(kept.color))
    assert [f.frame_id for f in scan.frames] == list(case.ids)
    if case.times:
        assert [f.timestamp_s for f in scan.frames] == pytest.approx(kept.timestamps_s.tolist(), abs=1e-6)
    for found, made in ((scan.color, kept.color_camera), (scan.depth, kept.depth_camera)):
        assert found.to_dict() == pytest.approx(made.to_dict(), rel=1e-8)
    for k, raw in enumerate(scan.frames):
        if k == LOST:
            assert "no pose" in raw.problem or not np.isfinite(raw.T_raw_cam).any()
        else:
            assert raw.problem == ""
            # Nine significant digits are written, of a quaternion too.
            np.testing.assert_allclose(raw.T_raw_cam, kept.T_world_cam[k], atol=1e-8)


def test_pixels_are_the_same(case: Any, recording: Recording, folder: Path, opened: Opened) -> None:
    scan, kept = opened(case.write(recording, folder), case.capture(recording)), case.kept(recording)
    meta, frames = judged(folder, scan)
    for k, frame in enumerate(frames):
        depth = read_depth(folder, meta, frame)
        assert np.array_equal(depth == 0, kept.depth_mm[k] == 0)
        # 6553.5 units a metre do not hold whole millimetres; the other scales do.
        step_m = scan.depth_unit_m / 2 if case.name == "replica" else 0.0
        np.testing.assert_allclose(depth, kept.depth_mm[k] / 1000, rtol=1e-6, atol=step_m)
        color = kept.color[k]
        if not case.lossless:
            color = decode_color(encode_jpeg(color), "jpeg", None, "")
        assert np.array_equal(read_color(folder, meta, frame), color)
    assert [frame.kept for frame in frames] == [k != LOST for k in range(len(frames))]


def test_frames_agree_as_those_recorded(
    case: Any,
    recording: Recording,
    usable_pairs: list[tuple[int, int, int, int]],
    folder: Path,
    opened: Opened,
) -> None:
    """The geometric proof: poses, cameras and depth scale as read see one room."""
    meta, frames = judged(folder, opened(case.write(recording, folder), case.capture(recording)))
    found = depth_agreement(folder, frames, meta, [(i, j) for i, j, _, _ in usable_pairs])
    for result, (_, _, shared, agreeing) in zip(found, usable_pairs, strict=True):
        # Nine digits and a rounded millimetre move a pixel over a border now and then.
        assert result.shared == pytest.approx(shared, abs=5)
        assert result.share == pytest.approx(agreeing / shared, abs=2e-3)
    share, pairs = median_share(found)
    assert pairs >= 18 and share >= 0.95
    turn = np.diag([1.0, -1.0, -1.0, 1.0])
    turned = [replace(f, T_raw_cam=f.T_raw_cam @ turn) if f.kept else f for f in frames]
    wrong = depth_agreement(folder, turned, meta, [(i, j) for i, j, _, _ in usable_pairs])
    assert not median_share(wrong)[0] > 0.8  # the camera's axes the other way round


def test_stride_counts_frames_before_any_is_dropped(
    case: Any, recording: Recording, folder: Path, opened: Opened
) -> None:
    case.write(recording, folder)
    scan = opened(folder, case.capture(recording), stride=3)
    assert [f.frame_id for f in scan.frames] == list(case.ids)[::3] and scan.recorded == len(case.ids)
    np.testing.assert_allclose(scan.frames[2].T_raw_cam, recording.T_world_cam[6], atol=1e-8)


def test_the_users_word_goes_first(case: Any, short: Recording, folder: Path, opened: Opened) -> None:
    case.write(short, folder)
    plain = opened(folder, case.capture(short))
    four, said = (50.0, 51.0, 30.0, 31.0), {"depth_units_per_m": 256.0, "up": "-x"}
    told = opened(
        folder,
        CaptureConfig(poses="world_to_camera", color_intrinsics=four, depth_intrinsics=four, **said),  # type: ignore[arg-type]
    )
    assert (told.color.fx, told.depth.cy, told.depth_unit_m, told.up) == (50.0, 31.0, 1 / 256, "-x")
    for before, after in zip(plain.frames, told.frames, strict=True):
        same = np.allclose(before.T_raw_cam, after.T_raw_cam)
        assert same == (case.name == "arkitscenes") and after.color_intrinsics is None


def test_a_layout_recognises_its_own_folders_alone(
    cases: dict[str, Any], short: Recording, generated: GeneratedScan, tmp_path: Path
) -> None:
    folders = {name: case.write(short, tmp_path / name) for name, case in cases.items()}
    folders["scannet"] = tmp_path / "scannet"
    folders["scannet"].mkdir()
    write_sens(generated, folders["scannet"])
    for name, folder in folders.items():
        recognised = [other for other in LAYOUTS.names() if LAYOUTS.get(other).recognises(folder)]
        assert recognised == [name]
        (folder / "readme.txt").write_text("hello")
        (folder / "export.log").write_text("done")  # no trajectory of Redwood's
        assert [layout.name for layout in matching(folder)] == [name]
        if name != "scannet":
            shutil.copy(folders["scannet"] / "room0000_00.sens", folder)
            assert [layout.name for layout in matching(folder)] == ["scannet"]


def test_a_copy_of_its_files_reads_the_same(
    case: Any, short: Recording, folder: Path, tmp_path: Path, opened: Opened
) -> None:
    case.write(short, folder)
    if case.name == "replica":  # one camera for all scans lies beside them
        (folder / "cam_params.json").rename(folder.parent / "cam_params.json")
    (folder / "notes.docx").write_text("mine")
    for path in [p for p in folder.rglob("*") if p.is_dir()]:
        (path / "Thumbs.db").write_bytes(b"x")
        (path / ".hidden.png").write_bytes(b"x")
    files = scan_files(folder, folder.name)
    assert not {"notes.docx", "Thumbs.db", ".hidden.png"} & {name.split("/")[-1] for name in files}
    out = tmp_path / "elsewhere" / "room"
    take(files, out, link=False)
    one, two = (opened(place, case.capture(short)) for place in (folder, out))
    assert (one.color, one.depth, one.depth_unit_m, one.recorded) == (
        two.color,
        two.depth,
        two.depth_unit_m,
        two.recorded,
    )
    for a, b in zip(one.frames, two.frames, strict=True):
        assert (a.frame_id, a.color, a.depth, a.timestamp_s, a.problem) == (
            b.frame_id,
            b.color,
            b.depth,
            b.timestamp_s,
            b.problem,
        )
        assert np.array_equal(a.T_raw_cam, b.T_raw_cam) and a.color_intrinsics == b.color_intrinsics
    judged_frames = judged(out, two)[1]
    assert all(frame.kept for frame in judged_frames), judged_frames[0].reason


def test_missing_and_broken_images_cost_their_frames(
    case: Any, short: Recording, folder: Path, opened: Opened
) -> None:
    case.write(short, folder)
    images = opened(folder, case.capture(short)).frames
    (folder / images[0].color.file).write_bytes(b"broken")
    (folder / images[1].depth.file).unlink()
    scan = opened(folder, case.capture(short))
    assert [f.problem for f in scan.frames] == ["", "no depth file", ""]
    reasons = [frame.reason for frame in judged(folder, scan)[1]]
    assert reasons[0].startswith("unreadable") and reasons[1:] == ["no depth file", ""]


def test_no_whole_image_is_an_error(case: Any, short: Recording, folder: Path, opened: Opened) -> None:
    case.write(short, folder)
    for frame in opened(folder, case.capture(short)).frames:
        (folder / frame.depth.file).write_bytes(b"broken")
    with pytest.raises(ScanError, match="unreadable image"):
        opened(folder, case.capture(short))


@pytest.mark.parametrize("name", ["arkitscenes", "icl_nuim", "tum"])
def test_through_download_extract_and_lift(
    name: str, cases: dict[str, Any], recording: Recording, tmp_path: Path, make_task: Callable[..., Task]
) -> None:
    """The stages on a folder of the layout; patches end up on the surfaces that depth saw."""
    case = cases[name]
    scan = case.write(recording, tmp_path / "scans" / "room")
    first = make_task("room")
    download(first, DownloadConfig(source="folder", folder=FolderConfig(path=str(scan.parent))))
    second = make_task("room", download=first.out)
    config = ExtractConfig(min_blur=0.0, capture=case.capture(recording, up="z"))
    facts = extract(second, config)
    assert (facts["layout"], facts["recorded"], facts["kept"]) == (name, 24, 23)
    third = make_task("room", download=first.out, extract=second.out)
    lift(third, LiftConfig())
    frames, meta, patches = kept_frames(second.out), read_scan(second.out), read_patches(third.out)
    assert len(read_frames(second.out)) == 24 and patches.frame_ids.tolist() == [f.frame_id for f in frames]
    # A patch's point is one of its pixels: seen from the true pose it has the depth recorded there.
    kept = case.kept(recording)
    for row, frame in enumerate(frames):
        k = list(case.ids).index(frame.frame_id)
        points = patches.xyz_aligned[row][patches.valid[row]].astype(np.float64).reshape(-1, 3)
        T = np.linalg.inv(meta.T_aligned_raw @ kept.T_world_cam[k])
        uv, z = kept.depth_camera.project(points @ T[:3, :3].T + T[:3, 3])
        column, line = np.floor(uv + 0.5).astype(int).T
        assert np.abs(z - kept.depth_mm[k][line, column] / 1000).max() < 2e-3
    assert meta.depth.to_dict() == pytest.approx(kept.depth_camera.to_dict(), rel=1e-8)
