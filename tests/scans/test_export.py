"""Exports of a `.sens`: the same pixels, stopped halfway, twice at once, and where nothing may be written."""

import errno
import fcntl
import io
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.core.hashing import file_digests
from vantage.core.progress import Silent
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg, encode_png, shrink_color
from vantage.scans.config import CaptureConfig
from vantage.scans.export import Selection, export_files, export_packed, write_poses
from vantage.scans.export_estimate import estimate_files, estimate_packed
from vantage.scans.export_folder import MARK, at_work
from vantage.scans.layout import scan_files
from vantage.scans.layouts.parts import read_matrix
from vantage.scans.sens import SensReader, SensWriter
from vantage.scans.source import open_scan

COLOR, DEPTH = Pinhole(48, 32, 40.0, 41.0, 23.5, 15.5), Pinhole(24, 20, 19.0, 19.5, 11.5, 9.5)
LOST = 2


def smooth(seed: int) -> np.ndarray:
    v, u = np.mgrid[0:32, 0:48]
    return np.stack([u * 5, v * 7, (u + v + 9 * seed) % 256], axis=-1).astype(np.uint8)


def depth_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, (20, 24), dtype=np.uint16)


def pose_of(seed: int) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = np.random.default_rng(seed).normal(size=3).astype(np.float32)
    return np.full((4, 4), -np.inf) if seed == LOST else pose


def write(path: Path, frames: int = 6, color: str = "jpeg", depth: str = "zlib_ushort") -> Path:
    encode = {"jpeg": encode_jpeg, "png": encode_png, "raw": lambda rgb: rgb.tobytes()}[color]
    with SensWriter(path, COLOR, DEPTH, color_compression=color, depth_compression=depth) as writer:
        for k in range(frames):
            writer.add(encode(smooth(k)), depth_of(k), pose_of(k), 1000 * k, 1000 * k + 7)
    return path


@pytest.mark.parametrize("color", ["jpeg", "png", "raw"])
@pytest.mark.parametrize("depth", ["zlib_ushort", "raw_ushort"])
def test_files_have_the_pixels_and_poses_of_the_recording(tmp_path: Path, color: str, depth: str) -> None:
    out = tmp_path / "out"
    with SensReader(write(tmp_path / "s.sens", color=color, depth=depth)) as sens:
        assert export_files(sens, out, Selection(), Silent()) == 18
        for k in range(6):
            with Image.open(out / "depth" / f"{k}.png") as image:
                np.testing.assert_array_equal(np.asarray(image), depth_of(k))
            written = read_matrix(out / "pose" / f"{k}.txt").astype(np.float32)
            np.testing.assert_array_equal(written, sens.frame(k).T_raw_cam.astype(np.float32))
            if color == "jpeg":
                assert (out / "color" / f"{k}.jpg").read_bytes() == encode_jpeg(smooth(k)), "copied"
            else:
                with Image.open(out / "color" / f"{k}.png") as image:
                    np.testing.assert_array_equal(np.asarray(image), smooth(k))
    scan = open_scan(out, "out", 1, CaptureConfig())
    assert (scan.color, scan.depth) == (COLOR, DEPTH)
    assert [frame.frame_id for frame in scan.frames] == list(range(6))
    assert np.isneginf(scan.frames[LOST].T_raw_cam).all()


def test_stride_range_and_size(tmp_path: Path) -> None:
    out, selection = tmp_path / "out", Selection(stride=2, first=1, last=5, color_size=(24, 16))
    with SensReader(write(tmp_path / "s.sens")) as sens:
        export_files(sens, out, selection, Silent())
    assert sorted(p.name for p in (out / "color").iterdir()) == ["1.jpg", "3.jpg"]
    scan = open_scan(out, "out", 1, CaptureConfig())
    assert scan.color == COLOR.resized(24, 16)
    with Image.open(out / "color" / "3.jpg") as image:
        exact = Image.fromarray(smooth(3)).resize((24, 16), Image.Resampling.BOX)
        assert np.abs(np.asarray(image).astype(int) - np.asarray(exact)).mean() < 6


def test_skipped_images_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    true_blob = SensReader.blob

    def blob(self: SensReader, offset: int, size: int) -> bytes:
        read.append(size)
        return true_blob(self, offset, size)

    monkeypatch.setattr(SensReader, "blob", blob)
    with SensReader(write(tmp_path / "s.sens")) as sens:
        export_files(sens, tmp_path / "out", Selection(stride=3, parts=("depth", "pose")), Silent())
        assert len(read) == 2


