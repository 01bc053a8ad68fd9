"""Exact-match scorers. Each has a name and a version, and both stand beside every number made with it.

`em_raw` is the headline and the only one a gate reads. The refined variants exist for comparison with
published tables; they say little about answers of one closed vocabulary and nothing about compass words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vantage.core.errors import ParameterError
from vantage.evaluation.cleaning import clean_answer

HEADLINE = "em_raw"


@dataclass(frozen=True)
class Scorer:
    """A named, versioned rule: a prediction and its accepted answers give 0 or 1."""

    name: str
    version: int
    summary: str
    score: Callable[[str, Sequence[str]], int]


def em_raw(prediction: str, references: Sequence[str]) -> int:
    """1 if the prediction is, character for character, one of the references (ScanQA's official rule)."""
    return int(prediction in references)


def em_clean(prediction: str, references: Sequence[str]) -> int:
    """1 if the cleaned prediction equals a cleaned reference."""
    return int(clean_answer(prediction) in [clean_answer(r) for r in references])


def _contained(a: str, b: str) -> bool:
    """Whether one text lies within the other once all whitespace is gone; the empty text lies in anything."""
    a, b = "".join(a.split()), "".join(b.split())
    return a in b or b in a


def refined_first_match(prediction: str, references: Sequence[str]) -> tuple[int, int]:
    """LEO's (exact, refined) pair: the first reference that matches in any way decides.

    So the exact score can be 0 although an exact reference comes later, and an empty prediction is refined 1.
    Source: embodied-generalist, `evaluator/scanqa_eval.py`, `answer_match`.
    """
    cleaned = clean_answer(prediction)
    for reference in (clean_answer(r) for r in references):
        if cleaned == reference:
            return 1, 1
        if _contained(cleaned, reference):
            return 0, 1
    return 0, 0


def refined_membership_first(prediction: str, references: Sequence[str]) -> tuple[int, int]:
    """The (exact, refined) pair of LLaVA-3D, 3D-LLaVA, PoseAlign3D and VLM-3R: exact membership first."""
    cleaned, accepted = clean_answer(prediction), [clean_answer(r) for r in references]
    if cleaned in accepted:
        return 1, 1
    return 0, int(any(_contained(cleaned, reference) for reference in accepted))


def em_refined_first_match(prediction: str, references: Sequence[str]) -> int:
    """The refined half of `refined_first_match`."""
    return refined_first_match(prediction, references)[1]


def em_refined_membership_first(prediction: str, references: Sequence[str]) -> int:
    """The refined half of `refined_membership_first`."""
    return refined_membership_first(prediction, references)[1]


def sqa3d_shared_word(prediction: str, references: Sequence[str]) -> int:
    """SQA3D's own rule for language models, the loosest one: a word in common with the answer is enough.

    The prediction is cleaned, the answer is not; equality, the prediction within the answer (also without
    white space) or one shared word count, the answer within the prediction does not.
    Source: SQA3D, `LLM/eval_sqa3d_llm.py`.
    """
    said = clean_answer(prediction)
    close = "".join(said.split())
    words = set(said.split())
    return int(any(said in r or close in "".join(r.split()) or words & set(r.split()) for r in references))


def em_refined_strict(prediction: str, references: Sequence[str]) -> int:
    """Refined match without its traps: containment of whole words in a row, and an empty text never matches.

    An addition of this project's, not a published metric.
    """
    said = clean_answer(prediction).split()
    return int(any(_words_within(said, clean_answer(r).split()) for r in references))


def _words_within(a: list[str], b: list[str]) -> bool:
    """Whether the shorter of two lists of words appears, in a row, in the longer one."""
    short, long = sorted((a, b), key=len)
    spans = (long[i : i + len(short)] for i in range(len(long) - len(short) + 1))
    return bool(short) and any(span == short for span in spans)


SCORERS: dict[str, Scorer] = {
    s.name: s
    for s in (
        Scorer("em_raw", 1, "strict: the same characters", em_raw),
        Scorer("em_clean", 1, "equal after the LEO cleaner", em_clean),
        Scorer(
            "em_refined_first_match", 1, "either contains the other, as LEO scores it", em_refined_first_match
        ),
        Scorer(
            "em_refined_membership_first", 1, "the same, exact references first", em_refined_membership_first
        ),
        Scorer("em_refined_strict", 1, "whole words contained; empty is wrong", em_refined_strict),
    )
}


def scorer(name: str) -> Scorer:
    """The scorer of this name. Raises `ParameterError` for an unknown one."""
    if name not in SCORERS:
        raise ParameterError(f"no scorer is called {name!r}", expected=", ".join(SCORERS), found=name)
    return SCORERS[name]
