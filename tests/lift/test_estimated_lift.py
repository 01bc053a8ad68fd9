"""The `lift` stage with estimated depth: tiny random models on a generated scan, alignment on exact depth."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny_estimators as tiny
from box_room import COLOR, DEPTH, a_task, look_around, make_room, render, sensed, write_folders
from vantage.core.errors import ParameterError, ScanError
from vantage.core.hashing import digest_tree
from vantage.core.memo import Memo
from vantage.core.tasks import Task
from vantage.lift.config import LiftConfig
from vantage.lift.depth_config import DepthConfig
from vantage.lift.depth_source import model_cost, model_fingerprint
from vantage.lift.stage import lift
from vantage.records.depth_fits import DEPTH_FILE, read_depth_fits
from vantage.records.frames import read_frames, write_frames
from vantage.records.patches import read_patches
from vantage.records.scan import read_scan
from vantage.scans.config import ExtractConfig
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan, write_scan
from vantage.scans.raw import NOWHERE
from vantage.scans.stage import extract

SCAN = "room0003_00"
SMALL = GeneratedConfig(
    frames_per_scan=5, color_width=160, color_height=120, depth_width=128, depth_height=96, mesh_edge=0.2
)


class Watching:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[int, int, str]] = []

    def step(self, done: int, total: int, note: str = "") -> None:
        self.steps.append((done, total, note))

    def say(self, text: str) -> None:
        self.said.append(text)


def task_on(base: Path, raw: Path, extracted: Path, item: str = SCAN) -> Task:
    for name in ("out", "work"):
        (base / name).mkdir(parents=True)
    return Task(item, {"download": raw, "extract": extracted}, base / "out", base / "work", 0, Watching())


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A generated scan, raw and extracted."""
    base = tmp_path_factory.mktemp("scan")
    raw = base / "raw"
    raw.mkdir()
    write_scan(generate_scan(SCAN, 0, SMALL), raw)
    task = Task(SCAN, {"download": raw}, base / "extract", base / "work", 0)
    task.out.mkdir()
    extract(task, ExtractConfig(min_blur=0.0))
    return raw, task.out


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.depth_anything(tmp_path_factory.mktemp("metric"))


@pytest.fixture(scope="module")
def relative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.depth_anything(tmp_path_factory.mktemp("relative"), "relative")


def by(model: Path, **values: object) -> LiftConfig:
    return LiftConfig(depth=DepthConfig("estimator", str(model), **values))  # type: ignore[arg-type]


def test_a_random_metric_model_lifts_a_whole_scan(
    scan: tuple[Path, Path], metric: Path, tmp_path: Path
) -> None:
    """Every patch has depth, at the model's own metres; the residual against the sensor is told."""
    task = task_on(tmp_path, *scan)
    facts = lift(task, by(metric, batch=2))
    patches, fits = read_patches(task.out), read_depth_fits(task.out)
    frames = [frame.frame_id for frame in read_frames(scan[1]) if frame.kept]
    assert patches.frame_ids.tolist() == [fit.frame_id for fit in fits.frames] == frames
    assert patches.valid.mean() > 0.9  # the sensor has holes, an estimate hardly any
    assert (fits.quantity, fits.align) == ("metric", "none")
    assert fits.model.startswith("sha256:")
    assert str(metric) not in (task.out / DEPTH_FILE).read_text()
    assert all(fit.scale == 1 and fit.sensor and fit.sensor["points"] > 1000 for fit in fits.frames)
    assert facts["depth_median_relative"] == pytest.approx(
        np.median([fit.sensor["median_relative"] for fit in fits.frames if fit.sensor]), rel=1e-4
    )
    progress = task.progress
    assert isinstance(progress, Watching)
    assert (len(frames), len(frames), "estimating depth") in progress.steps
    assert any("frames by" in line and "s to go" in line for line in progress.said)


