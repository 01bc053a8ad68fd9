from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pocket_samples import SMALL, noise_rooms

from vantage.models.checkpoint import save_base
from vantage.models.pocket import build
from vantage.training.samples import Samples


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of the pocket model's parts, small and untrained."""
    folder = tmp_path_factory.mktemp("base")
    save_base(folder, build(SMALL, seed=1), SMALL, {"note": "untrained"})
    return folder


@pytest.fixture(scope="session")
def samples() -> Samples:
    """Three rooms, two situations each, made of noise."""
    return noise_rooms()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def use_samples(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the stage train on `samples` instead of reading folders."""

    def use() -> None:
        monkeypatch.setattr("vantage.training.stage.load_samples", lambda *_: samples)

    return use
