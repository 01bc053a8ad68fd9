"""Numba's compiler behind a typed name. Modules that use it are imported only where their loops run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from vantage.core.errors import ResourceError

try:
    import numba
except ImportError as error:
    hint = "install the extra that brings it: pip install 'vantage[scans]'"
    raise ResourceError("numba is missing", expected="numba, which compiles hot loops", hint=hint) from error

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile for one core, without fast-math (so that sums keep their order), cached on disk if possible."""
    # Tests wrap functions to check array shapes; the compiler needs the function itself.
    plain = inspect.unwrap(function)
    try:
        kernel = numba.njit(cache=True, nogil=True, error_model="numpy")(plain)
    except RuntimeError:  # no folder to write the cache into: compile in each process, a few seconds
        kernel = numba.njit(nogil=True, error_model="numpy")(plain)
    return cast(F, kernel)