@pytest.mark.parametrize("align", ["none", "sensor"])
def test_the_same_bytes_each_time(align: str, scan: tuple[Path, Path], metric: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        lift(task_on(tmp_path / name, *scan), by(metric, align=align))
    assert digest_tree(tmp_path / "one/out") == digest_tree(tmp_path / "two/out")


def test_the_sensor_s_bytes_do_not_know_of_estimators(
    scan: tuple[Path, Path], metric: Path, tmp_path: Path
) -> None:
    """Model and alignment change nothing while the source is the sensor, and no file is added."""
    lift(task_on(tmp_path / "plain", *scan), LiftConfig())
    unused = DepthConfig("sensor", str(metric), align="sensor", shift=True)
    facts = lift(task_on(tmp_path / "unused", *scan), LiftConfig(depth=unused))
    assert digest_tree(tmp_path / "plain/out") == digest_tree(tmp_path / "unused/out")
    assert sorted(path.name for path in (tmp_path / "plain/out").iterdir()) == ["patches.npz", "views.json"]
    assert not any(name.startswith("depth") for name in facts)


def test_alignment_lowers_the_residual_of_a_random_model(
    scan: tuple[Path, Path], metric: Path, tmp_path: Path
) -> None:
    def residual(name: str, **values: object) -> float:
        return float(lift(task_on(tmp_path / name, *scan), by(metric, **values))["depth_median_relative"])

    assert residual("aligned", align="sensor") < residual("plain")


def test_batches_change_points_by_little(scan: tuple[Path, Path], metric: Path, tmp_path: Path) -> None:
    found = []
    for batch in (1, 4):
        lift(task := task_on(tmp_path / str(batch), *scan), by(metric, batch=batch))
        found.append(read_patches(task.out))
    apart = np.linalg.norm(found[0].xyz_aligned - found[1].xyz_aligned, axis=-1)
    assert np.quantile(apart, 0.99) < 1e-3  # metres; a median may fall on a neighbour's pixel


def test_a_relative_model_is_never_taken_for_metres(
    scan: tuple[Path, Path], relative: Path, tmp_path: Path
) -> None:
    for align in ("none", "height"):
        with pytest.raises(ParameterError, match=r"(?s)no metres.*expected: sensor"):
            lift(task_on(tmp_path / align, *scan), by(relative, align=align))


def test_random_depth_has_no_floor(scan: tuple[Path, Path], metric: Path, tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"(?s)could not be aligned in any frame.*no floor: \d"):
        lift(task_on(tmp_path, *scan), by(metric, align="height"))


def test_a_killed_run_goes_on(scan: tuple[Path, Path], metric: Path, tmp_path: Path) -> None:
    """Predictions in the work folder are not made again, and the bytes are those of one go."""
    whole = task_on(tmp_path / "whole", *scan)
    lift(whole, by(metric, batch=1))
    killed = task_on(tmp_path / "killed", *scan)
    kept = sorted((whole.work / "depth").iterdir())
    (killed.work / "depth").mkdir()
    for path in kept[:3]:
        (killed.work / "depth" / path.name).write_bytes(path.read_bytes())
    lift(killed, by(metric, batch=1))
    assert isinstance(killed.progress, Watching)
    estimated = [step for step in killed.progress.steps if step[2] == "estimating depth"]
    assert estimated[-1][:2] == (len(kept) - 3, len(kept) - 3)
    assert digest_tree(whole.out) == digest_tree(killed.out)


# ---- Alignment in the stage, on exact depth: predictions that an earlier run left are ray-cast ones ----

POSES = look_around(5, 12)
ROOM = make_room(4)
NETWORK = COLOR.resized(70, 56)  # what the tiny model's processor makes of a picture of 384 x 288


def exact(base: Path, factor: float, wrong: dict[int, float] | None = None) -> Task:
    """The task of a room whose kept predictions are its depth times `factor` (frame i: times `wrong[i]`)."""
    depths = [sensed(depth, i) for i, (depth, _) in enumerate(render(ROOM, DEPTH, POSES))]
    task = a_task(base, *write_folders(base / "scan", ROOM, POSES, depths))
    (task.work / "depth").mkdir()
    for i, (depth, _) in enumerate(render(ROOM, NETWORK, POSES)):
        values = depth.astype(np.float32) * np.float32(factor * (wrong or {}).get(i, 1.0))
        np.savez(task.work / "depth" / f"{10 * i}.npz", values=values, fov_deg=np.float64("nan"))
    return task


def test_a_relative_model_is_aligned_in_inverse_depth(relative: Path, tmp_path: Path) -> None:
    """Scale and shift of inverse depth are found, in each frame its own."""
    task = exact(tmp_path, 1.0)
    truth = {}
    for i, (depth, _) in enumerate(render(ROOM, NETWORK, POSES)):
        truth[10 * i] = scale, shift = 0.01 * (i + 1), 0.05 - 0.01 * i
        values = ((1 / depth - shift) / scale).astype(np.float32)
        np.savez(task.work / "depth" / f"{10 * i}.npz", values=values, fov_deg=np.float64("nan"))
    lift(task, by(relative, align="sensor"))
    fits = read_depth_fits(task.out)
    assert fits.quantity == "relative"
    for fit in fits.frames:
        scale, shift = truth[fit.frame_id]
        assert fit.scale == pytest.approx(scale, rel=0.01)
        assert fit.shift == pytest.approx(shift, abs=0.004)
    assert np.quantile(off_the_room(task), 0.9) < 0.06


def off_the_room(task: Task) -> np.ndarray:
    """Distances (m) of the patches' points from the room's surfaces."""
    from scipy.spatial import cKDTree

    patches = read_patches(task.out)
    assert patches.valid.mean() > 0.95
    distance, _ = cKDTree(ROOM.vertices).query(patches.xyz_aligned[patches.valid])
    return np.asarray(distance)


@pytest.mark.parametrize("factor", [0.2, 1.0, 3.7])
def test_sensor_alignment_puts_points_on_the_room(factor: float, metric: Path, tmp_path: Path) -> None:
    task = exact(tmp_path, factor)
    facts = lift(task, by(metric, align="sensor"))
    assert facts["depth_scale"] == pytest.approx(1 / factor, rel=2e-3)
    assert float(facts["depth_median_relative"]) < 0.01  # the sensor's noise
    assert np.quantile(off_the_room(task), 0.9) < 0.06  # vertices are up to 5 cm apart; edges are blurred
    assert np.median(off_the_room(task)) < 0.03


def test_height_alignment_finds_the_scale_of_every_frame(metric: Path, tmp_path: Path) -> None:
    """Frames with a floor find it themselves; the others, and tables taken for floors, take the scan's."""
    task = exact(tmp_path, 2.5)
    facts = lift(task, by(metric, align="height"))
    fits = read_depth_fits(task.out).frames
    assert all(fit.scale == pytest.approx(0.4, rel=0.02) for fit in fits)
    own = [fit for fit in fits if not fit.from_scan]
    assert len(own) >= 6
    assert facts["depth_frames_scaled_by_scan"] == len(fits) - len(own)
    # The sensor took no part in the scale, and so checks it.
    assert all(fit.sensor and fit.sensor["median_relative"] < 0.02 for fit in fits)
    assert np.quantile(off_the_room(task), 0.9) < 0.08


def test_a_frame_that_is_off_from_the_others_takes_the_scan_s_scale(metric: Path, tmp_path: Path) -> None:
    task = exact(tmp_path, 1.0, wrong={2: 0.5})
    lift(task, by(metric, align="height"))
    fit = read_depth_fits(task.out).frames[2]
    assert fit.from_scan
    assert fit.scale == pytest.approx(1, rel=0.02)
    assert fit.sensor
    assert fit.sensor["median_relative"] > 0.4  # and the residual says that something is wrong with it


def test_frames_without_recorded_depth(metric: Path, tmp_path: Path) -> None:
    """Without a sensor image the floor is enough; aligned to the sensor, the frame has a reason instead."""
    task = exact(tmp_path, 2.0)
    extracted = task.inputs["extract"]
    rows = read_frames(extracted)
    write_frames(extracted, [replace(r, depth=NOWHERE) if r.frame_id == 20 else r for r in rows])
    lift(task, by(metric, align="sensor"))
    patches, fits = read_patches(task.out), read_depth_fits(task.out).frames
    assert [fit.reason for fit in fits] == ["no recorded depth" if f.frame_id == 20 else "" for f in fits]
    assert not patches.valid[2].any()
    assert patches.valid[[0, 1, 3]].any(axis=(1, 2)).all()

    write_frames(extracted, [replace(row, depth=NOWHERE) for row in rows])
    again = replace(task, out=tmp_path / "again")
    again.out.mkdir()
    facts = lift(again, by(metric, align="height"))
    assert "depth_median_relative" not in facts  # nothing to compare with
    assert facts["depth_scale"] == pytest.approx(0.5, rel=0.02)
    none = replace(task, out=tmp_path / "none")
    none.out.mkdir()
    with pytest.raises(ScanError, match="no recorded depth: 12"):
        lift(none, by(metric, align="sensor"))


def test_a_camera_below_the_floor_has_no_height(metric: Path, tmp_path: Path) -> None:
    task = exact(tmp_path, 1.0)
    extracted = task.inputs["extract"]
    meta = read_scan(extracted)
    sunk = meta.T_aligned_raw.copy()
    sunk[2, 3] -= 5
    from vantage.records.scan import write_scan as write_meta

    write_meta(extracted, replace(meta, T_aligned_raw=sunk))
    with pytest.raises(ScanError, match="no floor: 12"):
        lift(task, by(metric, align="height"))


# ---- What the pipeline knows of the model ----


def test_a_model_s_content_is_part_of_every_scan_s_key(metric: Path, tmp_path: Path) -> None:
    """Wherever it lies; the sensor knows of none, and a hub model is what its commit says."""
    memo = Memo()
    assert model_fingerprint(LiftConfig(), "a", memo) == ""
    config = by(metric)
    before = model_fingerprint(config, "a", memo)
    assert before == model_fingerprint(config, "b", memo)
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for path in metric.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert model_fingerprint(by(copy), "a", memo) == before
    settings = copy / "preprocessor_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"image_mean": [0, 0, 0]}))
    assert model_fingerprint(by(copy), "a", memo) != before
    pinned = LiftConfig(depth=DepthConfig("estimator", "owner/model", "a" * 40))
    assert model_fingerprint(pinned, "a", memo) == "owner/model@" + "a" * 40


@pytest.mark.parametrize("revision", ["", "main", "abc123", "A" * 40])
def test_a_hub_model_without_a_commit_is_refused(
    revision: str, scan: tuple[Path, Path], tmp_path: Path
) -> None:
    config = LiftConfig(depth=DepthConfig("estimator", "owner/model", revision))
    with pytest.raises(ParameterError, match="needs a commit"):
        model_fingerprint(config, "a", Memo())
    with pytest.raises(ParameterError, match="needs a commit"):
        lift(task_on(tmp_path, *scan), config)


def test_a_model_in_a_folder_brings_nothing_in(metric: Path, tmp_path: Path) -> None:
    assert model_cost(by(metric), ["a"], tmp_path, Watching()) is None
    assert model_cost(LiftConfig(), ["a"], tmp_path, Watching()) is None


def test_parameters_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a model"):
        DepthConfig("estimator")
    with pytest.raises(ValueError, match="shift is fitted to a sensor"):
        DepthConfig("estimator", "m", align="height", shift=True)
