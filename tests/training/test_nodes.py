"""Two machines, played by two launchers on loopback: what they train is what one machine trains."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vantage.core.errors import ContractError
from vantage.core.hashing import digest_tree

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("node_process.py")
STAGE = {
    "desc": "Arms.", "cmd": "vantage run finetune", "params": ["seed", "finetune"], "outs": ["models/arms"],
    "meta": {"group": "training", "unit": "arm", "contract": "files"},
}  # fmt: skip
SCANS = {**STAGE, "params": ["seed", "download"], "outs": ["data/raw"]}
SCANS["meta"] = {"group": "scans", "unit": "scan", "contract": "files"}
ARMS = {"embedding": {"site": "post_vit"}, "projector": {"site": "none"}}


def workspace(root: Path, base: Path, processes: int, **changes: Any) -> Path:
    root.mkdir(parents=True)
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"download": SCANS, "finetune": STAGE}}))
    given = {"steps": 20, "scenes": 2, "questions": 3, "warm_up": 3, "precision": "fp32"}
    section = {**given, "processes": processes, "checkpoint_every": 5, "arms": ARMS, **changes}
    (root / "params.yaml").write_text(
        yaml.safe_dump({"seed": 4, "base": {"model": str(base)}, "finetune": section})
    )
    return root


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    waits = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "VANTAGE_NODES_TIMEOUT_S": "60"}
    return os.environ | waits | more


def start(command: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def by_torchrun(roots: list[Path]) -> list[subprocess.Popen[str]]:
    """Two launches of one process each."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"]
    launch += ["--master_addr", "127.0.0.1", "--master_port", str(free_port())]
    return [
        start([*launch, "--node_rank", str(rank), str(SCRIPT), str(root), "finetune"], environment())
        for rank, root in enumerate(roots)
    ]


def by_variables(roots: list[Path]) -> list[subprocess.Popen[str]]:
    """As an Indexed Job starts a process in each pod."""
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
    }
    return [
        start([sys.executable, str(SCRIPT), str(root), "finetune"], environment(**common, RANK=str(rank)))
        for rank, root in enumerate(roots)
    ]  # fmt: skip


def ended(nodes: list[subprocess.Popen[str]], within_s: float = 240) -> list[tuple[int, str, str]]:
    """Return code, output and errors of each."""
    deadline, found = time.monotonic() + within_s, []
    try:
        for node in nodes:
            out, err = node.communicate(timeout=deadline - time.monotonic())
            found.append((node.returncode, out, err))
    finally:
        for node in nodes:
            if node.poll() is None:
                os.killpg(node.pid, signal.SIGKILL)
    return found


def losses(root: Path, arm: str) -> list[float]:
    rows = (root / f"models/arms/{arm}/history.jsonl").read_text().splitlines()
    return [json.loads(row)["loss"] for row in rows]


