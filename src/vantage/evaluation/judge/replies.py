"""Replies kept by the content of what was asked, in a file that grows by a line for each."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vantage.core.errors import ResourceError
from vantage.core.hashing import digest_json
from vantage.evaluation.judge.client import Reply
from vantage.records.jsonfile import parse_json


def reply_key(settings: dict[str, Any], rubric: str, messages: list[dict[str, str]], seed: int) -> str:
    """The name of a question: everything that its reply depends on, the server's address not included."""
    return digest_json({**settings, "rubric": rubric, "messages": messages, "seed": seed})


class ReplyFile:
    """Replies that came whole, garbage included: a run killed or repeated asks for none of them again.

    A line is written with one call and at once, so that processes may share the file and a kill damages no
    line but the last; a damaged line counts as not there.

    Args:
        path: JSON lines; made with its folder when the first reply comes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._ends = True
        self._known = self._load()

    def get(self, key: str) -> Reply | None:
        """The reply to a question, if it was asked before."""
        return self._known.get(key)

    def keep(self, key: str, reply: Reply) -> None:
        """Keep a reply; `ResourceError` where the file cannot be written."""
        line = json.dumps({"key": key, **asdict(reply)}, ensure_ascii=True) + "\n"
        with self._lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("ab", buffering=0) as file:
                    file.write(("" if self._ends else "\n").encode() + line.encode())
            except OSError as error:
                raise ResourceError(
                    "replies cannot be kept", where=self._path, found=error.strerror or error
                ) from error
            self._ends = True
            self._known[key] = reply

    def _load(self) -> dict[str, Reply]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ResourceError("replies cannot be read", where=self._path, found=error.strerror) from error
        self._ends = data.endswith(b"\n") or not data
        found = {}
        for line in data.split(b"\n"):
            try:
                row = parse_json(line.decode())
                key, reply = row["key"], Reply(row["text"], row["thoughts"], row["cut"])
            except (ValueError, LookupError, TypeError):
                continue
            if isinstance(reply.cut, bool) and all(
                isinstance(t, str) for t in (key, reply.text, reply.thoughts)
            ):
                found[key] = reply
        return found
