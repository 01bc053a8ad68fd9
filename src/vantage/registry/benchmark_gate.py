"""Benchmarks in the gate: the candidate's files of `vantage predict` beside those that the champion had."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core.errors import ParameterError, VantageError
from vantage.core.hashing import digest_file, digest_tree
from vantage.evaluation.against import Difference, differences
from vantage.evaluation.benchmarks.files import HEADER, load, records
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.scoring import Scored, score
from vantage.evaluation.significance import holm, shown_p
from vantage.registry.config import BenchmarkFile, PromoteConfig
from vantage.registry.gate import Check
from vantage.registry.store import Store, fluent

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_FOLDER = "benchmarks"


@dataclass(frozen=True)
class Asked:
    """A benchmark's file of the candidate.

    Attributes:
        name: of the benchmark.
        predictions, references, scans: the files, wherever they lie.
        variant, metric: the measure that must not fall.
        digest: of predictions and references; "" while there are no predictions.
    """

    name: str
    predictions: Path
    references: Path
    scans: Path | None
    variant: str
    metric: str
    digest: str

    @classmethod
    def of(cls, name: str, file: BenchmarkFile, root: Path) -> Asked:
        """Paths are relative to the workspace.

        Raises `ParameterError` for an unknown benchmark or measure, and where there are no references.
        """
        variant, _, metric = file.measure.partition(".")
        predictions, references = root / file.predictions, root / file.references
        where = f"promote.benchmarks.{name}"
        known = BENCHMARKS.get(name).variants
        if variant not in known or not metric:
            expected = f"VARIANT.METRIC, of the variants {', '.join(known)}"
            raise ParameterError(
                "no such measure", where=f"{where}.measure", expected=expected, found=file.measure
            )
        if not references.exists():
            raise ParameterError("there is no such file", where=f"{where}.references", found=file.references)
        digest = ""
        if predictions.is_file():
            digest = f"{digest_file(predictions)} {digest_tree(references)}"
        scans = root / file.scans if file.scans else None
        return cls(name, predictions, references, scans, variant, metric, digest)

    def scored(self, predictions: Path) -> Scored:
        """The scores of one file under the measure's variant; raises as `score` does."""
        rule = BENCHMARKS.get(self.name)
        return score(rule, predictions, self.references, self.variant, self.scans)


@dataclass(frozen=True)
class Header:
    """What `vantage predict` says of its file: whose answers, and how they were asked for; else empty."""

    model: Mapping[str, Any]
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, predictions: Path) -> Header:
        """Of a file; `ContractError` where it is no list of records."""
        first = records(predictions, load(predictions))[:1]
        fields = first[0].fields if first and first[0].has(HEADER) else {}
        model, settings = fields.get("model"), fields.get("settings")
        return cls(model if isinstance(model, dict) else {}, settings if isinstance(settings, dict) else {})

    def taken(self) -> str:
        """What was taken from the model or given to it that nobody has in use; "" for nothing."""
        source = str(self.settings.get("pose_source", ""))
        if source.endswith("_target"):
            return f"--pose-source {source}, which knows the answer's object"
        control = self.settings.get("control")
        return f"--control {control}" if control else ""

    def otherwise(self, other: Header) -> str:
        """The first setting of both files in which they differ; precision aside."""
        for name in sorted(self.settings.keys() & other.settings.keys() - {"precision"}):
            if self.settings[name] != other.settings[name]:
                return f"{name}: {self.settings[name]} and {other.settings[name]}"
        return ""


def asked_files(config: PromoteConfig, root: Path) -> list[Asked]:
    """Every benchmark of the configuration, in its order."""
    return [Asked.of(name, file, root) for name, file in config.benchmarks.items()]


def checks(
    asked: Sequence[Asked],
    is_ours: Callable[[Mapping[str, Any]], bool],
    theirs: Callable[[Asked], Path | None] | None,
    config: PromoteConfig,
    seed: int,
) -> list[Check]:
    """A check for each benchmark: the candidate was asked, and does not lose to the champion beyond chance.

    Where items are right or wrong McNemar's test decides, corrected by Holm over the benchmarks; else a loss
    is a difference whose 95 % interval lies below zero.

    Args:
        asked: the candidate's files.
        is_ours: whether a file's model is the candidate.
        theirs: the champion's file on a benchmark, or None; None without another champion.
        config: thresholds.
        seed: of the bootstrap.
    """
    found: dict[str, Check] = {}
    compared: dict[str, Difference] = {}
    for one in asked:
        try:
            outcome = _one(one, is_ours, theirs, config, seed)
        except VantageError as error:
            outcome = Check(one.name, False, f"{one.name} cannot be compared: {error.one_line()}")
        if isinstance(outcome, Check):
            found[one.name] = outcome
        else:
            compared[one.name] = outcome
    corrected = holm({name: d.test.p for name, d in compared.items() if d.test is not None})
    for name, difference in compared.items():
        found[name] = _verdict(name, difference, corrected.get(name), config.alpha)
    return [found[one.name] for one in asked]


