"""What estimated depth of a scan rests on: the model, and for each frame the fit and what is left of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.records.jsonfile import read_json_record

DEPTH_FILE = "depth.json"
VERSION = 1

Measures = Mapping[str, float | int]


@dataclass(frozen=True)
class FrameFit:
    """How one frame's depth was made: `scale * value + shift`, of metres or (relative models) inverse metres.

    Attributes:
        frame_id: the scan's own id.
        scale, shift: the fit.
        from_scan: whether the scale is the scan's median, the frame showing no floor that agrees with it.
        reason: why the frame has no depth; empty when it has.
        focal_ratio: the focal length a network guessed, over the camera's; None without a guess.
        sensor: the aligned depth against the recorded one; None where none is recorded.
        floor: the floor that was found; None where none was looked for or found.
    """

    frame_id: int
    scale: float
    shift: float = 0.0
    from_scan: bool = False
    reason: str = ""
    focal_ratio: float | None = None
    sensor: Measures | None = None
    floor: Measures | None = None


@dataclass(frozen=True)
class DepthFits:
    """Of a whole scan.

    Attributes:
        model: what the model is wherever it lies: `owner/name@commit`, or a digest of its files.
        quantity: what its output is: `metric`, `canonical` or `relative`.
        align: what set the scale.
        frames: by rising id.
    """

    model: str
    quantity: str
    align: str
    frames: Sequence[FrameFit]


def write_depth_fits(folder: Path, fits: DepthFits) -> None:
    """Write `depth.json` into a scan's folder, numbers to six digits."""
    rows = [_rounded(asdict(frame)) for frame in fits.frames]
    value = {"model": fits.model, "quantity": fits.quantity, "align": fits.align, "frames": rows}
    atomic.write_json(folder / DEPTH_FILE, {"record": "depth", "version": VERSION, **value})


def read_depth_fits(folder: Path) -> DepthFits:
    """Read `depth.json` of a scan's folder; `ContractError` when it is missing or not such a record."""
    value = read_json_record(folder / DEPTH_FILE, "depth", VERSION)
    try:
        frames = [FrameFit(**row) for row in value["frames"]]
        return DepthFits(value["model"], value["quantity"], value["align"], frames)
    except (KeyError, TypeError) as error:
        raise ContractError("not a depth record", where=folder / DEPTH_FILE, found=error) from error


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
