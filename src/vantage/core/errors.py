"""Errors that tell which file or record, what was expected, what was found, and what to do next."""

from __future__ import annotations


class VantageError(Exception):
    """An error meant to be read by a person.

    Args:
        message: what went wrong, in one sentence.
        where: the file, record or parameter concerned.
        expected: what should have been there.
        found: what was there instead.
        hint: the next thing to do.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = None if where is None else str(where)
        self.expected = None if expected is None else str(expected)
        self.found = None if found is None else str(found)
        self.hint = hint

    def __str__(self) -> str:
        details = [
            ("in", self.where),
            ("expected", self.expected),
            ("found", self.found),
            ("to do", self.hint),
        ]
        return "\n  ".join([self.message, *(f"{name}: {text}" for name, text in details if text is not None)])

    def one_line(self) -> str:
        """The same text on a single line, as an index stores a reason."""
        return "; ".join(line.strip() for line in str(self).splitlines())

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and errors cross process borders.
        return _rebuild, (type(self), self.message, self.where, self.expected, self.found, self.hint)


def _rebuild(
    kind: type[VantageError],
    message: str,
    where: str | None,
    expected: str | None,
    found: str | None,
    hint: str | None,
) -> VantageError:
    error = kind.__new__(kind)
    VantageError.__init__(error, message, where=where, expected=expected, found=found, hint=hint)
    return error


class ParameterError(VantageError):
    """A wrong parameter or argument."""

    exit_code = 2


class ContractError(VantageError):
    """Data that breaks a contract between stages."""

    exit_code = 3


class SetAsideError(VantageError):
    """Some items were set aside, and the caller asked for none (`--strict`)."""

    exit_code = 4


class ScanError(VantageError):
    """The data of one scan is bad: the runner sets the scan aside with this reason and goes on."""


class ScanUnavailableError(ScanError):
    """One scan cannot be had at present: set aside in this run only, and tried again in the next."""


class ResourceError(VantageError):
    """The machine cannot go on: disk full, port in use, a library missing."""
