"""Whether the registry still holds what `promote` put there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from vantage.registry.config import PromoteConfig

# As `vantage.registry.stage` writes it; importing that module would import torch.
_DECISION_FILE = "decision.json"


def what_is_missing(folder: Path, config: PromoteConfig) -> str:
    """Why the output of `promote` in `folder` is stale, or an empty text."""
    from vantage.registry.promote import is_registered
    from vantage.registry.store import find_store

    decisions = list(folder.glob(f"*/{_DECISION_FILE}"))
    store = find_store(folder)
    if not store.exists():
        return "there is no registry"
    for path in decisions:
        decision = json.loads(path.read_text(encoding="utf-8"))
        digest = str(decision["model_digest"])
        if not is_registered(store, digest, config.model_name):
            return f"the registry lacks model {digest[:12]}"
        if changed := _changed(decision.get("benchmarks", {}), store.folder.parent, config):
            return f"files of {', '.join(changed)} have changed"
    return ""


def _changed(known: Mapping[str, str], root: Path, config: PromoteConfig) -> list[str]:
    """Benchmarks whose files are not those that the decision rests on."""
    if not config.benchmarks:
        return []
    from vantage.registry.benchmark_gate import asked_files

    return [one.name for one in asked_files(config, root) if known.get(one.name) != one.digest]
