"""Contracts between stages: what one item's output folder must be, beyond being readable."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vantage.core.errors import ContractError
from vantage.geometry.transforms import is_rigid

CAPTURE = "capture.json"


def raw(folder: Path) -> None:
    """A raw scan: at least one file with content."""
    files(folder)


def files(folder: Path) -> None:
    """At least one file with content; for outputs that only their own package can read."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    _require(any(path.stat().st_size for path in found), "no file has content", f"{len(found)} files")


def frames(folder: Path) -> None:
    """Readable scan, frames, objects and points; kept frames have a rigid pose, dropped ones a reason.

    The scan is what is claimed of it, as far as its frames can tell (`capture`).
    """
    from vantage.records.frames import read_frames
    from vantage.records.objects import read_objects, read_points
    from vantage.records.scan import read_scan

    meta, rows = read_scan(folder), read_frames(folder)
    _require(is_rigid(meta.T_aligned_raw), "the axis alignment is not a rigid transform", "T_aligned_raw")
    _require(any(row.kept for row in rows), "no frame was kept", "frames")
    _unique((row.frame_id for row in rows), "frame ids")
    for row in rows:
        where = f"frame {row.frame_id}"
        _require(row.kept == (not row.reason), "a frame is kept with a reason or dropped without one", where)
        _require(not row.kept or is_rigid(row.T_raw_cam), "the pose of a kept frame is not rigid", where)
    objects = read_objects(folder)
    _unique((one.object_id for one in objects), "object ids")
    for one in objects:
        where = f"object {one.object_id}"
        _require(bool(np.all(one.size > 0)), "a box has no extent", where)
        turns = np.allclose(one.rotation @ one.rotation.T, np.eye(3), atol=1e-6)
        _require(bool(turns and np.linalg.det(one.rotation) > 0), "the rotation of a box is none", where)
    read_points(folder)
    capture(folder)


def capture(folder: Path) -> None:
    """No other convention of poses, axes, depth scale or gravity surely fits the scan."""
    from vantage.records.capture import read_capture

    found = read_capture(folder)
    if found.settings:
        values = ", ".join(f"extract.capture.{name}: {value}" for name, value in found.settings.items())
        raise ContractError(
            "the capture is not what it is taken for",
            where=CAPTURE,
            expected="frames that agree as the capture is read",
            found=found.text,
            hint=f"Set {values}; `vantage doctor scan` on the raw folder shows more.",
        )


def patches(folder: Path) -> None:
    """Finite coordinates wherever a patch is valid; a view set of known frames, each once."""
    from vantage.records.patches import read_patches, read_views

    found, views = read_patches(folder), read_views(folder)
    _require(
        bool(np.isfinite(found.xyz_aligned[found.valid]).all()),
        "a valid patch has no finite point",
        "patches",
    )
    _unique(found.frame_ids.tolist(), "frame ids")
    _unique(views.frame_ids, "frames of the view set")
    unknown = set(views.frame_ids) - set(found.frame_ids.tolist())
    _require(not unknown, "the view set names frames without patches", f"frames {sorted(unknown)[:5]}")


def visibility(folder: Path) -> None:
    """Scores between 0 and 1 and pixel counts that are not negative."""
    from vantage.records.visibility import read_visibility

    found = read_visibility(folder)
    _require(bool(((found.scores >= 0) & (found.scores <= 1)).all()), "a score is not a share", "scores")
    _require(bool((found.visible_px >= 0).all()), "a pixel count is negative", "visible_px")
    _unique(found.frame_ids.tolist(), "frame ids")


def questions(folder: Path) -> None:
    """Each question once, ego first among its views, of one scan and one split, with a rigid ego pose."""
    from vantage.records.questions import read_questions

    rows = read_questions(folder)
    _unique((row.question_id for row in rows), "question ids")
    _require(
        len({(row.scan_id, row.room_id, row.split) for row in rows}) <= 1,
        "two scans or splits in one table",
        "",
    )
    for row in rows:
        where = row.question_id
        _require(
            bool(row.views) and row.views[0] == row.ego_frame_id, "the first view is not the ego's", where
        )
        _require(bool(row.answer) and " " not in row.answer, "the answer is not one word", where)
        _require(is_rigid(row.T_aligned_ego), "the ego pose is not a rigid transform", where)


def predictions(folder: Path) -> None:
    """One prediction for each question, at least one."""
    from vantage.records.predictions import read_predictions

    rows = read_predictions(folder)
    _require(bool(rows), "no question was answered", "predictions")
    _unique((row.question_id for row in rows), "question ids")


def _require(holds: bool, message: str, where: str) -> None:
    if not holds:
        raise ContractError(message, where=where or None)


def _unique(values: Iterable[object], what: str) -> None:
    listed = list(values)
    if len(set(listed)) < len(listed):
        twice = next(value for value in listed if listed.count(value) > 1)
        raise ContractError(f"{what} are not unique", found=f"{twice} twice")
