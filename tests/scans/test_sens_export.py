"""A .sens as files and as a smaller .sens: exact pixels, cameras that follow, interruptions, full disks."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.core.progress import Silent
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import decode_resized, encode_color, encode_jpeg, encode_png16
from vantage.scans.folder import open_folder
from vantage.scans.sens import SensReader, SensWriter
from vantage.scans.sens_export import Report, export_files
from vantage.scans.sens_pack import export_packed
from vantage.scans.sens_selection import Selection, in_order

COLOR = Pinhole(64, 48, 60.0, 61.0, 31.0, 24.0)
DEPTH = Pinhole(40, 30, 35.0, 36.0, 19.5, 14.5)
FRAMES = 7
LOST = 2


def picture(k: int) -> np.ndarray:
    small = np.random.default_rng(k).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.kron(small, np.ones((4, 4, 1), dtype=np.uint8))


def depth_image(k: int) -> np.ndarray:
    return np.random.default_rng(100 + k).integers(0, 65536, (30, 40), dtype=np.uint16)


def pose(k: int) -> np.ndarray:
    T = np.eye(4)
    T[:3, 3] = (0.1 * k, 1 / 3, -2e-7)
    return np.full((4, 4), -np.inf) if k == LOST else T


def write(path: Path, color: str = "jpeg", depth: str = "zlib_ushort", frames: int = FRAMES) -> Path:
    extrinsic = np.eye(4)
    extrinsic[0, 3] = 0.025
    with SensWriter(
        path, COLOR, DEPTH, color_compression=color, depth_compression=depth, extrinsic_depth=extrinsic
    ) as writer:
        for k in range(frames):
            writer.add(encode_color(picture(k), color), depth_image(k), pose(k), 10 * k, 10 * k + 1)
    return path


@pytest.fixture
def sens(tmp_path: Path) -> Path:
    return write(tmp_path / "scan.sens")


def files(path: Path, out: Path, selection: Selection = Selection(), salvage: bool = False) -> Report:  # noqa: B008
    with SensReader(path, salvage=salvage) as reader:
        return export_files(reader, out, selection, Silent())


def packed(path: Path, out: Path, selection: Selection) -> Report:
    with SensReader(path) as reader:
        return export_packed(reader, out, selection, Silent())


def names(folder: Path) -> list[str]:
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in found if not name.endswith(".lock"))


def test_files_are_scannets_extracted_layout(sens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = files(sens, out, Selection(workers=2))
    assert (report.frames, report.written, report.kept, report.bad) == (FRAMES, 3 * FRAMES, 0, [])
    matrices = [f"intrinsic/{a}trinsic_{b}.txt" for a in ("ex", "in") for b in ("color", "depth")]
    images = [f"{part}{k}{end}" for k in range(FRAMES) for part, end in
              (("color/", ".jpg"), ("depth/", ".png"), ("pose/", ".txt"))]  # fmt: skip
    assert names(out) == sorted([*images, *matrices, "export.json"])
    for k in range(FRAMES):
        assert (out / f"color/{k}.jpg").read_bytes() == encode_jpeg(picture(k))
        with Image.open(out / f"depth/{k}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), depth_image(k))
        written = np.loadtxt(out / f"pose/{k}.txt")
        np.testing.assert_array_equal(written.astype(np.float32), pose(k).astype(np.float32))
    assert (out / f"pose/{LOST}.txt").read_text().split() == ["-inf"] * 16
    assert np.loadtxt(out / "intrinsic/extrinsic_depth.txt")[0, 3] == 0.025


def test_the_folder_reader_finds_the_same_scan(sens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files(sens, out)
    scan = open_folder(out, "scan", 1, 1000.0)
    assert (scan.color, scan.depth, scan.recorded, scan.extrinsics) == (COLOR, DEPTH, FRAMES, True)
    assert [f.frame_id for f in scan.frames] == list(range(FRAMES))
    assert np.isneginf(scan.frames[LOST].T_raw_cam).all()


@pytest.mark.parametrize("color", ["raw", "png"])
def test_lossless_colour_stays_lossless(tmp_path: Path, color: str) -> None:
    path = write(tmp_path / "scan.sens", color, "raw_ushort", 2)
    files(path, tmp_path / "out")
    for k in range(2):
        with Image.open(tmp_path / f"out/color/{k}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), picture(k))
    packed(path, tmp_path / "small.sens", Selection())
    with SensReader(tmp_path / "small.sens") as small:
        assert (small.header.color_compression, small.header.depth_compression) == ("png", "zlib_ushort")
        np.testing.assert_array_equal(small.color(1), picture(1))
        np.testing.assert_array_equal(small.depth(1), depth_image(1))


def test_stride_range_parts_and_ids(sens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files(sens, out, Selection(stride=2, first=1, stop=5, parts=("depth", "pose")))
    expected = ["depth/2.png", "depth/4.png", "pose/2.txt", "pose/4.txt"]
    assert [name for name in names(out) if name[0] in "cdp"] == expected
    small = tmp_path / "small.sens"
    packed(sens, small, Selection(stride=3))
    with SensReader(small) as reader:
        assert [f.frame_id for f in reader.frames()] == [0, 3, 6]
    files(small, tmp_path / "again", Selection(first=3, stop=4))
    assert (tmp_path / "again/color/3.jpg").read_bytes() == encode_jpeg(picture(3))
    with pytest.raises(ParameterError, match="0 to 6"):
        files(sens, tmp_path / "none", Selection(first=100))


def test_no_byte_of_a_skipped_frame_is_read(
    sens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, int]] = []
    original = os.pread

    def watched(handle: int, size: int, offset: int) -> bytes:
        read.append((offset, offset + size))
        return original(handle, size, offset)

    with SensReader(sens) as reader:
        places = [(f.color_offset, f.depth_offset + f.depth_size) for f in reader.frames()]
        monkeypatch.setattr(os, "pread", watched)
        export_files(reader, tmp_path / "out", Selection(stride=3), Silent())
    touched = {k for k, (a, b) in enumerate(places) if any(x < b and y > a for x, y in read)}
    assert touched == {0, 3, 6}


def test_packed_keeps_what_it_does_not_change(sens: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.sens"
    packed(sens, small, Selection(stride=2, workers=2))
    with SensReader(sens) as big, SensReader(small) as reader:
        head = replace(big.header, sensor_name="StructureSensor [packed]", frame_count=4)
        for name, value in vars(head).items():
            np.testing.assert_array_equal(getattr(reader.header, name), value)
        for k in range(4):
            one, other = reader.frame(k), big.frame(2 * k)
            assert reader.color_blob(one) == big.color_blob(other)
            assert reader.depth_blob(one) == big.depth_blob(other)
            assert (one.timestamp_color, one.timestamp_depth) == (20 * k, 20 * k + 1)
            np.testing.assert_array_equal(one.T_raw_cam, other.T_raw_cam)
    packed(sens, tmp_path / "same.sens", Selection(stride=2))
    assert small.read_bytes() == (tmp_path / "same.sens").read_bytes()
    with pytest.raises(ParameterError, match="exists"):
        packed(sens, small, Selection())


@pytest.mark.parametrize("size", [(640, 480), (500, 375), (320, 240), (162, 121), (80, 61), (1600, 1200)])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_resizing_keeps_the_cameras_promise(size: tuple[int, int], kind: str) -> None:
    """The centre of a soft blob lands where `Pinhole.resized` says, also by a jpeg's own scales."""
    width, height = 1295, 967  # no multiple of a jpeg's blocks
    v, u = np.mgrid[0:height, 0:width]
    for at in ((301.3, 210.7), (1201.0, 880.2)):
        blob = 255 * np.exp(-((u - at[0]) ** 2 + (v - at[1]) ** 2) / (2 * 20.0**2))
        rgb = np.repeat(np.round(blob).astype(np.uint8)[..., None], 3, axis=2)
        data = encode_color(rgb, kind)
        small = decode_resized(data, kind, (height, width), "x", size).astype(float)[..., 0]
        assert small.shape == (size[1], size[0])
        small[small < 12] = 0  # the jpeg's ringing
        y, x = np.mgrid[0 : size[1], 0 : size[0]]
        found = np.array([(small * x).sum(), (small * y).sum()]) / small.sum()
        camera = Pinhole(width, height, 1.0, 1.0, *at).resized(*size)
        np.testing.assert_allclose(found, (camera.cx, camera.cy), atol=0.06)


