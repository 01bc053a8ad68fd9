"""`vantage doctor scan`: what a raw capture really is."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from vantage.core import atomic
from vantage.core.errors import ParameterError
from vantage.scans.alignment import recorded_alignment
from vantage.scans.config import CaptureConfig
from vantage.scans.diagnosis.examine import Claim, Examination, examine
from vantage.scans.diagnosis.report import text_of, values_of
from vantage.scans.raw import RawScan
from vantage.scans.source import convention_of, open_scan

_QUIET_S = 2.0


class Late:
    """A progress that is shown on standard error once the work takes long."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def step(self, done: int, total: int, note: str = "") -> None:
        """Say what comes next."""
        if time.monotonic() - self._started > _QUIET_S and done < total:
            self.say(f"{done}/{total} {note}")

    def say(self, text: str) -> None:
        """Print the line."""
        sys.stderr.write(text + "\n")


def scan(folder: Path, as_json: bool, pairs: int, frames: str, picture: Path | None) -> None:
    """Examine a raw scan folder as its layout has it, print what was found, exit with 1 unless that fits."""
    if not folder.is_dir():
        raise ParameterError("no such folder", where=str(folder), expected="a folder with one raw scan")
    raw_dir, config, progress = folder.resolve(), CaptureConfig(), Late()
    raw = open_scan(raw_dir, raw_dir.name, 1, config)
    chosen = _frame_ids(frames, raw)
    claim = Claim(convention_of(raw_dir, raw, config), recorded_alignment(raw_dir, raw_dir.name))
    found = examine(raw_dir, raw, claim, pairs, chosen, progress)
    told = (raw_dir.name, raw.layout, raw.recorded, found)
    sys.stdout.write(json.dumps(values_of(*told), indent=2) + "\n" if as_json else text_of(*told))
    if picture is not None:
        _draw(raw_dir, raw, claim, found, picture)
    if not found.healthy:
        sys.exit(1)


def _frame_ids(text: str, raw: RawScan) -> tuple[int, ...]:
    """Frame ids from "3,12,21"."""
    known = {frame.frame_id for frame in raw.frames}
    try:
        ids = tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise ParameterError(
            "not frame ids", where="--frames", expected="ids such as 3,12,21", found=text
        ) from error
    if unknown := [k for k in ids if k not in known]:
        expected = f"ids between {min(known)} and {max(known)} that the scan has" if known else "none"
        raise ParameterError("no such frame", where="--frames", expected=expected, found=unknown[0])
    if len(ids) == 1:
        raise ParameterError("one frame alone tells nothing", where="--frames", expected="two or more ids")
    return ids


def _draw(raw_dir: Path, raw: RawScan, claim: Claim, found: Examination, picture: Path) -> None:
    from vantage.figures.capture import capture_picture
    from vantage.scans.diagnosis.card import card_of

    card = card_of(raw_dir, raw, claim, found)
    if card is None:
        sys.stderr.write("no picture: no pair of frames could be compared\n")
        return
    atomic.write_bytes(picture, capture_picture(card))
    sys.stderr.write(f"picture in {picture}\n")
