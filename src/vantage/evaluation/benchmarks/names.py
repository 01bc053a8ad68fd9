"""The table of benchmarks; other packages add theirs through the entry-point group `vantage.benchmarks`."""

from __future__ import annotations

from typing import Any

from vantage.core.names import Names
from vantage.evaluation.benchmarks.interface import Benchmark

_OWN = (
    "cv_bench",
    "grounding3d",
    "msqa",
    "multi3drefer",
    "muirbench",
    "n3d_style",
    "nr3d",
    "scan2cap",
    "scanqa",
    "scanrefer",
    "spatialrgpt_bench",
    "sqa3d",
    "sqa3d_localization",
    "vsibench",
)

BENCHMARKS: Names[Benchmark[Any, Any]] = Names(
    "benchmark",
    {name: f"vantage.evaluation.benchmarks.{name}:BENCHMARK" for name in _OWN},
    group="vantage.benchmarks",
)
