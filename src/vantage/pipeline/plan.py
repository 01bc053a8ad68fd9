"""What a stage has to do: its items, the key of each, and which of them are already finished."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError, ParameterError, ScanError
from vantage.core.hashing import digest_json
from vantage.core.names import load
from vantage.pipeline.code import code_hash
from vantage.pipeline.contracts import contract_of
from vantage.pipeline.graph import Pipeline, Stage
from vantage.pipeline.outputs import Output, read_output
from vantage.pipeline.params import Params, plain
from vantage.pipeline.stages import StageBody, Table
from vantage.pipeline.store import Manifest, Store
from vantage.pipeline.workspace import Workspace

# Raised when the runner changes what it does to an item's output; it is part of every key.
FORMAT = 1


@dataclass(frozen=True)
class Item:
    """One item of a stage.

    Attributes:
        name: scan id, arm, or the stage's name.
        key: its key in the store.
        config: the stage's configuration as this item sees it.
        inputs: by upstream stage, the folder its body gets.
    """

    name: str
    key: str
    config: Any
    inputs: Mapping[str, Path]


@dataclass(frozen=True)
class Plan:
    """A stage's items with their keys, before any work."""

    stage: Stage
    body: StageBody
    config: Any
    code: str
    items: tuple[Item, ...]
    upstream: Mapping[str, Output]
    store: Store

    @cached_property
    def digest(self) -> str:
        """One digest for all keys: what the whole output follows from."""
        return digest_json({item.name: item.key for item in self.items})

    def look_up(self, verify: bool = True) -> dict[str, Manifest]:
        """Finished items by name; with `verify`, changed entries are discarded."""
        find = self.store.find if verify else self.store.read
        found = {item.name: find(item.key) for item in self.items}
        return {name: manifest for name, manifest in found.items() if manifest is not None}


def make_plan(workspace: Workspace, pipeline: Pipeline, name: str, params: Params, table: Table) -> Plan:
    """List a stage's items and compute their keys.

    Raises:
        ContractError: an upstream output is missing or its index cannot be read.
        ParameterError: the stage has no body, or its configuration asks for what is not there.
    """
    stage = pipeline.stage(name)
    if name not in table:
        raise ParameterError(
            f"stage {name!r} has no body", where="dvc.yaml", expected=f"one of {', '.join(table)}"
        )
    body, config = table[name], params.section(name)
    upstream = {u: read_output(workspace, pipeline.stage(u)) for u in stage.upstream}
    names = _list_items(pipeline, stage, body, config, params.seed, upstream)
    code = code_hash([*body.modules(), contract_of(stage).partition(":")[0]])
    items = tuple(_item(pipeline, stage, body, config, params.seed, upstream, code, item) for item in names)
    return Plan(stage, body, config, code, items, upstream, Store(workspace.store / name))


def _list_items(
    pipeline: Pipeline,
    stage: Stage,
    body: StageBody,
    config: Any,
    seed: int,
    upstream: Mapping[str, Output],
) -> list[str]:
    if stage.unit == "run":
        return [stage.name]
    alike = [upstream[u] for u in stage.upstream if pipeline.stage(u).unit == stage.unit]
    common = sorted(set.intersection(*(set(output.done) for output in alike))) if alike else []
    if body.items is not None:
        listed = load(body.items)(config, common if alike else seed)
    elif body.per_item is not None:
        listed = list(getattr(config, body.per_item))
    else:
        listed = common
    names = sorted(listed)
    if not names:
        raise ContractError(
            f"stage {stage.name} has nothing to do",
            where=", ".join(str(output.folder) for output in alike)
            or f"section {stage.name} of the parameters",
            expected=f"at least one {stage.unit}",
            found="none",
        )
    _check_names(stage, names)
    return names


def _check_names(stage: Stage, names: Sequence[str]) -> None:
    bad = [name for name in names if not name or name.startswith(".") or set(name) & set("/\\\0")]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if bad or twice:
        raise ParameterError(
            f"stage {stage.name} lists names that cannot be folders",
            expected="each name once, without slashes and not beginning with a dot",
            found=(bad or twice)[:5],
        )


def _item(
    pipeline: Pipeline,
    stage: Stage,
    body: StageBody,
    config: Any,
    seed: int,
    upstream: Mapping[str, Output],
    code: str,
    name: str,
) -> Item:
    seen = _narrowed(config, body, name)
    section = plain(seen)
    for listing in body.listing:
        section = _without(section, listing.split("."))
    inputs, digests = {}, {}
    for other, output in upstream.items():
        own = stage.unit == "scan" and pipeline.stage(other).unit == "scan"
        inputs[other] = output.folder / name if own else output.folder
        if other == body.follows:
            digests[other] = output.done[name.partition("@")[0]]
        else:
            digests[other] = output.done[name] if own else output.digest
    key = {
        "format": FORMAT,
        "stage": stage.name,
        "item": name,
        "code": code,
        "params": section,
        "seed": seed,
        "inputs": digests,
        "outside": _outside(body, config, name),
    }
    return Item(name, digest_json(key), seen, inputs)


def _narrowed(config: Any, body: StageBody, name: str) -> Any:
    if body.per_item is None:
        return config
    return dataclasses.replace(config, **{body.per_item: {name: getattr(config, body.per_item)[name]}})


def _without(section: Mapping[str, Any], key: Sequence[str]) -> dict[str, Any]:
    if len(key) == 1:
        return {name: value for name, value in section.items() if name != key[0]}
    return {**section, key[0]: _without(section[key[0]], key[1:])}


def _outside(body: StageBody, config: Any, name: str) -> str:
    if body.fingerprint is None:
        return ""
    try:
        return str(load(body.fingerprint)(config, name))
    except ScanError as error:
        return error.one_line()
