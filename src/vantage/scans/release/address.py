"""The address and the token that the user brings. Neither is shown: an address may hold a secret too."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json
from vantage.scans.release.config import ScannetConfig

URL_VARIABLE: Final = "VANTAGE_SCANNET_URL"
TOKEN_VARIABLE: Final = "VANTAGE_SCANNET_TOKEN"
_KEY: Final = "download.scannet"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Address:
    """Where the release lies; its text holds no part of it.

    Attributes:
        origin: scheme, host and port.
        path: the folder that `v1` and `v2` lie in, with a slash at its end.
        query: sent with every request, where access is granted by such a text.
        authorization: the `Authorization` header; empty for none.
        key: tells one address from another, without what may be a secret of the person.
        secrets: texts that must appear nowhere.
    """

    origin: str = field(repr=False)
    path: str = field(repr=False)
    query: str = field(repr=False)
    authorization: str = field(repr=False)
    key: str
    secrets: tuple[str, ...] = field(repr=False)

    def at(self, path: str) -> str:
        """The whole address of a file of the release."""
        return f"{self.origin}{self.path}{path}" + (f"?{self.query}" if self.query else "")


def require_terms(config: ScannetConfig) -> None:
    """Raise ParameterError unless the Terms of Use were accepted."""
    if not config.accept_terms:
        raise ParameterError(
            "the ScanNet Terms of Use are not accepted",
            where=f"{_KEY}.accept_terms",
            expected="true, set by you",
            found="false",
            hint="request access from the ScanNet team, as ScanNet's own page tells; read the ScanNet Terms "
            f"of Use that they give you, and if you accept them set {_KEY}.accept_terms: true "
            "(docs/scans.md tells the steps)",
        )


def find_address(config: ScannetConfig) -> Address:
    """The address by parameter or environment, and the token.

    Raises ParameterError when there is none, when it is no address, when params.yaml holds a secret, or when
    a secret would travel unencrypted.
    """
    text, where = config.url, f"{_KEY}.url"
    if not text:
        text, where = os.environ.get(URL_VARIABLE, ""), URL_VARIABLE
    if not text:
        raise ParameterError(
            "the address of ScanNet is not set",
            where=where,
            expected="the address that the ScanNet team gave you; the folders v1 and v2 lie under it",
            found="nothing",
            hint=f"export {URL_VARIABLE}=..., or set {_KEY}.url",
        )
    return _parse(text, where, os.environ.get(TOKEN_VARIABLE, "").strip())


def _parse(text: str, where: str, token: str) -> Address:
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in ("http", "https") or not host:
        raise ParameterError(
            "not an address", where=where, expected="https://HOST/FOLDER", found="a text of another form"
        )
    login = parts.username is not None
    if where != URL_VARIABLE and (login or parts.query):
        raise ParameterError(
            "the address in the parameters holds a secret: it would be kept in provenance and locks",
            where=where,
            found="a user name or a query in the address",
            hint=f"leave it empty, and export {URL_VARIABLE} instead",
        )
    secret = token or parts.password or parts.query
    if secret and parts.scheme == "http" and host not in _LOOPBACK:
        raise ParameterError(
            "a token would travel unencrypted",
            where=where,
            expected="https",
            found="http",
            hint=f"use the https address; if the server needs no token, unset {TOKEN_VARIABLE}",
        )
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
    path = parts.path.rstrip("/") + "/"
    basic = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    authorization = _authorization(token, basic if login else "", where)
    hidden = (token, parts.password or "", parts.query, path if where == URL_VARIABLE else "")
    secrets = tuple(one for one in (*hidden, authorization) if len(one) > 1)
    return Address(origin, path, parts.query, authorization, digest_json([origin, path])[:16], secrets)


def _authorization(token: str, login: str, where: str) -> str:
    if token:
        if not token.isascii() or not token.isprintable():
            raise ParameterError("the token holds characters that no header can", where=TOKEN_VARIABLE)
        return f"Bearer {token}"
    return f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
