"""The `promote` stage: runs in MLflow, the headline arm as a registered model, the alias if it earned it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core import atomic
from vantage.core.hashing import digest_file, digest_json
from vantage.core.tasks import Facts, Task
from vantage.records.jsonfile import read_json_record
from vantage.records.predictions import Prediction, read_predictions
from vantage.registry import benchmark_gate
from vantage.registry.card import About, model_card
from vantage.registry.config import PromoteConfig
from vantage.registry.gate import Check, Gate, against_controls
from vantage.registry.lineage import log_arms
from vantage.registry.packaging import ModelFiles
from vantage.registry.promote import Candidate, download_weights, settle, version_of
from vantage.registry.staging import answers_with, stage_weights
from vantage.registry.store import Store, find_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

DECISION_FILE = "decision.json"


def promote(task: Task, config: PromoteConfig) -> Facts:
    """Write `decision.json` and `README.md` (the model card) after settling the candidate in the registry.

    A refusal is a result like any other; its reasons are in the decision. The decision holds no version
    number, id or time.

    Raises:
        ContractError: the evaluation lacks the headline arm, or files of the model are missing.
    """
    arms, evaluation = task.inputs["finetune"], task.inputs["evaluate"]
    report = read_json_record(evaluation / "report.json", "evaluation", 1)
    arm = report["headline"]["arm"]
    gate = Gate(report["headline"]["family"], report["headline"]["slice"], config, task.seed)
    store = find_store(arms)
    asked = benchmark_gate.asked_files(config, store.folder.parent)
    task.progress.say(f"recording runs in {store.uri}")
    runs = log_arms(store, arms, evaluation, task.inputs, store.folder.parent)
    with tempfile.TemporaryDirectory(prefix="vantage-promote-") as folder:
        staged = stage_weights(Path(folder), arms / arm, config)
        about = About.of(staged)

        def files(decision: dict[str, Any]) -> ModelFiles:
            return replace(staged, card=model_card(config.model_name, report, decision, about))

        answers = {i: read_predictions(evaluation / i) for i in (*report["arms"], *report["controls"])}
        candidate = Candidate(
            name=config.model_name,
            arm=arm,
            files=files,
            digest=staged.digest,
            run_id=runs[arm],
            key=digest_json(
                [digest_file(evaluation / "report.json"), asdict(config), task.seed, _digests(asked)]
            ),
            scores=_headline_scores(report),
            predictions=answers[arm],
            checks=_checks(gate, report, answers, config),
            benchmarks=partial(_on_benchmarks, store, asked, arms / arm, config, task.seed, Path(folder)),
            files_asked=_digests(asked),
        )

        def answers_of(version: ModelVersion) -> Sequence[Prediction]:
            task.progress.say(f"scoring the champion, version {version.version}, on the same questions")
            return answers_with(task, *download_weights(store, version, Path(tempfile.mkdtemp(dir=folder))))

        decision = settle(store, gate, candidate, answers_of)
        version = version_of(store, config.model_name, staged.digest)
        assert version is not None  # it was registered just now
        benchmark_gate.keep_files(store, version, asked)
        atomic.write_json(task.out / DECISION_FILE, decision)
        atomic.write_text(task.out / "README.md", files(decision).card)
    task.progress.say(f"{decision['outcome']}: " + "; ".join(decision["reasons"]))
    return {"outcome": decision["outcome"], "model_digest": decision["model_digest"]}


def _checks(
    gate: Gate, report: Mapping[str, Any], answers: Mapping[str, Sequence[Prediction]], config: PromoteConfig
) -> list[Any]:
    arm, name = report["headline"]["arm"], report["headline"]["baseline"]
    baseline = (name, answers[name]) if name in answers else None
    trained = [control for control in config.trained_controls if control in report["arms"]]
    controls = {control: answers[control] for control in (*trained, *report["controls"])}
    return against_controls(gate, answers[arm], baseline, controls)


def _digests(asked: Sequence[benchmark_gate.Asked]) -> dict[str, str]:
    return {one.name: one.digest for one in asked}


def _on_benchmarks(
    store: Store,
    asked: Sequence[benchmark_gate.Asked],
    arm: Path,
    config: PromoteConfig,
    seed: int,
    into: Path,
    version: ModelVersion | None,
    champion: ModelVersion | None,
) -> Sequence[Check]:
    theirs = None if champion is None else partial(benchmark_gate.kept_file, store, champion, into)
    return benchmark_gate.checks(
        asked, partial(benchmark_gate.is_model, store, version, arm), theirs, config, seed
    )


def _headline_scores(report: Mapping[str, Any]) -> dict[str, float]:
    return {item: scores["exact"]["percent"] for item, scores in report["groups"][0]["items"].items()}
