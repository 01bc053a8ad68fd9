"""`extract` measures every scan; its contract refuses what is surely something else, and names the cure."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from turned import CONFIG, PLAIN, Recording, noisy

from vantage.core.errors import ContractError, ScanError
from vantage.core.tasks import Task
from vantage.geometry.transforms import compose
from vantage.records import contracts
from vantage.records.capture import CAPTURE_FILE, read_capture
from vantage.records.scan import read_scan
from vantage.scans.codecs import encode_jpeg, encode_png16
from vantage.scans.config import CaptureConfig, ExtractConfig
from vantage.scans.conventions import Convention, Up, level_rotation
from vantage.scans.generated.scan import GeneratedScan, write_scan
from vantage.scans.stage import extract


def write_extracted(recording: Recording, folder: Path, truth: Convention) -> Path:
    """ScanNet's extracted layout with poses and depth under a convention."""
    for part in ("color", "depth", "pose", "intrinsic"):
        (folder / part).mkdir(parents=True)
    assert recording.color is not None and recording.color_camera is not None
    for k, (depth, T, color) in enumerate(
        zip(recording.depth_mm, recording.T_world_cam, recording.color, strict=True)
    ):
        stored = np.rint(depth * (truth.depth_units_per_m / 1000)).clip(0, 65534).astype(np.uint16)
        (folder / "color" / f"{k}.jpg").write_bytes(encode_jpeg(color))
        (folder / "depth" / f"{k}.png").write_bytes(encode_png16(stored))
        np.savetxt(folder / "pose" / f"{k}.txt", truth.stored(T))
    for name, camera in {"color": recording.color_camera, "depth": recording.camera}.items():
        np.savetxt(folder / "intrinsic" / f"intrinsic_{name}.txt", camera.matrix())
    return folder


def extracted(raw: Path, base: Path, config: ExtractConfig) -> tuple[Path, dict[str, Any]]:
    for name in ("out", "work"):
        shutil.rmtree(base / name, ignore_errors=True)
        (base / name).mkdir()
    task = Task(raw.name, {"download": raw}, base / "out", base / "work", 0)
    return base / "out", dict(extract(task, config))


def test_a_generated_scan_passes(generated: GeneratedScan, tmp_path: Path) -> None:
    raw = tmp_path / generated.scan_id
    raw.mkdir()
    write_scan(generated, raw)
    out, facts = extracted(raw, tmp_path, ExtractConfig())
    contracts.frames(out)
    found = read_capture(out)
    assert (facts["capture"], facts["depth_agreement"]) == ("fits", found.share)
    assert found.verdict == "fits" and found.share > 0.9 and 2 <= found.pairs <= 4 and not found.settings
    before = (out / CAPTURE_FILE).read_bytes()
    assert (extracted(raw, tmp_path, ExtractConfig())[0] / CAPTURE_FILE).read_bytes() == before


@pytest.mark.parametrize(
    "truth", [Convention("world_to_camera"), Convention(camera_axes="opengl", depth_units_per_m=5000.0)]
)
def test_another_convention_is_refused_and_the_named_parameters_cure_it(
    room: Recording, tmp_path: Path, truth: Convention
) -> None:
    raw = write_extracted(room, tmp_path / "kitchen", truth)
    out, facts = extracted(raw, tmp_path, ExtractConfig())
    assert facts["capture"] == "other"
    with pytest.raises(ContractError) as caught:
        contracts.frames(out)
    settings = read_capture(out).settings
    for name, value in settings.items():
        assert f"extract.capture.{name}: {value}" in str(caught.value)
    cured = ExtractConfig(capture=CaptureConfig(**settings))  # type: ignore[arg-type]
    out, facts = extracted(raw, tmp_path, cured)
    contracts.frames(out)
    assert facts["capture"] == "fits" and facts["depth_agreement"] > 0.9


def test_a_depth_scale_given_by_hand_goes_before_that_of_a_sens(
    generated: GeneratedScan, tmp_path: Path
) -> None:
    """A recorder that wrote fifths of a millimetre and said millimetres."""
    raw = tmp_path / generated.scan_id
    raw.mkdir()
    write_scan(replace(generated, depth=(generated.depth.astype(np.uint32) * 5).astype(np.uint16)), raw)
    assert generated.depth.max() < 65535 / 5
    out, _ = extracted(raw, tmp_path, ExtractConfig())
    assert read_capture(out).settings == {"depth_units_per_m": 5000.0}
    cured = ExtractConfig(capture=CaptureConfig(depth_units_per_m=5000.0))
    contracts.frames(extracted(raw, tmp_path, cured)[0])


