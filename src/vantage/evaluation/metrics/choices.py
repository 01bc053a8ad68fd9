"""How a reply becomes the letter of an option, by the name of who reads it so."""

from __future__ import annotations

import re
from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_ALONE = re.compile(r"\(?([A-Za-z])\)?[.:,]?")
_LEADING = re.compile(r"(?:\(([A-Z])\)|([A-Z])[).:])(?:\s|$)")
_NAMED = re.compile(r"\b(?i:answer|choice|option)(?:\s+is)?\s*:?\s*\(?([A-Z])\)?(?=[.,;:\s]|$)")
_BRACKETED = re.compile(r"\(([A-Z])\)")


def ours(reply: str, options: Sequence[str]) -> str | None:
    """The letter that a reply names beyond doubt, or None.

    A letter alone, a letter that leads ("B. a chair", "(B) ..."), "the answer is B", the only letter in
    brackets, or an option's text itself, in this order. Letters beyond the options name nothing.
    """
    text = reply.strip()
    known = LETTERS[: len(options)]
    if match := _ALONE.fullmatch(text):
        letter = match.group(1).upper()
        return letter if letter in known else None
    if match := _LEADING.match(text):
        letter = match.group(1) or match.group(2)
        return letter if letter in known else None
    for pattern in (_NAMED, _BRACKETED):
        if letters := {letter for letter in pattern.findall(text) if letter in known}:
            return letters.pop() if len(letters) == 1 else None
    same = [known[i] for i, option in enumerate(options) if _plain(option) == _plain(text) != ""]
    return same[0] if len(same) == 1 else None


def _plain(text: str) -> str:
    return text.strip().rstrip(".").casefold()


def first_token(reply: str) -> str:
    """VSI-Bench: the first word by single spaces without its final full stops, upper case."""
    return reply.split(" ")[0].rstrip(".").strip().upper()


def first_letter(reply: str) -> str:
    """lmms-eval on CV-Bench: the first letter at the start, bracket or not; "the lamp" is T."""
    match = re.match(r"\s*\(?\s*([A-Za-z])", reply)
    return match.group(1).upper() if match else ""


def letter_and_stop(reply: str) -> str:
    """lmms-eval on MuirBench: a capital and a full stop at the start, else the whole reply, upper case."""
    match = re.match(r"\s*([A-Z])\.", reply)
    return match.group(1) if match else reply.strip().upper()


def muirbench_official(reply: str, options: Sequence[str]) -> str | None:
    """MuirBench's parser up to the point where it would guess at random; None there.

    A letter in brackets, else a capital between spaces, else, in more than five words, an option's text
    anywhere; of several, the one that occurs last.
    """
    text = reply
    for mark in (",", ".", "!", "?", ";", ":", "'"):
        text = text.strip(mark)
    text = f" {text} "
    known = LETTERS[: len(options)]
    for form in ("({})", " {} "):
        if hits := [letter for letter in known if form.format(letter) in text]:
            return max(hits, key=lambda letter: text.rfind(form.format(letter)))
    if len(text.split()) > 5:
        low = text.lower()
        places = {known[i]: low.rfind(option.lower()) for i, option in enumerate(options)}
        if hits := [letter for letter, place in places.items() if place >= 0]:
            return max(hits, key=lambda letter: places[letter])
    return None
