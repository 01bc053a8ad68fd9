"""`kill -9` anywhere, then the same command again: the losses and bytes of a run that was never broken."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from toy_process import SHARDED, command, environment, result, toy

pytestmark = pytest.mark.slow

DROPPED = {"steps": 24, "checkpoint_every": 4, "dropout": 0.3}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `DROPPED` comes to when nothing is killed."""
    folder = tmp_path_factory.mktemp("unbroken")
    whole = toy(folder, DROPPED)
    assert whole.returncode == 0, whole.stderr
    return result(folder)


@pytest.mark.parametrize(
    ("settings", "processes"),
    [
        (DROPPED, 1),
        (DROPPED | {"accumulate": 4, "workers": 2}, 1),
        (DROPPED | {"validate_every": 3, "patience": 2, "best": True}, 1),
        (DROPPED | {"accumulate": 2, "validate_every": 6}, 2),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path: Path, settings: dict[str, Any], processes: int
) -> None:
    whole = toy(tmp_path / "whole", settings, processes)
    assert whole.returncode == 0, whole.stderr
    killed = toy(tmp_path / "broken", settings | {"kill_at": 10}, processes)
    assert killed.returncode != 0 and "finished" not in killed.stdout
    assert (tmp_path / "broken/work/last.safetensors").is_file()
    resumed = toy(tmp_path / "broken", settings, processes)
    assert resumed.returncode == 0, resumed.stderr
    assert result(tmp_path / "broken") == result(tmp_path / "whole")


@pytest.mark.parametrize("checkpoint", [1, 2])
def test_a_kill_in_the_middle_of_a_checkpoint_leaves_the_one_before(
    unbroken: dict[str, Any], tmp_path: Path, checkpoint: int
) -> None:
    killed = toy(tmp_path / "broken", DROPPED | {"die_while_writing": checkpoint})
    assert killed.returncode == -signal.SIGKILL
    work = tmp_path / "broken/work"
    assert (work / "last.safetensors").is_file() == (checkpoint > 1)
    assert len(list(work.glob(".*.tmp"))) == 1
    assert toy(tmp_path / "broken", DROPPED).returncode == 0
    assert result(tmp_path / "broken") == unbroken
    assert not list(work.glob(".*.tmp")), "what the kill left is gone"


def test_kills_at_any_moment_change_nothing(tmp_path: Path) -> None:
    settings = {"steps": 300, "checkpoint_every": 1, "dropout": 0.3, "accumulate": 2}
    assert toy(tmp_path / "whole", settings).returncode == 0
    draw, kills = random.Random(0), 0
    for _ in range(6):
        process = subprocess.Popen(
            command(tmp_path / "broken", settings), env=environment(), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()  # the parameter tree: training begins
        time.sleep(draw.uniform(0.0, 0.8))
        kills += process.poll() is None
        process.kill()
        process.communicate()
        if (tmp_path / "broken/rank0.json").is_file():
            break
    assert kills, "the run was over before it could be killed"
    assert toy(tmp_path / "broken", settings).returncode == 0
    assert result(tmp_path / "broken") == result(tmp_path / "whole")


def test_a_sharded_run_goes_on_to_the_same_bytes_as_well(tmp_path: Path) -> None:
    settings = {"steps": 24, "checkpoint_every": 4, "accumulate": 2, "shard_on_cpu": True}
    whole = toy(tmp_path / "whole", settings, 2, **SHARDED)
    assert whole.returncode == 0, whole.stderr
    assert result(tmp_path / "whole")["sharded"]
    assert toy(tmp_path / "broken", settings | {"kill_at": 10}, 2, **SHARDED).returncode != 0
    assert toy(tmp_path / "broken", settings, 2, **SHARDED).returncode == 0
    assert result(tmp_path / "broken") == result(tmp_path / "whole")
