"""`download` and `extract` on whole small scans of both layouts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.core.errors import ParameterError, ScanError
from vantage.core.hashing import digest_file, digest_tree, file_digests
from vantage.core.memo import Memo
from vantage.core.tasks import Task
from vantage.geometry.transforms import apply, invert
from vantage.records.frames import Frame, kept_frames, read_frames
from vantage.records.objects import read_objects, read_points
from vantage.records.scan import read_scan, room_of
from vantage.scans import stage
from vantage.scans.config import DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.pixels import read_color, read_depth
from vantage.scans.stage import download, extract, list_scans, source_digest

MakeTask = Callable[..., Task]


def folder_config(path: Path, **fields: Any) -> DownloadConfig:
    return DownloadConfig(source="folder", folder=FolderConfig(path=str(path), **fields))


def through(make_task: MakeTask, scan: Path, config: ExtractConfig | None = None) -> tuple[Path, Path]:
    """Download and extract one scan folder; the raw and the extracted folder."""
    first = make_task(scan.name)
    download(first, folder_config(scan.parent))
    second = make_task(scan.name, download=first.out)
    extract(second, config or ExtractConfig())
    return first.out, second.out


def by_id(folder: Path) -> dict[int, Frame]:
    return {frame.frame_id: frame for frame in read_frames(folder)}


def test_a_raw_scan(raw_scan: Path, make_task: MakeTask) -> None:
    raw, out = through(make_task, raw_scan)
    assert sorted(p.name for p in out.iterdir()) == [
        "capture.json",
        "frames.parquet",
        "objects.parquet",
        "points.npz",
        "scan.json",
    ]
    meta, frames = read_scan(out), by_id(out)
    assert (meta.scan_id, meta.room_id, meta.labelled) == ("scene0000_00", "scene0000", True)
    assert (meta.color.width, meta.depth.width) == (64, 40)
    assert meta.color.fx == 60 and meta.depth.fy == 36 and meta.depth_unit_m == pytest.approx(0.001)
    assert list(frames) == [0, 1, 2, 3]
    assert not frames[1].kept and frames[1].reason.startswith("lost tracking")
    assert all(frames[k].kept and frames[k].reason == "" for k in (0, 2, 3))
    assert frames[2].timestamp_s == pytest.approx(0.066)
    assert frames[2].depth_valid_share == pytest.approx(28 / 30)
    depth = read_depth(raw, meta, frames[2])
    assert depth.dtype == np.float32 and (depth[:2] == 0).all()
    np.testing.assert_allclose(depth[2:], 2.002, rtol=1e-6)
    assert read_color(raw, meta, frames[2]).shape == (48, 64, 3)


def test_objects_have_the_boxes_they_were_made_with(
    raw_scan: Path, make_task: MakeTask, furniture: tuple[Any, ...]
) -> None:
    _, out = through(make_task, raw_scan)
    objects, points = read_objects(out), read_points(out)
    assert [o.label for o in objects] == ["chair", "nightstand", "thingamajig"]
    assert [(o.nyu40_id, o.nyu40) for o in objects] == [(5, "chair"), (32, "night stand"), (0, "unknown")]
    assert [o.color for o in objects] == ["red", None, None]
    for found, made in zip(objects, furniture, strict=True):
        np.testing.assert_allclose(found.center, made.center, atol=1e-5)
        # The fitted yaw is canonical, so that the made axes may come in another order: compare the extents.
        np.testing.assert_allclose(sorted(found.size[:2]), sorted(made.size[:2]), atol=1e-5)
        assert found.size[2] == pytest.approx(made.size[2], abs=1e-5)
        turn = (np.arctan2(found.rotation[1, 0], found.rotation[0, 0]) - made.yaw) % (np.pi / 2)
        assert min(turn, np.pi / 2 - turn) < 1e-4
    assert points.coord.shape == (3 + 3 * 125, 3)
    assert np.bincount(points.instance + 1).tolist() == [3, 125, 125, 125]
    assert [o.points for o in objects] == [125, 125, 125]


def test_facts_report_unknown_labels_and_dropped_frames(raw_scan: Path, make_task: MakeTask) -> None:
    first = make_task("scene0000_00")
    assert download(first, folder_config(raw_scan.parent))["files"] == 6
    facts = extract(make_task("scene0000_00", download=first.out), ExtractConfig())
    assert facts["unknown_labels"] == "thingamajig 1"
    assert facts["dropped_reasons"] == "lost tracking 1"
    assert (facts["recorded"], facts["kept"], facts["dropped"], facts["objects"]) == (4, 3, 1, 3)
    assert facts["alignment"] == "axisAlignment" and facts["extrinsics_ignored"] == 0


def test_an_extracted_scan(extracted_scan: Path, make_task: MakeTask) -> None:
    (extracted_scan / "depth" / "12.png").unlink()
    raw, out = through(make_task, extracted_scan)
    meta, frames = read_scan(out), by_id(out)
    assert list(frames) == [3, 12, 100]
    assert frames[12].reason == "no depth file" and not frames[12].kept
    assert [f.frame_id for f in kept_frames(out)] == [3, 100]
    assert (meta.labelled, meta.color.width, meta.depth.width) == (False, 64, 40)
    assert meta.color.fy == 61 and meta.depth.fx == 35
    np.testing.assert_array_equal(meta.T_aligned_raw, np.eye(4))
    points = read_points(out)  # fused from its depth
    assert read_objects(out) == [] and (points.instance == -1).all()
    depth_m = apply(invert(frames[3].T_raw_cam), points.coord.astype(np.float64))[:, 2]
    assert len(depth_m) > 1000 and depth_m.min() > 1.97 and depth_m.max() < 2.13
    np.testing.assert_allclose(read_depth(raw, meta, frames[100])[2:], 2.1, rtol=1e-6)


def test_both_layouts_give_the_same_frames(tmp_path: Path, make_task: MakeTask, writers: Any) -> None:
    writers.raw(tmp_path / "s" / "a", "a", 3, ())
    writers.extracted(tmp_path / "s" / "b", (0, 1, 2))
    sens, folder = (by_id(through(make_task, tmp_path / "s" / name)[1]) for name in "ab")
    for k in range(3):
        np.testing.assert_allclose(sens[k].T_raw_cam, folder[k].T_raw_cam, atol=1e-6)
        for measure in ("depth_valid_share", "blur", "exposure"):
            assert getattr(sens[k], measure) == getattr(folder[k], measure) > 0


def test_stride_counts_recorded_frames(tmp_path: Path, make_task: MakeTask, writers: Any) -> None:
    """A lost pose before a frame does not shift which frames are taken."""
    writers.raw(tmp_path / "s" / "a", "a", 7, (1, 2))
    _, out = through(make_task, tmp_path / "s" / "a", ExtractConfig(stride=3))
    assert [(f.frame_id, f.kept) for f in read_frames(out)] == [(0, True), (3, True), (6, True)]


@pytest.mark.parametrize("layout", ["raw", "extracted"])
def test_same_input_same_bytes(tmp_path: Path, make_task: MakeTask, writers: Any, layout: str) -> None:
    scan = tmp_path / "s" / "a"
    if layout == "raw":
        writers.raw(scan, "a", 3, (1,))
    else:
        writers.extracted(scan, (3, 5))
    one, two = through(make_task, scan), through(make_task, scan)
    assert [digest_tree(p) for p in one] == [digest_tree(p) for p in two]


def test_download_takes_the_scans_files_and_nothing_else(raw_scan: Path, make_task: MakeTask) -> None:
    (raw_scan / "notes.docx").write_text("mine")
    (raw_scan / "_private").mkdir()
    task = make_task("scene0000_00")
    download(task, folder_config(raw_scan.parent))
    before = file_digests(raw_scan)
    assert file_digests(task.out) == {
        name: d for name, d in before.items() if name.startswith("scene0000_00")
    }


@pytest.mark.parametrize("link", [False, True])
def test_copies_or_links(raw_scan: Path, make_task: MakeTask, link: bool) -> None:
    task = make_task("scene0000_00")
    download(task, folder_config(raw_scan.parent, link=link))
    same = (raw_scan / "scene0000_00.sens").samefile(task.out / "scene0000_00.sens")
    assert same is link


def test_a_folder_that_is_one_scan(extracted_scan: Path, make_task: MakeTask) -> None:
    config = folder_config(extracted_scan)
    assert list_scans(config, 0) == ["kitchen"]
    task = make_task("kitchen")
    assert download(task, config)["files"] == 11


def test_source_digest_follows_content_and_names(raw_scan: Path, tmp_path: Path) -> None:
    config = folder_config(raw_scan.parent)
    digest = source_digest(config, "scene0000_00", Memo())
    shutil.copytree(raw_scan.parent, tmp_path / "moved")
    assert source_digest(folder_config(tmp_path / "moved"), "scene0000_00", Memo()) == digest
    (raw_scan / "notes.docx").write_text("mine")
    assert source_digest(config, "scene0000_00", Memo()) == digest
    with (raw_scan / "scene0000_00.sens").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")
    assert source_digest(config, "scene0000_00", Memo()) != digest
    assert source_digest(DownloadConfig(), "room0000_00", Memo()) == ""


def test_contents_are_read_again_only_where_size_or_time_changed(
    raw_scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(stage, "digest_file", lambda path: (read.append(path.name), digest_file(path))[1])
    config, memo = folder_config(raw_scan.parent), Memo(tmp_path / "memo.json")
    digest = source_digest(config, "scene0000_00", memo)
    assert len(read) == len(set(read)) > 4
    memo.save()
    read.clear()
    assert source_digest(config, "scene0000_00", Memo(tmp_path / "memo.json")) == digest
    assert read == []
    os.utime(raw_scan / "scene0000_00.txt", ns=(0, 0))
    assert source_digest(config, "scene0000_00", memo) == digest, "touched, not changed"
    assert "scene0000_00.txt" in read
    (raw_scan / "scene0000_00.txt").unlink()
    assert source_digest(config, "scene0000_00", memo) != digest


def test_the_users_label_table(raw_scan: Path, make_task: MakeTask, tmp_path: Path) -> None:
    table = tmp_path / "labels.tsv"
    table.write_text("raw_category\tnyu40id\tnyu40class\nthingamajig\t39\totherfurniture\nsofa\t6\tsofa\n")
    config = folder_config(raw_scan.parent, label_table=str(table))
    before = source_digest(config, "scene0000_00", Memo())
    first = make_task("scene0000_00")
    download(first, config)
    assert (first.out / "labels.tsv").read_text().count("\n") == 2  # only the row that this scan needs
    second = make_task("scene0000_00", download=first.out)
    # A label that the given table lacks is told, and its object stays.
    facts = extract(second, ExtractConfig())
    assert facts["unknown_labels"] == "chair 1, nightstand 1"
    assert facts["annotation_release"] == "v2" and "1 of 3 labels" in str(facts["release_evidence"])
    assert [item.nyu40 for item in read_objects(second.out)] == ["unknown", "unknown", "otherfurniture"]
    table.write_text(table.read_text().replace("39", "40"))
    os.utime(table, ns=(0, 0))
    assert source_digest(config, "scene0000_00", Memo()) != before
    with pytest.raises(ParameterError, match="cannot read the label table"):
        list_scans(folder_config(raw_scan.parent, label_table=str(tmp_path / "none.tsv")), 0)


def test_a_damaged_sens_sets_the_scan_aside(raw_scan: Path, make_task: MakeTask) -> None:
    sens = raw_scan / "scene0000_00.sens"
    sens.write_bytes(sens.read_bytes()[:-1000])
    with pytest.raises(ScanError, match=r"scene0000_00\.sens, byte"):
        through(make_task, raw_scan)


def test_a_damaged_image_costs_its_frame_only(raw_scan: Path, make_task: MakeTask) -> None:
    _, out = through(make_task, raw_scan)
    frame = by_id(out)[2]
    sens = raw_scan / "scene0000_00.sens"
    with sens.open("r+b") as file:
        file.seek(frame.depth.offset)
        file.write(bytes(frame.depth.size))
    _, out = through(make_task, raw_scan)
    frames = by_id(out)
    assert [k for k in frames if frames[k].kept] == [0, 3]
    assert frames[2].reason.startswith("damaged depth data") and "frame 2" in frames[2].reason


def test_no_usable_frame_says_why(tmp_path: Path, make_task: MakeTask, writers: Any) -> None:
    writers.raw(tmp_path / "s" / "a", "a", 2, (0, 1))
    with pytest.raises(ScanError, match="2 frames dropped: lost tracking 2"):
        through(make_task, tmp_path / "s" / "a")


def test_half_an_annotation_is_an_error(raw_scan: Path, make_task: MakeTask) -> None:
    (raw_scan / "scene0000_00.aggregation.json").unlink()
    with pytest.raises(ScanError, match=r"half an annotation[\s\S]*no \*\.aggregation\.json"):
        through(make_task, raw_scan)


def test_a_mesh_without_annotation_gives_points_of_nobody(raw_scan: Path, make_task: MakeTask) -> None:
    (raw_scan / "scene0000_00.aggregation.json").unlink()
    (raw_scan / "scene0000_00_vh_clean_2.0.010000.segs.json").unlink()
    _, out = through(make_task, raw_scan)
    assert not read_scan(out).labelled and read_objects(out) == []
    assert (read_points(out).instance == -1).all() and len(read_points(out).instance) == 378


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"min_depth_valid_share": 0.95}, "little depth"),
        ({"min_blur": 1e9}, "blurred"),
        ({"min_exposure": 0.9}, "too dark"),
        ({"max_exposure": 0.1}, "too bright"),
    ],
)
def test_thresholds_drop_frames_by_name(
    raw_scan: Path, make_task: MakeTask, fields: dict[str, float], reason: str
) -> None:
    with pytest.raises(ScanError) as caught:
        through(make_task, raw_scan, ExtractConfig(**fields))
    assert f"{reason} 3, lost tracking 1" in str(caught.value)


def test_rooms_of_scans() -> None:
    assert [room_of(s) for s in ("scene0000_01", "room0123_00", "kitchen")] == [
        "scene0000",
        "room0123",
        "kitchen",
    ]


def test_a_generated_scan_goes_through(make_task: MakeTask) -> None:
    from vantage.scans.generated.config import GeneratedConfig

    sizes = {"color_width": 96, "color_height": 72, "depth_width": 80, "depth_height": 60}
    generated = GeneratedConfig(rooms=1, frames_per_scan=4, mesh_edge=0.2, **sizes)
    config = DownloadConfig(generated=generated)
    assert list_scans(config, 0) == ["room0000_00", "room0000_01"]
    first = make_task("room0000_00")
    download(first, config)
    second = make_task("room0000_00", download=first.out)
    facts = extract(second, ExtractConfig())
    meta, objects = read_scan(second.out), read_objects(second.out)
    assert (meta.room_id, meta.labelled, facts["unknown_labels"], facts["recorded"]) == (
        "room0000",
        True,
        "",
        4,
    )
    assert (meta.color.width, meta.depth.width) == (96, 80)
    colored = [item for item in objects if item.color is not None]
    assert len(colored) >= 5
    # Furniture stands on or above the floor of the aligned world, and the camera is held above it.
    assert min(item.center[2] - item.size[2] / 2 for item in colored) > -0.05
    floor = next(item for item in objects if item.label == "floor")
    assert abs(floor.center[2]) < 0.05
    heights = [(meta.T_aligned_raw @ frame.T_raw_cam)[2, 3] for frame in kept_frames(second.out)]
    assert heights and all(1.0 < height < 2.0 for height in heights)
