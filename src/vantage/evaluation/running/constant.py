"""The control that asks no model: each kind of question's commonest answer, of a file of references."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.interface import Benchmark, Item
from vantage.evaluation.running.ask import Answer, Ask, SetAside
from vantage.evaluation.table import commonest


class Constant:
    """Says the same to all questions of a kind (SQA3D's types, ScanQA's classes).

    Args:
        learned: the references that answers are counted in.
        where: their file, in errors.
        identity: what the file's header says of who answered.

    Raises:
        ParameterError: references without accepted answers.
    """

    def __init__(self, learned: Iterable[Item[Any]], where: object, identity: Mapping[str, Any]) -> None:
        said: dict[str, list[str]] = defaultdict(list)
        for item in learned:
            kind, answers = _kind_and_answers(item.content, where)
            said[kind] += answers
        if not said:
            raise ParameterError("no answer to learn from", where=where, expected="at least one reference")
        self._where, self._identity = where, identity
        self._of = {kind: commonest(answers) for kind, answers in sorted(said.items())}
        self._else = commonest([answer for answers in said.values() for answer in answers])

    def identity(self) -> Mapping[str, Any]:
        """Which majority, and of what."""
        return self._identity

    def settings(self) -> Mapping[str, Any]:
        """The answers."""
        return {"answers": self._of, "else": self._else}

    def uses_coordinates(self) -> bool:
        """Nothing reaches it."""
        return False

    def prompt(self, benchmark: Benchmark[Any, Any], content: Any) -> str:
        """The benchmark's own, which nobody reads."""
        return benchmark.prompt(content)

    def answers(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        """All at once; a kind of question that was never seen gets the answer commonest over all."""
        yield [Answer(ask.id, self._answer(ask.content), "constant") for ask in asks]

    def _answer(self, content: Any) -> str:
        kind, _ = _kind_and_answers(content, self._where)
        return self._of.get(kind, self._else)


class Nothing:
    """A builder of questions that nothing is shown with."""

    def settings(self) -> Mapping[str, Any]:
        """None."""
        return {}

    def asks(self, items: Sequence[Item[Any]], prompts: Mapping[str, str]) -> list[Ask | SetAside]:
        """The questions alone."""
        return [Ask(item.id, prompts[item.id], (), (), "") for item in items]


def _kind_and_answers(content: Any, where: object) -> tuple[str, list[str]]:
    """A question's kind, and each answer that it accepts, once."""
    answers, kind = getattr(content, "answers", None), getattr(content, "group", None)
    if not isinstance(answers, tuple) or not isinstance(kind, str):
        raise ParameterError(
            "this benchmark has no accepted answers to take the commonest of", where=where,
            expected="scanqa, sqa3d or msqa",
        )  # fmt: skip
    return kind, list(dict.fromkeys(answers))