@pytest.fixture(scope="module")
def two_here(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes of one machine train."""
    root = workspace(tmp_path_factory.mktemp("two") / "ws", small_base, 2)
    ((code, _, err),) = ended([start([sys.executable, str(SCRIPT), str(root), "finetune"], environment())])
    assert code == 0, err
    return root


@pytest.mark.parametrize("how", [by_torchrun, by_variables])
def test_two_nodes_write_the_bytes_of_one_machine(
    how: Any, two_here: Path, small_base: Path, tmp_path: Path
) -> None:
    root = workspace(tmp_path / "ws", small_base, 2)
    first, second = ended(how([root, root]))
    assert first[0] == second[0] == 0, first[2] + second[2]
    assert "2 of 2 items done" in first[1] and "items done" not in second[1]
    assert digest_tree(root / "models/arms") == digest_tree(two_here / "models/arms")
    assert not list((root / ".vantage/work").rglob("nodes-*"))


def test_their_losses_are_those_of_one_process(two_here: Path, small_base: Path, tmp_path: Path) -> None:
    root = workspace(tmp_path / "ws", small_base, 1)
    ((code, _, err),) = ended([start([sys.executable, str(SCRIPT), str(root), "finetune"], environment())])
    assert code == 0, err
    for arm in ARMS:
        pairs = zip(losses(root, arm), losses(two_here, arm), strict=True)
        assert max(abs(a - b) for a, b in pairs) <= 1.1e-6, arm  # written with six digits


def kill(node: subprocess.Popen[str]) -> None:
    """All of a machine at once."""
    own = {node.pid}
    for _ in range(4):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (OSError, IndexError):
                    continue
                if parent in own:
                    own.add(int(entry.name))
    for pid in own:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("dead", [1, 0])
def test_the_others_stop_when_a_node_dies_and_the_same_command_goes_on(
    dead: int, two_here: Path, small_base: Path, tmp_path: Path
) -> None:
    root = workspace(tmp_path / "ws", small_base, 2, arms={"embedding": ARMS["embedding"]})
    nodes = by_torchrun([root, root])
    deadline = time.monotonic() + 120
    while not list(root.rglob("last.safetensors")):
        assert time.monotonic() < deadline and nodes[0].poll() is None
        time.sleep(0.02)
    began = time.monotonic()
    kill(nodes[dead])
    alive = ended([nodes[1 - dead]], 100)[0]
    assert alive[0] != 0 and time.monotonic() - began < 90
    assert "training process" in alive[2] or "of this training is gone or silent" in alive[2], alive[2]
    assert not (root / "models/arms").exists()
    first, second = ended(by_torchrun([root, root]))
    assert first[0] == second[0] == 0, first[2] + second[2]
    arm = Path("models/arms/embedding")
    assert digest_tree(root / arm) == digest_tree(two_here / arm)


@pytest.fixture
def pair(small_base: Path, tmp_path: Path) -> Iterator[list[Path]]:
    yield [workspace(tmp_path / name, small_base, 2) for name in ("a", "b")]


def refused(nodes: list[subprocess.Popen[str]], *said: str) -> None:
    for code, out, err in ended(nodes, 120):
        assert code != 0 and all(text in err for text in said), (out, err)


def test_one_that_leaves_with_an_error_is_not_waited_for() -> None:
    from torch.distributed import HashStore

    from vantage.training import nodes

    store = HashStore()
    first, second = (nodes.Nodes(store, rank, 2, ()) for rank in range(2))
    second.end(ContractError("another base"))
    began = time.monotonic()
    first.end(ContractError("another base"))
    assert time.monotonic() - began < nodes._PARTING_S / 2


def test_a_node_with_other_parameters_is_named(pair: list[Path]) -> None:
    path = pair[1] / "params.yaml"
    path.write_text(path.read_text().replace("warm_up: 3", "warm_up: 4"))
    refused(by_variables(pair), "process 1", socket.gethostname(), "the section of the parameters")


def test_a_node_with_another_base_is_named(pair: list[Path], small_base: Path, tmp_path: Path) -> None:
    """Under one path, as on a disk of each machine's own."""
    for root in pair:
        shutil.copytree(small_base, root / "base")
        path = root / "params.yaml"
        path.write_text(path.read_text().replace(str(small_base), "base"))
    weights = pair[1] / "base" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    refused(by_variables(pair), "process 1", "base model")


def test_a_node_without_the_workspace_of_the_first_is_named(pair: list[Path]) -> None:
    refused(by_variables(pair), "process 1", "b/.vantage/work is not", "a/.vantage/work of process 0")


def test_the_error_of_one_is_the_verdict_of_all(small_base: Path, tmp_path: Path) -> None:
    root = workspace(tmp_path / "ws", small_base, 2, scenes=3)
    refused(by_variables([root, root]), "divided evenly", "finetune.scenes")


def test_another_number_of_processes_is_refused(small_base: Path, tmp_path: Path) -> None:
    root = workspace(tmp_path / "ws", small_base, 3)
    refused(by_variables([root, root]), "finetune.processes", "expected: 3", "found: 2")


@pytest.mark.parametrize("stage", [("download",), ("finetune", "dry")])
def test_what_is_not_for_several_processes_says_so(
    stage: tuple[str, ...], small_base: Path, tmp_path: Path
) -> None:
    root = workspace(tmp_path / "ws", small_base, 2)
    variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    refused(
        [start([sys.executable, str(SCRIPT), str(root), *stage], environment(**variables))],
        "several processes cannot run stage", "WORLD_SIZE",
    )  # fmt: skip
