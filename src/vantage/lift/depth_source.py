"""Where the depth of a frame comes from: the sensor's recording, points or mesh, or an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json
from vantage.core.memo import Memo
from vantage.core.progress import Progress
from vantage.core.tasks import Cost, Facts, Task
from vantage.geometry.camera import Pinhole
from vantage.lift.config import LiftConfig
from vantage.lift.depth_config import DepthConfig
from vantage.records.frames import Frame
from vantage.records.scan import ScanMeta
from vantage.scans.pixels import read_depth


@runtime_checkable
class DepthSource(Protocol):
    """The depth of a scan's frames."""

    def depth_of(self, frame: Frame) -> tuple[Float32[np.ndarray, "h w"], Pinhole]:
        """Depth in metres, holes 0, and the camera whose pixels it is given at."""

    def write(self, out: Path) -> None:
        """Put what the depth rests on beside the stage's outputs, if there is anything to tell."""

    def facts(self) -> Facts:
        """The same for the stage's facts."""


@dataclass(frozen=True)
class SensorDepth:
    """Depth as recorded."""

    task: Task
    meta: ScanMeta

    def depth_of(self, frame: Frame) -> tuple[Float32[np.ndarray, "h w"], Pinhole]:
        """The recorded image, and the depth camera."""
        return read_depth(self.task.inputs["download"], self.meta, frame), self.meta.depth_of(frame)

    def write(self, out: Path) -> None:
        """Nothing: what is recorded rests on itself."""

    def facts(self) -> Facts:
        """None."""
        return {}


def depth_source(task: Task, meta: ScanMeta, frames: Sequence[Frame], config: DepthConfig) -> DepthSource:
    """The source that the parameters name; an estimator has run on all frames when this returns."""
    if config.source == "sensor":
        return SensorDepth(task, meta)
    if config.source != "estimator":
        from vantage.lift.rendered import rendered_depth

        return rendered_depth(task, meta, config)
    from vantage.lift.estimators.scan_depth import estimated_depth

    return estimated_depth(task, meta, frames, config)


def model_fingerprint(config: LiftConfig, scan_id: str, memo: Memo) -> str:
    """What the estimator is, wherever it lies: part of every scan's key; empty without one."""
    depth = config.depth
    if depth.source != "estimator":
        return ""
    from vantage.lift.estimators.model_files import folder_identity, folder_state, is_folder, require_pinned

    require_pinned(depth.model, depth.revision)
    if not is_folder(depth.model):
        return f"{depth.model}@{depth.revision}"
    folder = Path(depth.model).expanduser()
    try:
        return memo.get("estimator", digest_json(folder_state(folder)), lambda: folder_identity(folder))
    except OSError as error:
        raise ParameterError("cannot read the model", where=folder.name, found=error) from error


def model_cost(config: LiftConfig, scans: Sequence[str], cache: Path, progress: Progress) -> Cost | None:
    """What a model of the hub brings in before the first scan; None when all of it is here."""
    if config.depth.source != "estimator":
        return None
    from vantage.lift.estimators.model_files import download_cost

    cost = download_cost(config.depth.model, config.depth.revision)
    return cost if cost.files else None