@pytest.mark.parametrize("size", [None, (24, 16)])
def test_packed_is_a_smaller_recording(tmp_path: Path, size: tuple[int, int] | None) -> None:
    out = tmp_path / "small.sens"
    with SensReader(write(tmp_path / "s.sens")) as sens:
        assert export_packed(sens, out, Selection(stride=2, color_size=size), Silent()) == 3
    with SensReader(out) as small:
        np.testing.assert_array_equal(small.depth(2), depth_of(4))
        assert small.frames()[2].timestamp_depth == 4007
        assert small.header.color_width == (48 if size is None else 24)
        assert small.color(1).shape == ((32, 48, 3) if size is None else (16, 24, 3))
    assert '"frames": [\n    0,\n    2,\n    4\n  ]' in (tmp_path / "small.frames.json").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.sens", "small.frames.json", "small.sens"]


def test_poses_alone(tmp_path: Path) -> None:
    with SensReader(write(tmp_path / "s.sens")) as sens:
        assert write_poses(sens, tmp_path / "poses.npz") == write_poses(sens, tmp_path / "poses") == 6
        with np.load(tmp_path / "poses.npz") as data:
            np.testing.assert_array_equal(data["T_raw_cam"], sens.poses())
            assert data["timestamps_us"].tolist() == [1000 * k for k in range(6)]
        written = read_matrix(tmp_path / "poses" / "4.txt").astype(np.float32)
        np.testing.assert_array_equal(written, sens.poses()[4].astype(np.float32))


def test_a_stopped_export_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    source = write(tmp_path / "s.sens")
    with SensReader(source) as sens:
        export_files(sens, tmp_path / "whole", Selection(), Silent())
        export_files(sens, tmp_path / "half", Selection(last=3), Silent())
        before = (tmp_path / "half/depth/1.png").stat().st_mtime_ns
        assert export_files(sens, tmp_path / "half", Selection(), Silent()) == 9
        assert (tmp_path / "half/depth/1.png").stat().st_mtime_ns == before
    assert file_digests(tmp_path / "half") == file_digests(tmp_path / "whole")


def test_kill_9_leaves_no_half_file(tmp_path: Path) -> None:
    source, out = write(tmp_path / "s.sens", frames=400), tmp_path / "out"
    command = [sys.executable, "-m", "vantage", "sens", "export", str(source), "--out", str(out)]
    victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (out / "depth").is_dir() or sum(1 for _ in (out / "depth").iterdir()) < 20:
        assert time.monotonic() < deadline and victim.poll() is None
        time.sleep(0.005)
    victim.kill()
    victim.wait()
    done = [p for p in (out / "depth").iterdir() if not p.name.startswith(".")]
    assert 1 <= len(done) < 400
    for path in done:
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), depth_of(int(path.stem)))
    (out / "depth" / ".399.png.0123abcd.part").write_bytes(b"half")  # where the kill came between two steps
    subprocess.run(command, check=True, capture_output=True)
    with SensReader(source) as sens:
        export_files(sens, tmp_path / "whole", Selection(), Silent())
    assert file_digests(tmp_path / "whole") == file_digests(out)
    assert not list(out.rglob(".*"))


def test_what_another_export_is_writing_is_not_swept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with SensReader(write(tmp_path / "s.sens")) as sens:
        export_files(sens, out, Selection(last=2), Silent())
        begun = out / "depth" / ".5.png.0123abcd.part"
        begun.write_bytes(b"half")
        with at_work(out):
            begun.write_bytes(b"half")
            again = (out / MARK).with_name("again")
            again.write_bytes((out / MARK).read_bytes())
            again.replace(out / MARK)  # as two that start at once do
            export_files(sens, out, Selection(last=3), Silent())
            assert begun.is_file()
        export_files(sens, out, Selection(), Silent())
        assert not begun.exists()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with SensReader(write(tmp_path / "s.sens")) as sens:
        assert export_files(sens, tmp_path / "out", Selection(), Silent()) == 18


