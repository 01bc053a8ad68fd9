from __future__ import annotations

import sys
from pathlib import Path

import pytest
from asked_rooms import Rooms, rooms

for folder in ("models", "models/vlm"):  # tiny_vlms, tiny_prompts, asked_vlms
    sys.path.append(str(Path(__file__).parents[2] / folder))


@pytest.fixture(scope="session")
def asked_rooms(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    """Two scans and questions about them; read only."""
    return rooms(tmp_path_factory.mktemp("rooms"))
