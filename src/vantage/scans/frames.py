"""From frames as recorded to rows of the frames table: measured, and kept or dropped with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.records.frames import Frame
from vantage.records.scan import ScanMeta
from vantage.scans.codecs import decode_gray
from vantage.scans.config import ExtractConfig
from vantage.scans.pixels import read_bytes, read_depth
from vantage.scans.quality import BLUR_SIDE_PX, jump_problem, measure, motion, pose_problem, quality_problem
from vantage.scans.raw import NOWHERE, RawFrame


def judge(
    raw_dir: Path, meta: ScanMeta, raw: RawFrame, jump: tuple[float, float], config: ExtractConfig
) -> Frame:
    """Measure a recorded frame and decide on it.

    `jump` is how far the camera moved (m) and turned (rad) since the frame with a pose before it (`jumps`).
    A frame without a pose is measured all the same; one whose images are missing or unreadable has zeros. An
    unreadable image costs its frame, not the scan.
    """
    frame = Frame(
        frame_id=raw.frame_id,
        kept=False,
        reason=raw.problem or pose_problem(raw.T_raw_cam) or jump_problem(jump, config),
        T_raw_cam=raw.T_raw_cam,
        timestamp_s=raw.timestamp_s,
        color=raw.color,
        depth=raw.depth,
        depth_valid_share=0.0,
        blur=0.0,
        exposure=0.0,
        jump_m=jump[0],
        jump_rad=jump[1],
        color_intrinsics=raw.color_intrinsics,
        depth_intrinsics=raw.depth_intrinsics,
    )
    if raw.problem:
        return frame
    shape = (meta.color.height, meta.color.width)
    where = f"frame {raw.frame_id}, {raw.color.file}, byte {raw.color.offset}"
    try:
        data = read_bytes(raw_dir, raw.color)
        gray = decode_gray(data, raw.color.encoding, shape, where, BLUR_SIDE_PX)
        quality = measure(gray, None if raw.depth is NOWHERE else read_depth(raw_dir, meta, frame))
    except ScanError as error:
        return replace(frame, reason=frame.reason or error.one_line())
    reason = frame.reason or quality_problem(quality, config)
    return replace(
        frame,
        kept=not reason,
        reason=reason,
        depth_valid_share=quality.depth_valid_share,
        blur=quality.blur,
        exposure=quality.exposure,
    )


def jumps(frames: Sequence[RawFrame]) -> list[tuple[float, float]]:
    """By how much each pose is off the usable one before it: metres and radians; 0 where there is none."""
    found, before = [], None
    for frame in frames:
        usable = not pose_problem(frame.T_raw_cam)
        found.append(motion(before, frame.T_raw_cam) if usable and before is not None else (0.0, 0.0))
        before = frame.T_raw_cam if usable else before
    return found


def dropped_reasons(frames: Iterable[Frame]) -> str:
    """How often each kind of reason occurs, the most frequent first: "lost tracking 2, blurred 1"."""
    kinds = Counter(_kind(frame.reason) for frame in frames if not frame.kept)
    return ", ".join(
        f"{kind} {count}" for kind, count in sorted(kinds.items(), key=lambda kc: (-kc[1], kc[0]))
    )


def _kind(reason: str) -> str:
    """The reason without this frame's own figures: the part before the first colon or semicolon."""
    return reason.split(":")[0].split(";")[0]
