"""`finetune.processes`: several processes write the adapter of one, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from vantage.core.errors import ParameterError, VantageError
from vantage.core.tasks import Task
from vantage.models.config import BaseConfig
from vantage.training import processes
from vantage.training.config import FinetuneConfig
from vantage.training.stage import HISTORY_FILE, finetune


class Heard:
    """Progress and tracker that remember."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.said: list[str] = []
        self.runs: list[str] = []
        self.logged: list[tuple[int, float]] = []
        self.digests: list[str | None] = []

    def step(self, done: int, total: int, note: str = "") -> None:
        self.steps.append(done)

    def say(self, text: str) -> None:
        self.said.append(text)

    def open(self, name: str, key: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> Any:
        self.runs.append(name)
        return self

    def record(self, name: str, digest: str, **_: Any) -> str:
        raise AssertionError("training records nothing")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self.logged.append((step, metrics["loss"]))

    def table(self, *_: object) -> None:
        raise AssertionError("the pocket model is asked nothing")

    def close(self, digest: str | None) -> None:
        self.digests.append(digest)


def config(base: Path, **changes: Any) -> FinetuneConfig:
    given = {"steps": 20, "scenes": 2, "questions": 3, "warm_up": 3, "precision": "fp32"}
    return FinetuneConfig(BaseConfig(str(base)), **(given | changes))


def task(folder: Path, heard: Heard, item: str = "embedding") -> Task:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True)
    return Task(item, {}, folder / "out", folder / "work", seed=4, progress=heard, tracker=heard)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROGRAM", (str(Path(__file__).with_name("arm_process.py")),))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_two_processes_write_the_adapter_of_one(
    small_base: Path, tmp_path: Path, use_samples: Callable[[], None], program: None
) -> None:
    use_samples()
    alone, together = Heard(), Heard()
    one = finetune(task(tmp_path / "one", alone), config(small_base))
    two = finetune(task(tmp_path / "two", together), config(small_base, processes=2))
    assert two.keys() == one.keys() and two["steps"] == 20
    assert abs(float(two["final_loss"]) - float(one["final_loss"])) < 1e-4
    out = {name: tmp_path / name / "out" for name in ("one", "two")}
    assert {p.name for p in out["one"].iterdir()} == {p.name for p in out["two"].iterdir()}
    assert (out["one"] / "config.json").read_bytes() == (out["two"] / "config.json").read_bytes()
    mine, theirs = (load_file(folder / "model.safetensors") for folder in out.values())
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        assert np.allclose(value, theirs[name], atol=1e-4), name
    assert len((out["two"] / HISTORY_FILE).read_text().splitlines()) == 20
    # One process tells, as one process alone does.
    assert together.runs == ["embedding"] and [s for s, _ in together.logged] == list(range(1, 21))
    assert np.allclose([v for _, v in together.logged], [v for _, v in alone.logged], atol=1e-4)
    assert len(together.digests) == 1 and together.digests[0]
    assert [s for s in together.steps if s] == [s for s in alone.steps if s]
    assert [line.split()[0] for line in alone.said] == [line.split()[0] for line in together.said]


def test_what_a_process_raises_is_raised_here(small_base: Path, tmp_path: Path, program: None) -> None:
    with pytest.raises(ParameterError, match="divided evenly") as caught:
        finetune(task(tmp_path, Heard()), config(small_base, scenes=3, processes=2))
    assert caught.value.where == "finetune.scenes" and caught.value.hint is None
    assert not list((tmp_path / "out").iterdir())


def test_a_process_that_dies_is_told_with_what_it_wrote(
    small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "dies.py"
    script.write_text("import os, sys\nprint('the disk is on fire', file=sys.stderr)\nos._exit(9)\n")
    monkeypatch.setattr(processes, "PROGRAM", (str(script),))
    with pytest.raises(VantageError, match="ended without a word") as caught:
        finetune(task(tmp_path / "arm", Heard()), config(small_base, processes=2))
    assert str(tmp_path / "arm" / "work" / "processes.log") in str(caught.value.hint)
    assert "the disk is on fire" in (tmp_path / "arm" / "work" / "processes.log").read_text()
