"""Generated rooms and the two real sequences as recordings that can be stored under any convention."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.render import Scene
from vantage.scans.generated.scan import GeneratedScan, generate_scan

sys.path.insert(0, str(Path(__file__).resolve().parent))

from turned import CONFIG, Recording, read_office, read_redwood


@pytest.fixture(scope="session")
def generated() -> GeneratedScan:
    """A room as `download` makes it: the sensor's noise, a lost pose now and then."""
    return generate_scan("room0001_00", 0, CONFIG)


@pytest.fixture(scope="session")
def room(generated: GeneratedScan) -> Recording:
    ok = np.isfinite(generated.T_raw_cam).all(axis=(1, 2))
    return Recording(
        generated.depth_camera,
        generated.depth[ok],
        generated.T_raw_cam[ok],
        generated.color_camera,
        generated.color[ok],
        generated.T_aligned_raw,
    )


@pytest.fixture(scope="session")
def scene() -> Scene:
    room = sample_room(0, "room0002", smallest=CONFIG.smallest_side, largest=CONFIG.largest_side)
    return Scene(room, 0)


@pytest.fixture(scope="session")
def real_office(office: Path) -> Recording:
    return read_office(office)


@pytest.fixture(scope="session")
def real_redwood(shared_data: Path) -> Recording:
    return read_redwood(shared_data / "redwood_excerpt")
