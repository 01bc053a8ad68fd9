"""Which answers differ between two ways of making them, and how close a call each was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vantage.core.errors import ParameterError
from vantage.models.vlm.request import Generated


@dataclass(frozen=True)
class Changed:
    """A request that was answered in two ways.

    Attributes:
        id: of the request.
        first, second: the two texts.
        step: the first token that differs, from 0.
        margins: by how much each way preferred its own token there; a way that had ended already has none.
            Two ways whose logits differ by at most e part only where both margins are at most 2 e.
    """

    id: str
    first: str
    second: str
    step: int
    margins: tuple[float, ...]


def changed(first: Iterable[Generated], second: Iterable[Generated]) -> list[Changed]:
    """The requests whose texts differ, by id.

    Raises `ParameterError` unless both ways answered the same requests.
    """
    ones, others = ({answer.id: answer for answer in answers} for answers in (first, second))
    if ones.keys() != others.keys():
        lonely = sorted(ones.keys() ^ others.keys())
        raise ParameterError(
            "the two ways did not answer the same requests", expected="the same ids",
            found=f"{len(lonely)} in one only, the first {lonely[0]}",
        )  # fmt: skip
    return [
        _changed(ones[name], others[name]) for name in sorted(ones) if ones[name].text != others[name].text
    ]


def _changed(one: Generated, other: Generated) -> Changed:
    pairs = zip(one.tokens, other.tokens, strict=False)
    shorter = min(len(one.tokens), len(other.tokens))
    step = next((place for place, (a, b) in enumerate(pairs) if a != b), shorter)
    margins = tuple(answer.margins[step] for answer in (one, other) if step < len(answer.margins))
    return Changed(one.id, one.text, other.text, step, margins)
