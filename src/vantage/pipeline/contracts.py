"""Contracts by name (`meta.contract`): the check of an item's output before it enters the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vantage.core.errors import ParameterError
from vantage.core.names import Names
from vantage.pipeline.graph import Stage
from vantage.pipeline.workspace import PIPELINE_FILE

TABLE = {
    name: f"vantage.records.contracts:{name}"
    for name in ("raw", "frames", "patches", "visibility", "questions", "predictions", "files")
}
CONTRACTS: Names[Callable[[Path], None]] = Names("contract", TABLE)


def contract_of(stage: Stage) -> str:
    """`"module:function"` of a stage's contract; an unknown name is a `ParameterError`."""
    if stage.contract not in TABLE:
        raise ParameterError(
            f"stage {stage.name} names an unknown contract",
            where=f"{PIPELINE_FILE}: {stage.name}.meta.contract",
            expected=f"one of {', '.join(TABLE)}",
            found=stage.contract,
        )
    return TABLE[stage.contract]