def test_a_resized_export_writes_the_resized_camera(sens: Path, tmp_path: Path) -> None:
    out, size = tmp_path / "out", (32, 20)
    files(sens, out, Selection(color_size=size))
    read, expected = open_folder(out, "scan", 1, 1000.0).color, COLOR.resized(*size)
    assert (read.width, read.height) == size
    np.testing.assert_allclose(read.matrix(), expected.matrix(), rtol=1e-6)
    packed(sens, tmp_path / "small.sens", Selection(color_size=size))
    with SensReader(tmp_path / "small.sens") as small:
        assert small.color_blob(small.frame(3)) == (out / "color/3.jpg").read_bytes()
        K = COLOR.resized(*size).matrix()
        np.testing.assert_allclose(small.header.intrinsic_color[:3, :3], K, rtol=1e-6)


def test_an_export_goes_on_where_it_was(sens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files(sens, out)
    before = {name: (out / name).read_bytes() for name in names(out)}
    (out / "depth/1.png").write_bytes(b"")  # what a power cut leaves
    (out / "color/2.jpg").write_bytes(before["color/2.jpg"][:50])
    (out / "pose/3.txt").unlink()
    (out / "depth/.4.png.1234abcd.tmp").write_bytes(b"half")
    report = files(sens, out)
    assert (report.written, report.kept) == (3, 3 * FRAMES - 3)
    assert {name: (out / name).read_bytes() for name in names(out)} == before


def test_exports_that_differ_are_not_mixed(sens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files(sens, out, Selection(stride=2))
    files(sens, out, Selection(stride=3))  # more frames of the same may come
    with pytest.raises(ParameterError, match="another export"):
        files(sens, out, Selection(color_size=(32, 24)))
    with pytest.raises(ParameterError, match="another export"):
        files(write(tmp_path / "scan2.sens", frames=3), out)
    (out / "export.json").unlink()
    with pytest.raises(ParameterError, match="not of an export"):
        files(sens, out)


def test_two_exports_at_once(sens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".export.lock"), pytest.raises(ResourceError, match="another export is writing"):
        files(sens, out)
    files(sens, out)


def test_an_unreadable_image_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "scan.sens"
    with SensWriter(path, COLOR, DEPTH) as writer:
        writer.add(picture(0), depth_image(0), pose(0))
        writer.add_stored(encode_jpeg(picture(1)[:40]), b"no zlib", pose(1))
        writer.add_stored(b"no jpeg", b"", pose(3))
    report = files(path, tmp_path / "out")
    assert report.written == 5 and len(report.bad) == 4
    assert "64x48" in report.bad[0] and "frame 1" in report.bad[0]
    report = packed(path, tmp_path / "small.sens", Selection())
    assert len(report.bad) == 2
    with SensReader(tmp_path / "small.sens") as small:
        assert [f.frame_id for f in small.frames()] == [0]


def test_no_frames_and_occi(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="no frames"):
        files(write(tmp_path / "none.sens", frames=0), tmp_path / "out")
    data = bytearray(write(tmp_path / "occi.sens").read_bytes())
    struct.pack_into("<i", data, 12 + len("StructureSensor") + 260, 2)
    (tmp_path / "occi.sens").write_bytes(data)
    for export in (files, packed):
        with pytest.raises(ScanError, match="occi_ushort"):
            export(tmp_path / "occi.sens", tmp_path / "occi", Selection())
    assert names(tmp_path) == ["none.sens", "occi.sens"]
    files(tmp_path / "occi.sens", tmp_path / "rest", Selection(parts=("color", "pose")))


def test_a_cut_file_is_salvaged_only_when_asked(sens: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.sens"
    cut.write_bytes(sens.read_bytes()[:-1500])
    with pytest.raises(ScanError, match="cut short"):
        files(cut, tmp_path / "out")
    with SensReader(cut, salvage=True) as reader:
        left = len(reader)
    assert 0 < left < FRAMES
    assert files(cut, tmp_path / "out", salvage=True).frames == left
    assert (tmp_path / f"out/color/{left - 1}.jpg").read_bytes() == encode_jpeg(picture(left - 1))


def wrong_selections() -> list[dict[str, object]]:
    return [{"parts": ("colour",)}, {"parts": ()}, {"stride": 0}, {"workers": 0}, {"color_size": (0, 5)}]


@pytest.mark.parametrize("wrong", wrong_selections(), ids=str)
def test_wrong_selections(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        Selection(**wrong)  # type: ignore[arg-type]


def test_work_in_order_is_bounded_and_passes_errors_on() -> None:
    started: list[int] = []

    def work(k: int) -> int:
        started.append(k)
        if k == 50:
            raise ScanError("bad", where="50")
        return k

    results = in_order(work, range(1000), 2)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(started) <= 10 + 2 * 2
    with pytest.raises(ScanError, match="bad"):
        list(results)
    assert len(started) <= 51 + 2 * 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (30, 40), (480, 640)])
def test_png16_is_read_by_independent_readers(tmp_path: Path, shape: tuple[int, int]) -> None:
    o3d = pytest.importorskip("open3d")
    rng = np.random.default_rng(3)
    smooth = np.add.outer(np.arange(shape[0]) * 7, np.arange(shape[1]) * 3).astype(np.uint16)
    for k, depth in enumerate((rng.integers(0, 65536, shape, dtype=np.uint16), smooth, smooth.T.copy().T)):
        path = tmp_path / f"{k}.png"
        path.write_bytes(encode_png16(depth))
        with Image.open(path) as image:
            image.load()
            assert image.mode == "I;16"
            np.testing.assert_array_equal(np.asarray(image), depth)
        np.testing.assert_array_equal(np.asarray(o3d.io.read_image(str(path))), depth)


def in_small_disk(script: str, tmp_path: Path, options: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script with a file system of its own, mounted for it alone on `tmp_path`/disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o {options} none {disk}"
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    (tmp_path / "script.py").write_text(script)
    command = ["unshare", "-rm", "sh", "-c", f"{mount} && {sys.executable} {tmp_path / 'script.py'}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


EXPORT = """
from pathlib import Path
from vantage.core.errors import ResourceError
from vantage.core.progress import Silent
from vantage.scans.sens import SensReader
from vantage.scans.sens_export import export_files
from vantage.scans.sens_pack import export_packed
from vantage.scans.sens_selection import Selection
for export, out in ((export_files, "{disk}/out"), (export_packed, "{disk}/small.sens")):
    try:
        with SensReader(Path("{sens}")) as sens:
            export(sens, Path(out), Selection(workers=2), Silent())
        print("done")
    except ResourceError as error:
        print(error.one_line())
print([str(p) for p in Path("{disk}").rglob("*") if p.name.endswith(".tmp") or p.name == "small.sens"])
"""


@pytest.mark.parametrize(("options", "text"), [("size=24k", "No space left"), ("ro", "Read-only")])
def test_a_full_disk_and_a_read_only_one(sens: Path, tmp_path: Path, options: str, text: str) -> None:
    done = in_small_disk(EXPORT.format(disk=tmp_path / "disk", sens=sens), tmp_path, options)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout + done.stderr
    for line in lines[:2]:
        assert f"cannot write: {text}" in line and "to do:" in line
    assert lines[2] == "[]"


def test_a_killed_export_leaves_whole_files_and_goes_on(
    tmp_path: Path, wait_for: Callable[[Callable[[], bool]], None]
) -> None:
    path = write(tmp_path / "scan.sens", frames=1500)
    out = tmp_path / "out"
    script = EXPORT.format(disk=tmp_path, sens=path).replace(f"{tmp_path}/out", str(out))
    (tmp_path / "script.py").write_text(script)
    process = subprocess.Popen([sys.executable, tmp_path / "script.py"], stdout=subprocess.DEVNULL)
    wait_for(lambda: (out / "depth").is_dir() and len(list((out / "depth").iterdir())) > 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = list((out / "depth").glob("*.png"))
    assert len(found) < 1500, "the export was over before it was killed"
    for file in found:
        with Image.open(file) as image:
            np.testing.assert_array_equal(np.asarray(image), depth_image(int(file.stem)))
    report = files(path, out, Selection(workers=2))
    assert report.kept >= len(found) and report.kept + report.written == 4500
    assert not list(out.rglob("*.tmp"))
    assert json.loads((out / "export.json").read_text())["color_size"] == [64, 48]


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool]], None]:
    def wait(ready: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not ready():
            assert time.monotonic() < until
            time.sleep(0.005)

    return wait
