"""Tokens as the caption metrics want them: the Penn Treebank's, lower case, most punctuation dropped.

The published scorers run Stanford's PTBTokenizer (CoreNLP 3.4.1, Java). This is a tokenizer of our own that
follows its rules on the English of questions and captions; how often both agree is measured in the tests, and
every number made with it says `ptb=py`.
"""

from __future__ import annotations

import re
from functools import lru_cache

NAME = "ptb=py"

DROPPED = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""What the published wrapper drops. Brackets come out in lower case (`-lrb-`), so they are kept."""

_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_PLAIN = str.maketrans(
    {
        **{"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"'},
        **{"\u2013": " -- ", "\u2014": " -- ", "\u2026": " ... ", "\n": " ", "\r": " "},
        **{
            "\u00a3": "#",
            "\u20ac": "$",
            "\u00bd": "1/2",
            "\u00bc": "1/4",
            "\u00be": "3/4",
            "\u00a2": " cents ",
        },
    }
)
_ABBREVIATIONS = (
    "mr|mrs|ms|dr|prof|gen|sen|rep|gov|lt|col|sgt|capt|rev|hon|jr|sr|st|ave|rd|blvd|inc|co|corp|ltd|bros|"
    "vs|etc|al|ft|pp|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|mon|tue|tues|wed|thu|thurs|fri"
)
_JOINED = r"(?:[-/'&_.][^\W_]+)"  # l-shaped, left/right, o'clock, r&b, a_b, x.y
_TOKEN = re.compile(
    "|".join(
        (
            r"https?://\S+",
            r"[\w.]+@[\w.]+\.\w+",
            rf"\b(?:{_ABBREVIATIONS})\.(?!\w)",
            r"\b(?:no|nos|fig|figs)\.(?= ?\d)",
            r"(?<![^\W_])[^\W\d_](?:\.[^\W\d_])*\.(?![^\W_])",  # u.s. a.m. a.
            r"'(?:s|m|d|re|ve|ll)(?![^\W_])",
            r"(?<!\d)'\d\ds?\b",
            r"'n'|'t(?=is\b|was\b)|y'(?=all\b)",
            r"(?<![\w])[-+]?\d*[.,:]\d+(?:[.,:]\d+)*(?=[^\W\d_])",  # 0.5m
            r"(?<![\w])[-+]?(?:\d+(?:[.,:/-]\d+)+|\.?\d+)(?![-/&_]?[^\W_])",
            rf"[@]?[^\W_]+{_JOINED}*(?:\+\+|#)?",
            r"\.{3,}|\.(?: \.){2,}",
            r"[?!]{2,}",
            r"-{2,}|\*{2,}",
            r"``|''|<[a-z/]+>",
            r"[^\s]",
        )
    ),
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\b(?:no|nos|fig|figs)\.\s\d", re.IGNORECASE)
_CLITIC = re.compile(r"(?:n't|'(?:s|m|d|re|ve|ll))$")
_SPLIT = {
    **{"cannot": "can not", "gonna": "gon na", "gotta": "got ta", "wanna": "wan na"},
    **{"gimme": "gim me", "lemme": "lem me", "more'n": "more 'n"},
}


def ptb_tokens(text: str) -> str:
    """The tokens of a text, lower case, separated by single spaces, without those of `DROPPED`."""
    plain = text.translate(_PLAIN)
    chunks = [plain] if _NUMBERED.search(plain) else plain.split()
    return " ".join(tokens for chunk in chunks if (tokens := _tokens(chunk)))


@lru_cache(maxsize=1 << 16)
def _tokens(chunk: str) -> str:
    """Tokens of a text; of a text's parts between white space they are the same, but for `_NUMBERED`."""
    found = [part for match in _TOKEN.finditer(chunk) for part in _parts(match.group().lower())]
    return " ".join(token for token in found if token not in DROPPED)


def _parts(token: str) -> list[str]:
    """A scanned token, cut where the Treebank cuts words; nothing for pictures such as emoji."""
    if token in _BRACKETS:
        return [_BRACKETS[token]]
    if token[0] == ".":
        return ["..." if len(token) > 2 else "."] if token.strip(". ") == "" else [token]
    if token in _SPLIT:
        return _SPLIT[token].split()
    if token == '"' or ord(token[0]) > 0xFFFF:
        return []
    tail: list[str] = []
    while "'" in token[1:] and (clitic := _CLITIC.search(token)) and clitic.start():
        tail.insert(0, clitic.group())
        token = token[: clitic.start()]
    return [token, *tail]
