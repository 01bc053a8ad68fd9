"""BLEU, ROUGE-L and CIDEr-D written straight from their formulas, slowly: the oracle of the fast ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def grams(text: str, n: int) -> Counter[tuple[str, ...]]:
    words = text.split()
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def bleu_parts(said: str, given: Sequence[str]) -> list[float]:
    """Matches of orders 1 to 4, guesses of them, length, closest reference length."""
    matches = []
    for n in range(1, 5):
        most: Counter[tuple[str, ...]] = Counter()
        for text in given:
            most |= grams(text, n)
        matches.append(sum((grams(said, n) & most).values()))
    length = len(said.split())
    guesses = [max(0, length - n) for n in range(4)]
    closest = min((abs(len(t.split()) - length), len(t.split())) for t in given)[1]
    return [*matches, *guesses, length, closest]


def bleu(parts: Sequence[float]) -> list[float]:
    scores, product = [], 1.0
    ratio = (parts[8] + 1e-15) / (parts[9] + 1e-9)
    for n in range(4):
        product *= (parts[n] + 1e-15) / (parts[4 + n] + 1e-9)
        scores.append(product ** (1 / (n + 1)) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0))
    return scores


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def rouge_l(said: str, given: Sequence[str]) -> float:
    words, others = said.split(" "), [text.split(" ") for text in given]
    p = max(common_subsequence(other, words) / len(words) for other in others)
    r = max(common_subsequence(other, words) / len(other) for other in others)
    return 0.0 if p == 0 or r == 0 else (1 + 1.44) * p * r / (r + 1.44 * p)


def cider(said: Sequence[str], given: Sequence[Sequence[str]]) -> list[float]:
    items = len(said)
    frequency: Counter[tuple[str, ...]] = Counter()
    for texts in given:
        frequency.update({g for text in texts for n in range(1, 5) for g in grams(text, n)})

    def vector(text: str, n: int) -> dict[tuple[str, ...], float]:
        return {g: k * (math.log(items) - math.log(max(1, frequency[g]))) for g, k in grams(text, n).items()}

    def similarity(a: str, b: str) -> float:
        total = 0.0
        for n in range(1, 5):
            va, vb = vector(a, n), vector(b, n)
            dot = sum(min(va[g], vb.get(g, 0.0)) * vb.get(g, 0.0) for g in va)
            norms = math.sqrt(sum(x * x for x in va.values())) * math.sqrt(sum(x * x for x in vb.values()))
            total += dot / norms if norms else 0.0
        delta = sum(grams(a, 2).values()) - sum(grams(b, 2).values())
        return total / 4 * math.exp(-delta * delta / (2 * 36))

    return [
        10 * sum(similarity(a, text) for text in texts) / len(texts)
        for a, texts in zip(said, given, strict=True)
    ]
