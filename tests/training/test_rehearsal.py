"""A dry run tells what training would take, and leaves nothing behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from test_loop import config

from vantage.core.errors import ParameterError
from vantage.core.names import load
from vantage.core.tasks import Task
from vantage.pipeline.stages import STAGES
from vantage.training.rehearsal import rehearse
from vantage.training.samples import Samples


def lines(folder: Path, base: Path, item: str = "embedding", **changes: object) -> list[str]:
    task = Task(item, {}, folder / "out", folder / "work", seed=4)
    return rehearse(task, config(base, **changes))


def test_a_dry_run_tells_parts_tokens_memory_and_time_and_writes_nothing(
    small_base: Path, samples: Samples, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    told = lines(tmp_path, small_base)
    assert not list(tmp_path.iterdir())
    assert told[0].split() == ["part", "tensors", "trained", "frozen"]
    text = "\n".join(told)
    # Three or four views of 64 patches, three questions of 8, 6 and 6 words.
    assert "tokens of a sample: 212 to 276, median 244; 6 samples, 2 a step in 1 micro batches" in text
    loss = re.search(r"smallest sample: loss (\d+\.\d+), (\d+\.\d+) s", text)
    assert loss and float(loss[1]) > 0 and float(loss[2]) > 0
    assert re.search(r"memory: about \d+\.\d MB", text) and "(30 steps of" in text


def activations(told: list[str]) -> float:
    found = re.search(r"largest micro batch (\d+\.\d) MB", "\n".join(told))
    assert found
    return float(found[1])


def test_recomputing_and_smaller_micro_batches_are_seen_in_the_memory(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    plain = activations(lines(tmp_path, small_base))
    assert activations(lines(tmp_path, small_base, gradient_checkpointing=True)) < 0.8 * plain
    assert activations(lines(tmp_path, small_base, accumulate=2)) == pytest.approx(plain / 2, rel=0.1)


def test_what_cannot_be_trained_is_said_in_the_dry_run(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    with pytest.raises(ParameterError, match="evenly"):
        lines(tmp_path, small_base, scenes=3, accumulate=2)
    with pytest.raises(ParameterError, match="evenly"):
        lines(tmp_path, small_base, scenes=3, processes=2)


def test_the_share_of_one_process_is_told(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    text = "\n".join(lines(tmp_path, small_base, scenes=4, processes=2))
    assert "2 a step in 1 micro batches (each of 2 processes)" in text


def test_the_stage_names_it() -> None:
    assert load(STAGES["finetune"].rehearsal or "") is rehearse
