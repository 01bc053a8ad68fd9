"""A registered model, or the folder of one, as something that can be asked about posed views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError, VantageError
from vantage.core.hashing import digest_tree
from vantage.evaluation.benchmarks.interface import Benchmark
from vantage.evaluation.running.ask import Answer, Ask, SetAside, require_answers_with
from vantage.registry.served_base import SERVED_FILE
from vantage.registry.store import Store, fluent
from vantage.registry.uris import look_up

MARK_FILE = "MLmodel"
"""The file by which a packaged model's folder is known."""


class RegisteredAnswerer:
    """Answers from posed views with depth: a pocket model with one word each, another in its own words.

    Args:
        model: as MLflow loads it.
        digest: of its weights and their descriptions.
        pocket: whether it is a pocket model.
    """

    def __init__(self, model: Any, digest: str, pocket: bool = True) -> None:
        self._model, self._digest, self._pocket = model, digest, pocket

    @classmethod
    def load(cls, store: Store, uri: str) -> RegisteredAnswerer:
        """From an address (`models:/vantage@champion`) or a packaged model's folder.

        Raises `VantageError` when the registry has no such model.
        """
        found = look_up(store, uri)
        with fluent(store) as mlflow:
            folder = Path(mlflow.artifacts.download_artifacts(found.uri))
            pocket = not any((folder / "artifacts").rglob(SERVED_FILE))
            return cls(mlflow.pyfunc.load_model(str(folder)), digest_tree(folder / "artifacts"), pocket)

    def identity(self) -> Mapping[str, Any]:
        """The digest alone: the same model under another alias goes on."""
        return {"type": "registered", "weights": self._digest}

    def settings(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def prompt(self, benchmark: Benchmark[Any, Any], content: Any) -> str:
        """The question alone: situations are told by poses, and how to answer is the model's own affair.

        Where there is no question but something to describe, the benchmark's own words.

        Raises `ParameterError` for a benchmark without plain questions, and for captions of a pocket model.
        """
        require_answers_with("text", benchmark)
        if benchmark.answered_with == "caption":
            if self._pocket:
                raise ParameterError(
                    "a pocket model has no words for a caption", where=benchmark.name,
                    expected="a vision-language model",
                )  # fmt: skip
            return benchmark.prompt(content)
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
            Answer(ask.id, record["answer"], "word" if self._pocket else "text", tokens=int(self._pocket))
            for ask, record in zip(asks, records, strict=True)
        ]


def _refusal(error: VantageError) -> str:
    """Why the model refused a question: unknown words by themselves, without the whole vocabulary."""
    words = getattr(error, "words", None)
    return error.one_line() if words is None else f"outside the model's vocabulary: {', '.join(words)}"
