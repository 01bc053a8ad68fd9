"""Made-up predictions whose scores can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_workspace import Made, make

from vantage.records.predictions import Prediction

Make = Callable[..., list[Prediction]]


@pytest.fixture
def predictions() -> Make:
    """Builds, per room, `n` direction questions with `right` right answers and one existence question."""

    def make(right: int, n: int = 4, rooms: int = 5, word: str = "back-left") -> list[Prediction]:
        rows = []
        for room in range(rooms):
            scan = f"room{room:04d}_00"
            for i in range(n):
                said = word if i < right else "front-left"
                text = f"where is the red chair {i} from me?"
                rows.append(
                    Prediction(f"{scan}-d{i}", scan, scan[:8], "direction", "unseen", text, word, said)
                )
            rows.append(
                Prediction(f"{scan}-e", scan, scan[:8], "exist", "", "is there a red bed?", "yes", "yes")
            )
        return sorted(rows, key=lambda p: p.question_id)

    return make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A workspace up to its trained arms; read it, never write into it."""
    return make(tmp_path_factory.mktemp("made"))
