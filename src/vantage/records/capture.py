"""What a few pairs of frames say of a scan's poses and depth: measured by `extract`, judged by contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.records.jsonfile import read_json_record

CAPTURE_FILE = "capture.json"
VERSION = 1
VERDICTS = ("fits", "other", "bad_poses", "cannot_tell", "not_measured")

CaptureValue = str | float | list[float]


@dataclass(frozen=True)
class Capture:
    """The result of the check.

    Attributes:
        verdict: `fits` (what is claimed), `other` (another convention fits), `bad_poses` (none does),
            `cannot_tell` (the camera hardly moved), `not_measured` (no two frames share enough surface).
        text: the same for a person.
        share: of half of the pairs, at least this share of comparable points agrees within 5 cm; 0 when not
            measured.
        pairs, points: how many were compared.
        settings: values of `extract.capture` with which the scan fits; empty when the claim holds, or when
            it is not sure that something else does.
    """

    verdict: str
    text: str
    share: float
    pairs: int
    points: int
    settings: Mapping[str, CaptureValue] = field(default_factory=dict)


def write_capture(folder: Path, capture: Capture) -> None:
    """Write `capture.json` into a scan's folder."""
    atomic.write_json(folder / CAPTURE_FILE, {"record": "capture", "version": VERSION, **asdict(capture)})


def read_capture(folder: Path) -> Capture:
    """Read `capture.json` of a scan's folder; `ContractError` when it is missing or not such a record."""
    path = folder / CAPTURE_FILE
    value = read_json_record(path, "capture", VERSION)
    try:
        found = Capture(**{name: value[name] for name in value if name not in ("record", "version")})
    except TypeError as error:
        raise ContractError("not a capture record", where=path, found=error) from error
    if found.verdict not in VERDICTS:
        raise ContractError("unknown verdict", where=path, expected=", ".join(VERDICTS), found=found.verdict)
    return found
