"""ROUGE-L of each item, as the COCO caption tools compute it.

Precision and recall are each the best over the references, chosen independently, and beta is 1.2. Tokens
are what single spaces separate, so that an empty text is one empty token.
Source: Lin, ACL 2004; equal to pycocoevalcap 1.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

_BETA_SQUARED = 1.2**2


def rouge_l(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Float64[np.ndarray, " n"]:
    """ROUGE-L, 0 to 1, of each prediction against its references; the corpus value is their mean."""
    pairs = zip(predictions, references, strict=True)
    return np.array([_score(said, given) for said, given in pairs], dtype=np.float64)


def _score(prediction: str, references: Sequence[str]) -> float:
    said = prediction.split(" ")
    where: dict[str, int] = {}
    for place, word in enumerate(said):
        where[word] = where.get(word, 0) | (1 << place)
    precision = recall = 0.0
    for reference in references:
        given = reference.split(" ")
        common = _common(where, len(said), given)
        precision, recall = max(precision, common / len(said)), max(recall, common / len(given))
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + _BETA_SQUARED) * precision * recall / (recall + _BETA_SQUARED * precision)


def _common(where: dict[str, int], length: int, words: Sequence[str]) -> int:
    """Length of the longest common subsequence; bit i of a row tells whether it grows at place i.

    Source: Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
    """
    full = (1 << length) - 1
    row = full
    for word in words:
        if places := where.get(word):
            hit = row & places
            row = ((row + hit) | (row - hit)) & full
    return length - row.bit_count()
