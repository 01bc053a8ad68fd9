"""What every test may use: the real sequences, and array shapes checked at each call."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine makes single examples slow; the suite has a timeout of its own.
settings.register_profile("vantage", deadline=None)
settings.load_profile("vantage")

# Workers side by side share the cores, and models this small gain nothing from a second thread: with it, a
# question to them takes three times the processor time. Set before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Each start of METEOR's jar takes seconds, and every score of ScanQA starts one: it has tests of its own.
os.environ["VANTAGE_METEOR"] = "off"

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("VANTAGE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers side by side begin with files of slow tests, lest one of them ends with a long file alone."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sequences and annotations; the test is skipped, loudly, where it is absent."""
    if not SHARED_DATA.is_dir():
        message = f"NO REAL DATA: {SHARED_DATA} is absent; set VANTAGE_SHARED_DATA to the real sequences"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    return SHARED_DATA


@pytest.fixture(scope="session")
def office(shared_data: Path) -> Path:
    """A real posed RGB-D office sequence in ScanNet's extracted layout."""
    return shared_data / "office_hololens"
