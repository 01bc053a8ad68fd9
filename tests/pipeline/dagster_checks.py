"""What an asset check of a Dagster run found."""

from __future__ import annotations

import dagster as dg


def outcome(result: dg.ExecuteInProcessResult, asset: str, check: str) -> dg.AssetCheckEvaluation:
    """The evaluation of one check of one asset."""
    wanted = dg.AssetCheckKey(dg.AssetKey(asset), check)
    return next(e for e in result.get_asset_check_evaluations() if e.asset_check_key == wanted)
