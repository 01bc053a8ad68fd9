import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from box_room import COLOR, DEPTH, T_ALIGNED_RAW, a_task, look_around, make_room, render, write_folders
from vantage.core.errors import ScanError
from vantage.core.hashing import digest_tree
from vantage.geometry.transforms import apply, invert
from vantage.lift.config import GoodViews, LiftConfig
from vantage.lift.stage import lift
from vantage.records.frames import read_frames, write_frames
from vantage.records.patches import ViewSet, read_patches, read_squashed_patches, read_views

POSES = look_around(2, 5)
ROOM = make_room(3)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    depths = [depth for depth, _ in render(ROOM, DEPTH, POSES)]
    return write_folders(tmp_path_factory.mktemp("scan"), ROOM, POSES, depths)


def test_points_lie_on_the_room_in_the_aligned_world(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from scipy.spatial import cKDTree

    task = a_task(tmp_path, *folders)
    facts = lift(task, LiftConfig())
    patches = read_patches(task.out)
    assert patches.frame_ids.tolist() == [0, 10, 20, 30, 40]
    assert patches.xyz_aligned.shape == (5, 8, 8, 3)
    assert patches.valid.mean() > 0.95
    assert float(facts["valid_patch_share"]) == pytest.approx(patches.valid.mean())
    points = patches.xyz_aligned[patches.valid]
    distance, _ = cKDTree(ROOM.vertices).query(points)
    assert distance.max() < 0.04  # vertices are at most 5 cm apart on each axis of a face
    # Each point is seen through its patch.
    T_raw_cam = read_frames(folders[1])[0].T_raw_cam  # frame 0
    uv, z = COLOR.project(apply(invert(T_ALIGNED_RAW @ T_raw_cam), patches.xyz_aligned[0]))
    rows, columns = np.nonzero(patches.valid[0])
    assert (z[rows, columns] > 0).all()
    np.testing.assert_array_equal((uv[rows, columns, 0] + 0.5) // (COLOR.width / 8), columns)
    np.testing.assert_array_equal((uv[rows, columns, 1] + 0.5) // (COLOR.height / 8), rows)


def test_the_view_set_covers_the_room(folders: tuple[Path, Path], tmp_path: Path) -> None:
    task = a_task(tmp_path, *folders)
    lift(task, LiftConfig(views=3))
    views = read_views(task.out)
    assert len(set(views.frame_ids)) == 3
    assert views.gains == sorted(views.gains, reverse=True)
    assert sum(views.gains) <= views.voxels
    lift(task2 := a_task(tmp_path / "all", *folders), LiftConfig(views=8))
    every = read_views(task2.out)
    assert every.frame_ids[:3] == views.frame_ids
    assert sorted(every.frame_ids) == [0, 10, 20, 30, 40]
    assert sum(every.gains) == every.voxels == views.voxels


def test_view_sets_of_other_strategies_and_of_good_frames(folders: tuple[Path, Path], tmp_path: Path) -> None:
    def views_of(name: str, config: LiftConfig, seed: int = 0) -> ViewSet:
        lift(task := a_task(tmp_path / name, *folders, seed=seed), config)
        return read_views(task.out)

    uniform = views_of("uniform", LiftConfig(views=3, view_strategy="uniform"))
    assert (uniform.frame_ids, uniform.method) == ([0, 20, 40], "uniform")
    drawn = {
        tuple(views_of(f"random{seed}", LiftConfig(views=2, view_strategy="random"), seed).frame_ids)
        for seed in range(4)
    }
    assert len(drawn) > 1
    assert len(views_of("none", LiftConfig(good_views=GoodViews(min_blur=1e9))).frame_ids) == 5


def test_a_view_set_leaves_blurred_frames_out(folders: tuple[Path, Path], tmp_path: Path) -> None:
    extract = shutil.copytree(folders[1], tmp_path / "extract")
    frames = read_frames(extract)
    write_frames(extract, [replace(f, blur=20.0 if f.frame_id in (0, 30) else 300.0) for f in frames])
    lift(task := a_task(tmp_path / "a", folders[0], extract), LiftConfig(good_views=GoodViews(min_blur=50.0)))
    views = read_views(task.out)
    assert sorted(views.frame_ids) == [10, 20, 40]
    assert sum(views.gains) < views.voxels, "what only the others see is counted"
    assert len(read_patches(task.out).frame_ids) == 5


def test_the_same_bytes_each_time(folders: tuple[Path, Path], tmp_path: Path) -> None:
    tasks = [a_task(tmp_path / name, *folders, seed=7) for name in ("one", "two")]
    for task in tasks:
        lift(task, LiftConfig())
    assert digest_tree(tasks[0].out) == digest_tree(tasks[1].out)


def test_a_scan_without_depth_or_frames_is_bad_data(tmp_path: Path) -> None:
    zeros = [np.zeros((240, 320), dtype=np.float32)] * 5
    raw, extract = write_folders(tmp_path / "scan", ROOM, POSES, zeros)
    with pytest.raises(ScanError, match="no image patch has depth"):
        lift(a_task(tmp_path / "a", raw, extract), LiftConfig())
    write_frames(extract, [frame for frame in read_frames(extract) if not frame.kept])
    with pytest.raises(ScanError, match="no frame"):
        lift(a_task(tmp_path / "b", raw, extract), LiftConfig())


def test_a_pose_beyond_all_rooms_is_bad_data_and_names_its_frame(tmp_path: Path) -> None:
    far = [POSES[0], POSES[1].copy()]
    far[1][0, 3] = 1e9
    raw, extract = write_folders(tmp_path / "scan", ROOM, far, [np.full((240, 320), 2, np.float32)] * 2)
    with pytest.raises(ScanError, match=r"(?s)no voxel.*frame 10"):
        lift(a_task(tmp_path, raw, extract), LiftConfig())


def test_patches_must_tile_the_image() -> None:
    assert LiftConfig(image_size=384, patch_size=16).warp(640, 480).shape == (24, 24)
    with pytest.raises(ValueError, match="does not divide"):
        LiftConfig(image_size=64, patch_size=14)


INTERNVL = {
    "image_processor_type": "GotOcr2ImageProcessor",
    "size": {"height": 112, "width": 112},
    "crop_to_patches": True,
    "patch_size": 14,
}
ONEVISION = {
    "image_processor_type": "LlavaOnevisionImageProcessor",
    "size": {"height": 96, "width": 96},
    "patch_size": 8,
}


def test_a_processor_that_tiles(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Points lie on the room, and each is seen through its patch of its tile."""
    from scipy.spatial import cKDTree

    from vantage.records.contracts import patches as contract

    task = a_task(tmp_path, *folders)
    lift(task, LiftConfig(processor=INTERNVL))
    contract(task.out)
    patches = read_patches(task.out)
    warp = patches.warp
    assert warp is not None
    assert len(warp.tiles) == 13  # 4 x 3, as the colour image, and the whole
    T_raw_cam = read_frames(folders[1])[0].T_raw_cam
    tree = cKDTree(ROOM.vertices)
    for number, tile in enumerate(warp.tiles):
        part = patches.tile(number)
        assert part.valid.mean() > 0.9
        assert tree.query(part.xyz_aligned[part.valid])[0].max() < 0.04
        uv, _ = COLOR.project(apply(invert(T_ALIGNED_RAW @ T_raw_cam), part.xyz_aligned[0]))
        rows, columns = np.nonzero(part.valid[0])
        place = (tile.from_color(uv[rows, columns]) + 0.5) / 14
        np.testing.assert_array_equal(np.floor(place), np.stack([columns, rows], axis=-1))


def test_padding_has_no_points(folders: tuple[Path, Path], tmp_path: Path) -> None:
    task = a_task(tmp_path, *folders)
    lift(task, LiftConfig(processor=ONEVISION, views_together=4))
    patches = read_patches(task.out)
    assert patches.valid.shape[1:] == (12, 12)
    assert not patches.valid[:, [0, -1]].any()  # 12 of 96 rows above and below are padding: 1.5 patches
    assert patches.valid[:, 1:-1].mean() > 0.95


def test_a_squash_by_name_or_by_a_processor_gives_the_same_points(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    siglip = {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 64, "width": 64},
        "patch_size": 8,
    }
    tasks = [a_task(tmp_path / name, *folders) for name in ("one", "two")]
    lift(tasks[0], LiftConfig())
    lift(tasks[1], LiftConfig(processor=siglip))
    one, two = (read_squashed_patches(task.out, (8, 8)) for task in tasks)
    np.testing.assert_array_equal(one.xyz_aligned, two.xyz_aligned)
    np.testing.assert_array_equal(one.valid, two.valid)
