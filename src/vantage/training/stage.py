"""The finetune stage: one arm from the pipeline's folders to an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.core.errors import ParameterError
from vantage.core.hashing import canonical_json, digest_json
from vantage.core.tasks import Facts, Task
from vantage.models.checkpoint import (
    AdapterConfig,
    adapter_state,
    base_digest,
    load_base,
    save_adapter,
)
from vantage.models.model_files import is_pocket
from vantage.training.arm import Arm
from vantage.training.collate import ArmBatches, Fixed
from vantage.training.config import ArmConfig, FinetuneConfig
from vantage.training.loop import Outcome, Plan, train
from vantage.training.place import launched, threads, use_bf16
from vantage.training.protocols import Asked, BatchSource, Trainable
from vantage.training.samples import Samples, load_samples
from vantage.training.shown import shown

HISTORY_FILE = "history.jsonl"
_NOT_IN_BYTES = ("arms", "checkpoint_every", "workers", "resume")


@dataclass(frozen=True)
class Prepared:
    """An arm that is ready to train.

    Attributes:
        arm: the model.
        source: its batches.
        validation: those that are only looked at; None for none.
        plan: how it is trained.
        facts: counts of what it is trained on.
        save: writes what it has learned into a folder.
        asked: questions that it is asked at each validation; None for none.
    """

    arm: Trainable
    source: BatchSource
    validation: Fixed | None
    plan: Plan
    facts: Facts
    save: Callable[[Path], None]
    asked: Asked | None = None


def prepare(task: Task, config: FinetuneConfig) -> Prepared:
    """Build the arm `task.item`; see `finetune` for what is raised."""
    if is_pocket(config.base.model):
        return _pocket(task, config)
    from vantage.training.vlm_arm import prepare_vlm

    made = prepare_vlm(task, config)
    plan = _plan(config, task, made.digest())
    return Prepared(made.model, made.source, made.validation, plan, made.facts(), made.save, made.asked)


def _pocket(task: Task, config: FinetuneConfig) -> Prepared:
    arm_config = config.arm(task.item)
    if arm_config.recipe != "multiview" or arm_config.options is not None:
        raise ParameterError(
            "the pocket model is trained by one recipe", where=f"finetune.arms.{task.item}",
            expected="recipe: multiview without options",
            found=f"recipe: {arm_config.recipe}, options: {arm_config.options}",
            hint="name a vision-language model as base.model",
        )  # fmt: skip
    base_dir = None if config.base.model == "shipped" else Path(config.base.model)
    samples = load_samples(
        dict(task.inputs), config.families, lambda d, t: task.progress.step(0, 1, f"reading scans {d}/{t}")
    )
    base_sha256, validation = base_digest(base_dir), None
    if config.validate_every:
        samples, aside = samples.split(config.validation_share, task.seed)
        validation = Fixed(_batches(aside, arm_config, config, task.seed), config.validation_batches)
    source = _batches(samples, arm_config, config, task.seed)
    # The frozen tower's features of all frames are the arm's, so that both sources find theirs by row.
    arm = Arm(load_base(base_dir), arm_config, samples, task.seed)
    seen = [base_sha256, source.digest(), validation.digest() if validation else ""]
    described = AdapterConfig(
        base_sha256=base_sha256,
        site=arm_config.entry,
        recipe=arm_config.recipe,
        coordinates=arm_config.coordinates,
    )
    return Prepared(
        arm=arm,
        source=source,
        validation=validation,
        plan=_plan(config, task, digest_json(seen)),
        facts={"situations": len(samples.situations), "questions": samples.questions},
        save=lambda folder: save_adapter(folder, adapter_state(arm.base, arm.injector), described),
    )


def finetune(task: Task, config: FinetuneConfig) -> Facts:
    """Train the arm `task.item`: `model.safetensors` (trained tensors alone), `config.json`, `history.jsonl`.

    Raises:
        ParameterError: no such arm.
        ContractError: nothing to train on, or records or the base do not fit; a damaged checkpoint.
        ResourceError: a checkpoint could not be written.
        VantageError: a loss that is not finite.
    """
    if config.processes > 1 or launched():
        from vantage.training.processes import in_processes

        return in_processes(task, config)
    return train_arm(task, config)


def train_arm(task: Task, config: FinetuneConfig) -> Facts:
    """What `finetune` does in each process; the first one writes."""
    with threads(config.threads):
        made = prepare(task, config)
        with shown(task, config, made.plan.key) as run:
            outcome = train(
                made.arm,
                made.source,
                made.plan,
                task.work,
                task.progress,
                validation=made.validation,
                run=run,
                asked=made.asked,
            )
            if outcome.main:
                made.save(task.out)
                rows = "".join(f"{canonical_json(row)}\n" for row in _rows(outcome))
                atomic.write_text(task.out / HISTORY_FILE, rows)
    last = outcome.losses[-50:]
    best = min(outcome.validation, key=lambda row: row[1], default=None)
    return {
        "steps": len(outcome.losses),
        **made.facts,
        "trained_parameters": sum(p.numel() for p in made.arm.trained().values()),
        "final_loss": sum(last) / len(last),
        **({} if best is None else {"best_step": best[0], "best_validation_loss": best[1]}),
        "data_wait_share": round(outcome.data_wait_share, 4),
        "precision": "bf16" if use_bf16(config.precision) else "fp32",
        "threads": config.threads,
    }


def _batches(samples: Samples, arm: ArmConfig, config: FinetuneConfig, seed: int) -> ArmBatches:
    return ArmBatches(
        samples, seed, config.scenes, config.questions, arm.coordinates, accumulate=config.accumulate
    )


def _plan(config: FinetuneConfig, task: Task, data: str) -> Plan:
    """`data` is the digest of base and samples; with all settings it says which run a checkpoint is of."""
    arm, seed = config.arm(task.item), task.seed
    settings = {**asdict(config), **dict.fromkeys(_NOT_IN_BYTES), "bf16": use_bf16(config.precision)}
    # `data` tells which base it is, wherever that lies.
    del settings["vlm"]["asked"], settings["base"]["model"], settings["base"]["revision"]
    key = digest_json([settings, asdict(arm), seed, data])
    return Plan(
        steps=arm.steps or config.steps,
        key=key,
        seed=seed,
        warm_up=config.warm_up,
        weight_decay=config.weight_decay,
        precision=config.precision,
        checkpoint_every=config.checkpoint_every,
        validate_every=config.validate_every,
        patience=config.patience,
        best=config.keep == "best",
        workers=config.workers,
        resume=config.resume,
        gradient_checkpointing=config.gradient_checkpointing,
    )


def _rows(outcome: Outcome) -> list[dict[str, Any]]:
    """A row for each step; with the validation loss where it was taken."""
    validated = dict(outcome.validation)
    return [
        {"step": step, "loss": round(loss, 6)}
        | ({"validation_loss": round(validated[step], 6)} if step in validated else {})
        for step, loss in enumerate(outcome.losses, 1)
    ]
