"""Chat completions of an OpenAI-compatible server: one question, one reply, or what went wrong."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from vantage.core.errors import ParameterError
from vantage.core.patience import FaultError, retry_after_s

KEY_VARIABLE = "VANTAGE_JUDGE_KEY"
OPENAI_VARIABLE = "OPENAI_API_KEY"
_OPENAI = "api.openai.com"
_STOPS_THE_RUN = frozenset({401, 403, 404, 405, 407})
_LONGEST_BODY = 8 << 20


class RefusalError(Exception):
    """The server will not answer this question, now or later."""


@dataclass(frozen=True)
class Reply:
    """What a model said.

    Attributes:
        text: the message; "" where the model declined.
        thoughts: its reasoning, where the server tells it apart.
        cut: whether the token budget ended it.
    """

    text: str
    thoughts: str = ""
    cut: bool = False


@dataclass(frozen=True)
class ChatClient:
    """A model behind an address.

    Attributes:
        base_url: what `/chat/completions` is added to, for instance `http://localhost:8000/v1`.
        model: as the server calls it.
        key: sent as a bearer token; never shown.
        timeout_s: for a whole reply.
        max_tokens: budget of a reply, thoughts included.
    """

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    timeout_s: float = 120.0
    max_tokens: int = 2048

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            expected = "http(s)://host[:port]/v1, without login"
            raise ParameterError("not the address of a judge", where="--judge", expected=expected)
        if not self.key.isprintable() or not self.key.isascii():
            raise ParameterError("the key of the judge is not one line of ASCII", where=KEY_VARIABLE)

    def settings(self) -> dict[str, Any]:
        """What a reply depends on besides the messages and the seed."""
        return {"model": self.model, "temperature": 0, "max_completion_tokens": self.max_tokens}

    def complete(self, messages: list[dict[str, str]], seed: int) -> Reply:
        """The reply to a conversation, at temperature 0.

        Raises:
            FaultError: no whole answer, or one that may be another next time.
            RefusalError: the server refuses this question.
            ParameterError: the server refuses the model, the key or the address.
        """
        body = json.dumps({**self.settings(), "messages": messages, "seed": seed}).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "vantage"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = self.base_url.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(url, body, headers, method="POST")
        deadline = time.monotonic() + self.timeout_s
        try:
            with _OPENER.open(request, timeout=self.timeout_s) as answer:
                return _reply(_body(answer, deadline))
        except urllib.error.HTTPError as error:
            with error:
                self._refuse(error)
        except TimeoutError as error:
            raise FaultError(f"no whole reply within {self.timeout_s:g} s", server=True) from error
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            raise FaultError(f"the connection failed ({type(cause).__name__})", server=True) from error

    def _refuse(self, error: urllib.error.HTTPError) -> NoReturn:
        try:
            told = error.read(2000).decode(errors="replace")
        except (OSError, http.client.HTTPException):
            told = ""
        if self.key:
            told = told.replace(self.key, "***")
        found = " ".join(f"{error.code} {told}".split())[:300]
        if error.code in (408, 409, 425, 429) or error.code >= 500:
            wait = retry_after_s(error.headers.get("Retry-After"), datetime.now(UTC))
            raise FaultError(f"the server answers {found}", server=True, wait_s=wait) from None
        if error.code in _STOPS_THE_RUN or 300 <= error.code < 400:
            raise ParameterError(
                "the judge's server refuses",
                where=f"{urlsplit(self.base_url).netloc}, model {self.model!r}",
                found=found,
                hint=f"check --judge (it ends in /v1 as a rule), --model and the key in {KEY_VARIABLE}",
            ) from None
        raise RefusalError(f"the server answers {found}") from None


def key_for(base_url: str, environment: Mapping[str, str]) -> str:
    """The key for an address; OpenAI's own variable is read for OpenAI's own address alone."""
    if KEY_VARIABLE in environment:
        return environment[KEY_VARIABLE].strip()
    own = urlsplit(base_url).hostname == _OPENAI
    return environment.get(OPENAI_VARIABLE, "").strip() if own else ""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host and turn the question into a GET."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _body(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    found = b""
    while piece := answer.read1(1 << 16):
        found += piece
        if time.monotonic() > deadline:
            raise TimeoutError
        if len(found) > _LONGEST_BODY:
            raise FaultError("the answer does not end")
    return found


def _reply(body: bytes) -> Reply:
    try:
        choice = json.loads(body)["choices"][0]
        message = choice["message"]
        text, thoughts = message["content"], message.get("reasoning_content") or message.get("reasoning")
        if not isinstance(text, str | None):
            raise TypeError("content is no text")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FaultError(f"not an answer of a chat server ({type(error).__name__})") from error
    thoughts = thoughts if isinstance(thoughts, str) else ""
    return Reply(text or "", thoughts, choice.get("finish_reason") == "length")
