"""A request to a packaged model, checked: pictures, poses and intrinsics as views in the aligned world."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from vantage.align.ego import EgoPose, ego_of_camera
from vantage.core.errors import ParameterError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import is_rigid
from vantage.geometry.warp import ImageWarp
from vantage.lift.patches import patch_coordinates

REQUIRED = ("images", "poses", "intrinsics", "frame", "question")
OPTIONAL = ("ego", "ego_pose", "T_aligned_raw", "depth", "depth_intrinsics")
MAX_VIEWS = 8
_FAR_M = 60.0  # a room is smaller; millimetres taken for metres are not


@dataclass(frozen=True)
class Views:
    """A request after checking: the ego's view first, poses in the aligned world.

    `T_aligned_me` is the camera pose that "me" stands for: the first view's, unless the request gave another.
    """

    order: list[int]
    images: list[UInt8[np.ndarray, "h w 3"]]
    T_aligned_cams: Float64[np.ndarray, "v 4 4"]
    T_aligned_me: Float64[np.ndarray, "4 4"]
    colors: list[Pinhole]
    depth: Float32[np.ndarray, "v dh dw"] | None
    depth_cameras: list[Pinhole] | None

    @property
    def ego(self) -> EgoPose:
        """The pose that the answer is given from: level, on the floor under the camera of "me"."""
        return ego_of_camera(self.T_aligned_me, "aligned", "ego_level")


def read_views(request: Mapping[str, Any], more: Sequence[str] = ()) -> Views:
    """The checked views of a request, the ego's first; `ParameterError` names the key that is wrong.

    `more` are keys that the model reads besides.
    """
    _check_keys(request, more)
    images = [_image(value, f"images[{i}]") for i, value in enumerate(_images(request["images"]))]
    shape = images[0].shape
    for i, image in enumerate(images):
        _require(image.shape == shape, f"images[{i}]", f"the size of images[0], {shape}", image.shape)
    poses, me = _poses(request, len(images))
    ego = _ego(request.get("ego"), len(images))
    order = [ego, *(i for i in range(len(images)) if i != ego)]
    colors = _cameras(request["intrinsics"], len(images), shape[1], shape[0], "intrinsics")
    depth, depth_cameras = _depth(request, images, colors)
    return Views(
        order=order,
        images=[images[i] for i in order],
        T_aligned_cams=poses[order],
        T_aligned_me=poses[ego] if me is None else me,
        colors=[colors[i] for i in order],
        depth=None if depth is None else depth[order],
        depth_cameras=None if depth_cameras is None else [depth_cameras[i] for i in order],
    )


def aligned_points(
    views: Views, warp: ImageWarp, min_valid_share: float
) -> tuple[Float32[np.ndarray, "v *patches 3"], Bool[np.ndarray, "v *patches"]]:
    """Points (m, aligned world) of every view's patches, zeros where there is none; none without depth."""
    count = len(views.images)
    xyz, valid = np.zeros((count, *warp.shape, 3), np.float32), np.zeros((count, *warp.shape), np.bool_)
    if views.depth is None or views.depth_cameras is None:
        return xyz, valid
    for i, depth in enumerate(views.depth):
        points = patch_coordinates(
            depth, views.depth_cameras[i], views.T_aligned_cams[i], views.colors[i], warp, min_valid_share
        )
        xyz[i], valid[i] = points.xyz_world, points.valid
    return xyz, valid


def _require(holds: bool, where: str, expected: object, found: object, hint: str | None = None) -> None:
    if not holds:
        raise ParameterError(
            "the model cannot read this input", where=where, expected=expected, found=found, hint=hint
        )


def _check_keys(request: Mapping[str, Any], more: Sequence[str]) -> None:
    known = (*REQUIRED, *OPTIONAL, *more)
    missing = [key for key in REQUIRED if request.get(key) is None]
    _require(
        not missing, "keys of the input", f"all of {', '.join(REQUIRED)}", f"without {', '.join(missing)}"
    )
    unknown = sorted(str(key) for key in request if key not in known)
    _require(not unknown, "keys of the input", f"only {', '.join(known)}", ", ".join(unknown))


def _images(value: Any) -> list[Any]:
    _require(
        not isinstance(value, str | bytes | Path), "images", "a list with one picture per view", "one picture"
    )
    images = list(value)
    _require(1 <= len(images) <= MAX_VIEWS, "images", f"1 to {MAX_VIEWS} views", f"{len(images)} views")
    return images


def _image(value: Any, where: str) -> UInt8[np.ndarray, "h w 3"]:
    if isinstance(value, str | Path):
        path = Path(value)
        _require(path.is_file(), where, "the path of a picture", f"no file {path}")
        value = path.read_bytes()
    if isinstance(value, bytes | bytearray):
        value = _decoded(bytes(value), where)
    array = np.asarray(value)
    fits = array.ndim == 3 and array.shape[-1] == 3 and array.dtype == np.uint8
    _require(fits, where, "uint8 (height, width, 3), RGB", f"{array.dtype} {array.shape}")
    return array


def _decoded(data: bytes, where: str) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise ParameterError(
            "this is not a picture", where=where, expected="JPEG or PNG", found=error
        ) from error


def _array(value: Any, where: str, expected: str) -> Float64[np.ndarray, "..."]:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            "not numbers of one shape", where=where, expected=expected, found=error
        ) from error


