"""Parameters of the `promote` stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Le, MinLen

from vantage.core.sections import shared
from vantage.evaluation.config import AnsweringConfig
from vantage.models.config import BaseConfig

Points = Annotated[float, Ge(-100.0), Le(100.0)]


@dataclass(frozen=True)
class BenchmarkFile:
    """A published benchmark that a candidate must not lose on; paths from the workspace's folder.

    Attributes:
        predictions: what `vantage predict` wrote of the candidate.
        references: the official file.
        scans: folder of raw scans, where scoring needs them; empty for none.
        measure: VARIANT.METRIC of `vantage score --json`.
    """

    predictions: Annotated[str, MinLen(1)]
    references: Annotated[str, MinLen(1)]
    scans: str = ""
    measure: str = "refined_strict.em_refined"


@dataclass(frozen=True)
class PromoteConfig:
    """When a model becomes champion. What is compared is the headline group of the evaluation.

    Attributes:
        model_name: name in the registry.
        min_gain_points: least gain of the headline arm over the baseline arm, percentage points.
        min_control_gain_points: least gain over every control, percentage points.
        trained_controls: arms that are controls; those trained must be beaten like the test-time ones.
        alpha: highest p of McNemar's exact test at which a difference counts as more than chance; corrected
            by Holm where losses are sought in every group of questions.
        resamples: bootstrap resamples behind an interval.
        base: what the arms were trained on; its precision is part of what the registered model is.
        answering: how the registered model is asked; the length of answers is part of what it is.
        benchmarks: by the benchmark's name, files of the candidate's predictions: on none may it lose to the
            champion beyond chance.
    """

    model_name: Annotated[str, MinLen(1)] = "vantage"
    min_gain_points: Points = 20.0
    min_control_gain_points: Points = 10.0
    trained_controls: tuple[str, ...] = ("other_sample", "random_yaw")
    alpha: Annotated[float, Gt(0.0), Le(0.5)] = 0.05
    resamples: Annotated[int, Ge(100), Le(100_000)] = 2000
    base: BaseConfig = field(default_factory=BaseConfig, metadata=shared("base"))
    answering: AnsweringConfig = field(default_factory=AnsweringConfig, metadata=shared("answering"))
    benchmarks: Mapping[str, BenchmarkFile] = field(default_factory=dict)
