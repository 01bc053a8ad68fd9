"""A table of names for things that are imported only when somebody asks for them."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar, cast

from vantage.core.errors import ParameterError

T = TypeVar("T")


class Names(Generic[T]):
    """Names for objects given as `"module:attribute"`.

    Args:
        what: what the table holds, for error messages ("scan source").
        table: the project's own names.
        group: an entry-point group through which other packages add names; a name in both is an error.
    """

    def __init__(self, what: str, table: Mapping[str, str], group: str | None = None) -> None:
        self.what = what
        self._own = dict(table)
        self._group = group

    @functools.cached_property
    def _plugins(self) -> dict[str, str]:
        # Looked up once: it reads the metadata of every installed package, and tables are asked very often.
        return {} if self._group is None else {e.name: e.value for e in entry_points(group=self._group)}

    def names(self) -> list[str]:
        """Every known name, sorted."""
        return sorted({*self._own, *self._plugins})

    def get(self, name: str) -> T:
        """Import and return what `name` stands for.

        Raises:
            ParameterError: the name is unknown, or an installed package claims one of ours.
        """
        plugins = self._plugins
        if clash := sorted(self._own.keys() & plugins.keys()):
            raise ParameterError(
                f"the {self.what} name {clash[0]!r} is defined twice",
                where=f"entry points of group {self._group}",
                hint="rename it in the package that adds it",
            )
        target = self._own.get(name) or plugins.get(name)
        if target is None:
            near = difflib.get_close_matches(name, self.names(), n=1)
            raise ParameterError(
                f"unknown {self.what} {name!r}",
                expected=f"one of {', '.join(self.names())}",
                hint=f"did you mean {near[0]!r}?" if near else None,
            )
        return cast(T, load(target))


def load(target: str) -> Any:
    """Import the object that `"module:attribute"` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
