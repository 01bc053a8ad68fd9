"""A registered model, or the folder of one, as something that can be asked about posed views."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError, VantageError
from vantage.core.hashing import digest_tree
from vantage.evaluation.benchmarks.interface import Benchmark
from vantage.evaluation.running.ask import Answer, Ask, SetAside, require_answers_with
from vantage.registry.store import Store, fluent
from vantage.registry.uris import look_up

MARK_FILE = "MLmodel"
"""The file by which a packaged model's folder is known."""


class RegisteredAnswerer:
    """Answers with one word each, from posed views with depth.

    Args:
        model: as MLflow loads it.
        digest: of its weights and their descriptions.
        coordinates: whether poses and points reach it.
    """

    def __init__(self, model: Any, digest: str, coordinates: bool = True) -> None:
        self._model, self._digest, self._coordinates = model, digest, coordinates

    @classmethod
    def load(cls, store: Store, uri: str) -> RegisteredAnswerer:
        """From an address (`models:/vantage@champion`) or a packaged model's folder.

        Raises `VantageError` when the registry has no such model.
        """
        found = look_up(store, uri)
        with fluent(store) as mlflow:
            folder = Path(mlflow.artifacts.download_artifacts(found.uri))
            parts = folder / "artifacts"
            return cls(mlflow.pyfunc.load_model(str(folder)), digest_tree(parts), _uses_coordinates(parts))

    def identity(self) -> Mapping[str, Any]:
        """The digest alone: the same model under another alias goes on."""
        return {"type": "registered", "weights": self._digest}

    def settings(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def uses_coordinates(self) -> bool:
        """Unless its adapter says that none enter."""
        return self._coordinates

    def prompt(self, benchmark: Benchmark[Any, Any], content: Any) -> str:
        """The question alone: situations are told by poses, and how to answer is the model's own affair.

        Raises `ParameterError` for a benchmark without plain questions.
        """
        require_answers_with("text", benchmark)
        question = getattr(content, "question", None)
        if not isinstance(question, str):
            raise ParameterError("this benchmark asks no plain question", where=benchmark.name)
        return question

    def answers(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        """The questions about the same views together; one that is refused does not stop the others."""
        together: dict[str, list[Ask]] = {}
        for ask in asks:
            together.setdefault(ask.input, []).append(ask)
        for group in together.values():
            yield self._about(group)

    def _about(self, asks: Sequence[Ask]) -> list[Answer | SetAside]:
        views = asks[0].scan
        if views is None:
            return [SetAside(ask.id, "the model needs posed views with depth, from --scans") for ask in asks]
        try:
            request = views.request("")
        except VantageError as error:
            return [SetAside(ask.id, error.one_line()) for ask in asks]
        return self._of(request, asks)

    def _of(self, request: Mapping[str, Any], asks: Sequence[Ask]) -> list[Answer | SetAside]:
        """All questions at once; where the model refuses, one by one."""
        try:
            records = self._model.predict({**request, "question": [ask.prompt for ask in asks]})
        except VantageError as error:
            if len(asks) == 1:
                return [SetAside(asks[0].id, _refusal(error))]
            return [one for ask in asks for one in self._of(request, [ask])]
        return [
            Answer(ask.id, record["answer"], "word", tokens=1)
            for ask, record in zip(asks, records, strict=True)
        ]


def _uses_coordinates(parts: Path) -> bool:
    """By the description of the adapter among a model's parts."""
    for path in sorted(parts.rglob("config.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("record") == "adapter":
            return bool(found["site"] != "none")
        if found.get("record") == "spatial_vlm":
            about, config = found.get("about") or {}, found["config"]
            told = about.get("align") is not None or about.get("dialogs", "single") != "single"
            return told or config.get("injection") is not None or config.get("situated") is not None
    return True


def _refusal(error: VantageError) -> str:
    """Why the model refused a question: unknown words by themselves, without the whole vocabulary."""
    words = getattr(error, "words", None)
    return error.one_line() if words is None else f"outside the model's vocabulary: {', '.join(words)}"