def _poses(
    request: Mapping[str, Any], views: int
) -> tuple[Float64[np.ndarray, "v 4 4"], Float64[np.ndarray, "4 4"] | None]:
    """Camera poses and the pose of "me", if one is given, in the aligned world."""
    expected = f"({views}, 4, 4), one camera-to-world matrix per image"
    poses = _array(request["poses"], "poses", expected)
    _require(poses.shape == (views, 4, 4), "poses", expected, poses.shape)
    for i, pose in enumerate(poses):
        _require_rigid(pose, f"poses[{i}]")
    me = None
    if request.get("ego_pose") is not None:
        me = _array(request["ego_pose"], "ego_pose", "(4, 4)")
        _require_rigid(me, "ego_pose")
    T = _to_aligned(request)
    return np.asarray(T @ poses), None if me is None else np.asarray(T @ me)


def _require_rigid(T: np.ndarray, where: str) -> None:
    hint = "rotation and translation in metres; lost-tracking frames have none"
    fits = T.shape == (4, 4) and is_rigid(T)
    _require(fits, where, "a finite rigid (4, 4) transform", T.tolist(), hint)


def _to_aligned(request: Mapping[str, Any]) -> Float64[np.ndarray, "4 4"]:
    """What maps the frame of the poses to the aligned world."""
    frame, given = request["frame"], request.get("T_aligned_raw")
    _require(frame in ("raw", "aligned"), "frame", "'raw' or 'aligned'", repr(frame))
    if frame == "aligned":
        _require(given is None, "T_aligned_raw", "none, poses are aligned", "a matrix")
        return np.eye(4)
    hint = "ScanNet's axisAlignment; the aligned world has z up and its floor at z = 0"
    _require(given is not None, "T_aligned_raw", "(4, 4) with frame 'raw'", None, hint)
    T = _array(given, "T_aligned_raw", "(4, 4)")
    _require_rigid(T, "T_aligned_raw")
    return T


def _ego(value: Any, views: int) -> int:
    ego = 0 if value is None else value
    # A table's column with gaps holds floats, hence 1.0 is an index too.
    number = isinstance(ego, int | float | np.integer | np.floating) and not isinstance(ego, bool)
    fits = number and float(ego).is_integer() and 0 <= ego < views
    _require(fits, "ego", f"the index of a view, 0 to {views - 1}", repr(value))
    return int(ego)


def _cameras(value: Any, views: int, width: int, height: int, where: str) -> list[Pinhole]:
    """One camera for each view, from one matrix for all or one each."""
    expected = f"a 3x3 (or 4x4) matrix with fx, fy, cx, cy in pixels of the images, or {views} of them"
    K = _array(value, where, expected)
    matrix = K.shape[-2:] in ((3, 3), (4, 4)) and K.ndim in (2, 3)
    _require(matrix and (K.ndim == 2 or len(K) == views), where, expected, K.shape)
    if K.ndim == 2:
        return [_camera(K, width, height, where)] * views
    return [_camera(one, width, height, f"{where}[{i}]") for i, one in enumerate(K)]


def _camera(K: Float64[np.ndarray, "r c"], width: int, height: int, where: str) -> Pinhole:
    try:
        return Pinhole(width, height, float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
    except ValueError as error:
        expected = "fx and fy above 0, all finite"
        raise ParameterError("not a camera", where=where, expected=expected, found=error) from error


def _depth(
    request: Mapping[str, Any], images: Sequence[np.ndarray], colors: list[Pinhole]
) -> tuple[Float32[np.ndarray, "v dh dw"] | None, list[Pinhole] | None]:
    if request.get("depth") is None:
        _require(
            request.get("depth_intrinsics") is None, "depth_intrinsics", "none without depth", "a matrix"
        )
        return None, None
    given = request["depth"]
    expected = f"({len(images)}, height, width) in metres, 0 for holes"
    kinds = {np.asarray(part).dtype.kind for part in given}
    _require(
        kinds <= {"f"},
        "depth",
        f"{expected}, float",
        f"dtype kinds {sorted(kinds)}",
        "divide millimetres by 1000",
    )
    depth = _array(given, "depth", expected).astype(np.float32)
    _require(depth.ndim == 3 and len(depth) == len(images), "depth", expected, depth.shape)
    seen = depth[np.isfinite(depth) & (depth > 0)]
    far = float(np.median(seen)) if seen.size else 0.0
    _require(far <= _FAR_M, "depth", expected, f"a median of {far:.0f} m", "divide millimetres by 1000")
    height, width = depth.shape[1:]
    if request.get("depth_intrinsics") is not None:
        K = request["depth_intrinsics"]
        return depth, _cameras(K, len(images), width, height, "depth_intrinsics")
    same = (height, width) == (colors[0].height, colors[0].width)
    _require(same, "depth_intrinsics", "a 3x3 matrix, since depth and images differ in size", None)
    return depth, colors


def read_questions(value: Any) -> list[str]:
    """The questions of a request; `ParameterError` for what is none."""
    questions = [value] if isinstance(value, str) else list(value)
    fits = bool(questions) and all(isinstance(q, str) and q.strip() for q in questions)
    _require(fits, "question", "a text or a list of texts", repr(value))
    return questions


def read_situation(value: Any) -> str:
    """Where the asker is, in words; "" where nothing is said. `ParameterError` for what is no text."""
    _require(value is None or isinstance(value, str), "situation", "a text", repr(value))
    return "" if value is None else str(value).strip()
