"""Answers that cost much to find and little to check: kept with a signature of what they rest on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from vantage.core import atomic


class Memo:
    """Texts by key, each valid for one signature; kept in a file between processes.

    Args:
        path: the file; without one nothing outlives the object. A damaged file counts as empty.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known = self._load()
        self._changed = False

    def get(self, key: str, signature: str, find: Callable[[], str]) -> str:
        """The text of `key`, found anew when the signature is not the one it was found under."""
        known = self._known.get(key)
        if known is not None and known[0] == signature:
            return known[1]
        found = find()
        self._known[key] = (signature, found)
        self._changed = True
        return found

    def save(self) -> None:
        """Write the file, if something new was found."""
        if self._path is not None and self._changed:
            atomic.write_json(self._path, self._known)
            self._changed = False

    def _load(self) -> dict[str, tuple[str, str]]:
        if self._path is None:
            return {}
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(key): (str(signature), str(text)) for key, (signature, text) in value.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
