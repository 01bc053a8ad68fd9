"""A workspace whose registry holds arms on a small vision-language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import recipe_arms
from small_store import prepared

from vantage.models.config import BaseConfig
from vantage.registry.config import PromoteConfig
from vantage.registry.packaging import register
from vantage.registry.staging import stage_weights
from vantage.registry.tracking import MlflowTracker


def write(root: Path, ready_database: Path, arms: Mapping[str, str]) -> Path:
    """Register an arm of `recipe_arms` under each name, as champion; base and adapters stay beside them.

    `root / "base"` is the base and `root / "adapters" / name` the adapter of that name.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        (root / "dvc.yaml").write_text("stages: {}\n")
        store = prepared(root, ready_database)
        base = recipe_arms.base(root / "base")
        config = PromoteConfig(base=BaseConfig(str(base)))
        for name, arm in arms.items():
            adapter = recipe_arms.adapter(root / "adapters" / name, base, arm)
            staged = root / "staged" / name
            staged.mkdir(parents=True)
            files = replace(stage_weights(staged, adapter, config), card="# card")
            run = MlflowTracker(store).record(arm, "d", params={}, metrics={}, tags={})
            version = register(store, name, files, run)
            store.client().set_registered_model_alias(name, "champion", version)
    return root
