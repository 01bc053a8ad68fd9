"""The MLflow runs of a workspace: one for each trained arm and one for each evaluated item.

They are written from the finished outputs and not while training, so that outputs which DVC restored from its
cache have their runs too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vantage.core.hashing import digest_file
from vantage.evaluation.table import exact
from vantage.models.checkpoint import CONFIG_FILE
from vantage.records.index import INDEX_FILE, read_index
from vantage.records.predictions import Prediction, read_predictions
from vantage.registry.store import Store
from vantage.registry.tracking import MlflowTracker, provenance_tags

HISTORY_FILE = "history.jsonl"


def log_arms(
    store: Store, arms: Path, evaluation: Path, inputs: Mapping[str, Path], root: Path
) -> dict[str, str]:
    """Record what is not recorded yet; returns the training run's id of every arm.

    Args:
        store: where to.
        arms: output folder of `finetune`.
        evaluation: output folder of `evaluate`.
        inputs: output folders of all stages known, whose digests the runs are tagged with.
        root: the workspace, for git and provenance.
    """
    tracker = MlflowTracker(store)
    tags = {**provenance_tags(root), **_data_tags(inputs)}
    runs = {}
    for row in read_index(arms):
        if row.status == "done":
            history = _history(arms / row.item / HISTORY_FILE)
            runs[row.item] = tracker.record(
                row.item,
                row.digest,
                params=_params(arms / row.item, root, row.digest),
                metrics={"steps": float(len(history))},
                tags={**tags, "vantage.stage": "finetune", "vantage.arm": row.item},
                history=history,
            )
    for row in read_index(evaluation):
        if row.status == "done":
            arm = row.item.partition("@")[0]
            tracker.record(
                f"evaluate {row.item}",
                row.digest,
                params={"item": row.item},
                metrics=_scores(read_predictions(evaluation / row.item)),
                tags={**tags, "vantage.stage": "evaluate", "vantage.arm": arm},
            )
    return runs


def _scores(predictions: list[Prediction]) -> dict[str, float]:
    """Strict exact match per group in per cent, under the same names for every item, so that runs compare."""
    groups: dict[str, list[Prediction]] = {}
    for p in predictions:
        groups.setdefault(f"{p.family}_{p.slice}" if p.slice else p.family, []).append(p)
    return {f"em_raw.{key}": 100 * float(exact(rows).mean()) for key, rows in sorted(groups.items())}


def _data_tags(inputs: Mapping[str, Path]) -> dict[str, str]:
    """Digest of each stage's index, which holds the digest of every scan."""
    found = {stage: folder / INDEX_FILE for stage, folder in inputs.items()}
    return {f"data.{stage}": digest_file(path) for stage, path in sorted(found.items()) if path.is_file()}


def _params(folder: Path, root: Path, digest: str) -> dict[str, str]:
    """The adapter's own description, and the stage's parameters where the workspace knows them."""
    described = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    params = {f"adapter.{k}": str(v) for k, v in described.items() if k not in ("record", "version")}
    record = root / ".vantage" / "provenance" / f"{digest}.json"
    if record.is_file():
        params |= _flat(json.loads(record.read_text(encoding="utf-8")).get("params", {}))
    return params


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(value, dict):
        return {prefix: str(value)}
    return {k: v for key, part in value.items() for k, v in _flat(part, f"{prefix}.{key}".strip(".")).items()}


def _history(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: float(value) for key, value in row.items()} for row in rows]
