"""What a judge decided, and the one form of a reply that counts as a decision."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vantage.records.jsonfile import parse_json

_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)


@dataclass(frozen=True)
class Decision:
    """A yes or no, or a failure, which is neither.

    Attributes:
        value: True, False, or None where there is no decision.
        reason: the judge's own words.
        failure: why there is none; "" where there is one.
    """

    value: bool | None
    reason: str = ""
    failure: str = ""


def parse(reply: str, yes: str, no: str) -> Decision:
    """The decision of a reply: one JSON object `{"reason": text, "verdict": yes or no}` and nothing else.

    What a model thinks aloud before it (`<think>`) and a code fence around it are taken off. Text around the
    object, further objects or keys, a key twice, another word or another case: a failure, never a guess.
    """
    text = _THOUGHT.sub("", reply, count=1) if reply.lstrip().startswith("<think>") else reply
    text = text.strip()
    if fenced := _FENCED.fullmatch(text):
        text = fenced[1]
    if not text:
        return Decision(None, failure="an empty reply")
    try:
        value = parse_json(text)
    except ValueError as error:
        return Decision(None, failure=f"not one JSON object: {str(error)[:80]}")
    if not isinstance(value, dict) or set(value) != {"reason", "verdict"}:
        return Decision(None, failure="not an object of reason and verdict")
    reason, verdict = value["reason"], value["verdict"]
    if not isinstance(reason, str) or verdict not in (yes, no):
        return Decision(None, failure=f"the verdict is neither {yes!r} nor {no!r}")
    return Decision(verdict == yes, reason)
