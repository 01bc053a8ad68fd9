"""Small real bodies for tests of the runner: numbers are made, doubled and summed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from vantage.core.errors import ScanError
from vantage.core.memo import Memo
from vantage.core.sections import shared
from vantage.core.seeds import rng
from vantage.core.tasks import Facts, Task
from vantage.pipeline.stages import StageBody, Table
from vantage.records.index import IndexRow


@dataclass(frozen=True)
class Inner:
    """Nested parameters."""

    low: Annotated[int, Ge(0)] = 1
    """The least number."""


@dataclass(frozen=True)
class Common:
    """What several stages read."""

    unit: Literal["m", "mm"] = "m"
    """Of every number."""


@dataclass(frozen=True)
class MakeConfig:
    """Numbers.

    Attributes:
        count: how many scans.
        scale: factor of
            every number.
        mode: how to end.
    """

    count: Annotated[int, Ge(0)] = 4
    scale: float = 1.0
    mode: Literal["plain", "fancy"] = "plain"
    inner: Inner = field(default_factory=Inner)  # what lies within
    bad: tuple[str, ...] = ()


@dataclass(frozen=True)
class DoubleConfig:
    # Factor of the second stage.
    factor: int = 2
    pause: float = 0.0
    common: Common = field(default_factory=Common, metadata=shared("common"))
    misdeeds: dict[str, str] = field(default_factory=dict)
    """What goes wrong, by scan."""


@dataclass(frozen=True)
class Arm:
    power: int = 1


@dataclass(frozen=True)
class TotalConfig:
    """Sums, by arm."""

    common: Common = field(default_factory=Common, metadata=shared("common"))
    arms: dict[str, Arm] = field(default_factory=lambda: {"plain": Arm(), "square": Arm(2)})


def list_scans(config: MakeConfig, seed: int) -> list[str]:
    return [f"scan{k}" for k in range(config.count)]


def outside(config: MakeConfig, item: str, memo: Memo) -> str:
    """What an environment variable's folder says about an item."""
    folder = os.environ.get("SMALL_OUTSIDE")
    path = Path(folder) / item if folder else None
    return path.read_text() if path and path.is_file() else ""


def make(task: Task, config: MakeConfig) -> Facts:
    if task.item in config.bad:
        raise ScanError(
            "the number is bad", where=task.out.parent.parent / "x", expected="a good one", found=13
        )
    number = float(rng(task.seed, "make", task.item).integers(config.inner.low, 1000)) * config.scale
    (task.out / "deep").mkdir()
    (task.out / "deep" / "number.json").write_text(json.dumps(number))
    (task.out / "name.txt").write_text(task.item + outside(config, task.item, Memo()))
    return {"number": number}


def double(task: Task, config: DoubleConfig) -> Facts:
    log = os.environ.get("SMALL_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"{task.item}\n")
    number = json.loads((task.inputs["make"] / "deep" / "number.json").read_text())
    misdeed = config.misdeeds.get(task.item)
    if misdeed:
        _misbehave(misdeed, task)
    steps = 5
    for step in range(steps):
        time.sleep(config.pause / steps)
        task.progress.step(step + 1, steps, "doubling")
    (task.out / "number.json").write_text(json.dumps(number * config.factor))
    return {"doubled": number * config.factor}


def _misbehave(misdeed: str, task: Task) -> None:
    if misdeed == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    if misdeed == "segv once" and not (task.work / "seen").exists():
        (task.work / "seen").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    if misdeed == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if misdeed == "bug":
        raise ZeroDivisionError("a bug")
    if misdeed == "aside":
        raise ScanError("cannot be doubled")
    if misdeed == "big":
        (task.out / "big.bin").write_bytes(bytes(64 << 20))


def check_number(folder: Path) -> None:
    assert (folder / "number.json").is_file()


def total(task: Task, config: TotalConfig) -> Facts:
    assert list(config.arms) == [task.item], "an arm sees itself alone"
    paths = sorted(task.inputs["double"].glob("*/number.json"))
    value = sum(json.loads(path.read_text()) ** config.arms[task.item].power for path in paths)
    (task.out / "total.json").write_text(json.dumps(value))
    return {"total": value, "threads": os.environ["OMP_NUM_THREADS"]}


def report(task: Task, config: TotalConfig, rows: Sequence[IndexRow]) -> Facts:
    done = [row.item for row in rows if row.status == "done"]
    totals = {item: json.loads((task.out / item / "total.json").read_text()) for item in done}
    (task.out / "summary.json").write_text(json.dumps(totals))
    return {"arms": len(done)}


_HERE = "small_stages"
TABLE: Table = {
    "make": StageBody(
        f"{_HERE}:make",
        f"{_HERE}:MakeConfig",
        items=f"{_HERE}:list_scans",
        listing=("count",),
        fingerprint=f"{_HERE}:outside",
    ),
    "double": StageBody(f"{_HERE}:double", f"{_HERE}:DoubleConfig"),
    "total": StageBody(f"{_HERE}:total", f"{_HERE}:TotalConfig", per_item="arms", finish=f"{_HERE}:report"),
}

PIPELINE = """\
stages:
  make:
    desc: Numbers.
    cmd: vantage run make
    params: [seed, contracts, make]
    outs:
      - data/numbers: {cache: false}
    meta: {group: small, unit: scan, contract: files}
  double:
    desc: Doubled.
    cmd: vantage run double
    deps: [data/numbers]
    params: [seed, contracts, double]
    outs: [data/doubled]
    meta: {group: small, unit: scan, contract: files}
  total:
    desc: Sums.
    cmd: vantage run total
    deps: [data/doubled]
    params: [seed, total]
    outs: [reports/total]
    meta: {group: small, unit: arm, resources: {cpu: 2}, contract: files}
"""
