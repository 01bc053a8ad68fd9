"""`vantage depth`: depth of pictures by an estimator, from files to files."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from jaxtyping import Float32, UInt8

from vantage.cli.options import camera_of
from vantage.core import atomic
from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.core.seeds import rng
from vantage.core.tasks import Cost
from vantage.geometry.camera import Pinhole
from vantage.lift.depth_config import Device
from vantage.lift.estimators.alignment import Fit, fit_to_sensor, paired, residual
from vantage.lift.estimators.estimate import Estimate, estimate
from vantage.lift.estimators.estimator import Estimator, load_estimator
from vantage.lift.estimators.model_files import download_cost
from vantage.scans.codecs import decode_color, decode_depth, encode_png16
from vantage.scans.pixels import metres

RESIDUALS_FILE = "residuals.json"
_MM = 1000


def depth(
    images: Sequence[Path],
    model: str,
    revision: str,
    intrinsics: str,
    sensors: Sequence[Path],
    shift: bool,
    device: str,
    out: Path,
    dry_run: bool,
) -> None:
    """Write `<picture>.png` (uint16, mm, 0 where there is none) for each picture, and `residuals.json`.

    Args:
        images: JPEG or PNG files with different names.
        model, revision: a folder, or a name on the hub and its commit, tag or branch.
        intrinsics: fx,fy,cx,cy of the pictures, pixels; empty when not known.
        sensors: 16-bit PNG in millimetres, one for each picture, of any size, with the picture's view.
        shift: fit a shift beside the scale.
        device: auto, cpu or cuda.
        out: the folder to write into.
        dry_run: tell what would be downloaded, and stop.

    Raises:
        ParameterError: options that contradict each other or the model.
        ScanError: a file that cannot be used, or a sensor image that the estimate does not follow.
        ContractError, ResourceError: a damaged model, or one that cannot be had; nowhere to write.
    """
    _check(images, sensors, shift, out)
    place = _device(device)
    _tell(_download(model, download_cost(model, revision)))
    if dry_run:
        return
    estimator = load_estimator(model, revision, place)
    if estimator.meaning.quantity == "relative" and not sensors:
        raise ParameterError(
            "a relative model has no metres of its own", where="--sensor", found=estimator.meaning.detail,
            expected="a depth image for each picture, or a metric model",
        )  # fmt: skip
    _tell(f"model   {estimator.files.identity}: {estimator.meaning.detail}; on {estimator.device}")
    rows, started = [], time.perf_counter()
    for number, image in enumerate(images):
        sensor = sensors[number] if sensors else None
        rows.append(_one(estimator, image, intrinsics, sensor, shift, out))
        spent = time.perf_counter() - started
        left = f", about {spent / (number + 1) * (len(images) - number - 1):.0f} s to go"
        _tell(f"picture {number + 1} of {len(images)}: {_measured(rows[-1])}{left}")
    record = {"record": "depth_residuals", "version": 1, "model": estimator.files.identity,
              "quantity": estimator.meaning.quantity, "pictures": rows}  # fmt: skip
    _write(out / RESIDUALS_FILE, lambda path: atomic.write_json(path, record))
    _tell(f"written to {out}")


def _device(name: str) -> Device:
    for known in get_args(Device):
        if name == known:
            return cast(Device, known)
    expected = ", ".join(get_args(Device))
    raise ParameterError("unknown device", where="--device", expected=expected, found=name)


def _check(images: Sequence[Path], sensors: Sequence[Path], shift: bool, out: Path) -> None:
    if sensors and len(sensors) != len(images):
        raise ParameterError(
            "not one depth image a picture", where="--sensor", expected=len(images), found=len(sensors)
        )
    if shift and not sensors:
        raise ParameterError("a shift is fitted to a sensor's depth", where="--shift", expected="--sensor")
    stems = [image.stem for image in images]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise ParameterError("two pictures would be written to one file", where="IMAGE", found=twice[0])
    if out.exists() and not out.is_dir():
        raise ParameterError("cannot write there", where="--out", expected="a folder", found=out)


def _one(
    estimator: Estimator, image: Path, intrinsics: str, sensor: Path | None, shift: bool, out: Path
) -> dict[str, Any]:
    """Estimate, align and write one picture; its row of the residuals."""
    rgb = _picture(image)
    height, width = rgb.shape[:2]
    known = camera_of(intrinsics, f"{width}x{height}") if intrinsics else None
    (prediction,) = estimator.predict([rgb])
    found = estimate(prediction, estimator.meaning, None if known is None else known.fx)
    # Which pixel sees what a sensor's pixel sees follows from the sizes, whatever the focal length.
    camera = known or Pinhole(width, height, float(width), float(width), (width - 1) / 2, (height - 1) / 2)
    row: dict[str, Any] = {
        "picture": image.name,
        "file": f"{image.stem}.png",
        "width": width,
        "height": height,
    }
    fit = Fit(relative=found.relative)
    if sensor is not None:
        fit, row["sensor"] = _fitted(found, camera, sensor, shift)
    metric = fit.depth(found.values)
    row |= {"scale": fit.scale, "shift": fit.shift, "focal_ratio": found.focal_ratio,
            "field_of_view_deg": prediction.fov_deg}  # fmt: skip
    stored = np.rint(metric.astype(np.float64) * _MM)
    beyond = stored >= np.iinfo(np.uint16).max
    row |= {"holes": int(np.count_nonzero(stored == 0)), "beyond_65_m": int(np.count_nonzero(beyond))}
    png = encode_png16(np.where(beyond, 0, stored).astype(np.uint16))
    _write(out / row["file"], lambda path: atomic.write_bytes(path, png))
    return row


def _fitted(
    found: Estimate, camera: Pinhole, sensor: Path, shift: bool
) -> tuple[Fit, dict[str, dict[str, float | int]]]:
    recorded = _sensor(sensor)
    values, measured = paired(found, camera, recorded, camera.resized(recorded.shape[1], recorded.shape[0]))
    try:
        fit, left = fit_to_sensor(
            values, measured, found.relative, shift or found.relative, rng(0, "vantage depth")
        )
    except ScanError as error:
        error.where = sensor.name
        raise
    told = {"aligned": asdict(left)}
    if not found.relative:
        told["as_estimated"] = asdict(residual(Fit().depth(values), measured))
    return fit, told


def _picture(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    return decode_color(_bytes(path), "jpeg", None, path.name)


def _sensor(path: Path) -> Float32[np.ndarray, "h w"]:
    return metres(decode_depth(_bytes(path), "png", None, path.name), 1 / _MM)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ParameterError(f"cannot read the file: {error.strerror}", where=path) from error


def _write(path: Path, write: Any) -> None:
    try:
        write(path)
    except OSError as error:
        raise ResourceError(f"cannot write: {error.strerror}", where=path) from error


def _download(model: str, cost: Cost) -> str:
    if not cost.files:
        return (
            f"{model}: {cost.present_files} files are here ({cost.present / 1e6:.1f} MB), nothing to download"
        )
    unknown = f", and {cost.unknown} of unknown size" if cost.unknown else ""
    return (
        f"{model}: {cost.files} files ({cost.size / 1e6:.1f} MB{unknown}) to download from the Hugging Face "
        f"hub, safetensors and settings alone; {cost.present_files} are here"
    )


def _measured(row: dict[str, Any]) -> str:
    if "sensor" not in row:
        return f"{row['file']}, nothing to compare with"
    left = row["sensor"]["aligned"]
    return (
        f"{row['file']}, scale {row['scale']:.4g}, off by {left['median_relative']:.1%} (median of "
        f"{left['points']} pixels), {left['within_10_percent']:.0%} within 10 %, "
        f"{left['within_5_cm']:.0%} within 5 cm"
    )


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
