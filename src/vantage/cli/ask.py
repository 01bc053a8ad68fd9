"""`vantage ask`: a question about a scan, answered by a registered model."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.geometry.transforms import is_rigid
from vantage.questions.words import tokenize
from vantage.records.frames import Frame

_VIEWS = 4


def ask(
    model: str, question: str, scan: Path, frame: int | None, pose: Path | None, workspace: Path | None
) -> None:
    """Print the answer to standard output, and how it came about to standard error.

    Args:
        model: address of the model (`models:/vantage@champion`).
        question: text; of a pocket model in its own words.
        scan: a raw scan: ScanNet's files, or its extracted layout.
        frame: id of the frame that "me" stands at.
        pose: a file with a 4x4 camera-to-world matrix of the raw scan to stand at instead.
        workspace: the folder whose registry is asked; default: here or above.

    Raises:
        ParameterError: unknown words, no such frame, an unreadable pose.
        VantageError: the registry has no such model; the scan cannot be read.
    """
    from vantage.registry.store import find_store, fluent
    from vantage.registry.uris import knows_words_only, look_up

    store = find_store(workspace or Path(os.environ.get("VANTAGE_WORKSPACE") or Path.cwd()))
    found = look_up(store, model)
    if knows_words_only(store, found.uri):
        tokenize(question)
    _tell(f"reading {scan}")
    recorded = MeasuredScan.open(scan)
    views, why = choose(recorded, frame, pose)
    request = views.request(question)
    _tell(f"loading {model}" + (f" (version {found.version})" if found.version else ""))
    with fluent(store) as mlflow:
        (record,) = mlflow.pyfunc.load_model(found.uri).predict(request)
    sys.stdout.write(f"{record['answer']}\n")
    if "place" in record:
        _tell(f"place  {_place(record['place'])}")
    for box in record.get("boxes", ()):
        _tell(f"box    {box['label']} at {', '.join(f'{value:.2f}' for value in box['center'])} m")
    kept = len(recorded.kept)
    _tell(f"scan   {recorded.meta.scan_id}: {kept} of {len(recorded.frames)} frames usable")
    _tell(f"me     {why}")
    _tell(f"views  {', '.join(str(f.frame_id) for f in views.frames)} (me first, the others by coverage)")
    _tell(f"depth  in {record['patches_with_depth']:.0%} of the image patches")


def _place(place: Mapping[str, Any]) -> str:
    x, y, yaw = place["x"], place["y"], np.degrees(place["yaw"])
    heading = "no heading" if place["ambiguous"] else f"looking along {yaw:.0f} degrees"
    sigma = f"+-{place['sigma_x']:.2f}, {place['sigma_y']:.2f} m"
    return f"the model takes you to be at {x:.2f}, {y:.2f} m ({sigma}), {heading}, {place['frame']}"


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


def choose(recorded: MeasuredScan, frame: int | None, pose: Path | None) -> tuple[ScanViews, str]:
    """The view at "me" (a frame, the one nearest to a pose, or the first usable) and three by coverage; and
    why that one."""
    if frame is not None and pose is not None:
        raise ParameterError("--frame and --pose exclude each other", expected="one of them, or none")
    T_me = None
    if frame is not None:
        first, why = _frame(recorded.frames, frame), f"frame {frame}"
    elif pose is not None:
        T_me = read_pose(pose)
        first = recorded.nearest(T_me)
        why = f"the pose of {pose}; frame {first.frame_id} is nearest and is shown as its view"
    else:
        first = recorded.kept[0]
        why = f"frame {first.frame_id}, the first usable one (choose with --frame or --pose)"
    return ScanViews(recorded.folder, recorded.meta, recorded.chosen(_VIEWS, first), T_me), why


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
