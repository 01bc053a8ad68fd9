"""`vantage lift-boxes`: 2D boxes and masks of one image to oriented 3D boxes, from files to a file."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from vantage.cli.options import camera_of
from vantage.core.atomic import write_json
from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, compose, is_rigid
from vantage.lift.box_settings import BoxSettings
from vantage.lift.depth_surface import depth_surface
from vantage.lift.detections import read_detections
from vantage.lift.exchange import annotation
from vantage.lift.fit_box import Fit
from vantage.lift.objects2d import lift_object
from vantage.scans.codecs import decode_depth
from vantage.scans.layouts.parts import read_matrix
from vantage.scans.pixels import metres

FITS: dict[str, Fit] = {"upright": "upright", "free": "free"}


def lift_boxes(
    depth: Path, color_size: str, intrinsics: str, depth_intrinsics: str | None, depth_unit_m: float,
    pose: Path | None, detections: Path, fit: str, out: Path,
) -> None:  # fmt: skip
    """Write the boxes of all detections in Omni3D's fields; tell what was done.

    Args:
        depth: 16 bit PNG in units of `depth_unit_m`, or .npy in metres; along the optical axis, 0 for holes.
        color_size: WxH of the image of the detections.
        intrinsics: fx,fy,cx,cy of that image, pixels.
        depth_intrinsics: of the depth image; without, those of the colour image at the depth image's size.
        depth_unit_m: metres of one unit of a PNG.
        pose: text file, 4x4, camera to a world with z up; without, the camera is taken as held level.
        detections: JSON; see `lift.detections`.
        fit: `upright` or `free`.
        out: the JSON file to write.

    Raises:
        ParameterError: an option that makes no sense.
        ScanError: a depth image, pose or detections that cannot be used.
        ResourceError: the file cannot be written.
    """
    if fit not in FITS:
        raise ParameterError("unknown fit", where="--fit", expected=" or ".join(FITS), found=fit)
    if not (np.isfinite(depth_unit_m) and depth_unit_m > 0):
        raise ParameterError("not a unit", where="--depth-unit-m", expected="above 0", found=depth_unit_m)
    if out.is_dir() or not out.parent.is_dir():
        raise ParameterError("cannot write there", where="--out", expected="a file in a folder", found=out)
    color = camera_of(intrinsics, color_size, ("--intrinsics", "--color-size"))
    image = _read_depth(depth, depth_unit_m)
    size = (image.shape[1], image.shape[0])
    eye = color.resized(*size)
    if depth_intrinsics is not None:
        eye = camera_of(depth_intrinsics, f"{size[0]}x{size[1]}", ("--depth-intrinsics", str(depth)))
    T_world_cam = _read_pose(pose)
    found = read_detections(detections, color)
    settings = BoxSettings()
    surface = depth_surface(image, eye, color, T_world_cam, settings)
    lifted = [lift_object([(surface, each.region)], settings, FITS[fit]) for each in found]
    rows = [
        annotation(i, one, box, color, T_world_cam)
        for i, (one, box) in enumerate(zip(found, lifted, strict=True))
    ]
    _write(out, {"images": [_image(color)], "annotations": rows, "T_world_cam": T_world_cam.tolist()})
    for i, (one, box) in enumerate(zip(found, lifted, strict=True)):
        if box.box is None:
            _tell(f"no box  {detections.name}, detection {i} ({one.label or 'no label'}): {box.reason}")
    without = "" if pose else ", camera taken as held level (no --pose)"
    good = sum(box.box is not None for box in lifted)
    _tell(f"boxes   {good} of {len(found)} detections, {fit}{without}; written to {out}")


def _read_depth(path: Path, unit_m: float) -> Float32[np.ndarray, "h w"]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScanError(f"cannot read the depth image: {error.strerror}", where=path) from error
    if path.suffix.lower() != ".npy":
        return metres(decode_depth(data, "png", None, str(path)), unit_m)
    try:
        image = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ScanError("not an array (.npy)", where=path, found=error) from error
    if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype.kind != "f" or not image.size:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        expected = "height x width in floating point, metres"
        raise ScanError("not a depth image", where=path, expected=expected, found=found)
    return image.astype(np.float32)


def _read_pose(path: Path | None) -> Float64[np.ndarray, "4 4"]:
    """Camera to world; without a file that of a camera held level at the origin."""
    if path is None:
        return compose(R_FLU_RDF, np.zeros(3))
    T = read_matrix(path)
    if not is_rigid(T):
        hint = "poses map camera to world, in metres"
        raise ScanError("a pose is not a rigid transform", where=path, found=T.tolist(), hint=hint)
    return T


def _image(camera: Pinhole) -> dict[str, Any]:
    size = {"width": camera.width, "height": camera.height}
    return {"id": 0, **size, "K": camera.matrix().tolist(), "src_90_rotate": 0, "src_flagged": False}


def _write(out: Path, content: dict[str, Any]) -> None:
    try:
        write_json(out, content)
    except OSError as error:
        raise ResourceError(f"cannot write the boxes: {error.strerror}", where=out) from error


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
