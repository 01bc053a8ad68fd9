"""Nouns in the singular."""

from __future__ import annotations

import re

_IRREGULAR = {"shelves": "shelf", "knives": "knife", "people": "person", "men": "man", "women": "woman"}


def singular(word: str) -> str:
    """The singular of an English noun in lower case, by rules; a singular stays as it is."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:s|x|z|ch|sh)es$", word):
        return word[:-2]
    return (
        word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word
    )
