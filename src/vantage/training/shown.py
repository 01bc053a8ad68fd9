"""A run that can be watched while it trains, with what it follows from: parameters, digests of data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from vantage.core.hashing import digest_file, digest_tree
from vantage.core.tasks import Task
from vantage.core.tracking import NoRun, OpenRun
from vantage.records.index import INDEX_FILE
from vantage.training.config import FinetuneConfig


@contextmanager
def shown(task: Task, config: FinetuneConfig, key: str) -> Iterator[OpenRun]:
    """The run of one arm: closed with its output's digest, or as failed. One process of many opens it."""
    if task.tracker is None or int(os.environ.get("RANK", "0")) > 0:
        yield NoRun()
        return
    resolved = {**asdict(config), "arms": {task.item: asdict(config.arm(task.item))}}
    params = {"seed": str(task.seed)} | _flat(resolved, "finetune")
    indexes = {stage: folder / INDEX_FILE for stage, folder in sorted(task.inputs.items())}
    tags = {f"data.{stage}": digest_file(path) for stage, path in indexes.items() if path.is_file()}
    tags |= {"vantage.stage": "finetune", "vantage.arm": task.item}
    run = task.tracker.open(task.item, key, params=params, tags=tags)
    digest = None
    try:
        yield run
        digest = digest_tree(task.out)
    finally:
        run.close(digest)


def _flat(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict):
        return {name: str(value)}
    return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}").items()}
