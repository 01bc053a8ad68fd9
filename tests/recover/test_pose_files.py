from pathlib import Path

import numpy as np
import pytest

from vantage.core.errors import ParameterError, ScanError
from vantage.geometry.transforms import from_yaw
from vantage.recover.pose_files import read_pose_files


def write(folder: Path, poses: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, T in poses.items():
        np.savetxt(folder / name, T, fmt="%f")
    return folder


def test_by_number_and_strided_after_the_lost_ones(tmp_path: Path) -> None:
    poses = {f"{k}.txt": from_yaw(0.1 * k) for k in range(12)}
    poses |= {"1.txt": np.full((4, 4), -np.inf), "3.txt": np.full((4, 4), np.nan)}
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses" / "readme.md").touch()
    found = read_pose_files(write(tmp_path / "poses", poses))
    assert found.names == tuple(f"{k}.txt" for k in (0, 2, 4, 5, 6, 7, 8, 9, 10, 11))
    assert found.lost == ("1.txt", "3.txt")
    every_third = found.strided(3)
    assert every_third.names == ("0.txt", "5.txt", "8.txt", "11.txt")  # by the places in what is left
    np.testing.assert_allclose(every_third.T_world_cam[1], from_yaw(0.5), atol=1e-6)
    assert found.strided(25).names == ("0.txt",)


def test_real_poses(office: Path) -> None:
    found = read_pose_files(office / "pose")
    assert len(found.names) == 42
    assert [int(name[:-4]) for name in found.names] == sorted(int(name[:-4]) for name in found.names)
    np.testing.assert_array_equal(found.T_world_cam[0], np.loadtxt(office / "pose" / found.names[0]))


def test_folders_that_hold_no_poses(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such folder"):
        read_pose_files(tmp_path / "absent")
    with pytest.raises(ParameterError, match="no pose files"):
        read_pose_files(tmp_path)
    write(tmp_path, {"frame_one.txt": np.eye(4)})
    with pytest.raises(ParameterError, match="frame's number"):
        read_pose_files(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("7.txt", "", "an empty file"),
        ("7.txt", "1 0 0 0\n0 1 0 0\n0 0 1\n0 0 0 1\n", "not a matrix"),
        ("7.txt", "1 0 0 0\n0 1 x 0\n0 0 1 0\n0 0 0 1\n", "not a matrix"),
        ("7.txt", "1 0 0\n0 1 0\n0 0 1\n", "4 rows of 4"),
        ("7.txt", "2 0 0 0\n0 2 0 0\n0 0 2 0\n0 0 0 1\n", "not a rigid"),
        ("00.txt", "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "two poses"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, text: str, match: str) -> None:
    write(tmp_path, {"0.txt": np.eye(4)})
    (tmp_path / name).write_text(text)
    with pytest.raises(ScanError, match=match) as caught:
        read_pose_files(tmp_path)
    assert name in str(caught.value)
