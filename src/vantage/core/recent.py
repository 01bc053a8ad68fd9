"""The few things used last, kept in memory; what was not used for long is let go."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key, at most so many; copies in other processes begin empty."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The value of `key`, made if it is not kept."""
        if key not in self._kept:
            self._kept[key] = make()
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def __getstate__(self) -> dict[str, Any]:
        # A mapped file would travel as its whole content.
        return {"_most": self._most, "_kept": OrderedDict()}
