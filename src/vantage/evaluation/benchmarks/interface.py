"""What a benchmark is to the rest: references and predictions read, and scores by the name of their rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.metrics.measure import Measure
from vantage.geometry.boxes import OrientedBox

T = TypeVar("T")
"""What a benchmark's reference holds."""
P = TypeVar("P")
"""What a prediction for it holds."""

State = Literal["answered", "empty", "unparsed", "missing"]
"""Of a reply: usable, nothing but white space, something that our own parser can make nothing of, or none."""


AnsweredWith = Literal["text", "boxes", "place", "caption"]
"""What a model gives: words, boxes of what is described, the place of the asker, words on one object."""


@dataclass(frozen=True)
class Item(Generic[T]):
    """One reference.

    Attributes:
        id: as the benchmark calls it, unique within the file.
        scene: what it shares with other items, so that they are not independent; "" if unknown.
        where: file and line or record, for errors.
        content: the benchmark's own.
    """

    id: str
    scene: str
    where: str
    content: T


@dataclass(frozen=True)
class Variant(Generic[T, P]):
    """One rule by name.

    Attributes:
        summary: what it does and where it comes from, in a line.
        score: measures from items and, for each, its prediction or None where there is none (which is wrong).
        lacks: what must be installed before it can be reported, or None.
    """

    summary: str
    score: Callable[[Sequence[Item[T]], Sequence[P | None]], dict[str, Measure]]
    lacks: Callable[[], str | None] = field(default=lambda: None)


@dataclass(frozen=True)
class BoxRule(Generic[T]):
    """How boxes that a model locates become a prediction.

    Attributes:
        several: whether none, one or several objects may be meant; else it is one.
        fields: of the prediction's record, from an item and the boxes (one, or any number of `several`), in
            the frame of the references: the aligned world, or the camera of the item's own picture; metres.
    """

    several: bool
    fields: Callable[[T, Sequence[OrientedBox]], Mapping[str, Any]]


@dataclass(frozen=True)
class Benchmark(Generic[T, P]):
    """A benchmark. All its scores are shares of 1 unless a variant's summary says otherwise.

    Attributes:
        name: as in `vantage score NAME`.
        about: what is asked and whose it is.
        splits: published number of items by split, for telling which one a file is.
        references: reads the official file; the second path is the folder of `--scans` or None.
        key: the id of a prediction's record; `ContractError` if it has none.
        prediction: what a record predicts; `ContractError` if it breaks the format.
        state: whether a prediction can be used.
        variants: every rule, the one to quote first.
        prompt: what a model is asked for an item.
        upload: predictions by item out of an upload format that is not a list of records; None if the file
            is not in it.
        answered_with: what a model has to give.
        boxes: how boxes answer it, where it is answered with boxes.
    """

    name: str
    about: str
    splits: Mapping[str, int]
    references: Callable[[Path, Path | None], list[Item[T]]]
    key: Callable[[Record], str]
    prediction: Callable[[Record], P]
    state: Callable[[T, P], State]
    variants: Mapping[str, Variant[T, P]]
    prompt: Callable[[T], str]
    upload: Callable[[Path, Any, Sequence[Item[T]]], Mapping[str, P] | None] | None = None
    answered_with: AnsweredWith = "text"
    boxes: BoxRule[T] | None = None
