"""Numba's compiler behind a typed name. Modules that use it are imported only where pixels are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile for one core, without fast-math (so that sums keep their order), cached on disk."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
