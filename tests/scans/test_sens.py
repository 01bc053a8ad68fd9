"""ScanNet's .sens: the byte layout, both ways, without unpacking, and damaged."""

import os
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import decode_depth, encode_depth, encode_jpeg
from vantage.scans.sens import SensReader, SensWriter

COLOR = Pinhole(24, 16, 20.0, 21.0, 11.5, 7.5)
DEPTH = Pinhole(12, 10, 9.0, 9.5, 5.5, 4.5)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8)


def write_small(path: Path, frames: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """A small file through the writer; returns depth and pose of each frame."""
    rows = []
    with SensWriter(path, COLOR, DEPTH, sensor_name="test") as writer:
        for i in range(frames):
            depth = np.random.default_rng(i).integers(0, 65536, (10, 12), dtype=np.uint16)
            pose = np.eye(4)
            pose[:3, 3] = (i, 2 * i, -i)
            writer.add(encode_jpeg(picture(i)), depth, pose, timestamp_us=1000 * i)
            rows.append((depth, pose))
    return rows


def pack_by_hand(
    color: bytes, depth: bytes, codes: tuple[int, int] = (2, 1), sizes: tuple[int, ...] = (24, 16, 12, 10)
) -> bytes:
    """A one-frame file from the layout in the format's documentation, independent of the writer."""
    eye = struct.pack("<16f", 1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
    out = struct.pack("<I", 4) + struct.pack("<Q", 5) + b"tests"
    out += struct.pack("<16f", 20, 0, 11.5, 0, 0, 21, 7.5, 0, 0, 0, 1, 0, 0, 0, 0, 1) + eye
    out += struct.pack("<16f", 9, 0, 5.5, 0, 0, 9.5, 4.5, 0, 0, 0, 1, 0, 0, 0, 0, 1) + eye
    out += struct.pack("<ii", *codes) + struct.pack("<IIII", *sizes)
    out += struct.pack("<f", 1000.0) + struct.pack("<Q", 1)
    out += struct.pack("<16f", *range(16)) + struct.pack("<QQ", 7, 8)
    return out + struct.pack("<QQ", len(color), len(depth)) + color + depth


def test_reads_a_file_packed_by_hand(tmp_path: Path) -> None:
    depth = np.arange(120, dtype=np.uint16).reshape(10, 12)
    path = tmp_path / "a.sens"
    path.write_bytes(pack_by_hand(encode_jpeg(picture()), zlib.compress(depth.tobytes())))
    with SensReader(path) as sens:
        head, (frame,) = sens.header, sens.frames()
        assert (head.sensor_name, head.frame_count, head.depth_shift) == ("tests", 1, 1000.0)
        assert (head.color_compression, head.depth_compression) == ("jpeg", "zlib_ushort")
        assert (head.color_width, head.color_height, head.depth_width, head.depth_height) == (24, 16, 12, 10)
        assert head.intrinsic_color[0, 0] == 20 and head.intrinsic_depth[1, 2] == 4.5
        np.testing.assert_array_equal(frame.T_raw_cam, np.arange(16.0).reshape(4, 4))
        assert (frame.timestamp_color, frame.timestamp_depth) == (7, 8)
        np.testing.assert_array_equal(sens.depth(0), depth)
        assert sens.color(0).shape == (16, 24, 3)


def test_raw_colour_and_raw_depth(tmp_path: Path) -> None:
    depth = np.arange(120, dtype="<u2").reshape(10, 12)
    path = tmp_path / "raw.sens"
    path.write_bytes(pack_by_hand(picture().tobytes(), depth.tobytes(), codes=(0, 0)))
    with SensReader(path) as sens:
        np.testing.assert_array_equal(sens.color(0), picture())
        np.testing.assert_array_equal(sens.depth(0), depth)


def test_occi_depth_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "occi.sens"
    path.write_bytes(pack_by_hand(encode_jpeg(picture()), b"....", codes=(2, 2)))
    with SensReader(path) as sens, pytest.raises(ScanError, match="occi_ushort"):
        sens.depth(0)


def test_writer_layout_is_the_documented_one(tmp_path: Path) -> None:
    """The writer's file, read back with struct alone."""
    path = tmp_path / "w.sens"
    ((depth, _),) = write_small(path, 1)
    data = path.read_bytes()
    assert struct.unpack_from("<IQ", data) == (4, 4) and data[12:16] == b"test"
    at = 16 + 4 * 64
    assert struct.unpack_from("<ii", data, at) == (2, 1)
    assert struct.unpack_from("<IIIIfQ", data, at + 8) == (24, 16, 12, 10, 1000.0, 1)
    record = at + 8 + 16 + 4 + 8
    n_color, n_depth = struct.unpack_from("<QQ", data, record + 80)
    blob = data[record + 96 + n_color : record + 96 + n_color + n_depth]
    assert zlib.decompress(blob) == depth.astype("<u2").tobytes()
    assert data[record + 96 + n_color + n_depth :] == b"\0" * 8  # no IMU records


def test_round_trip_with_lost_tracking(tmp_path: Path) -> None:
    path = tmp_path / "r.sens"
    lost = np.full((4, 4), -np.inf)
    jpeg, depth = encode_jpeg(picture()), np.full((10, 12), 65535, np.uint16)
    with SensWriter(path, COLOR, DEPTH) as writer:
        writer.add(jpeg, depth, lost)
        writer.add(jpeg, depth, np.eye(4), timestamp_us=33)
    with SensReader(path) as sens:
        assert len(sens) == 2
        assert np.isneginf(sens.frames()[0].T_raw_cam).all()
        assert sens.frames()[1].timestamp_color == 33
        assert sens.blob(sens.frames()[1].color_offset, sens.frames()[1].color_size) == jpeg
        np.testing.assert_array_equal(sens.depth(1), depth)


def test_same_calls_same_bytes(tmp_path: Path) -> None:
    write_small(tmp_path / "a.sens")
    write_small(tmp_path / "b.sens")
    assert (tmp_path / "a.sens").read_bytes() == (tmp_path / "b.sens").read_bytes()


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f.sens"
    with pytest.raises(ValueError, match="uint16"), SensWriter(path, COLOR, DEPTH) as writer:
        writer.add(b"", np.zeros((3, 3), np.uint16), np.eye(4))
    assert not path.exists()


@settings(deadline=None)
@given(npst.arrays(np.uint16, npst.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_depth_packing_round_trip(depth: np.ndarray) -> None:
    shape = (depth.shape[0], depth.shape[1])
    np.testing.assert_array_equal(decode_depth(encode_depth(depth), "zlib_ushort", shape, "x"), depth)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sens") / "whole.sens"
    write_small(path)
    return path.read_bytes()


@settings(deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_an_error_that_names_file_and_byte(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    path = tmp_path_factory.mktemp("cut") / "cut.sens"
    path.write_bytes(whole[: int(share * (len(whole) - 8))])  # the last 8 bytes count IMU records: not needed
    with pytest.raises(ScanError) as caught, SensReader(path) as sens:
        sens.frames()
    assert caught.value.where is not None and caught.value.where.startswith("cut.sens, byte ")
    assert caught.value.expected and caught.value.found


@settings(deadline=None)
@given(at=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_byte_never_crashes_or_allocates_the_world(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, at: int, value: int
) -> None:
    data = bytearray(whole)
    data[at % len(data)] = value
    path = tmp_path_factory.mktemp("bad") / "bad.sens"
    path.write_bytes(bytes(data))
    try:
        with SensReader(path) as sens:
            for i in range(len(sens)):
                assert sens.color(i).shape == (sens.header.color_height, sens.header.color_width, 3)
                assert sens.depth(i).shape == (sens.header.depth_height, sens.header.depth_width)
    except ScanError as error:
        assert "bad.sens" in str(error)


@pytest.mark.parametrize(
    ("offset", "packed", "expected"),
    [
        (0, struct.pack("<I", 3), "version 4"),
        (4, struct.pack("<Q", 1 << 60), "sensor name"),
        (16 + 256, struct.pack("<i", 9), "colour compression"),
        (16 + 260, struct.pack("<i", -1), "depth compression"),
        (16 + 264, struct.pack("<I", 1 << 31), "image side"),
        (16 + 280, struct.pack("<f", 0.0), "positive depth shift"),
        (16 + 284, struct.pack("<Q", 1 << 62), "frames in a file"),
        (16, struct.pack("<f", float("nan")), "intrinsic matrix"),
        (16 + 292 + 80, struct.pack("<Q", 1 << 40), "an image of at most"),
        (16 + 292 + 88, struct.pack("<Q", 1 << 40), "an image of at most"),
    ],
)
def test_absurd_values_are_refused(
    whole: bytes, tmp_path: Path, offset: int, packed: bytes, expected: str
) -> None:
    path = tmp_path / "absurd.sens"
    path.write_bytes(whole[:offset] + packed + whole[offset + len(packed) :])
    with pytest.raises(ScanError, match="byte") as caught, SensReader(path) as sens:
        sens.frames()
    assert expected in str(caught.value.expected)


def test_a_zlib_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    path = tmp_path / "bomb.sens"
    path.write_bytes(pack_by_hand(encode_jpeg(picture()), bomb))
    with SensReader(path) as sens, pytest.raises(ScanError):
        sens.depth(0)


def test_a_missing_file_and_a_missing_frame(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="cannot open"):
        SensReader(tmp_path / "none.sens")
    write_small(tmp_path / "a.sens")
    with SensReader(tmp_path / "a.sens") as sens, pytest.raises(ScanError, match="no such frame"):
        sens.color(3)


def test_poses_cost_far_less_than_images(tmp_path: Path) -> None:
    """Seeking past the images against unpacking them: the margin is so wide that 5x cannot flake."""
    color, depth = (
        Pinhole(640, 480, 500.0, 500.0, 320.0, 240.0),
        Pinhole(320, 240, 250.0, 250.0, 160.0, 120.0),
    )
    rng = np.random.default_rng(0)
    jpeg = encode_jpeg(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8))
    path = tmp_path / "big.sens"
    with SensWriter(path, color, depth, zlib_level=1) as writer:
        for _ in range(30):
            writer.add(jpeg, rng.integers(500, 4000, (240, 320), dtype=np.uint16), np.eye(4))
    start = time.perf_counter()
    with SensReader(path) as sens:
        poses = np.stack([f.T_raw_cam for f in sens.frames()])
    seeking = time.perf_counter() - start
    assert poses.shape == (30, 4, 4)
    start = time.perf_counter()
    with SensReader(path) as sens:
        for i in range(30):
            sens.color(i), sens.depth(i)
    assert 5 * seeking < time.perf_counter() - start


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sens")
    for path in (tmp_path, tmp_path / "pipe.sens"):
        with pytest.raises(ScanError, match="not a regular file"):
            SensReader(path)


def test_the_table_of_empty_frames_is_bounded(whole: bytes, tmp_path: Path) -> None:
    """A sparse file of zeros has room for any number of records without images."""
    path = tmp_path / "empty.sens"
    path.write_bytes(whole[: 16 + 284] + struct.pack("<Q", 50_000_000))
    os.truncate(path, 6_000_000_000)
    for salvage in (False, True):
        with pytest.raises(ScanError, match="250000 frames"):
            SensReader(path, salvage)


def test_a_signalling_nan_raises_no_warning(whole: bytes, tmp_path: Path) -> None:
    """Found by fuzzing: widening such a NaN made NumPy warn."""
    path = tmp_path / "nan.sens"
    path.write_bytes(whole[:308] + struct.pack("<I", 0x7FA00000) + whole[312:])
    with np.errstate(all="raise"), SensReader(path) as sens:
        assert np.isnan(sens.frames()[0].T_raw_cam[0, 0]) and np.isnan(sens.frame(0).T_raw_cam[0, 0])


@pytest.mark.parametrize("size", [0, 1, 239, 241, 50_000_000])
def test_depth_of_a_wrong_size_is_not_unpacked(tmp_path: Path, size: int) -> None:
    path = tmp_path / "depth.sens"
    path.write_bytes(pack_by_hand(encode_jpeg(picture()), zlib.compress(bytes(size), 9)))
    with SensReader(path) as sens:
        sens.frames()
        tracemalloc.start()
        with pytest.raises(ScanError, match="240 bytes"):
            sens.depth(0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1_000_000


def test_depth_without_its_checksum_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "end.sens"
    path.write_bytes(pack_by_hand(encode_jpeg(picture()), zlib.compress(bytes(240))[:-2]))
    with SensReader(path) as sens, pytest.raises(ScanError, match="whole zlib stream"):
        sens.depth(0)


@pytest.mark.parametrize("which", [80, 88])
@pytest.mark.parametrize("size", [-1, -7, 1, 5000, 1 << 20, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_lengths_that_lie_are_an_error(whole: bytes, tmp_path: Path, which: int, size: int) -> None:
    """Of the second frame: its length is off by a little, or absurd; the first frame can be salvaged."""
    at = 16 + 292
    at += 96 + sum(struct.unpack_from("<2Q", whole, at + 80)) + which
    (true,) = struct.unpack_from("<Q", whole, at)
    lie = true + size if abs(size) < 1 << 40 else size
    path = tmp_path / "lie.sens"
    path.write_bytes(whole[:at] + struct.pack("<Q", lie) + whole[at + 8 :])
    with pytest.raises(ScanError, match="byte"), SensReader(path) as sens:
        for k in range(3):
            sens.color(k), sens.depth(k)
    with SensReader(path, salvage=True) as sens:
        assert len(sens) in (1, 2) and sens.damage is not None
        sens.color(0)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "late.sens"
    path.write_bytes(b"the old one")
    with SensWriter(path, COLOR, DEPTH) as writer:
        writer.add(encode_jpeg(picture()), np.zeros((10, 12), np.uint16), np.eye(4))
        assert path.read_bytes() == b"the old one"
    with SensReader(path) as sens:
        assert len(sens) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["late.sens"]
