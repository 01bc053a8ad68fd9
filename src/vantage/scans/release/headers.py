"""What an answer's headers say about a file: its size, its version, its checksum."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")
_LENGTHS = {"sha256": 32, "md5": 16}


@dataclass(frozen=True)
class ContentRange:
    """`Content-Range`: the first byte sent (None when none could be), and the file's size if told."""

    first: int | None
    total: int | None


def content_range(text: str | None) -> ContentRange | None:
    """The parsed header; None when it is missing or of another form."""
    found = _RANGE.fullmatch((text or "").strip())
    if found is None:
        return None
    return ContentRange(*(None if part in (None, "*") else int(part) for part in (found[1], found[3])))


def content_length(text: str | None) -> int | None:
    """The parsed header; None when it is missing or no number."""
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def if_range(etag: str, modified: str) -> str:
    """The value of `If-Range`: a strong entity tag, else the date; empty when neither was given."""
    return etag if etag and not etag.startswith("W/") else modified


def checksum(headers: Mapping[str, str], whole: bool) -> tuple[str, str] | None:
    """Algorithm and hexadecimal digest of the whole file, SHA-256 rather than MD5; None when none is given.

    `whole` tells that the answer is the whole file: `Content-MD5` speaks of what was sent.
    """
    names = ("Repr-Digest", "Digest", "X-Goog-Hash")
    given = dict(part for name in names for part in _digests(headers.get(name, "")))
    if whole:
        given = dict(_digests(f"md5={headers.get('Content-MD5', '')}")) | given
    return next(((name, given[name]) for name in _LENGTHS if name in given), None)


def _digests(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        algorithm = name.lower().replace("-", "")
        try:
            raw = base64.b64decode(value.strip(" :"), validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(raw) == _LENGTHS.get(algorithm):
            yield algorithm, raw.hex()
