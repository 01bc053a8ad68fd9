"""accelerate's launcher: what it may ask for, what it may not, and what of its settings changes nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
import yaml
from test_nodes import ARMS, SCRIPT, ended, environment, losses, start, workspace
from toy import Toy, ToySource

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_tree
from vantage.core.progress import Silent
from vantage.training.loop import Plan, train
from vantage.training.place import require_known_launch

DIVIDED = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1000",  # accelerate's own, as a configuration file leaves it
    "ACCELERATE_DYNAMO_BACKEND": "EAGER",
    "ACCELERATE_MIXED_PRECISION": "bf16",
}


def learned(folder: Path) -> tuple[list[float], torch.Tensor]:
    model = Toy()
    plan = Plan(steps=6, key="k", precision="fp32", warm_up=2)
    found = train(model, ToySource(), plan, folder, Silent())
    return list(found.losses), torch.cat([p.detach().flatten() for p in model.trained().values()])


def test_settings_that_are_the_loops_own_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, numbers = learned(tmp_path / "plain")
    for name, value in DIVIDED.items():
        monkeypatch.setenv(name, value)
    again, others = learned(tmp_path / "set")
    assert again == plain and torch.equal(numbers, others)


@pytest.mark.parametrize("name", ["DEEPSPEED", "MEGATRON_LM", "PARALLELISM_CONFIG"])
def test_ways_to_train_that_are_not_supported_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    with pytest.raises(ParameterError, match="not supported") as refused:
        learned(tmp_path)
    assert name in str(refused.value.where) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("version", "world", "fits"), [("1", "2", False), (None, "2", False),
                                                        ("2", "2", True), ("1", "1", True)])  # fmt: skip
def test_several_processes_are_sharded_by_the_second_fsdp_alone(
    version: str | None, world: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("WORLD_SIZE", world)
    if version is None:
        monkeypatch.delenv("FSDP_VERSION", raising=False)
    else:
        monkeypatch.setenv("FSDP_VERSION", version)
    if fits:
        require_known_launch()
        return
    with pytest.raises(ParameterError, match="not supported") as refused:
        require_known_launch()
    assert "--fsdp_version 2" in str(refused.value.expected)


def test_the_indexed_job_of_the_docs_fits_together() -> None:
    """Names, counts and the command's numbers; the command itself is what `test_nodes` runs."""
    text = (Path(__file__).parents[2] / "docs/training.md").read_text()
    (block,) = (part for part in re.findall(r"```yaml\n(.*?)```", text, re.S) if "batch/v1" in part)
    service, job = yaml.safe_load_all(block)
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    pod = spec["template"]["spec"]
    assert set(spec) == {"completionMode", "completions", "parallelism", "backoffLimit", "template"}
    assert spec["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never"
    assert service["spec"]["clusterIP"] == "None"  # headless: each pod has a name of its own
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert pod["subdomain"] == service["metadata"]["name"]
    (container,) = pod["containers"]
    (line,) = container["args"]
    words = dict(re.findall(r"--(\w+) (\S+)", line))
    assert container["command"] == ["sh", "-c"] and line.endswith(" -m vantage run finetune")
    assert int(words["nnodes"]) == spec["completions"] == spec["parallelism"]
    assert int(words["nproc_per_node"]) == container["resources"]["limits"]["nvidia.com/gpu"]
    assert words["node_rank"] == "$JOB_COMPLETION_INDEX"
    assert words["master_addr"] == f"{job['metadata']['name']}-0.{pod['subdomain']}"
    assert {v["name"] for v in pod["volumes"]} == {v["name"] for v in container["volumeMounts"]}


@pytest.mark.slow
def test_accelerate_launch_starts_the_stage(small_base: Path, tmp_path: Path) -> None:
    """`--cpu` starts one process whatever `--num_processes` says; `finetune.processes` counts then too."""
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "bf16", "--dynamo_backend", "no", "--main_process_port", "0"]
    roots = []
    for kind in ("--multi_gpu", "--cpu"):
        root = workspace(tmp_path / kind, small_base, 2, arms={"projector": ARMS["projector"]}, steps=4)
        ((code, _, err),) = ended([start([*launch, kind, str(SCRIPT), str(root), "finetune"], environment())])
        assert code == 0, err
        assert len(losses(root, "projector")) == 4
        roots.append(root)
    assert digest_tree(roots[0] / "models/arms") == digest_tree(roots[1] / "models/arms")
