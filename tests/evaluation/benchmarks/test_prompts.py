"""What a model is asked: a changed prompt shows here."""

from __future__ import annotations

import pytest

from vantage.evaluation.benchmarks import muirbench, scanqa, sqa3d, vsibench
from vantage.evaluation.benchmarks.names import BENCHMARKS

SQA = sqa3d.Question("What is left?", "I sit.", ("desk",), "what", "x")
NUMERIC = vsibench.Question("How many chairs?", "object_counting", "4", (), 4.0)
CHOICE = vsibench.Question("Which?", "route_planning", "A", ("A. left", "B. right"), 0.0)
MUIR = muirbench.Question("Which?", ("a chair", "a desk"), "A", "Counting", "")


@pytest.mark.parametrize(
    ("name", "content", "prompt"),
    [
        ("scanqa", scanqa.Question("Where?", ("here",), "place"), "Where? Answer the question simply."),
        ("sqa3d", SQA, "I sit. What is left? Answer the question using a single word or phrase."),
        (
            "vsibench",
            NUMERIC,
            "These are frames of a video.\nHow many chairs?\n"
            "Please answer the question using a single word or phrase.",
        ),
        (
            "vsibench",
            CHOICE,
            "These are frames of a video.\nWhich?\nOptions:\nA. left\nB. right\n"
            "Answer with the option's letter from the given choices directly.",
        ),
        (
            "muirbench",
            MUIR,
            "Question: Which?\nChoices:\n(A) a chair\n(B) a desk\n"
            "Hint: Please provide the correct option letter, such as A, B, C, D, directly.\nAnswer:",
        ),
    ],
)
def test_prompts(name: str, content: object, prompt: str) -> None:
    assert BENCHMARKS.get(name).prompt(content) == prompt


def test_a_benchmark_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from vantage.core import names as table

    point = EntryPoint("mine", "vantage.evaluation.benchmarks.vsibench:BENCHMARK", "vantage.benchmarks")
    monkeypatch.setattr(table, "entry_points", lambda group: [point] if group == "vantage.benchmarks" else [])
    fresh = table.Names("benchmark", {}, group="vantage.benchmarks")
    assert fresh.names() == ["mine"]
    assert fresh.get("mine").splits == {"test": 5130}
