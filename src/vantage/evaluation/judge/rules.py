"""A judge without a model: rules on words, stricter than people and blind to synonyms, but the same for ever.

An answer is correct if, against one reference, all of these hold:

- it says something, and is not evasive ("I don't know", "cannot tell") unless the reference is;
- every content word of the reference that the question does not hold already is in it, plural or singular
  (after LEO's cleaner, which makes digits words; all of them where the question holds all);
- it states no number that the reference and the question do not;
- it says no word whose opposite (left and right, front and back, yes and no, ...) is what the reference says;
- it is negated if and only if the reference is.

A caption is correct if:

- it names the object: a content word that most references share, colours and directions apart;
- every colour it says, and no direction whose opposite alone is said, stands in a reference;
- at least half of its content words stand in the references.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from vantage.evaluation.cleaning import clean_answer
from vantage.evaluation.judge.cases import Case
from vantage.evaluation.judge.verdict import Decision
from vantage.evaluation.metrics.numbers import WORDS
from vantage.evaluation.singular import singular

NAME = "rule-1"

_STOP_WORDS = """
a an the of to in on at by with and or it its it's is are was were be there this that these those you your i
i'm my me he she his her they their from for as which who what where seems like
"""
_STOP = frozenset(_STOP_WORDS.split())
_COLOUR_WORDS = """
black white gray grey brown red blue green yellow orange purple pink beige tan silver gold golden
"""
_COLOURS = frozenset(_COLOUR_WORDS.split())
_PAIRS = (
    "left right, front back, front behind, forward backward, above below, over under, up down, open closed,"
    " yes no, inside outside, top bottom, on off, light dark, long short, same different"
)
_OPPOSITES: dict[str, set[str]] = {}
for _a, _b in (pair.split() for pair in _PAIRS.split(",")):
    _OPPOSITES.setdefault(_a, set()).add(_b)
    _OPPOSITES.setdefault(_b, set()).add(_a)
_NEGATIONS = frozenset(("not", "no", "none", "never", "nothing", "without", "neither", "nor", "zero"))
_EVASIVE = re.compile(
    r"\b(?:don't|do not|cannot|can't|can not) (?:know|tell|say|see|answer|determine)\b"
    r"|\bunknown\b|\bnot sure\b|\bunsure\b|\bno idea\b|\bnot (?:clear|certain|specified)\b",
    re.IGNORECASE,
)


def judge_by_rule(case: Case) -> Decision:
    """The decision on an answer, or on a caption where the case has no question; there is always one."""
    if case.silent:
        return Decision(False, "nothing was said")
    if not case.question:
        return _caption(case)
    reasons = []
    for reference in case.references:
        fault = _fault(case.said or "", reference, f"{case.situation} {case.question}")
        if not fault:
            return Decision(True, f"carries {reference!r}")
        reasons.append(fault)
    return Decision(False, "; ".join(dict.fromkeys(reasons)))


def _fault(said: str, reference: str, question: str) -> str:
    """What is wrong with an answer by one reference; "" if nothing is."""
    if _EVASIVE.search(said.replace("\u2019", "'")) and not _EVASIVE.search(reference):
        return "evasive"
    words, truth, asked = _words(said), _words(reference), set(_words(question))
    needed = [w for w in truth if w not in asked] or truth
    if lacking := [w for w in needed if w not in words]:
        return f"lacks {lacking[0]!r}"
    if not needed:
        return "" if clean_answer(said) == clean_answer(reference) else f"is not {reference!r}"
    if extra := [w for w in words if w in WORDS and w not in truth and w not in asked]:
        return f"says the number {extra[0]!r}"
    if swapped := _swapped(words, truth):
        return f"says {swapped!r}"
    negated, should = (bool(_negations(text)) for text in (said, reference))
    return "" if negated == should else "negated" if negated else "not negated"


def _caption(case: Case) -> Decision:
    words = _words(case.said or "")
    given = [_words(text) for text in case.references]
    known = {word for text in given for word in text}
    names = _names(given)
    if names and not names & set(words):
        return Decision(False, f"does not name the object ({', '.join(sorted(names)[:3])})")
    if odd := [w for w in words if w in _COLOURS and w not in known]:
        return Decision(False, f"says the colour {odd[0]!r}")
    if swapped := _swapped(words, sorted(known)):
        return Decision(False, f"says {swapped!r}")
    shared = sum(word in known for word in words)
    if 2 * shared < len(words):
        return Decision(False, f"{shared} of {len(words)} content words stand in the references")
    return Decision(bool(words), f"{shared} of {len(words)} content words stand in the references")


def _names(given: Sequence[Sequence[str]]) -> set[str]:
    """The content words that most references share, the object's name among them as a rule."""
    counts = Counter(
        w for text in given for w in set(text) if w not in _COLOURS and w not in _OPPOSITES and w not in WORDS
    )
    most = max(counts.values(), default=0)
    return {word for word, n in counts.items() if n == most}


def _swapped(words: Sequence[str], truth: Sequence[str]) -> str:
    """A word whose opposite is in the truth, which does not hold the word itself; "" if there is none."""
    said = (w for w in words if w not in truth and _OPPOSITES.get(w, set()) & set(truth))
    return next(said, "")


def _negations(text: str) -> set[str]:
    words = clean_answer(text.replace("\u2019", "'")).replace(",", " ").split()
    return {w for w in words if w in _NEGATIONS or w.endswith("n't")}


@lru_cache(maxsize=1 << 16)
def _words(text: str) -> list[str]:
    """Content words, cleaned and in the singular."""
    plain = clean_answer(text.replace("/", " ").replace("\u2019", "'"))
    words = (word.strip("-':").lower() for word in re.split(r"[\s,:]+", plain))
    return [singular(word) for word in words if word and word not in _STOP]
