"""What is fuzzed: by name, a function of bytes, seeds, and a mutator that knows the format.

The function raises when the code under test does what it must not: any error but ours, a wrong shape, a
broken promise.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # run as a script and by pytest alike

import fuzz_sens


@dataclass(frozen=True)
class Target:
    """A reader under test: `run` gets bytes, `seeds` are files it reads, `mutate` changes one."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, random.Random], bytes]


TARGETS = {
    "sens": Target(fuzz_sens.run, fuzz_sens.seeds, fuzz_sens.mutate),
}
