"""Parameters that follow from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """torch's random numbers on the CPU follow from `seed` inside, and go on after it as before.

    `torch.manual_seed` would seed every GPU as well, and what draws there would be disturbed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
