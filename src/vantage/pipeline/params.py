"""The parameters: each package's own configuration class as a section of one validated file."""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from vantage.core.errors import ParameterError
from vantage.core.sections import shared_fields
from vantage.pipeline import yaml12
from vantage.pipeline.config import ContractsConfig
from vantage.pipeline.stages import STAGES, Table
from vantage.pipeline.workspace import PARAMS_FILE
from vantage.pipeline.yaml12 import Key

Where = Callable[[Key], str]
_ADAPTERS: dict[type[Any], Any] = {}  # pydantic's TypeAdapters, costly to make


@dataclass(frozen=True)
class Params:
    """Validated parameters.

    Attributes:
        seed: the run's seed.
        contracts: what stops a stage.
        shared: sections that several stages read, by name.
        sections: the configuration of each stage, by stage name, with what it reads of the shared ones.
    """

    seed: int
    contracts: ContractsConfig
    shared: Mapping[str, Any]
    sections: Mapping[str, Any]

    def section(self, stage: str) -> Any:
        """The configuration object of a stage."""
        return self.sections[stage]

    def plain(self) -> dict[str, Any]:
        """All parameters as JSON-able values, in the order of the file."""
        parts = {"contracts": self.contracts, **self.shared}
        shown = {name: plain(value) for name, value in parts.items()}
        return {"seed": self.seed, **shown, **{name: own(value) for name, value in self.sections.items()}}


def plain(config: Any) -> Any:
    """A configuration object as JSON-able values."""
    return _adapter(type(config)).dump_python(config, mode="json")


def own(config: Any) -> dict[str, Any]:
    """What stands in a stage's own section, as JSON-able values."""
    elsewhere = shared_fields(type(config))
    return {name: value for name, value in plain(config).items() if name not in elsewhere}


def shared_sections(table: Table) -> dict[str, type[Any]]:
    """The configuration classes of the sections that several stages read, by name.

    Raises `TypeError` for a section that is of two classes.
    """
    found: dict[str, type[Any]] = {}
    for body in table.values():
        kind = body.load_config()
        if fields := shared_fields(kind):
            hints = typing.get_type_hints(kind)
            for field, section in fields.items():
                known = found.setdefault(section, hints[field])
                if known is not hints[field]:
                    raise TypeError(f"section {section} is {known.__name__} and {hints[field].__name__}")
    return found


def load_params(workspace: Path, overrides: Sequence[str] = (), table: Table = STAGES) -> Params:
    """Read and validate `params.yaml`; a missing key takes its default.

    Args:
        workspace: the folder of the file.
        overrides: texts `section.key=value`, applied on top.
        table: the stages whose configurations make up the file.

    Raises:
        ParameterError: an unknown key (with the nearest known one), a value of the wrong type or out of
            bounds; it names file, line and key, what was expected and what was found.
    """
    document = yaml12.parse(workspace / PARAMS_FILE)
    notes: dict[Key, str] = {}
    value = document.value
    for text in overrides:
        key, new = parse_override(text)
        value = _set(value, key, new)
        notes[key] = f"-S {text}"

    def where(key: Key) -> str:
        return next((note for k, note in notes.items() if key[: len(k)] == k), document.where(key))

    return validate(value, where, table)


def parse_override(text: str) -> tuple[Key, Any]:
    """Split `section.key=value`; the value is read as YAML."""
    name, equals, value = text.partition("=")
    key = tuple(name.strip().split("."))
    if not equals or not all(key):
        raise ParameterError("not an override", expected="-S section.key=value", found=text)
    return key, yaml12.parse_value(value)


def merge(base: Any, overlay: Any) -> Any:
    """`base` with the keys of `overlay` replaced, mapping by mapping; a null removes a key."""
    if not isinstance(base, dict) or not isinstance(overlay, dict):
        return overlay
    kept = {key: value for key, value in base.items() if key not in overlay or overlay[key] is not None}
    return kept | {key: merge(base.get(key), value) for key, value in overlay.items() if value is not None}


def validate(value: Any, where: Where = ".".join, table: Table = STAGES) -> Params:
    """Check a whole parameter mapping; see `load_params`."""
    if not isinstance(value, dict):
        raise ParameterError("the parameters are not a mapping", where=where(()), found=type(value).__name__)
    kinds = shared_sections(table)
    _refuse_unknown(value, ["seed", "contracts", *kinds, *table], (), where)
    seed = _checked(int, value.get("seed", 0), ("seed",), where)
    contracts = _checked(ContractsConfig, value.get("contracts") or {}, ("contracts",), where)
    shared = {name: _checked(kind, value.get(name) or {}, (name,), where) for name, kind in kinds.items()}
    sections = {
        name: _stage_section(table[name].load_config(), value.get(name) or {}, name, shared, where)
        for name in table
    }
    return Params(seed, contracts, shared, sections)


def _stage_section(kind: type[Any], value: Any, name: str, shared: Mapping[str, Any], where: Where) -> Any:
    elsewhere = shared_fields(kind)
    for field, section in elsewhere.items():
        if isinstance(value, dict) and field in value:
            raise ParameterError(
                f"{name}.{field}: stands in a section of its own", where=where((name, field)),
                expected=f"{section}: at the top level, for all stages that read it", found=value[field],
            )  # fmt: skip
    checked = _checked(kind, value, (name,), where)
    return dataclasses.replace(checked, **{field: shared[s] for field, s in elsewhere.items()})


def _set(value: Any, key: Key, new: Any) -> Any:
    if not key:
        return new
    inner = dict(value) if isinstance(value, dict) else {}
    inner[key[0]] = _set(inner.get(key[0]), key[1:], new)
    return inner


def _adapter(kind: type[Any]) -> Any:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _checked(kind: type[Any], value: Any, key: Key, where: Where) -> Any:
    _check_keys(kind, value, key, where)
    try:
        # JSON's strict mode: a list may become a tuple and 1 may become 1.0, but "1" is no number.
        return _adapter(kind).validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        at = (*key, *(str(part) for part in first["loc"]))
        raise ParameterError(
            f"wrong parameter {'.'.join(at)}",
            where=where(at),
            expected=first["msg"],
            found=repr(first["input"]),
        ) from error


def _check_keys(kind: Any, value: Any, key: Key, where: Where) -> None:
    """Refuse keys that no dataclass within `kind` has; plain types are left to pydantic."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        _check_keys(arguments[0], value, key, where)
    elif origin in (Union, types.UnionType):
        kinds = [k for k in arguments if dataclasses.is_dataclass(k)]
        if len(kinds) == 1:
            _check_keys(kinds[0], value, key, where)
    elif dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = typing.get_type_hints(kind, include_extras=True)
        names = [field.name for field in dataclasses.fields(kind)]
        _refuse_unknown(value, names, key, where)
        for name, inner in value.items():
            _check_keys(hints[name], inner, (*key, name), where)
    elif origin in (dict, Mapping) and isinstance(value, dict):
        for name, inner in value.items():
            _check_keys(arguments[1], inner, (*key, str(name)), where)
    elif origin in (list, tuple, Sequence) and arguments and isinstance(value, list):
        for number, inner in enumerate(value):
            _check_keys(arguments[0], inner, (*key, str(number)), where)


def _refuse_unknown(value: Mapping[Any, Any], names: Sequence[str], key: Key, where: Where) -> None:
    for name in value:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            path = ".".join((*key, str(name)))
            raise ParameterError(
                f"{path}: unknown" + (f"; did you mean {near[0]}?" if near else ""),
                where=where((*key, str(name))),
                expected=f"one of {', '.join(names)}",
                found=name,
            )
