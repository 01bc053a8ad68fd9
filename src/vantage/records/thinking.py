"""A reply with reasoning: `<think>` steps `</think>` answer."""

from __future__ import annotations

import re
from typing import NamedTuple

_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)


class Thinking(NamedTuple):
    """What was thought, and what was answered; either may be empty."""

    thought: str
    answer: str


def split_thinking(reply: str) -> Thinking:
    """The reasoning and the answer of a reply.

    A reply that begins inside its reasoning (the prompt may end with `<think>`) is reasoning up to the first
    `</think>`; reasoning that is not closed goes on to the end, and there is no answer.
    """
    head, closed, rest = reply.partition("</think>")
    if closed and "<think>" not in head:
        reply = f"<think>{head}</think>{rest}"
    thoughts = [found.strip() for found in _THOUGHT.findall(reply)]
    answer, opened, unclosed = _THOUGHT.sub("", reply).partition("<think>")
    if opened:
        thoughts.append(unclosed.strip())
    return Thinking("\n".join(thoughts), answer.strip())


def join_thinking(thought: str, answer: str) -> str:
    """The reply that `split_thinking` takes apart."""
    return f"<think>{thought}</think> {answer}"
