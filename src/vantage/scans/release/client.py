"""HTTP to the release's server: answers as they are, failures without the address."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    ResponseError,
    SSLError,
)

from vantage.core.errors import ParameterError, ResourceError
from vantage.core.patience import FaultError, retry_after_s
from vantage.scans.release.address import TOKEN_VARIABLE, Address

CHUNK = 1 << 18
_ABSENT = frozenset({404, 410})
_REFUSED = frozenset({401, 403, 407})
#: Answers that may be another next time; the first two speak for the server as a whole.
_BUSY = frozenset({429, 503})
_PASSING = frozenset({408, 425, 500, 502, 504})
_LOGGERS = ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response", "urllib3.util.retry")
#: Redirects are followed, without the token to another host; every other retry is the caller's.
_RETRY = urllib3.Retry(
    total=None, connect=0, read=0, redirect=5, status=0, other=0, respect_retry_after_header=False
)


class Client:
    """A few connections to one address, closed when the context ends.

    Args:
        address: where the release lies.
        timeout_s: without a byte, a connection counts as broken.
        connections: how many to keep.
    """

    def __init__(self, address: Address, timeout_s: float, connections: int) -> None:
        self._address = address
        timeout = urllib3.Timeout(connect=timeout_s, read=timeout_s)
        proxy = _proxy(address.at(""))
        if proxy is None:
            self._pool = urllib3.PoolManager(maxsize=connections, timeout=timeout)
        else:
            self._pool = urllib3.ProxyManager(
                proxy, proxy_headers=_proxy_login(proxy), maxsize=connections, timeout=timeout
            )
        self._filter = _Secrets(address.secrets)

    def __enter__(self) -> Client:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._filter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.clear()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._filter)

    @contextmanager
    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer for a file below the address, its body unread and undecoded.

        Raises:
            FaultError: no answer, or one that may be another next time.
            ParameterError: the server refuses, or sends a web page instead of a file.
            ResourceError: the server's certificate is not trusted, or the answer is none for a file.
        """
        sent = {"Accept-Encoding": "identity", "User-Agent": "vantage", **(headers or {})}
        if self._address.authorization:
            sent["Authorization"] = self._address.authorization
        try:
            answer = self._pool.request(
                method,
                self._address.at(path),
                headers=sent,
                preload_content=False,
                decode_content=False,
                retries=_RETRY,
            )
        except HTTPError as error:
            raise _fault(error, path) from None
        try:
            self._check(answer, path)
            yield answer
        except HTTPError as error:
            raise _fault(error, path) from None
        finally:
            # What was not read to its end is of no use to the next request.
            answer.close()

    def _check(self, answer: urllib3.BaseHTTPResponse, path: str) -> None:
        status = answer.status
        if status in _BUSY | _PASSING:
            wait = retry_after_s(answer.headers.get("Retry-After"), datetime.now(UTC))
            raise FaultError(f"the server answers {status}", server=status in _BUSY, wait_s=wait)
        if status in _REFUSED:
            raise refused(path, f"the answer {status}, {self._access()}")
        if answer.headers.get("Content-Type", "").lower().startswith("text/html") and status in (200, 206):
            raise refused(path, f"a web page instead of the file, {self._access()}")
        if status not in _ABSENT | {200, 206, 416, 405, 501}:
            raise ResourceError(
                "the server's answer is none for a file", where=path, expected="200 or 206", found=status
            )

    def _access(self) -> str:
        return "with a token or login" if self._address.authorization else "without a token"


def is_absent(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether the server does not have the file."""
    return answer.status in _ABSENT


def refused(path: str, found: str) -> ParameterError:
    """The error for an answer that means: you may not."""
    return ParameterError(
        "the server gives no access",
        where=path,
        found=found,
        hint=f"check the address and {TOKEN_VARIABLE}; access comes from the ScanNet team, with the ScanNet "
        "Terms of Use",
    )


def body(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The body in pieces, as they come."""
    while piece := answer.read1(CHUNK, decode_content=False):
        yield piece


def _fault(error: HTTPError, path: str) -> FaultError | ResourceError:
    """The failure in words of ours: the library's own tell the whole address."""
    cause: object = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(cause, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(cause):
        return ResourceError(
            "the server's certificate is not trusted",
            where=path,
            hint="if your institution issues its own certificates, name theirs with SSL_CERT_FILE",
        )
    if isinstance(cause, NameResolutionError):
        return FaultError("the server's name cannot be resolved", server=True)
    if isinstance(cause, ConnectTimeoutError | NewConnectionError | ProxyError):
        return FaultError(f"no connection to the server ({type(cause).__name__})", server=True)
    if isinstance(cause, ReadTimeoutError):
        return FaultError("the connection stalled")
    if isinstance(cause, ResponseError):
        return FaultError("too many redirects")
    return FaultError(f"the connection broke ({type(cause).__name__})")


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    return None if proxy is None or proxy_bypass(parts.hostname or "") else proxy


def _proxy_login(proxy: str) -> Mapping[str, str]:
    login = urlsplit(proxy)
    basic = f"{unquote(login.username)}:{unquote(login.password or '')}" if login.username else None
    return urllib3.make_headers(proxy_basic_auth=basic)


class _Secrets(logging.Filter):
    """Drops records of the library that would show a secret."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be shown."""
        text = record.getMessage()
        return not any(secret in text for secret in self._secrets)
