"""Trying again: what went wrong, how long to wait, and when to give up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from vantage.core.errors import ResourceError, ScanUnavailableError, VantageError
from vantage.core.seeds import fraction

T = TypeVar("T")
_FIRST_S, _LONGEST_S = 1.0, 60.0
#: A server that asks for more is left alone for this run.
LONGEST_ASKED_S = 600.0


class FaultError(Exception):
    """A try that failed and may do better next time.

    Args:
        reason: what happened, without the address.
        expected, found: where two things differ.
        server: the trouble is the server's or the network's, not this file's.
        wait_s: how long the server asks to wait, or 0 for at once.
    """

    def __init__(
        self,
        reason: str,
        *,
        expected: object = None,
        found: object = None,
        server: bool = False,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.expected, self.found = reason, expected, found
        self.server, self.wait_s = server, wait_s


@dataclass(frozen=True)
class Patience:
    """How often to try, and how to wait.

    Attributes:
        retries: tries in a row that bring nothing new before giving up.
        sleep: waits; replaced in tests, and by one that a stop ends.
        now: the time, for dates in `Retry-After`.
    """

    retries: int
    sleep: Callable[[float], object] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def delay_s(self, what: str, failures: int, asked: float | None) -> float:
        """Seconds before the next try: as asked, else doubling up to a minute, spread by half over files.

        The spread follows from the file's name, so that files which failed together do not return together.
        """
        if asked is not None:
            return asked
        longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(failures, 16))
        return longest * (0.5 + 0.5 * fraction("backoff", what, failures))


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
