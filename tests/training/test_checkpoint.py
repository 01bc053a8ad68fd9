"""Checkpoints: whole or refused by name, and a full disk leaves the one before."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from toy import Toy, ToySource

from vantage.core.errors import ContractError, ResourceError
from vantage.core.progress import Silent
from vantage.training.checkpoint import LAST, State, read, write
from vantage.training.loop import Outcome, Plan, train

TENSORS = {"trained.a": torch.arange(6.0).reshape(2, 3), "optimiser.a:step": torch.tensor(7.0)}
STATE = State("key", [0.1, 1e-30, 3.0000000000000004], [(2, 0.5)], TENSORS)


def run(work: Path, steps: int = 12, *, resume: bool = True) -> Outcome:
    plan = Plan(12, "key", precision="fp32", checkpoint_every=4, resume=resume)
    if steps < 12:
        with pytest.raises(InterruptedError):
            train(Toy(), ToySource(), plan, work, StopAt(steps))
        return Outcome((), (), 0.0, True)
    return train(Toy(), ToySource(), plan, work, Silent())


class StopAt(Silent):
    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, done: int, total: int, note: str = "") -> None:
        if done >= self.at:
            raise InterruptedError


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    write(tmp_path / LAST, STATE)
    again = read(tmp_path / LAST)
    assert (again.key, again.losses, again.validation) == (STATE.key, STATE.losses, STATE.validation)
    assert again.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(again.tensors[name], value) for name, value in TENSORS.items())


def test_every_flipped_byte_and_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / LAST
    write(path, STATE)
    whole = path.read_bytes()
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        with pytest.raises(ContractError, match="damaged") as caught:
            read(path)
        assert LAST in str(caught.value)
    for length in (0, 7, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ContractError, match="damaged"):
            read(path)


def test_a_damaged_checkpoint_is_refused_until_told_to_begin_anew(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "broken", steps=10)
    path = tmp_path / "broken" / LAST
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ContractError) as caught:
        run(tmp_path / "broken")
    assert str(path) in str(caught.value) and "finetune.resume" in str(caught.value)
    assert path.read_bytes() == bytes(data), "it is left for whoever wants to look"
    assert run(tmp_path / "broken", resume=False).losses == whole.losses


def test_a_file_that_may_not_grow_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "full", steps=10)
    path = tmp_path / "full" / LAST
    kept = path.read_bytes()
    with files_no_larger_than(1000), pytest.raises(ResourceError, match="step 12") as caught:
        run(tmp_path / "full")
    assert "free space" in str(caught.value) and "is kept" in str(caught.value)
    assert path.read_bytes() == kept and sorted(p.name for p in path.parent.iterdir()) == [LAST]
    assert run(tmp_path / "full").losses == whole.losses


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        run(disk, steps=10)
        kept = (disk / LAST).read_bytes()
        (disk / "filler").write_bytes(b"x" * (shutil.disk_usage(disk).free - 4096))
        with pytest.raises(ResourceError, match="step 12") as caught:
            run(disk)
        assert "No space left" in str(caught.value) and "free space" in str(caught.value)
        assert (disk / LAST).read_bytes() == kept
        assert not list(disk.glob(".*.tmp"))
        (disk / "filler").unlink()
        assert run(disk).losses == run(tmp_path / "whole").losses
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    run(tmp_path, steps=10)
    model = Toy()
    model.spare.requires_grad_(False)
    with pytest.raises(ContractError, match="other parameters"):
        train(model, ToySource(), Plan(12, "key", precision="fp32"), tmp_path, Silent())
