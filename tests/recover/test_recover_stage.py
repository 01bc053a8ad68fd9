import shutil
from pathlib import Path

import numpy as np
import pytest

from box_room import COLOR, T_ALIGNED_RAW, a_task, look_around, make_room, render, sensed, write_folders
from vantage.core.errors import ScanError
from vantage.core.hashing import digest_tree
from vantage.geometry.transforms import apply, invert
from vantage.records.objects import ScanPoints, SceneObject, read_points, write_objects, write_points
from vantage.records.visibility import read_visibility
from vantage.recover.config import RecoverConfig
from vantage.recover.published import published_scores
from vantage.recover.stage import recover

POSES = look_around(2, 4)
ROOM = make_room(3)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    from box_room import DEPTH

    depths = [sensed(depth, k) for k, (depth, _) in enumerate(render(ROOM, DEPTH, POSES))]
    return write_folders(tmp_path_factory.mktemp("scan"), ROOM, POSES, depths)


def test_scores_and_pixels_of_every_kept_frame(folders: tuple[Path, Path], tmp_path: Path) -> None:
    task = a_task(tmp_path, *folders)
    facts = recover(task, RecoverConfig())
    found = read_visibility(task.out)
    assert found.frame_ids.tolist() == [0, 10, 20, 30]
    assert found.object_ids.tolist() == list(range(12))
    exact = render(ROOM, COLOR.resized(64, 64), POSES)
    truth = np.array([[np.count_nonzero(ids == i) for i in range(12)] for _, ids in exact])
    assert ((found.visible_px >= 12) == (truth >= 12)).mean() > 0.95
    assert (found.scores[truth >= 40] > 0.02).all()
    assert (found.scores <= found.in_view).all()
    assert (found.in_view <= 1).all()
    assert facts["objects_without_points"] == 0
    assert facts["poses"] == 4
    assert facts["objects"] == 12
    assert 0.1 < float(facts["seen_share"]) < 0.9


def test_the_reference_mode_has_the_published_columns_and_scores(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    task = a_task(tmp_path, *folders)
    recover(task, RecoverConfig(mode="reference", stride=3))
    found = read_visibility(task.out)
    assert found.frame_ids.tolist() == [0, 30]
    assert found.object_ids.tolist() == [-1, *range(12)]
    T_raw_aligned = invert(T_ALIGNED_RAW)
    coord = apply(T_raw_aligned, ROOM.vertices).astype(np.float32)
    poses = [T_raw_aligned @ POSES[0], T_raw_aligned @ POSES[3]]
    exact = published_scores(coord, ROOM.instance, poses, [COLOR] * len(poses), 0.1)
    np.testing.assert_array_equal(found.scores, exact.score)
    np.testing.assert_array_equal(found.in_view, exact.in_view)
    assert found.visible_px[:, 0].min() > 500  # walls and floor


@pytest.mark.parametrize("mode", ["calibrated", "reference", "box", "point"])
def test_a_scan_without_objects_has_no_columns(folders: tuple[Path, Path], tmp_path: Path, mode: str) -> None:
    zeros = [np.zeros((240, 320), dtype=np.float32)] * 4
    task = a_task(tmp_path, *write_folders(tmp_path / "plain", ROOM, POSES, zeros, labelled=False))
    recover(task, RecoverConfig(mode=mode))  # type: ignore[arg-type]
    found = read_visibility(task.out)
    assert found.scores.shape == found.visible_px.shape == (4, 0)
    assert len(found.frame_ids) == 4


def test_the_same_bytes_each_time(folders: tuple[Path, Path], tmp_path: Path) -> None:
    tasks = [a_task(tmp_path / name, *folders) for name in ("one", "two")]
    for task in tasks:
        recover(task, RecoverConfig())
    assert digest_tree(tasks[0].out) == digest_tree(tasks[1].out)


def test_objects_without_vertices_are_bad_data(tmp_path: Path) -> None:
    zeros = [np.zeros((240, 320), dtype=np.float32)] * 4
    raw, extract = write_folders(tmp_path / "scan", ROOM, POSES, zeros)
    points = read_points(extract)
    write_points(extract, ScanPoints.plain(points.coord, np.full_like(points.instance, -1)))
    with pytest.raises(ScanError, match=r"none of its vertices"):
        recover(a_task(tmp_path, raw, extract), RecoverConfig())


def test_a_nonsense_range_is_refused() -> None:
    with pytest.raises(ValueError, match="near_m"):
        RecoverConfig(near_m=3.0, far_m=2.0)


def test_objects_without_vertices_are_reported_and_score_nothing(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    raw, extract = folders
    points = read_points(extract)
    fewer = tmp_path / "extract"
    shutil.copytree(extract, fewer)
    write_points(fewer, ScanPoints.plain(points.coord, np.where(points.instance == 3, -1, points.instance)))
    for mode in ("calibrated", "reference"):
        task = a_task(tmp_path / mode, raw, fewer)
        facts = recover(task, RecoverConfig(mode=mode))  # type: ignore[arg-type]
        assert (facts["objects_without_points"], facts["without_points"]) == (1, "3")
        found = read_visibility(task.out)
        if mode == "calibrated":
            assert found.object_ids.tolist() == list(range(12))
            assert (found.scores[:, 3] == 0).all()
        else:
            assert 3 not in found.object_ids


def test_boxes_and_centres_need_no_vertices(folders: tuple[Path, Path], tmp_path: Path) -> None:
    raw, extract = folders
    boxes = tmp_path / "extract"
    shutil.copytree(extract, boxes)
    write_points(boxes, ScanPoints.plain(np.zeros((1, 3), np.float32), np.full(1, -1, np.int32)))
    corner = SceneObject(4, "box", 29, "box", None, np.array([2.0, 0, 0.5]), np.ones(3), np.eye(3), 0)
    write_objects(boxes, [corner])
    for mode in ("box", "point"):
        task = a_task(tmp_path / mode, raw, boxes)
        recover(task, RecoverConfig(mode=mode))  # type: ignore[arg-type]
        found = read_visibility(task.out)
        seen = [COLOR.inside(COLOR.project(apply(invert(pose), corner.center[None]))[0])[0] for pose in POSES]
        assert any(seen)
        assert not all(seen)
        assert (found.scores[:, 0] > 0).tolist() == [bool(s) for s in seen]
        assert (found.visible_px == 0).all()


def test_vertices_that_are_not_finite_are_bad_data(folders: tuple[Path, Path], tmp_path: Path) -> None:
    raw, extract = folders
    bad = tmp_path / "extract"
    shutil.copytree(extract, bad)
    points = read_points(bad)
    points.coord[7] = np.nan
    write_points(bad, points)
    with pytest.raises(ScanError, match="1 vertices are not finite"):
        recover(a_task(tmp_path, raw, bad), RecoverConfig())
