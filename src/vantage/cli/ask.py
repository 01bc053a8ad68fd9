"""`vantage ask`: a question about a scan, answered by a registered model."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError, VantageError
from vantage.core.seeds import priority
from vantage.core.tasks import Task
from vantage.geometry.transforms import is_rigid
from vantage.lift.config import LiftConfig
from vantage.lift.coverage import frame_voxels, greedy_coverage
from vantage.questions.words import tokenize
from vantage.records.frames import Frame, read_frames
from vantage.records.scan import ScanMeta, read_scan

_VIEWS = 4
_CANDIDATES = 64  # frames whose coverage is compared; a long capture has thousands


@dataclass(frozen=True)
class Chosen:
    """The views of a question, the one at "me" first; why that one; the pose of "me" if it is no frame's."""

    frames: list[Frame]
    why: str
    T_raw_me: Float64[np.ndarray, "4 4"] | None


def ask(
    model: str, question: str, scan: Path, frame: int | None, pose: Path | None, workspace: Path | None
) -> None:
    """Print the answer to standard output, and how it came about to standard error.

    Args:
        model: address of the model (`models:/vantage@champion`).
        question: text in the model's words.
        scan: a raw scan: ScanNet's files, or its extracted layout.
        frame: id of the frame that "me" stands at.
        pose: a file with a 4x4 camera-to-world matrix of the raw scan to stand at instead.
        workspace: the folder whose registry is asked; default: here or above.

    Raises:
        ParameterError: unknown words, no such frame, an unreadable pose.
        VantageError: the registry has no such model; the scan cannot be read.
    """
    from vantage.registry.store import find_store, fluent
    from vantage.registry.uris import look_up

    tokenize(question)
    store = find_store(workspace or Path(os.environ.get("VANTAGE_WORKSPACE") or Path.cwd()))
    found = look_up(store, model)
    with tempfile.TemporaryDirectory(prefix="vantage-ask-") as folder:
        _tell(f"reading {scan}")
        meta, frames = _extract(scan, Path(folder))
        chosen = choose(scan, meta, frames, frame, pose)
        request = request_of(scan, meta, chosen, question)
        _tell(f"loading {model}" + (f" (version {found.version})" if found.version else ""))
        with fluent(store) as mlflow:
            (record,) = mlflow.pyfunc.load_model(found.uri).predict(request)
    sys.stdout.write(f"{record['answer']}\n")
    kept = sum(f.kept for f in frames)
    _tell(f"scan   {meta.scan_id}: {kept} of {len(frames)} frames usable")
    _tell(f"me     {chosen.why}")
    _tell(f"views  {', '.join(str(f.frame_id) for f in chosen.frames)} (me first, the others by coverage)")
    _tell(f"depth  in {record['patches_with_depth']:.0%} of the image patches")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


def _extract(scan: Path, into: Path) -> tuple[ScanMeta, list[Frame]]:
    """Records of a raw scan, made in a temporary folder."""
    from vantage.scans.config import ExtractConfig
    from vantage.scans.stage import extract

    if not scan.is_dir():
        raise VantageError(
            "there is no such scan folder", where=scan, expected="ScanNet's files or its extracted layout"
        )
    out, work = into / "out", into / "work"
    out.mkdir()
    work.mkdir()
    extract(Task(scan.resolve().name, {"download": scan}, out, work, seed=0), ExtractConfig())
    return read_scan(out), read_frames(out)