def test_another_axis_that_is_up_is_refused(room: Recording, tmp_path: Path) -> None:
    W = compose(level_rotation("y").T, np.zeros(3))
    raw = write_extracted(room.moved(W), tmp_path / "kitchen", PLAIN)
    out, _ = extracted(raw, tmp_path, ExtractConfig())
    assert read_capture(out).settings == {"up": "y"}
    with pytest.raises(ContractError, match=r"extract.capture.up: y"):
        contracts.frames(out)
    contracts.frames(extracted(raw, tmp_path, ExtractConfig(capture=CaptureConfig(up="y")))[0])


@pytest.mark.parametrize(
    ("up", "shift"), [("z", (0.3, -0.2, 1.4)), ("-y", (0.5, 2.0, 0.1)), ("x", (0.0, 0.0, 0.0))]
)
def test_the_floor_that_is_seen_becomes_zero(
    room: Recording, tmp_path: Path, up: Up, shift: tuple[float, float, float]
) -> None:
    moved = room.moved(compose(level_rotation(up).T, np.array(shift)))
    raw = write_extracted(moved, tmp_path / "kitchen", PLAIN)
    out, facts = extracted(raw, tmp_path, ExtractConfig(capture=CaptureConfig(up=up)))
    T, truth = read_scan(out).T_aligned_raw, moved.T_aligned_world
    assert truth is not None
    np.testing.assert_allclose(T[2, :3], truth[2, :3], atol=1e-9)
    assert T[2, 3] == pytest.approx(truth[2, 3], abs=0.02)
    assert facts["alignment"].endswith("; floor found") == (abs(truth[2, 3]) > 0.05)


def test_a_floor_where_it_should_be_and_one_unseen_move_nothing(room: Recording, tmp_path: Path) -> None:
    assert room.T_aligned_world is not None
    aligned = room.moved(room.T_aligned_world)
    raw = write_extracted(aligned, tmp_path / "kitchen", PLAIN)
    out, _ = extracted(raw, tmp_path, ExtractConfig())
    assert np.array_equal(read_scan(out).T_aligned_raw, np.eye(4))
    half = aligned.depth_mm.shape[1] // 2
    unseen = replace(aligned, depth_mm=np.where(np.arange(2 * half)[:, None] < half, aligned.depth_mm, 0))
    raw = write_extracted(
        unseen.moved(compose(np.eye(3), np.array([0.0, 0.0, 1.0]))), tmp_path / "high", PLAIN
    )
    out, facts = extracted(raw, tmp_path, ExtractConfig())
    assert "floor" not in facts["alignment"]
    assert np.array_equal(read_scan(out).T_aligned_raw, np.eye(4))


def test_bad_poses_set_the_scan_aside_under_the_floor(room: Recording, tmp_path: Path) -> None:
    raw = write_extracted(noisy(room, 60.0, 30.0), tmp_path / "kitchen", PLAIN)
    with pytest.raises(ScanError, match=r"extract\.min_depth_agreement") as caught:
        extracted(raw, tmp_path, ExtractConfig())
    assert "poses are bad" in str(caught.value)
    out, facts = extracted(raw, tmp_path, ExtractConfig(min_depth_agreement=0.0))
    contracts.frames(out)  # allowed, and told
    assert facts["capture"] == "bad_poses" and facts["depth_agreement"] < 0.3
    assert CONFIG.frames_per_scan == 20


def test_one_pair_does_not_prove_poses_bad(room: Recording, tmp_path: Path) -> None:
    raw = write_extracted(noisy(room, 60.0, 30.0).only([8, 9]), tmp_path / "kitchen", PLAIN)
    out, facts = extracted(raw, tmp_path, ExtractConfig())
    contracts.frames(out)
    found = read_capture(out)
    assert found.pairs == 1 and found.share < 0.75
    assert facts["capture"] == "cannot_tell" and "too few" in found.text


def test_frames_that_share_nothing_pass_as_not_measured(room: Recording, tmp_path: Path) -> None:
    raw = write_extracted(room.only([0]), tmp_path / "kitchen", PLAIN)
    out, facts = extracted(raw, tmp_path, ExtractConfig())
    contracts.frames(out)
    assert facts["capture"] == "not_measured" and read_capture(out).pairs == 0


def test_an_output_without_the_record_breaks_the_contract(room: Recording, tmp_path: Path) -> None:
    raw = write_extracted(room, tmp_path / "kitchen", PLAIN)
    out, _ = extracted(raw, tmp_path, ExtractConfig())
    (out / CAPTURE_FILE).unlink()
    with pytest.raises(ContractError, match="capture record is missing"):
        contracts.frames(out)
