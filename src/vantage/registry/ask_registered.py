"""A registered model, or the folder of one, as something that can be asked about posed views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError, ResourceError, VantageError
from vantage.core.hashing import digest_tree
from vantage.evaluation.benchmarks.interface import Benchmark
from vantage.evaluation.running.annotated import place_fields
from vantage.evaluation.running.ask import Answer, Ask, SetAside, require_answers_with, situation_of
from vantage.evaluation.running.boxes.answering import answers_with_boxes
from vantage.registry.abilities import POCKET, Abilities
from vantage.registry.ask_boxes import saying_boxes
from vantage.registry.ask_pictures import in_words, pictures_request
from vantage.registry.store import Store, fluent
from vantage.registry.uris import look_up

MARK_FILE = "MLmodel"
"""The file by which a packaged model's folder is known."""


class RegisteredAnswerer:
    """Answers from posed views with depth: a pocket model with a word, another with a text, a place or boxes.

    Args:
        model: as MLflow loads it.
        digest: of its weights and their descriptions.
        can: what it takes and gives.
    """

    def __init__(self, model: Any, digest: str, can: Abilities = POCKET) -> None:
        self._model, self._digest, self._can = model, digest, can

    @classmethod
    def load(cls, store: Store, uri: str) -> RegisteredAnswerer:
        """From an address (`models:/vantage@champion`) or a packaged model's folder.

        Raises `VantageError` when the registry has no such model.
        """
        found = look_up(store, uri)
        with fluent(store) as mlflow:
            folder = Path(mlflow.artifacts.download_artifacts(found.uri))
            weights = folder / "artifacts"
            model = mlflow.pyfunc.load_model(str(folder))
            return cls(model, digest_tree(weights), Abilities.of(weights))

    def identity(self) -> Mapping[str, Any]:
        """The digest alone: the same model under another alias goes on."""
        return {"type": "registered", "weights": self._digest}

    def settings(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def uses_coordinates(self) -> bool:
        """Whether poses and points reach it."""
        return self._can.coordinates

    def prompt(self, benchmark: Benchmark[Any, Any], content: Any) -> str:
        """The benchmark's own words; of a pocket model the question alone, whose situation is told by a pose.

        Raises `ParameterError` for a benchmark that wants what the model does not give, and for one without
        plain questions where it is a pocket model.
        """
        if not self._can.pocket:
            if benchmark.answered_with not in self._can.gives:
                require_answers_with("text", benchmark)
            return benchmark.prompt(content)
        require_answers_with("text", benchmark)
        if benchmark.answered_with == "caption":
            raise ParameterError(
                "a pocket model has no words for a caption", where=benchmark.name,
                expected="a vision-language model",
            )  # fmt: skip
        question = getattr(content, "question", None)
        if not isinstance(question, str):
            raise ParameterError("this benchmark asks no plain question", where=benchmark.name)
        return question

    def answers(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        """The questions about the same views together; one that is refused does not stop the others."""
        if asks and asks[0].wanted == "boxes":
            yield from answers_with_boxes(asks, saying_boxes(self._records))
            return
        together: dict[tuple[str, str], list[Ask]] = {}
        for ask in asks:
            together.setdefault((ask.input, self._situation(ask.content)), []).append(ask)
        for (_, situation), group in together.items():
            yield self._about(group, situation)

    def _situation(self, content: Any) -> str:
        return situation_of("", content)[0] if self._can.situated else ""

    def _about(self, asks: Sequence[Ask], situation: str) -> list[Answer | SetAside]:
        if asks[0].scan is None and self._can.posed:
            return [SetAside(ask.id, "the model needs posed views with depth, from --scans") for ask in asks]
        try:
            shown = pictures_request(asks[0]) if asks[0].scan is None else asks[0].scan.request("")
            request = {**shown, **({"situation": situation} if situation else {})}
        except VantageError as error:
            return [SetAside(ask.id, error.one_line()) for ask in asks]
        records = self._records(request, asks)
        return [
            record if isinstance(record, SetAside) else self._answer(ask, record)
            for ask, record in zip(asks, records, strict=True)
        ]

    def _records(self, request: Mapping[str, Any], asks: Sequence[Ask]) -> list[Mapping[str, Any] | SetAside]:
        """All questions at once; where the model refuses, one by one."""
        try:
            records: list[Mapping[str, Any] | SetAside] = self._model.predict(
                {**request, "question": [self._question(ask) for ask in asks]}
            )
        except VantageError as error:
            if len(asks) == 1:
                if isinstance(error, ResourceError):  # of the machine, no refusal of the model's
                    raise
                return [SetAside(asks[0].id, _refusal(error))]
            return [one for ask in asks for one in self._records(request, [ask])]
        return records

    def _question(self, ask: Ask) -> str:
        """What is asked beside the situation."""
        return in_words(situation_of(ask.own, ask.content)[1] if self._can.situated else ask.prompt)

    def _answer(self, ask: Ask, record: Mapping[str, Any]) -> Answer | SetAside:
        if ask.wanted != "place":
            word = self._can.pocket
            return Answer(ask.id, record["answer"], "word" if word else "text", tokens=int(word))
        assert ask.annotated is not None  # views of a scan come with the frame of its places
        try:
            return Answer(ask.id, "", "place", fields=place_fields(record["place"], ask.annotated))
        except VantageError as error:
            return SetAside(ask.id, error.one_line())


def _refusal(error: VantageError) -> str:
    """Why the model refused a question: unknown words by themselves, without the whole vocabulary."""
    words = getattr(error, "words", None)
    return error.one_line() if words is None else f"outside the model's vocabulary: {', '.join(words)}"
