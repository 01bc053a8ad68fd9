"""Model addresses such as `models:/vantage@champion`, looked up before anything costly starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from vantage.core.errors import VantageError
from vantage.registry.packaging import POCKET, SERVING_KEY
from vantage.registry.store import Store, fluent

_ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>.+)|/(?P<version>\d+))")


@dataclass(frozen=True)
class Found:
    """A registered version: its address by number, and the number (empty for other addresses)."""

    uri: str
    version: str


def look_up(store: Store, uri: str) -> Found:
    """The version behind an address; addresses of other kinds (`runs:/...`, a folder) stay as they are.

    Raises:
        VantageError: there is no such model, alias or version; the error lists what there is.
    """
    match = _ADDRESS.fullmatch(uri)
    if match is None:
        return Found(uri, "")
    name, alias, version = match["name"], match["alias"], match["version"]
    if not store.exists():
        raise VantageError(
            "there is no registry yet",
            where=store.uri,
            expected=uri,
            hint="run the pipeline (dvc repro), or name its workspace with --workspace",
        )
    client = store.client()
    models = {model.name: model for model in client.search_registered_models()}
    if name in models:
        version = models[name].aliases.get(alias) if alias else version
        numbers = {str(v.version) for v in client.search_model_versions(f"name = '{name}'")}
        if version is not None and str(version) in numbers:
            return Found(f"models:/{name}/{version}", str(version))
    raise VantageError(
        "the registry has no such model",
        where=store.uri,
        expected=uri,
        found="; ".join(_contents(name, model.aliases) for name, model in sorted(models.items()))
        or "no model",
        hint="only a model that passed the gate gets the alias champion: see reports/promotion/decision.json",
    )


def knows_words_only(store: Store, uri: str) -> bool:
    """Whether the model is a pocket model, which knows a vocabulary; asked before anything is loaded."""
    with fluent(store) as mlflow:
        metadata = mlflow.models.get_model_info(uri).metadata or {}
    return bool(metadata.get(SERVING_KEY, POCKET) == POCKET)


def _contents(name: str, aliases: Mapping[str, object]) -> str:
    listed = ", ".join(f"@{alias} (version {version})" for alias, version in sorted(aliases.items()))
    return f"models:/{name} with {listed or 'no alias'}"