def choose(
    scan: Path, meta: ScanMeta, frames: Sequence[Frame], frame: int | None, pose: Path | None
) -> Chosen:
    """The view at "me" (a frame, the one nearest to a pose, or the first usable) and three by coverage."""
    if frame is not None and pose is not None:
        raise ParameterError("--frame and --pose exclude each other", expected="one of them, or none")
    kept = [f for f in frames if f.kept]
    T_me = None
    if frame is not None:
        first, why = _frame(frames, frame), f"frame {frame}"
    elif pose is not None:
        T_me = read_pose(pose)
        first = min(kept, key=lambda f: (_distance(f.T_raw_cam, T_me), f.frame_id))
        why = f"the pose of {pose}; frame {first.frame_id} is nearest and is shown as its view"
    else:
        first = kept[0]
        why = f"frame {first.frame_id}, the first usable one (choose with --frame or --pose)"
    return Chosen([first, *_others(scan, meta, first, kept)], why, T_me)


def _frame(frames: Sequence[Frame], frame_id: int) -> Frame:
    found = next((f for f in frames if f.frame_id == frame_id), None)
    if found is None or not found.kept:
        kept = [str(f.frame_id) for f in frames if f.kept]
        shown = ", ".join(kept[:12]) + (f" and {len(kept) - 12} more" if len(kept) > 12 else "")
        raise ParameterError(
            "this frame cannot be used",
            where="--frame",
            expected=f"one of {shown}",
            found=f"{frame_id}: {found.reason if found else 'the scan has no such frame'}",
        )
    return found


def read_pose(path: Path) -> Float64[np.ndarray, "4 4"]:
    """A camera-to-world matrix from a text file of 16 numbers, as in ScanNet's pose files."""
    try:
        T = np.array(path.read_text(encoding="utf-8").split(), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise ParameterError(
            "the pose cannot be read", where=path, expected="16 numbers", found=error
        ) from error
    if T.size != 16 or not is_rigid(T.reshape(4, 4)):
        found = f"{T.size} numbers" if T.size != 16 else T.reshape(4, 4).tolist()
        raise ParameterError("not a pose", where=path, expected="a rigid 4x4 matrix, metres", found=found)
    return T.reshape(4, 4)


def _distance(a: Float64[np.ndarray, "4 4"], b: Float64[np.ndarray, "4 4"]) -> float:
    """Metres between two cameras plus radians between their viewing directions."""
    turn = np.arccos(np.clip(a[:3, 2] @ b[:3, 2], -1.0, 1.0))
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3]) + turn)


def _others(scan: Path, meta: ScanMeta, first: Frame, kept: Sequence[Frame]) -> list[Frame]:
    """Frames that show most of what the first does not, greedily; ties fall to a hash."""
    from vantage.scans.pixels import read_depth

    config = LiftConfig()
    others = [f for f in kept if f.frame_id != first.frame_id]
    picks = np.unique(np.linspace(0, len(others) - 1, min(_CANDIDATES, len(others))).astype(int))
    frames = [first, *(others[i] for i in picks)]
    seen = [
        frame_voxels(
            read_depth(scan, meta, f), meta.depth_of(f), f.T_raw_cam, config.voxel_m, config.coverage_stride
        )
        for f in frames
    ]
    ties = [priority("ask", meta.scan_id, f.frame_id) for f in frames]
    return [frames[i] for i in greedy_coverage(seen, _VIEWS, ties, given=[0]).chosen[1:]]


def request_of(scan: Path, meta: ScanMeta, chosen: Chosen, question: str) -> dict[str, Any]:
    """The request to the registered model, in the raw world of the scan."""
    from vantage.scans.pixels import read_color, read_depth

    request = {
        "images": [read_color(scan, meta, f) for f in chosen.frames],
        "poses": np.stack([f.T_raw_cam for f in chosen.frames]),
        "intrinsics": np.stack([meta.color_of(f).matrix() for f in chosen.frames]),
        "depth": np.stack([read_depth(scan, meta, f) for f in chosen.frames]),
        "depth_intrinsics": np.stack([meta.depth_of(f).matrix() for f in chosen.frames]),
        "frame": "raw",
        "T_aligned_raw": meta.T_aligned_raw,
        "question": question,
    }
    return request if chosen.T_raw_me is None else {**request, "ego_pose": chosen.T_raw_me}
