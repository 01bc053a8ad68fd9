"""What a judge is shown of an item: what was asked, what is accepted, what was said. No boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks import scan2cap, scanqa, sqa3d
from vantage.evaluation.benchmarks.answers import read_reply
from vantage.evaluation.benchmarks.files import Record, load, predicted, records, require_known, unique


@dataclass(frozen=True)
class Case:
    """One item for a judge.

    Attributes:
        id, scene: as the benchmark calls them.
        question, situation: what was asked and where from; "" where there is none (captions).
        references: the accepted answers or captions, at least one.
        said: the prediction; None where there is none.
    """

    id: str
    scene: str
    question: str
    situation: str
    references: tuple[str, ...]
    said: str | None = None

    @property
    def silent(self) -> bool:
        """Whether there is nothing to judge."""
        return not (self.said or "").strip()


def read_cases(benchmark: str, references: Path, predictions: Path | None) -> list[Case]:
    """The items of a benchmark in their file's order, with what was said about each.

    Captions are read without boxes: a judge does not gate them by IoU.

    Args:
        benchmark: `scanqa`, `sqa3d` or `scan2cap`.
        references: the official file.
        predictions: records with an id and a text; None where only the questions matter.

    Raises:
        ParameterError: a benchmark without rubric, or a file that is not there.
        ContractError: a file breaks its format, an id comes twice or is unknown.
    """
    if benchmark not in _READERS:
        raise ParameterError(
            f"there is no rubric for {benchmark!r}", where="BENCHMARK", expected=" or ".join(_READERS)
        )
    asked, key, text = _READERS[benchmark]
    cases = asked(references)
    if not cases:
        raise ContractError("there is nothing to judge", where=references, found="no item")
    if predictions is None:
        return list(cases.values())
    said = unique(predicted(predictions, load(predictions), benchmark), key)
    require_known(said, cases)
    texts = {name: text(row) for name, row in said.items()}
    return [replace(case, said=texts.get(name)) for name, case in cases.items()]


def _scanqa(path: Path) -> dict[str, Case]:
    items = scanqa.references(path, None)
    return {i.id: Case(i.id, i.scene, i.content.question, "", i.content.answers) for i in items}


def _sqa3d(path: Path) -> dict[str, Case]:
    items = sqa3d.references(path, None)
    return {
        i.id: Case(i.id, i.scene, i.content.question, i.content.situation, i.content.answers) for i in items
    }


def _scan2cap(path: Path) -> dict[str, Case]:
    value = load(path)
    if isinstance(value, dict):
        return {
            name: Case(name, row.text("scene_id"), "", "", scan2cap.unwrapped(row))
            for name, row in scan2cap.corpus(path, value).items()
        }
    captions: dict[str, list[str]] = {}
    for row in records(path, value):
        name = scan2cap.object_key(row.text("scene_id"), row.text("object_id"))
        captions.setdefault(name, []).append(row.text("description"))
    return {name: Case(name, name.split("|")[0], "", "", tuple(texts)) for name, texts in captions.items()}


def _caption(row: Record) -> str:
    texts = row.texts("caption", "text")
    return texts[0] if texts else ""


_Reader = tuple[Callable[[Path], dict[str, Case]], Callable[[Record], str], Callable[[Record], str]]
_READERS: Mapping[str, _Reader] = {
    "scanqa": (_scanqa, scanqa.key, lambda row: read_reply(row).text),
    "sqa3d": (_sqa3d, sqa3d.key, lambda row: read_reply(row).text),
    "scan2cap": (_scan2cap, scan2cap.key, _caption),
}
