"""The depth of a scan's frames by an estimator: predicted in batches, then aligned frame by frame."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from jaxtyping import Float32

from vantage.core import atomic
from vantage.core.errors import ParameterError, ScanError
from vantage.core.seeds import rng
from vantage.core.tasks import Facts, Task
from vantage.geometry.camera import Pinhole
from vantage.lift.depth_config import DepthConfig
from vantage.lift.estimators.alignment import Fit, fit_to_sensor, paired, residual
from vantage.lift.estimators.estimate import Estimate, estimate
from vantage.lift.estimators.estimator import Estimator, Prediction, load_estimator
from vantage.lift.estimators.floor import Floor, find_floor
from vantage.lift.estimators.model_files import require_pinned
from vantage.lift.estimators.processors import warp_of
from vantage.records.depth_fits import DepthFits, FrameFit, write_depth_fits
from vantage.records.frames import Frame
from vantage.records.scan import ScanMeta
from vantage.scans.pixels import read_color, read_depth

#: A frame whose floor gives a scale further than this from the scan's median has taken a table for the floor.
_AGREES = 0.25


@dataclass
class EstimatedDepth:
    """Depth of the frames of a scan at the pixels of their colour images.

    The predictions lie in `task.work`, so that a killed run goes on after the last whole batch, and memory
    does not grow with the scan.
    """

    task: Task
    meta: ScanMeta
    frames: Sequence[Frame]
    config: DepthConfig
    model: Estimator
    fits: dict[int, FrameFit] = field(default_factory=dict)

    def depth_of(self, frame: Frame) -> tuple[Float32[np.ndarray, "h w"], Pinhole]:
        """Aligned depth (m, holes 0) and its camera, the colour one; all holes where alignment failed."""
        found, fit = self._estimate(frame), self.fits[frame.frame_id]
        camera = self.meta.color_of(frame)
        if fit.reason:
            return np.zeros_like(found.values), camera
        return Fit(fit.scale, fit.shift, found.relative).depth(found.values), camera

    def write(self, out: Path) -> None:
        """Write `depth.json`."""
        rows = [self.fits[frame.frame_id] for frame in self.frames]
        fits = DepthFits(self.model.files.identity, self.model.meaning.quantity, self.config.align, rows)
        write_depth_fits(out, fits)

    def facts(self) -> Facts:
        """What the depth rests on and, against recorded depth, how far it is off; medians over frames."""
        rows = [row for row in self.fits.values() if not row.reason]
        facts: dict[str, int | float | str] = {
            "depth_model": self.model.files.identity,
            "depth_align": self.config.align,
            "depth_frames_refused": len(self.fits) - len(rows),
            "depth_frames_scaled_by_scan": sum(row.from_scan for row in rows),
            "depth_scale": median(row.scale for row in rows),
        }
        for name in ("median_relative", "within_10_percent", "within_5_cm"):
            measured = [row.sensor[name] for row in rows if row.sensor is not None]
            facts |= {f"depth_{name}": median(measured)} if measured else {}
        ratios = [row.focal_ratio for row in rows if row.focal_ratio is not None]
        return facts | ({"depth_focal_ratio": median(ratios)} if ratios else {})

    def predict(self) -> None:
        """Run the model on every frame that has no prediction yet; tells the expected time after a batch."""
        todo = [frame for frame in self.frames if not self._file(frame).is_file()]
        batches = [todo[i : i + self.config.batch] for i in range(0, len(todo), self.config.batch)]
        started = time.monotonic()
        for number, batch in enumerate(batches):
            images = [read_color(self.task.inputs["download"], self.meta, frame) for frame in batch]
            for frame, prediction in zip(batch, self.model.predict(images), strict=True):
                self._keep(frame, prediction)
            done = number * self.config.batch + len(batch)
            if number == 0 and len(batches) > 1:
                left = (time.monotonic() - started) * (len(batches) - 1)
                self.task.progress.say(
                    f"depth of {len(todo)} frames by {self.model.files.name} on "
                    f"{self.model.device}, about {left:.0f} s to go"
                )
            self.task.progress.step(done, len(todo), "estimating depth")

    def align(self) -> None:
        """Find the fit of every frame; ScanError when none has any."""
        for frame in self.frames:
            self.fits[frame.frame_id] = self._fit(frame)
        if self.config.align == "height":
            self._agree_on_floors()
        reasons = Counter(row.reason.split(";")[0] for row in self.fits.values() if row.reason)
        if reasons.total() == len(self.fits):
            told = ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items()))
            raise ScanError(
                "the estimated depth could not be aligned in any frame", where=self.meta.scan_id, found=told,
                hint="another lift.depth.align, or another model",
            )  # fmt: skip

    def _fit(self, frame: Frame) -> FrameFit:
        found, pairs = self._estimate(frame), None
        focal = found.focal_ratio
        if frame.depth.file:
            sensor = read_depth(self.task.inputs["download"], self.meta, frame)
            pairs = paired(found, self.meta.color_of(frame), sensor, self.meta.depth_of(frame))
        if self.config.align == "sensor":
            if pairs is None:
                return FrameFit(frame.frame_id, 1.0, reason="no recorded depth", focal_ratio=focal)
            generator = rng(self.task.seed, "depth alignment", self.meta.scan_id, frame.frame_id)
            shift = self.config.shift or found.relative
            try:
                fit, left = fit_to_sensor(*pairs, found.relative, shift, generator)
            except ScanError as error:
                return FrameFit(frame.frame_id, 1.0, reason=error.one_line(), focal_ratio=focal)
            return FrameFit(frame.frame_id, fit.scale, fit.shift, focal_ratio=focal, sensor=asdict(left))
        scale, floor = 1.0, self._floor(frame, found) if self.config.align == "height" else None
        if floor is not None:
            scale = self._height_m(frame) / floor.below
        left_over = None if pairs is None else asdict(residual(Fit(scale).depth(pairs[0]), pairs[1]))
        of_floor = None if floor is None else asdict(floor)
        return FrameFit(frame.frame_id, scale, focal_ratio=focal, sensor=left_over, floor=of_floor)

    def _floor(self, frame: Frame, found: Estimate) -> Floor | None:
        if self._height_m(frame) <= 0:
            return None
        up_cam = (self.meta.T_aligned_raw @ frame.T_raw_cam)[:3, :3].T @ np.array([0.0, 0.0, 1.0])
        try:
            return find_floor(found.values, self.meta.color_of(frame), up_cam)
        except ScanError:
            return None  # recorded as a frame without a floor, whose scale is the scan's

    def _height_m(self, frame: Frame) -> float:
        """Height of the camera above the floor, z = 0 of the aligned world."""
        return float((self.meta.T_aligned_raw @ frame.T_raw_cam)[2, 3])

    def _agree_on_floors(self) -> None:
        own = [row.scale for row in self.fits.values() if row.floor is not None]
        if not own:
            for frame_id, row in self.fits.items():
                self.fits[frame_id] = FrameFit(frame_id, 1.0, reason="no floor", focal_ratio=row.focal_ratio)
            return
        scale = median(own)
        for frame in self.frames:
            row = self.fits[frame.frame_id]
            if row.floor is None or abs(row.scale / scale - 1) > _AGREES:
                self.fits[frame.frame_id] = self._with_scale(frame, row, scale)

    def _with_scale(self, frame: Frame, row: FrameFit, scale: float) -> FrameFit:
        sensor = row.sensor
        if sensor is not None:
            recorded = read_depth(self.task.inputs["download"], self.meta, frame)
            found = self._estimate(frame)
            values, measured = paired(found, self.meta.color_of(frame), recorded, self.meta.depth_of(frame))
            sensor = asdict(residual(Fit(scale).depth(values), measured))
        return FrameFit(row.frame_id, scale, 0.0, True, "", row.focal_ratio, sensor, row.floor)

    def _estimate(self, frame: Frame) -> Estimate:
        with np.load(self._file(frame), allow_pickle=False) as data:
            values, fov = data["values"], float(data["fov_deg"])
        camera = self.meta.color_of(frame)
        size, network = (camera.height, camera.width), (int(values.shape[0]), int(values.shape[1]))
        warp = warp_of(self.model.processor, size, network)
        prediction = Prediction(values, warp, None if np.isnan(fov) else fov)
        return estimate(prediction, self.model.meaning, camera.fx)

    def _keep(self, frame: Frame, prediction: Prediction) -> None:
        buffer = io.BytesIO()
        fov = np.nan if prediction.fov_deg is None else prediction.fov_deg
        np.savez(buffer, values=prediction.values, fov_deg=np.float64(fov))
        atomic.write_bytes(self._file(frame), buffer.getvalue())

    def _file(self, frame: Frame) -> Path:
        return self.task.work / "depth" / f"{frame.frame_id}.npz"


def estimated_depth(
    task: Task, meta: ScanMeta, frames: Sequence[Frame], config: DepthConfig
) -> EstimatedDepth:
    """Estimate and align the depth of a scan's frames.

    Raises ScanError when no frame could be aligned, and what `load_estimator` raises; ParameterError for a
    relative model that no sensor depth turns into metres.
    """
    require_pinned(config.model, config.revision)
    model = load_estimator(config.model, config.revision, config.device, config.precision)
    if model.meaning.quantity == "relative" and config.align != "sensor":
        raise ParameterError(
            "a relative model has no metres of its own", where="lift.depth.align", expected="sensor",
            found=config.align, hint=f"{model.files.name} gives {model.meaning.detail}",
        )  # fmt: skip
    depth = EstimatedDepth(task, meta, frames, config, model)
    depth.predict()
    depth.align()
    return depth
