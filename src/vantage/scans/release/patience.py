"""Fetching a file again until it is there, or given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from vantage.core.errors import ResourceError, ScanUnavailableError, VantageError
from vantage.core.patience import LONGEST_ASKED_S, FaultError, Patience

T = TypeVar("T")


def persist(
    attempt: Callable[[], T],
    what: str,
    patience: Patience,
    *,
    reached: Callable[[], int] = lambda: 0,
    tell: Callable[[str], object] = lambda text: None,
    error: type[VantageError] = ScanUnavailableError,
) -> T:
    """Call `attempt` until it returns.

    Args:
        attempt: raises `FaultError` when it may be tried again; any other error passes.
        what: the file, as it is named to the user.
        patience: how often, and how to wait.
        reached: how far the work is; going further than ever before makes up for former failures.
        tell: told of every failure.
        error: raised when the file's own trouble persists; trouble of the server is a ResourceError.
    """
    failures, furthest = 0, reached()
    while True:
        try:
            return attempt()
        except FaultError as fault:
            gained, furthest = reached() > furthest, max(furthest, reached())
            failures = 1 if gained else failures + 1
            asked = fault.wait_s or 0.0
            if failures > patience.retries or asked > LONGEST_ASKED_S:
                raise _given_up(what, fault, failures, error) from None
            wait = patience.delay_s(what, failures - 1, fault.wait_s)
            tell(f"{what}: {fault.reason}; again in {wait:.0f} s")
            patience.sleep(wait)


def _given_up(what: str, fault: FaultError, failures: int, error: type[VantageError]) -> VantageError:
    asked = fault.wait_s or 0.0
    again = f"wait {asked:.0f} s as the server asks, then run" if asked > LONGEST_ASKED_S else "run"
    if fault.server:
        return ResourceError(
            "the server does not deliver",
            where=what,
            expected=fault.expected,
            found=f"{fault.reason} ({failures} times in a row)",
            hint=f"{again} the same command again later: what was fetched is kept",
        )
    found = fault.reason if fault.found is None else f"{fault.found}: {fault.reason}"
    return error(
        "a file cannot be fetched",
        where=what,
        expected=fault.expected,
        found=f"{found} ({failures} times in a row)",
        hint="run the same command again: what was fetched is kept; if it stays so, tell the ScanNet team",
    )
