"""Where the bodies run: on a GPU if there is one, and on a CPU so that they are known to be right."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / folder) for folder in ("models", "models/vlm", "training")]

NO_GPU = "NO GPU: nothing here was tested on one"


def _needs(device: str) -> str:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip(NO_GPU)
    return device


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    """Each device; a GPU only where there is one."""
    pytest.importorskip("torch")
    return _needs(str(request.param))


@pytest.fixture(params=["cpu", "cuda"])
def place(request: pytest.FixtureRequest) -> str:
    """The device that the training loop takes: a GPU wherever there is one."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate", reason="no accelerate: the loop was not tested")
    if request.param == "cpu" and torch.cuda.is_available():
        pytest.skip("the loop takes the GPU that is here")
    return _needs(str(request.param))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Layers are small here; convolutions in float32 are, also where a GPU may round them to TF32."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_num_threads(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]