@pytest.mark.parametrize("size", [None, (24, 16)])
@pytest.mark.parametrize("form", ["files", "packed"])
def test_the_cost_is_told_first(tmp_path: Path, form: str, size: tuple[int, int] | None) -> None:
    source, out = write(tmp_path / "s.sens", frames=60), tmp_path / ("out" if form == "files" else "out.sens")
    command = [sys.executable, "-m", "vantage", "sens", "export", str(source), "--out", str(out)]
    command += ["--form", form, "--stride", "2", *(["--color-size", "24x16"] if size else []), "--dry-run"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert not out.exists() and "free on the disk" in told
    selection = Selection(stride=2, color_size=size)
    with SensReader(source) as sens:
        if form == "packed":
            estimate = estimate_packed(sens, selection)
            export_packed(sens, out, selection, Silent())
            written = out.stat().st_size
            assert told.startswith("30 frames: 1 file to write")
        else:
            export_files(sens, out, Selection(stride=2, last=12, color_size=size), Silent())
            before = sum(p.stat().st_size for p in out.rglob("*.*"))
            estimate = estimate_files(sens, out, selection, 2)
            assert export_files(sens, out, selection, Silent()) == estimate.files == 3 * 24
            written = sum(p.stat().st_size for p in out.rglob("*.*")) - before
            assert told.startswith("30 frames: 90 files to write")
        assert estimate.frames == 30 and estimate.seconds > 0
        assert estimate.size == pytest.approx(written, rel=0.15)
        again = estimate_files(sens, out, selection, 2) if form == "files" else None
        assert again is None or (again.files, again.size) == (0, 0)


def test_two_exports_into_one_folder(tmp_path: Path) -> None:
    source, out = write(tmp_path / "s.sens", frames=60), tmp_path / "out"
    command = [sys.executable, "-m", "vantage", "sens", "export", str(source), "--out", str(out)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    with SensReader(source) as sens:
        export_files(sens, tmp_path / "whole", Selection(), Silent())
    assert file_digests(out) == file_digests(tmp_path / "whole")


def test_a_folder_of_another_export_is_refused(tmp_path: Path) -> None:
    with SensReader(write(tmp_path / "a.sens")) as a, SensReader(write(tmp_path / "b.sens", 3)) as b:
        export_files(a, tmp_path / "out", Selection(), Silent())
        with pytest.raises(ParameterError, match="another export"):
            export_files(b, tmp_path / "out", Selection(), Silent())
        with pytest.raises(ParameterError, match="another export"):
            export_files(a, tmp_path / "out", Selection(color_size=(24, 16)), Silent())
        with pytest.raises(ParameterError, match="no frame is left"):
            export_files(a, tmp_path / "none", Selection(first=9), Silent())
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.tex").write_text("dear")
        with pytest.raises(ParameterError, match="not empty"):
            export_files(a, tmp_path / "mine", Selection(), Silent())


def test_where_nothing_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with SensReader(write(tmp_path / "s.sens")) as sens:
        with pytest.raises(ResourceError, match="cannot write"):
            export_files(sens, tmp_path / "file" / "out", Selection(), Silent())
        with pytest.raises(ResourceError, match="cannot write"):
            export_packed(sens, tmp_path / "no" / "small.sens", Selection(), Silent())


@pytest.mark.parametrize("form", ["files", "packed"])
def test_a_full_disk_and_a_read_only_one(tmp_path: Path, form: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        with SensReader(write(tmp_path / "s.sens", frames=400)) as sens:
            export = {"files": export_files, "packed": export_packed}[form]
            out = disk / ("out" if form == "files" else "out.sens")
            with pytest.raises(ResourceError, match="the disk is full"):
                export(sens, out, Selection(), Silent())
            assert form == "files" or not list(disk.iterdir()), "no half file either"
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            with pytest.raises(ResourceError, match="cannot write the export: Read-only"):
                export(sens, disk / "x.sens", Selection(), Silent())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_salvage_takes_the_whole_frames_before_the_cut(tmp_path: Path) -> None:
    source = write(tmp_path / "s.sens")
    with SensReader(source) as sens:
        places = sens.frames()
    content = source.read_bytes()
    for kept, cut in ((4, places[4].depth_offset + 3), (3, places[3].color_offset - 40), (0, 400)):
        source.write_bytes(content[:cut])
        with SensReader(source, salvage=True) as sens:
            assert len(sens) == len(sens.frames()) == kept
            assert sens.damage is not None and "cut short" in str(sens.damage)
            if kept:
                np.testing.assert_array_equal(sens.depth(kept - 1), depth_of(kept - 1))
        with pytest.raises(ScanError), SensReader(source) as sens:
            sens.frames()
    source.write_bytes(content)
    with SensReader(source, salvage=True) as sens:
        assert len(sens) == 6 and sens.damage is None


@pytest.mark.parametrize("size", [(640, 480), (500, 375), (320, 240), (162, 121), (80, 61), (1600, 1200)])
@pytest.mark.parametrize("encode", [encode_jpeg, encode_png])
def test_resizing_keeps_the_cameras_promise(
    size: tuple[int, int], encode: Callable[[np.ndarray], bytes]
) -> None:
    """The centre of a soft blob lands where `Pinhole.resized` says, also by a jpeg's own scales."""
    width, height = 1295, 967  # no multiple of a jpeg's blocks
    v, u = np.mgrid[0:height, 0:width]
    for at in ((301.3, 210.7), (1201.0, 880.2)):
        blob = 255 * np.exp(-((u - at[0]) ** 2 + (v - at[1]) ** 2) / (2 * 20.0**2))
        rgb = np.repeat(np.round(blob).astype(np.uint8)[..., None], 3, axis=2)
        small = shrink_color(encode(rgb), size, (height, width), "x")
        with Image.open(io.BytesIO(small)) as image:
            gray = np.asarray(image).astype(float)[..., 0]
        assert gray.shape == (size[1], size[0])
        gray[gray < 12] = 0  # the jpeg's ringing
        y, x = np.mgrid[0 : size[1], 0 : size[0]]
        found = np.array([(gray * x).sum(), (gray * y).sum()]) / gray.sum()
        camera = Pinhole(width, height, 1.0, 1.0, *at).resized(*size)
        np.testing.assert_allclose(found, (camera.cx, camera.cy), atol=0.06)


def damaged(path: Path) -> Path:
    """Three frames: sound; colour of another size and depth that is none; colour that is none."""
    with SensWriter(path, COLOR, DEPTH) as writer:
        writer.add(encode_jpeg(smooth(0)), depth_of(0), pose_of(0))
        writer.add_packed(encode_jpeg(smooth(1)[:16]), b"no zlib", pose_of(1))
        writer.add(b"no jpeg", depth_of(3), pose_of(3))
    return path


def test_a_frame_without_colour_bytes_moves_no_other(tmp_path: Path) -> None:
    with SensWriter(tmp_path / "s.sens", COLOR, DEPTH) as writer:
        for k in range(3):
            writer.add_packed(
                b"" if k == 1 else encode_jpeg(smooth(k)), zlib.compress(depth_of(k)), pose_of(3)
            )
    with SensReader(tmp_path / "s.sens") as sens:
        for k in range(3):
            np.testing.assert_array_equal(sens.depth(k), depth_of(k))
        with pytest.raises(ScanError, match="frame 1"):
            sens.color(1)


def test_a_packed_scan_keeps_the_ids_of_the_recording(tmp_path: Path) -> None:
    scan = tmp_path / "kitchen"
    scan.mkdir()
    packed = scan / "kitchen.sens"
    with SensReader(write(tmp_path / "s.sens")) as sens:
        export_packed(sens, packed, Selection(stride=2, first=1), Silent())
        poses = sens.poses()
    assert set(scan_files(scan, "kitchen")) == {"kitchen.sens", "kitchen.frames.json"}
    read = open_scan(scan, "kitchen", 1, CaptureConfig())
    assert [frame.frame_id for frame in read.frames] == [1, 3, 5]
    np.testing.assert_array_equal(read.frames[1].T_raw_cam.astype(np.float32), poses[3])
    assert [f.frame_id for f in open_scan(scan, "kitchen", 2, CaptureConfig()).frames] == [1, 5]
    note = scan / "kitchen.frames.json"
    good = note.read_text()
    damages = (good.replace("3", "0"), good.replace('"poses": "', '"poses": "0'), "{}", "[", "\udce9")
    for damaged_note in (*damages, good.replace("    1,\n", "")):
        note.write_bytes(damaged_note.encode("utf-8", "surrogateescape"))
        with pytest.raises(ScanError, match=r"kitchen\.frames\.json"):
            open_scan(scan, "kitchen", 1, CaptureConfig())
    note.unlink()
    assert [f.frame_id for f in open_scan(scan, "kitchen", 1, CaptureConfig()).frames] == [0, 1, 2]


@pytest.mark.parametrize("size", [None, (24, 16)])
def test_an_unreadable_image_costs_itself(tmp_path: Path, size: tuple[int, int] | None) -> None:
    out, small = tmp_path / "out", tmp_path / "small.sens"
    with SensReader(damaged(tmp_path / "s.sens")) as sens:
        with pytest.raises(ScanError, match="3, the first") as caught:
            export_files(sens, out, Selection(color_size=size), Silent())
        assert "48x16 pixels" in str(caught.value) and "frame 1" in str(caught.value)
        with pytest.raises(ScanError, match="2, the first"):
            export_packed(sens, small, Selection(color_size=size), Silent())
    assert [p.name for p in (out / "color").iterdir()] == ["0.jpg"]
    assert sorted(p.name for p in (out / "depth").iterdir()) == ["0.png", "2.png"]
    assert len(list((out / "pose").iterdir())) == 3
    with SensReader(small) as packed:
        assert len(packed) == 1
    assert '"frames": [\n    0\n  ]' in (tmp_path / "small.frames.json").read_text()


def test_what_a_power_cut_leaves_is_written_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with SensReader(write(tmp_path / "s.sens")) as sens:
        export_files(sens, out, Selection(), Silent())
        before = file_digests(out)
        (out / "depth/1.png").write_bytes(b"")
        (out / "color/2.jpg").write_bytes((out / "color/2.jpg").read_bytes()[:50])
        (out / "pose/3.txt").write_bytes(b"1 0")
        assert export_files(sens, out, Selection(), Silent()) == 3
    assert file_digests(out) == before
