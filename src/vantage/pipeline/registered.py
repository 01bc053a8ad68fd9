"""Whether the registry still holds what `promote` put there."""

from __future__ import annotations

import json
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
        digest = str(json.loads(path.read_text(encoding="utf-8"))["model_digest"])
        if not is_registered(store, digest, config.model_name):
            return f"the registry lacks model {digest[:12]}"
    return ""
