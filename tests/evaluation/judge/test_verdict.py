"""One form of a reply is a verdict; everything else is a failure."""

import pytest

from vantage.evaluation.judge.verdict import parse


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"reason": "r", "verdict": "correct"}', True),
        ('\n {"verdict": "incorrect", "reason": ""}\n', False),
        ('```json\n{"reason": "r", "verdict": "correct"}\n```', True),
        ('{"reason": "a {brace} and {\\"verdict\\": \\"correct\\"}", "verdict": "incorrect"}', False),
        ('<think>it is {"verdict": "correct"}</think>{"reason": "r", "verdict": "incorrect"}', False),
    ],
)
def test_verdicts(reply: str, value: bool) -> None:
    decision = parse(reply, "correct", "incorrect")
    assert decision.value is value and not decision.failure


@pytest.mark.parametrize(
    "reply",
    [
        "", "   ", "correct", "A", "{}", "{", "[]", "null", '"correct"', "{verdict: correct}",
        '{"verdict": "correct"}',
        '{"reason": "r", "verdict": "Correct"}',
        '{"reason": "r", "verdict": " correct"}',
        '{"reason": "r", "verdict": "correct."}',
        '{"reason": "r", "verdict": true}',
        '{"reason": "r", "verdict": ["correct"]}',
        '{"reason": 1, "verdict": "correct"}',
        '{"reason": "r", "verdict": "correct", "score": 1}',
        '{"reason": "r", "verdict": "incorrect", "verdict": "correct"}',
        '{"reason": "r", "verdict": "correct"} {"reason": "r", "verdict": "incorrect"}',
        'Sure: {"reason": "r", "verdict": "correct"}',
        '{"reason": "r", "verdict": "correct"} I hope this helps',
        '<think>{"reason": "r", "verdict": "correct"}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_everything_else_is_a_failure(reply: str) -> None:
    decision = parse(reply, "correct", "incorrect")
    assert decision.value is None and decision.failure
