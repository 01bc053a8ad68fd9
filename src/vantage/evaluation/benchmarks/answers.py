"""Exact match of short answers in every published variant, for every benchmark that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from vantage.evaluation import scorers
from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.benchmarks.interface import Item, State, Variant
from vantage.evaluation.cleaning import clean_answer
from vantage.evaluation.metrics import choices
from vantage.evaluation.metrics.measure import Measure, by_group


class Asked(Protocol):
    """A question with accepted answers, and the group (type, class) that it is reported under."""

    @property
    def answers(self) -> tuple[str, ...]:
        """The accepted answers, at least one."""

    @property
    def group(self) -> str:
        """Its type."""


@dataclass(frozen=True)
class Reply:
    """A text, and the ranked list that it heads where one was given."""

    text: str
    ranked: tuple[str, ...] = ()


def read_reply(row: Record) -> Reply:
    """The reply of a record: `text`, or `answer_top10` with the best first (an empty list says nothing)."""
    if row.has("answer_top10"):
        ranked = row.texts("answer_top10")
        return Reply(ranked[0] if ranked else "", ranked)
    return Reply(row.text("text", "answer", "pred", "prediction", "response_pred"))


def read_options(row: Record, name: str) -> tuple[str, ...]:
    """The options of a question, as many as there are letters for; `ContractError` for none or more."""
    options = row.texts(name)
    if not 0 < len(options) <= len(choices.LETTERS):
        raise row.error(f"1 to {len(choices.LETTERS)} options in {name!r}", f"{len(options)}")
    return options


@runtime_checkable
class Optioned(Protocol):
    """A question with options."""

    @property
    def options(self) -> tuple[str, ...]:
        """The options, in the order of their letters."""


def option_state(question: Optioned, reply: Reply) -> State:
    """Unparsed is a reply that names no option beyond doubt."""
    if not reply.text.strip():
        return "empty"
    return "answered" if choices.ours(reply.text, question.options) else "unparsed"


def reply_state(_asked: object, reply: Reply) -> State:
    """Any text is an answer."""
    return "answered" if reply.text.strip() else "empty"


Rule = Callable[[str, Sequence[str]], Mapping[str, int]]


def _strict(prediction: str, references: Sequence[str]) -> dict[str, int]:
    said = bool(clean_answer(prediction).strip())
    em = int(said and scorers.em_clean(prediction, references))
    return {"em": em, "em_refined": scorers.em_refined_strict(prediction, references)}


def _pair(rule: Callable[[str, Sequence[str]], tuple[int, int]]) -> Rule:
    return lambda p, r: dict(zip(("em", "em_refined"), rule(p, r), strict=True))


RULES: Mapping[str, tuple[str, Rule]] = {
    "raw": (
        "the same characters (ScanQA's official EM; Video-3D-LLM on ScanQA)",
        lambda p, r: {"em": scorers.em_raw(p, r)},
    ),
    "clean": (
        "equal after LEO's cleaner, an answer that it empties equals another such",
        lambda p, r: {"em": scorers.em_clean(p, r)},
    ),
    "refined_first_match": (
        "LEO: the first reference that matches in any way decides; an empty reply is refined 1",
        _pair(scorers.refined_first_match),
    ),
    "refined_membership_first": (
        "LLaVA-3D, 3D-LLaVA, PoseAlign3D, VLM-3R: exact references first; an empty reply is refined 1",
        _pair(scorers.refined_membership_first),
    ),
    "refined_strict": ("ours: whole words in a row, an empty reply never scores", _strict),
}


def exact_variants(rules: Mapping[str, tuple[str, Rule]] = RULES) -> dict[str, Variant[Any, Reply]]:
    """Variants that score every reply by a rule of its own, over all items and by group."""
    return {name: Variant(summary, _scored_by(rule)) for name, (summary, rule) in rules.items()}


def _scored_by(
    rule: Rule,
) -> Callable[[Sequence[Item[Any]], Sequence[Reply | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Any]], said: Sequence[Reply | None]) -> dict[str, Measure]:
        rows = [
            None if reply is None else rule(reply.text, item.content.answers)
            for item, reply in zip(items, said, strict=True)
        ]
        metrics = sorted(rule("", ("no",)))
        groups = group_masks([item.content.group for item in items])
        found: dict[str, Measure] = {}
        for metric in metrics:
            values = np.array([0.0 if row is None else row[metric] for row in rows], dtype=np.float64)
            found |= by_group(metric, values, groups)
        return found

    return score


def group_masks(names: Sequence[str]) -> dict[str, np.ndarray]:
    """For each name that occurs, sorted, which items bear it; nothing where all bear one."""
    kinds = sorted(set(names))
    return {kind: np.array([name == kind for name in names]) for kind in kinds} if len(kinds) > 1 else {}


def best_of_ten(items: Sequence[Item[Any]], said: Sequence[Reply | None]) -> dict[str, Measure]:
    """ScanQA's EM@10: any of the ranked answers, character for character."""
    pairs = zip(items, said, strict=True)
    hits = [
        r is not None and any(text in i.content.answers for text in (r.ranked or (r.text,))) for i, r in pairs
    ]
    return {"em_at_10": by_group("em_at_10", np.array(hits, dtype=np.float64), {})["em_at_10"]}
