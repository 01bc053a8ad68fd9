"""TUM RGB-D: pairing by time, where the intrinsics come from, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vantage.core.errors import ScanError
from vantage.scans.codecs import encode_png16
from vantage.scans.config import CaptureConfig
from vantage.scans.layout import scan_files
from vantage.scans.layouts.base import Recording
from vantage.scans.layouts.tum import write
from vantage.scans.raw import RawScan

Opened = Callable[..., RawScan]


@pytest.fixture
def sequence(short: Recording, folder: Path) -> Path:
    write(short, folder)
    return folder


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))


def shifted(line: str, seconds: float) -> str:
    key, rest = line.split(" ", 1)
    return f"{float(key) + seconds:.6f} {rest}"


def test_the_nearest_pose_is_taken_as_it_is(sequence: Path, short: Recording, opened: Opened) -> None:
    """Poses at 100 Hz around the frames: the one 4 ms off, and no mixture of neighbours."""
    path = sequence / "groundtruth.txt"
    head, *lines = path.read_text().splitlines()
    near = [shifted(line, 0.004) for line in lines]
    others = [
        f"{shifted(line, by).split()[0]} 9 9 9 0 0 0 1" for line in lines for by in (-0.006, 0.014, -0.016)
    ]
    path.write_text("\n".join([head, *sorted([*near, *others])]))
    for frame, T in zip(opened(sequence).frames, short.T_world_cam, strict=True):
        np.testing.assert_allclose(frame.T_raw_cam, T, atol=1e-8)


def test_a_delay_of_the_poses_is_undone(sequence: Path, short: Recording, opened: Opened) -> None:
    edit(sequence / "groundtruth.txt", lambda lines: [lines[0], *(shifted(line, -0.3) for line in lines[1:])])
    with pytest.raises(ScanError, match=r"rgb\.txt 2\.000 to 3\.000 s; groundtruth\.txt 1\.700 to 2\.700 s"):
        opened(sequence)
    scan = opened(sequence, CaptureConfig(pose_delay_s=0.3))
    np.testing.assert_allclose([f.T_raw_cam for f in scan.frames], short.T_world_cam, atol=1e-8)


def test_depth_is_paired_by_time_and_once(sequence: Path, opened: Opened) -> None:
    """Depth 15 ms late still belongs; 25 ms late it does not, nor to two colour images."""
    edit(
        sequence / "depth.txt",
        lambda lines: [shifted(line, 0.015) if line[0] != "#" else line for line in lines],
    )
    assert [f.problem for f in opened(sequence).frames] == ["", "", ""]
    edit(sequence / "depth.txt", lambda lines: [*lines[:2], shifted(lines[2], 0.010), lines[3]])
    assert [f.problem for f in opened(sequence).frames] == ["", "no depth file", ""]
    edit(sequence / "rgb.txt", lambda lines: [*lines, "2.010000 rgb/2.000000.png"])
    # 2.015 is nearer to 2.010, which comes last in rgb.txt and so has the last id.
    scan = opened(sequence)
    assert [f.problem for f in scan.frames] == ["no depth file", "no depth file", "", "no pose within 0.02 s"]
    assert [f.frame_id for f in scan.frames] == [0, 1, 2, 3]


def test_no_association_names_both_lists(sequence: Path, opened: Opened) -> None:
    edit(sequence / "depth.txt", lambda lines: [shifted(line, 9.0) for line in lines if line[0] != "#"])
    with pytest.raises(ScanError) as caught:
        opened(sequence)
    assert caught.value.where == "rgb.txt and depth.txt"
    assert caught.value.found == "rgb.txt 2.000 to 3.000 s; depth.txt 11.000 to 12.000 s"


def test_a_lost_pose_and_one_that_is_no_rotation_cost_their_frames(sequence: Path, opened: Opened) -> None:
    def spoil(lines: list[str]) -> list[str]:
        words = lines[1].split()
        words[4:] = [str(2 * float(word)) for word in words[4:]]
        lost = lines[2].split()
        return [lines[0], " ".join(words), " ".join([lost[0], *["nan"] * 7]), lines[3]]

    edit(sequence / "groundtruth.txt", spoil)
    frames = opened(sequence).frames
    assert frames[0].problem == "the quaternion is not of length 1: 2" and frames[2].problem == ""
    assert frames[1].problem == "" and not np.isfinite(frames[1].T_raw_cam[:3]).any()


@pytest.mark.parametrize("file", ["rgb.txt", "depth.txt", "groundtruth.txt"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty"),
        ("2.0\n", r"not (a pose|an image of a list)[\s\S]*line 1"),
        (None, "a time stamp twice"),
    ],
)
def test_a_damaged_list_is_named(
    sequence: Path, opened: Opened, file: str, text: str | None, message: str
) -> None:
    path = sequence / file
    if text is None:  # another entry for the first time
        line = path.read_text().splitlines()[1]
        text = path.read_text() + (f"{line}1\n" if file == "groundtruth.txt" else f"{line}\n")
    path.write_text(text)
    with pytest.raises(ScanError, match=message) as caught:
        opened(sequence)
    assert file in (caught.value.where or "")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "rgb/../../secret.png"])
def test_a_name_out_of_the_folder_is_refused(sequence: Path, opened: Opened, name: str) -> None:
    (sequence.parent / "secret.png").write_bytes(b"x")
    edit(sequence / "rgb.txt", lambda lines: [*lines[:-1], f"3.000000 {name}"])
    for use in (lambda: opened(sequence), lambda: scan_files(sequence, "room")):
        with pytest.raises(ScanError, match="outside the scan's folder"):
            use()


def test_where_the_intrinsics_come_from(sequence: Path, short: Recording, opened: Opened) -> None:
    eye = short.depth_camera
    said = CaptureConfig(color_intrinsics=(50.0, 51.0, 40.0, 30.0))
    assert opened(sequence).color == opened(sequence).depth
    assert opened(sequence).color.fx == pytest.approx(eye.fx, rel=1e-8)
    assert opened(sequence, said).color.fx == opened(sequence, said).depth.fx == 50
    (sequence / "intrinsics.txt").rename(sequence / "camera.txt")
    assert opened(sequence).depth.cy == pytest.approx(eye.cy, rel=1e-8)
    np.savetxt(sequence / "camera.txt", eye.matrix(), header="K")
    assert opened(sequence).depth.to_dict() == pytest.approx(eye.to_dict(), rel=1e-8)
    (sequence / "camera.txt").unlink()
    with pytest.raises(
        ScanError, match=r"intrinsics\.txt or camera\.txt[\s\S]*extract\.capture\.color_intrinsics"
    ):
        opened(sequence)
    assert opened(sequence, said).color.cy == 30
    for number, four in {
        1: (517.3, 516.5, 318.6, 255.3),
        2: (520.9, 521.0, 325.1, 249.7),
        3: (535.4, 539.2, 320.1, 247.6),
    }.items():
        scan = opened(sequence, scan_id=f"rgbd_dataset_freiburg{number}_desk")
        assert (scan.color.fx, scan.color.fy, scan.color.cx, scan.color.cy) == four
        assert scan.depth == scan.color


def test_depth_of_another_size_has_the_camera_resized(
    sequence: Path, short: Recording, opened: Opened
) -> None:
    for k, path in enumerate(sorted((sequence / "depth").iterdir())):
        path.write_bytes(encode_png16(5 * short.depth_mm[k, ::2, ::2]))
    scan = opened(sequence)
    assert scan.depth == scan.color.resized(40, 30) and scan.depth.fx == pytest.approx(scan.color.fx / 2)


@pytest.mark.parametrize("text", ["", "1 2 3\n", "nan 1 2 3\n", "-1 1 2 3\n", "fx fy cx cy\n"])
def test_damaged_intrinsics(sequence: Path, opened: Opened, text: str) -> None:
    (sequence / "intrinsics.txt").write_text(text)
    with pytest.raises(ScanError, match=r"intrinsics\.txt"):
        opened(sequence)


def test_images_listed_and_gone(sequence: Path, opened: Opened) -> None:
    for path in (sequence / "rgb").iterdir():
        path.unlink()
    with pytest.raises(ScanError, match="no color images"):
        opened(sequence)


def test_a_depth_beyond_sixteen_bits_is_not_written(short: Recording, folder: Path) -> None:
    far = replace(short, depth_mm=np.full_like(short.depth_mm, 13_200))
    with pytest.raises(ValueError, match="13200 mm do not fit"):
        write(far, folder)
