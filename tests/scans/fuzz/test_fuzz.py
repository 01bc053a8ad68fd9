"""A few seconds of fuzzing in every run, and every input that once broke a reader."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from targets import TARGETS

BROKE = sorted((Path(__file__).parent / "broke").glob("*"))


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_sound(name: str) -> None:
    for data in TARGETS[name].seeds():
        TARGETS[name].run(data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 3))
def test_changed_files_raise_our_own_errors_alone(name: str, seed: int, rounds: int) -> None:
    target, rng = TARGETS[name], random.Random(seed)
    data = rng.choice(target.seeds())
    for _ in range(rounds):
        data = target.mutate(data, rng)
    target.run(data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=600))
def test_any_bytes_raise_our_own_errors_alone(name: str, data: bytes) -> None:
    TARGETS[name].run(data)


@pytest.mark.parametrize("path", BROKE, ids=lambda path: path.name)
def test_what_once_broke_a_reader(path: Path) -> None:
    """Named TARGET-what.bin."""
    TARGETS[path.name.split("-")[0]].run(path.read_bytes())