def _one(
    one: Asked,
    is_ours: Callable[[Mapping[str, Any]], bool],
    theirs: Callable[[Asked], Path | None] | None,
    config: PromoteConfig,
    seed: int,
) -> Check | Difference:
    header = Header.of(one.predictions) if one.digest else Header({}, {})
    if not is_ours(header.model):
        why = "predictions of another model" if one.digest else "no predictions"
        return Check(one.name, False, f"{one.name}: {why} in {one.predictions.name}; {_how(one, config)}")
    if taken := header.taken():
        return Check(one.name, False, f"{one.name}: predictions under {taken}; {_how(one, config)}")
    ours = one.scored(one.predictions)
    if one.metric not in ours.variants[one.variant]:
        raise ParameterError(
            "no such measure", where=f"promote.benchmarks.{one.name}.measure",
            expected=f"of {one.variant}: {', '.join(ours.variants[one.variant])}", found=one.metric,
        )  # fmt: skip
    if theirs is None:
        return Check(one.name, True, f"{one.name}: {_value(ours, one)}, no champion to compare with")
    other = theirs(one)
    if other is None:
        return Check(one.name, True, f"{one.name}: {_value(ours, one)}; the champion was not asked")
    if differs := header.otherwise(Header.of(other)):
        return Check(one.name, False, f"{one.name}: the champion was asked otherwise ({differs})")
    return differences(ours, one.scored(other), seed, config.resamples)[("", one.variant, one.metric)]


def _value(ours: Scored, one: Asked) -> str:
    return f"{ours.variants[one.variant][one.metric].value:.4f} on {len(ours.items)} items"


def _how(one: Asked, config: PromoteConfig) -> str:
    return (
        f"ask it (vantage predict {one.name} --model models:/{config.model_name}@challenger "
        f"--out {one.predictions.name} ...) and promote again"
    )


def _verdict(name: str, found: Difference, p_holm: float | None, alpha: float) -> Check:
    """`p_holm` is None where items are not right or wrong."""
    low, high = found.interval or (0.0, 0.0)
    reason = f"{name}: {found.ours:.4f} beside the champion's {found.theirs:.4f} [{low:+.4f}, {high:+.4f}]"
    if found.test is None or p_holm is None:
        lost, how = high < 0, "95 % interval"
    else:
        test = replace(found.test, p_holm=p_holm)
        lost = test.theirs_only > test.ours_only and p_holm <= alpha
        how = f"{shown_p(p_holm)} after Holm, {test.n} items"
        verdict = "a loss beyond chance" if lost else "no loss beyond chance"
        return Check(name, not lost, f"{reason}: {verdict} ({how})", tests={name: test})
    return Check(name, not lost, f"{reason}: {'a' if lost else 'no'} loss beyond chance ({how})")


def keep_files(store: Store, version: ModelVersion, asked: Sequence[Asked]) -> None:
    """Keep the version's files with its run, so that those who come after can be compared with it."""
    client = store.client()
    for one in asked:
        if one.digest:
            client.log_artifact(version.run_id, str(one.predictions), f"{_FOLDER}/{one.name}")


def kept_file(store: Store, version: ModelVersion, into: Path, one: Asked) -> Path | None:
    """The file that was kept with a version; None where it was not asked."""
    client = store.client()
    listed = client.list_artifacts(version.run_id, f"{_FOLDER}/{one.name}")
    if not listed:
        return None
    folder = tempfile.mkdtemp(dir=into)
    return Path(client.download_artifacts(version.run_id, listed[0].path, folder))


def is_model(store: Store, version: ModelVersion | None, arm: Path, model: Mapping[str, Any]) -> bool:
    """Whether a file's model is an arm, asked as an adapter on its base, or as a version of the registry."""
    if model.get("adapter"):
        return bool(model["adapter"] == digest_tree(arm))
    if model.get("type") != "registered" or version is None:
        return False
    with fluent(store) as mlflow, tempfile.TemporaryDirectory(prefix="vantage-model-") as folder:
        uri = f"models:/{version.name}/{version.version}"
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
        return bool(model.get("weights") == digest_tree(found / "artifacts"))
