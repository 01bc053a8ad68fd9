"""Reasoning and answer of a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.records.thinking import join_thinking, split_thinking


@pytest.mark.parametrize(
    ("reply", "thought", "answer"),
    [
        ("two", "", "two"),
        ("<think>a\nb</think> two", "a\nb", "two"),
        ("<think>a</think>", "a", ""),
        ("<think>a</think> x <think>b</think> y", "a\nb", "x  y"),
        ("<think>a", "a", ""),
        ("<think>a</think> two <think>b", "a\nb", "two"),
        ("a</think> two", "a", "two"),
        ("</think>two", "", "two"),
        ("", "", ""),
    ],
)
def test_what_was_thought_and_what_was_said(reply: str, thought: str, answer: str) -> None:
    assert split_thinking(reply) == (thought, answer)


@given(st.text(alphabet="ab \n<>/", max_size=20), st.text(alphabet="ab ", max_size=10))
def test_joined_and_split(thought: str, answer: str) -> None:
    assert split_thinking(join_thinking(thought, answer)) == (thought.strip(), answer.strip())
