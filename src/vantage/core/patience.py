"""Servers that fail for a while: what went wrong, how often to try again, how long to wait."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from vantage.core.seeds import fraction

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


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds to wait by `Retry-After`, which is a number or a date; None when it tells nothing."""
    text = (text or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())
