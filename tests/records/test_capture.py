"""The capture record survives the way to disk, says its version, and its contract reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vantage.core.errors import ContractError
from vantage.records import contracts
from vantage.records.capture import CAPTURE_FILE, Capture, read_capture, write_capture

FITS = Capture("fits", "as claimed", 0.98, 4, 2000)
OTHER = Capture("other", "not as claimed", 0.97, 4, 2000, {"poses": "world_to_camera", "up": "y"})


@pytest.mark.parametrize("capture", [FITS, OTHER])
def test_round_trip(tmp_path: Path, capture: Capture) -> None:
    write_capture(tmp_path, capture)
    assert read_capture(tmp_path) == capture


def test_what_is_refused(tmp_path: Path) -> None:
    write_capture(tmp_path, FITS)
    contracts.capture(tmp_path)
    value = json.loads((tmp_path / CAPTURE_FILE).read_text())
    for change, text in (
        ({"version": 2}, "another record or version"),
        ({"verdict": "perhaps"}, "unknown verdict"),
        ({"more": 1}, "not a capture record"),
    ):
        (tmp_path / CAPTURE_FILE).write_text(json.dumps({**value, **change}))
        with pytest.raises(ContractError, match=text):
            contracts.capture(tmp_path)
    write_capture(tmp_path, OTHER)
    with pytest.raises(ContractError, match=r"extract\.capture\.poses: world_to_camera"):
        contracts.capture(tmp_path)
