"""ScanNet's extracted layout: pairing by id, poses, intrinsics, and what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.core.errors import ScanError
from vantage.scans.config import CaptureConfig
from vantage.scans.layouts.extracted import LAYOUT, read_matrix
from vantage.scans.source import open_scan


def opened(folder: Path, stride: int = 1) -> Any:
    return open_scan(folder, "kitchen", stride, CaptureConfig())


def test_frames_are_paired_by_id_in_numerical_order(extracted_scan: Path) -> None:
    scan = opened(extracted_scan)
    assert [f.frame_id for f in scan.frames] == [3, 12, 100] and scan.recorded == 3
    assert [(f.color.file, f.depth.file) for f in scan.frames][1] == ("color/12.jpg", "depth/12.png")
    assert scan.frames[0].color.size == (extracted_scan / "color" / "3.jpg").stat().st_size
    assert (scan.color.width, scan.color.height, scan.depth.width, scan.depth.height) == (64, 48, 40, 30)
    assert (scan.color.fx, scan.depth.fx, scan.depth_unit_m) == (60, 35, 0.001)
    assert all(f.problem == "" for f in scan.frames) and not scan.extrinsics


@pytest.mark.parametrize(
    ("gone", "problem"),
    [
        (["color/12.jpg"], "no color file"),
        (["pose/12.txt"], "no pose file"),
        (["color/12.jpg", "depth/12.png"], "no color and no depth file"),
    ],
)
def test_a_missing_partner_is_a_problem_of_its_frame(
    extracted_scan: Path, gone: list[str], problem: str
) -> None:
    for name in gone:
        (extracted_scan / name).unlink()
    assert [f.problem for f in opened(extracted_scan).frames] == ["", problem, ""]


@pytest.mark.parametrize("text", ["", "1 2 3\n", "a b\nc d\n", "1 0 0\n0 1 0\n0 0 1\n"])
def test_an_unreadable_pose_is_a_problem_of_its_frame(extracted_scan: Path, text: str) -> None:
    """An empty pose file, as a published exporter leaves behind, is one of these."""
    (extracted_scan / "pose" / "12.txt").write_text(text)
    problem = opened(extracted_scan).frames[1].problem
    assert problem.startswith("unreadable pose")


def test_a_lost_pose_is_read_as_it_stands(extracted_scan: Path) -> None:
    (extracted_scan / "pose" / "12.txt").write_text("-inf -inf -inf -inf\n" * 4)
    frame = opened(extracted_scan).frames[1]
    assert frame.problem == "" and np.isneginf(frame.T_raw_cam).all()


def test_stride_and_foreign_files(extracted_scan: Path) -> None:
    (extracted_scan / "color" / "Thumbs.db").write_bytes(b"x")
    (extracted_scan / "color" / "preview.jpg").write_bytes(b"x")
    (extracted_scan / "depth" / "³.png").write_bytes(b"x")  # a digit to Python, not an id
    assert [f.frame_id for f in opened(extracted_scan, 2).frames] == [3, 100]


def test_sizes_come_from_the_first_whole_image(extracted_scan: Path) -> None:
    (extracted_scan / "color" / "3.jpg").write_bytes(b"broken")
    assert opened(extracted_scan).color.width == 64
    for path in (extracted_scan / "color").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(ScanError, match=r"unreadable image[\s\S]*color/"):
        opened(extracted_scan)


def test_two_files_for_one_id(extracted_scan: Path) -> None:
    (extracted_scan / "color" / "003.jpg").write_bytes((extracted_scan / "color" / "3.jpg").read_bytes())
    with pytest.raises(ScanError, match=r"003\.jpg and 3\.jpg"):
        opened(extracted_scan)


def test_bad_intrinsics(extracted_scan: Path) -> None:
    path = extracted_scan / "intrinsic" / "intrinsic_depth.txt"
    path.write_text("1 2\n3 4\n")
    with pytest.raises(ScanError, match=r"intrinsic/intrinsic_depth\.txt"):
        opened(extracted_scan)
    path.write_text("-35 0 20\n0 36 15\n0 0 1\n")
    with pytest.raises(ScanError, match="bad intrinsics"):
        opened(extracted_scan)
    path.unlink()
    with pytest.raises(ScanError, match="cannot read the matrix"):
        opened(extracted_scan)


def test_three_by_three_intrinsics_are_fine(extracted_scan: Path) -> None:
    (extracted_scan / "intrinsic" / "intrinsic_depth.txt").write_text("35 0 20\n0 36 15\n0 0 1\n")
    assert opened(extracted_scan).depth.cx == 20


def test_extrinsics_are_noticed(extracted_scan: Path) -> None:
    np.savetxt(extracted_scan / "intrinsic" / "extrinsic_depth.txt", np.eye(4))
    assert not opened(extracted_scan).extrinsics
    T = np.eye(4)
    T[0, 3] = 0.02
    np.savetxt(extracted_scan / "intrinsic" / "extrinsic_depth.txt", T)
    assert opened(extracted_scan).extrinsics


def test_a_folder_without_frames(extracted_scan: Path) -> None:
    for part in ("color", "depth", "pose"):
        for path in (extracted_scan / part).iterdir():
            path.unlink()
    with pytest.raises(ScanError, match="no frames"):
        opened(extracted_scan)


def test_layout_is_told_by_its_folders(extracted_scan: Path, raw_scan: Path) -> None:
    assert LAYOUT.recognises(extracted_scan) and not LAYOUT.recognises(raw_scan)


def test_matrices_may_hold_infinities_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text(
        "\n".join([" 1 0  0 -inf ", "0 1 0 nan", "", "0 0 1 2e-3", "0 0 0 1", ""])
    )
    M = read_matrix(tmp_path / "m.txt")
    assert M.shape == (4, 4) and np.isneginf(M[0, 3]) and np.isnan(M[1, 3]) and M[2, 3] == 0.002
