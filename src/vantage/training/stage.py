"""The finetune stage: one arm from the pipeline's folders to an adapter."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from vantage.core import atomic
from vantage.core.hashing import canonical_json, digest_json
from vantage.core.tasks import Facts, Task
from vantage.models.checkpoint import AdapterConfig, adapter_state, base_digest, load_base, save_adapter
from vantage.training.arm import Arm
from vantage.training.config import FinetuneConfig
from vantage.training.loop import Plan, threads, train, use_bf16
from vantage.training.samples import load_samples

HISTORY_FILE = "history.jsonl"


def finetune(task: Task, config: FinetuneConfig) -> Facts:
    """Train the arm `task.item`: `model.safetensors` (trained tensors alone), `config.json`, `history.jsonl`.

    Raises:
        ParameterError: no such arm.
        ContractError: nothing to train on, or records or the base do not fit.
    """
    arm_config = config.arm(task.item)
    base_dir = None if config.base == "shipped" else Path(config.base)
    samples = load_samples(
        dict(task.inputs), config.families, lambda d, t: task.progress.step(0, 1, f"reading scans {d}/{t}")
    )
    bf16 = use_bf16(config.precision)
    settings = {**asdict(config), "arms": None, "checkpoint_every": None, "bf16": bf16}
    base_sha256 = base_digest(base_dir)
    key = digest_json([settings, asdict(arm_config), task.seed, base_sha256, samples.digest()])
    with threads(config.threads):
        arm = Arm(load_base(base_dir), arm_config, samples, task.seed)
        plan = Plan(config, arm_config, task.seed, key)
        losses = train(arm, samples, plan, task.work, task.progress)
    described = AdapterConfig(
        base_sha256=base_sha256,
        site=arm_config.site,
        recipe=arm_config.recipe,
        coordinates=arm_config.coordinates,
    )
    save_adapter(task.out, adapter_state(arm.base, arm.injector), described)
    rows = [canonical_json({"step": step + 1, "loss": round(loss, 6)}) for step, loss in enumerate(losses)]
    atomic.write_text(task.out / HISTORY_FILE, "".join(row + "\n" for row in rows))
    last = losses[-50:]
    return {
        "steps": len(losses),
        "situations": len(samples.situations),
        "questions": samples.questions,
        "trained_parameters": sum(p.numel() for p in arm.trained().values()),
        "final_loss": sum(last) / len(last),
        "precision": "bf16" if bf16 else "fp32",
        "threads": config.threads,
    }
