"""Registering a model and deciding on its alias, once for each model and what it is compared with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core.errors import VantageError
from vantage.core.hashing import canonical_json
from vantage.records.predictions import Prediction
from vantage.registry.gate import Check, Gate, against_champion, no_loss
from vantage.registry.packaging import DIGEST_TAG, ModelFiles, register
from vantage.registry.store import Store, fluent

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
_KEY_TAG, _DECISION_TAG = "vantage.decision_key", "vantage.decision"
_FORMER_TAG = "vantage.former_champion"


@dataclass(frozen=True)
class Candidate:
    """A model that asks to become champion.

    Attributes:
        name: of the registered model.
        arm: the arm it was trained as.
        files: makes weights and card, given the decision, which the card tells.
        digest: of the weights.
        run_id: the MLflow run it is logged under.
        key: digest of everything the decision rests on besides the champion.
        scores: headline score of every item, per cent, for the record.
        predictions: its answers.
        checks: outcome of the comparison with the controls.
        benchmarks: from its version, if it has one, and another champion: the checks of published benchmarks.
        files_asked: digests of the files that those rest on, by benchmark.
    """

    name: str
    arm: str
    files: Callable[[dict[str, Any]], ModelFiles]
    digest: str
    run_id: str
    key: str
    scores: dict[str, float]
    predictions: Sequence[Prediction]
    checks: Sequence[Check]
    benchmarks: Callable[[ModelVersion | None, ModelVersion | None], Sequence[Check]] = lambda _v, _c: ()
    files_asked: Mapping[str, str] = field(default_factory=dict)


def version_of(store: Store, name: str, digest: str) -> ModelVersion | None:
    """The registered version with this model digest."""
    if not store.exists():
        return None
    found = store.client().search_model_versions(f"name = '{name}'")
    return next((v for v in found if v.tags.get(DIGEST_TAG) == digest), None)


def is_registered(store: Store, digest: str, name: str = "vantage") -> bool:
    """Whether the registry holds the model with this digest (`model_digest` of `decision.json`)."""
    return version_of(store, name, digest) is not None


def champion_of(store: Store, name: str) -> ModelVersion | None:
    """The version that the alias `champion` points at; None before the first promotion."""
    return alias_target(store, name, CHAMPION)


def alias_target(store: Store, name: str, alias: str) -> ModelVersion | None:
    """The version that an alias points at, None if there is none."""
    if not store.exists():
        return None
    client = store.client()
    models = {model.name: model for model in client.search_registered_models()}
    if name not in models or alias not in models[name].aliases:
        return None
    return client.get_model_version(name, models[name].aliases[alias])


def settle(
    store: Store, gate: Gate, candidate: Candidate, answers_of: Callable[[ModelVersion], Sequence[Prediction]]
) -> dict[str, Any]:
    """Register the candidate if it is new, decide, move the aliases, and return the decision record.

    The same candidate against the same champion gives the stored decision again.

    Args:
        store: the registry.
        gate: the rules.
        candidate: the model.
        answers_of: the answers of a registered version to the same questions.
    """
    with store.lock():
        version = version_of(store, candidate.name, candidate.digest)
        champion = champion_of(store, candidate.name)
        if version is not None and (known := _stored(version, candidate, champion)) is not None:
            return known
        decision = _decide(gate, candidate, version, champion, answers_of)
        client = store.client()
        files = candidate.files(decision)
        if version is None:
            number = register(store, candidate.name, files, candidate.run_id)
        else:
            number = str(version.version)
        client.update_model_version(candidate.name, number, description=files.card)
        client.set_registered_model_alias(candidate.name, CHALLENGER, number)
        if decision["outcome"] == "promoted":
            if champion is not None:
                client.set_model_version_tag(candidate.name, number, _FORMER_TAG, str(champion.version))
            client.set_registered_model_alias(candidate.name, CHAMPION, number)
        client.set_model_version_tag(candidate.name, number, _KEY_TAG, candidate.key)
        client.set_model_version_tag(candidate.name, number, _DECISION_TAG, canonical_json(decision))
        return decision


def _stored(
    version: ModelVersion, candidate: Candidate, champion: ModelVersion | None
) -> dict[str, Any] | None:
    """The decision made before, if nothing that it rests on has changed since."""
    if version.tags.get(_KEY_TAG) != candidate.key:
        return None
    decision: dict[str, Any] = json.loads(version.tags[_DECISION_TAG])
    now = None if champion is None else champion.tags.get(DIGEST_TAG)
    was = candidate.digest if decision["outcome"] != "refused" else decision["champion_digest"]
    return decision if now == was else None


def _decide(
    gate: Gate,
    candidate: Candidate,
    version: ModelVersion | None,
    champion: ModelVersion | None,
    answers_of: Callable[[ModelVersion], Sequence[Prediction]],
) -> dict[str, Any]:
    checks = list(candidate.checks)
    digest = None if champion is None else champion.tags.get(DIGEST_TAG)
    if champion is None:
        checks.append(Check("champion", True, "there is no champion yet, so none is compared with"))
    elif digest != candidate.digest:
        checks += _champion_checks(gate, candidate, champion, answers_of)
    checks += candidate.benchmarks(version, champion if digest != candidate.digest else None)
    failed = [check.reason for check in checks if not check.passed]
    outcome = "refused" if failed else "promoted"
    if digest == candidate.digest:
        outcome = "kept"
        failed = [f"it is the champion already, but now: {reason}" for reason in failed]
    return {
        "record": "promotion",
        "version": 1,
        "model": candidate.name,
        "arm": candidate.arm,
        "model_digest": candidate.digest,
        "champion_digest": digest,
        "outcome": outcome,
        "thresholds": gate.thresholds(),
        "reasons": failed or [check.reason for check in checks],
        "checks": [check.record() for check in checks],
        "scores": candidate.scores,
        **({"benchmarks": dict(candidate.files_asked)} if candidate.files_asked else {}),
    }


def _champion_checks(
    gate: Gate,
    candidate: Candidate,
    champion: ModelVersion,
    answers_of: Callable[[ModelVersion], Sequence[Prediction]],
) -> list[Check]:
    try:
        theirs = answers_of(champion)
    except VantageError as error:
        why = f"the champion cannot answer these questions ({error.one_line()})"
        return [Check("champion", False, f"{why}; to replace it all the same, move the alias by hand")]
    ours = candidate.predictions
    return [against_champion(gate, ours, theirs), no_loss(gate, ours, theirs)]


def download_weights(store: Store, version: ModelVersion, into: Path) -> tuple[Path, Path]:
    """Base and adapter folders of a registered version, copied below `into`."""
    with fluent(store) as mlflow:
        uri = f"models:/{version.name}/{version.version}"
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(into)))
    return folder / "artifacts" / "base", folder / "artifacts" / "adapter"
