"""A scan whose colours and depth both tell a pixel's place, lifted by the real stage.

Red tells u and green v; blue is full on the image. Frame 0's depth grows from column to column more than it
does along a column, so that the pixel of median depth lies in a patch's middle column; frame 1's the other
way round. So the point of a patch tells the middle of the patch, u in frame 0 and v in frame 1.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, from_yaw, invert, level_ego
from vantage.lift.config import LiftConfig
from vantage.lift.stage import lift
from vantage.records.frames import Frame, PixelRef, write_frames
from vantage.records.index import IndexRow, write_index
from vantage.records.questions import Question, write_questions
from vantage.records.scan import ScanMeta, write_scan
from vantage.scans.codecs import encode_png16

SCAN = "ramp0000_00"
STEP_MM = 30
T_ALIGNED_CAM = from_yaw(0.6, (1.0, -2.0, 0.0)) @ compose(
    np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.4])
)


def camera(width: int, height: int) -> Pinhole:
    return Pinhole(width, height, 1.1 * width, 1.1 * width, (width - 1) / 2, (height - 1) / 2)


def write_ramp_scan(
    root: Path, width: int, height: int, config: LiftConfig, views: Sequence[Sequence[int]]
) -> dict[str, Path]:
    """Folders of the four stages; a question for each choice of views."""
    inputs = {stage: root / stage for stage in ("download", "extract", "lift", "synthesize")}
    folders = {stage: path / SCAN for stage, path in inputs.items()}
    for folder in (*folders.values(), root / "work"):
        folder.mkdir(parents=True)
    v, u = np.mgrid[0:height, 0:width]
    color = np.full((height, width, 3), 255, dtype=np.uint8)
    color[..., 0] = np.rint(255 * (u + 0.5) / width)
    color[..., 1] = np.rint(255 * (v + 0.5) / height)
    png = io.BytesIO()
    Image.fromarray(color).save(png, "png")
    frames, blob = [], png.getvalue()
    shown = PixelRef("pixels.bin", 0, len(blob), "png")
    for number, depth in enumerate((STEP_MM * u + v // 8, STEP_MM * v + u // 8)):
        encoded = encode_png16((1000 + depth).astype(np.uint16))
        ref = PixelRef("pixels.bin", len(blob), len(encoded), "png")
        frames.append(Frame(number, True, "", T_ALIGNED_CAM, 0.0, shown, ref, 1.0, 99.0, 0.5))
        blob += encoded
    (folders["download"] / "pixels.bin").write_bytes(blob)
    own = camera(width, height)
    write_scan(folders["extract"], ScanMeta(SCAN, SCAN[:8], np.eye(4), own, own, 0.001, True))
    write_frames(folders["extract"], frames)
    lift(Task(SCAN, folders, folders["lift"], root / "work", 0), config)
    write_questions(folders["synthesize"], [_question(list(shown)) for shown in views])
    for folder in inputs.values():
        write_index(folder, [IndexRow(SCAN, "done", digest_tree(folder / SCAN))])
    return inputs


def _question(views: list[int]) -> Question:
    return Question(
        question_id=f"{SCAN}-{'-'.join(map(str, views))}", scan_id=SCAN, room_id=SCAN[:8], split="train",
        family="direction", slice="", question="where is the chair :", answer="here", reasoning="",
        evidence={}, ego_frame_id=views[0], pose_source="recorded_frame", pose_uses_target=False,
        T_aligned_ego=level_ego(T_ALIGNED_CAM), views=views, learnable_by_pocket=True,
    )  # fmt: skip


def pixel_of(xyz: np.ndarray, T_frame_cam: np.ndarray, own: Pinhole) -> np.ndarray:
    """Colour pixels (..., 2) of points in a sample's frame; NaN behind the camera."""
    return own.project(apply(invert(T_frame_cam), xyz))[0]


def pictures(name: str, processor: Any, inputs: dict[str, Any], counts: Sequence[int]) -> list[np.ndarray]:
    """The pictures of each image as the tower is given them, as grey levels (3, H, W)."""
    pixels = inputs["pixel_values"].double().numpy()
    if "qwen" in name:
        found = _from_rows(processor, pixels, inputs["image_grid_thw"].tolist())
    elif name == "llava_onevision" and pixels.ndim == 5:
        found = [tile for image, count in zip(pixels, counts, strict=True) for tile in image[:count]]
    elif name in ("idefics3", "smolvlm"):
        found = list(pixels[0])
    else:
        found = list(pixels)
    mean, std = (np.array(part)[:, None, None] for part in (processor.image_mean, processor.image_std))
    return [255 * (picture * std + mean) for picture in found]


def _from_rows(processor: Any, pixels: np.ndarray, shapes: list[list[int]]) -> list[np.ndarray]:
    """Qwen's rows, merge block by merge block, as pictures."""
    m, p = processor.merge_size, processor.patch_size
    found, first = [], 0
    for _, rows, columns in shapes:
        own = pixels[first : first + rows * columns]
        parts = own.reshape(rows // m, columns // m, m, m, 3, -1, p, p)[..., 0, :, :]
        found.append(parts.transpose(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * p, columns * p))
        first += rows * columns
    return found


def patches(picture: np.ndarray, size: int) -> np.ndarray:
    """(rows, columns, 3, size, size) of a picture (3, H, W); what is left at right and bottom is not seen."""
    rows, columns = picture.shape[1] // size, picture.shape[2] // size
    cut = picture[:, : rows * size, : columns * size]
    return cut.reshape(3, rows, size, columns, size).transpose(1, 3, 0, 2, 4)
