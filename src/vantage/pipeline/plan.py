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
from vantage.core.memo import Memo
from vantage.core.names import load
from vantage.pipeline.code import code_hash
from vantage.pipeline.contracts import contract_of
from vantage.pipeline.graph import Pipeline, Stage, Unit
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
    body = table[name]
    maker = _Maker(
        units={other: pipeline.stage(other).unit for other in stage.upstream},
        stage=stage,
        body=body,
        config=params.section(name),
        seed=params.seed,
        upstream={other: read_output(workspace, pipeline.stage(other)) for other in stage.upstream},
        code=code_hash([*body.modules(), contract_of(stage).partition(":")[0]]),
        memo=Memo(workspace.private / "fingerprints" / f"{name}.json"),
    )
    items = tuple(maker.item(item) for item in maker.names())
    maker.memo.save()
    return Plan(
        stage=stage,
        body=body,
        config=maker.config,
        code=maker.code,
        items=items,
        upstream=maker.upstream,
        store=Store(workspace.store / name),
    )


@dataclass(frozen=True)
class _Maker:
    """Everything that items and keys follow from."""

    units: Mapping[str, Unit]
    stage: Stage
    body: StageBody
    config: Any
    seed: int
    upstream: Mapping[str, Output]
    code: str
    memo: Memo

    def names(self) -> list[str]:
        """The stage's items, sorted."""
        stage, body = self.stage, self.body
        if stage.unit == "run":
            return [stage.name]
        alike = [output for other, output in self.upstream.items() if self.units[other] == stage.unit]
        common = sorted(set.intersection(*(set(output.done) for output in alike))) if alike else []
        if body.items is not None:
            listed = load(body.items)(self.config, common if alike else self.seed)
        elif body.per_item is not None:
            listed = list(getattr(self.config, body.per_item))
        else:
            listed = common
        if not listed:
            where = ", ".join(str(output.folder) for output in alike)
            raise ContractError(
                f"stage {stage.name} has nothing to do",
                where=where or f"section {stage.name} of the parameters",
                expected=f"at least one {stage.unit}",
                found="none",
            )
        _check_names(stage, listed)
        return sorted(listed)

    def item(self, name: str) -> Item:
        """An item with its key and inputs."""
        seen = _narrowed(self.config, self.body, name)
        section = plain(seen)
        for listing in self.body.listing:
            section = _without(section, listing.split("."))
        key = {
            "format": FORMAT,
            "stage": self.stage.name,
            "item": name,
            "code": self.code,
            "params": section,
            "seed": self.seed,
            "inputs": {other: self._input_digest(other, name) for other in self.upstream},
            "outside": _outside(self.body, self.config, name, self.memo),
        }
        inputs = {
            other: output.folder / name if self._is_own(other) else output.folder
            for other, output in self.upstream.items()
        }
        return Item(name, digest_json(key), seen, inputs)

    def _is_own(self, other: str) -> bool:
        """Whether an item gets its own folder of an upstream stage, and not the whole."""
        return self.stage.unit == "scan" and self.units[other] == "scan"

    def _input_digest(self, other: str, name: str) -> str:
        output = self.upstream[other]
        if other == self.body.follows:
            return output.done[name.partition("@")[0]]
        return output.done[name] if self._is_own(other) else output.digest


def _check_names(stage: Stage, names: Sequence[str]) -> None:
    bad = [name for name in names if not name or name.startswith(".") or set(name) & set("/\\\0")]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if bad or twice:
        raise ParameterError(
            f"stage {stage.name} lists names that cannot be folders",
            expected="each name once, without slashes and not beginning with a dot",
            found=(bad or twice)[:5],
        )


def _narrowed(config: Any, body: StageBody, name: str) -> Any:
    if body.per_item is None:
        return config
    return dataclasses.replace(config, **{body.per_item: {name: getattr(config, body.per_item)[name]}})


def _without(section: Mapping[str, Any], key: Sequence[str]) -> dict[str, Any]:
    if len(key) == 1:
        return {name: value for name, value in section.items() if name != key[0]}
    return {**section, key[0]: _without(section[key[0]], key[1:])}


def _outside(body: StageBody, config: Any, name: str, memo: Memo) -> str:
    if body.fingerprint is None:
        return ""
    try:
        return str(load(body.fingerprint)(config, name, memo))
    except ScanError as error:
        return error.one_line()
