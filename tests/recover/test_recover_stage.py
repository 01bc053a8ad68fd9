from pathlib import Path

import numpy as np
import pytest

from box_room import COLOR, T_ALIGNED_RAW, a_task, look_around, make_room, render, sensed, write_folders
from vantage.core.errors import ScanError
from vantage.core.hashing import digest_tree
from vantage.geometry.transforms import apply, invert
from vantage.records.objects import ScanPoints, read_points, write_points
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
    assert (found.scores <= 1).all()
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
    np.testing.assert_array_equal(
        found.scores, published_scores(coord, ROOM.instance, poses, [COLOR] * len(poses), 0.1)[1]
    )
    assert found.visible_px[:, 0].min() > 500  # walls and floor


@pytest.mark.parametrize("mode", ["depth", "reference"])
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
