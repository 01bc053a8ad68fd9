"""Pixels by place, holes, sizes, and the measures of a frame's quality."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import from_yaw
from vantage.records.frames import Frame, PixelRef
from vantage.records.scan import ScanMeta
from vantage.scans.codecs import decode_gray, encode_jpeg, encode_png16
from vantage.scans.config import ExtractConfig
from vantage.scans.pixels import metres, read_bytes, read_color, read_depth
from vantage.scans.quality import Quality, laplacian_variance, measure, pose_problem, quality_problem

COLOR, DEPTH = Pinhole(6, 4, 5.0, 5.0, 2.5, 1.5), Pinhole(4, 3, 3.0, 3.0, 1.5, 1.0)
META = ScanMeta("s_00", "s", np.eye(4), COLOR, DEPTH, 0.001, False)


def frame(color: PixelRef, depth: PixelRef) -> Frame:
    return Frame(0, True, "", np.eye(4), 0.0, color, depth, 1.0, 1.0, 0.5)


def test_reads_images_from_the_middle_of_a_file(tmp_path: Path) -> None:
    rgb = np.full((4, 6, 3), (200, 30, 40), dtype=np.uint8)
    depth = np.arange(12, dtype=np.uint16).reshape(3, 4) * 1000
    jpeg, png = encode_jpeg(rgb), encode_png16(depth)
    (tmp_path / "pack.bin").write_bytes(b"?" * 7 + jpeg + b"!" + png + b"rest")
    row = frame(
        PixelRef("pack.bin", 7, len(jpeg), "jpeg"), PixelRef("pack.bin", 8 + len(jpeg), len(png), "png")
    )
    assert np.abs(read_color(tmp_path, META, row).astype(int) - rgb).max() < 8
    np.testing.assert_allclose(read_depth(tmp_path, META, row), depth / 1000.0, rtol=1e-6)
    wrong = replace(META, depth=Pinhole(4, 4, 3.0, 3.0, 1.5, 1.0))
    with pytest.raises(ScanError, match=r"4x4 pixels[\s\S]*4x3 pixels"):
        read_depth(tmp_path, wrong, row)
    with pytest.raises(ScanError, match="cut short"):
        read_bytes(tmp_path, PixelRef("pack.bin", 8, 10**6, "jpeg"))


@pytest.mark.parametrize("file", ["../x.bin", "/etc/hostname", "", "a/../../x"])
def test_a_place_outside_the_scan_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(ScanError, match="outside"):
        read_bytes(tmp_path, PixelRef(file, 0, 1, "jpeg"))


@settings(deadline=None)
@given(npst.arrays(np.uint16, (3, 4), elements=st.sampled_from([0, 1, 999, 40000, 65534, 65535])))
def test_metres_and_holes(stored: np.ndarray) -> None:
    depth = metres(stored, 0.001)
    assert depth.dtype == np.float32
    hole = (stored == 0) | (stored == 65535)
    assert (depth[hole] == 0).all() and (depth[~hole] > 0).all()
    np.testing.assert_allclose(depth[~hole], stored[~hole] / 1000.0, rtol=1e-6)


def test_an_eight_bit_png_is_no_depth(tmp_path: Path) -> None:
    Image.new("L", (4, 3)).save(tmp_path / "d.png")
    ref = PixelRef("d.png", 0, (tmp_path / "d.png").stat().st_size, "png")
    with pytest.raises(ScanError, match="16 bit"):
        read_depth(tmp_path, META, frame(ref, ref))


def test_other_image_formats_are_refused(tmp_path: Path) -> None:
    """Pillow opens many formats; a scan has two."""
    Image.new("RGB", (6, 4)).save(tmp_path / "c.jpg", format="BMP")
    ref = PixelRef("c.jpg", 0, (tmp_path / "c.jpg").stat().st_size, "jpeg")
    with pytest.raises(ScanError, match="unreadable colour"):
        read_color(tmp_path, META, frame(ref, ref))


@settings(deadline=None)
@given(npst.arrays(np.float32, (7, 9), elements=st.floats(0, 255, width=32)))
def test_laplacian_against_scipy(gray: np.ndarray) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    expected = ndimage.convolve(gray.astype(np.float64), kernel)[1:-1, 1:-1].var()
    assert laplacian_variance(gray) == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_blur_lowers_sharpness_and_resolution_hardly_moves_it() -> None:
    from PIL import ImageFilter

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).resize((640, 480))

    def sharpness(image: Image.Image) -> float:
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        gray = decode_gray(buffer.getvalue(), "png", (image.height, image.width), "x", 320)
        return laplacian_variance(gray)

    whole = sharpness(coarse)
    assert sharpness(coarse.filter(ImageFilter.BoxBlur(8))) < whole / 4
    assert sharpness(coarse.resize((1280, 960))) == pytest.approx(whole, rel=0.35)


def test_jpeg_at_reduced_size_measures_the_same_brightness() -> None:
    rgb = np.kron(np.random.default_rng(1).integers(0, 256, (48, 64, 3)), np.ones((20, 20, 1))).astype(
        np.uint8
    )
    gray = decode_gray(encode_jpeg(rgb), "jpeg", (960, 1280), "x", 320)
    assert gray.shape == (240, 320)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    assert gray.mean() == pytest.approx(luma.mean(), abs=1.0)


def test_measures_of_a_frame() -> None:
    depth = np.array([[0, 1], [2, 3]], dtype=np.float32)
    quality = measure(np.full((4, 4), 51, dtype=np.float32), depth)
    assert (quality.depth_valid_share, quality.blur) == (0.75, 0.0)
    assert quality.exposure == pytest.approx(0.2)


def test_poses_are_judged() -> None:
    assert pose_problem(from_yaw(1.0)) == ""
    assert pose_problem(np.full((4, 4), -np.inf)).startswith("lost tracking")
    assert pose_problem(np.diag([1.0, 1.0, -1.0, 1.0])).startswith("the pose is not rigid")
    assert pose_problem(np.diag([1.01, 1.0, 1.0, 1.0])) != ""
    near = from_yaw(0.3)
    near[0, 0] += 2e-4
    assert pose_problem(near) == ""


def test_quality_thresholds_are_inclusive() -> None:
    config = ExtractConfig(min_depth_valid_share=0.5, min_blur=3.0, min_exposure=0.1, max_exposure=0.9)
    assert quality_problem(Quality(0.5, 3.0, 0.1), config) == ""
    assert quality_problem(Quality(0.5, 3.0, 0.9), config) == ""
    assert quality_problem(Quality(0.49, 3.0, 0.5), config).startswith("little depth")
    assert quality_problem(Quality(0.5, 2.9, 0.5), config).startswith("blurred")
    assert quality_problem(Quality(0.5, 3.0, 0.05), config).startswith("too dark")
    assert quality_problem(Quality(0.5, 3.0, 0.95), config).startswith("too bright")
