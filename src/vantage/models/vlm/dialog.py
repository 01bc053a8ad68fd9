"""A dialog as the pieces of text that a model was made to read: by its chat template, where it has one.

Each piece becomes tokens by itself. A model in use is given the tokens of the pieces before its answer and
writes the answer's, so training sees exactly the tokens that use will see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vantage.core.errors import ContractError
from vantage.models.families import Family
from vantage.models.vlm.sample import Turn

Dialogs = Literal["single", "grounded"]
"""A question and its answer, or two turns: boxes first, then reasoning on them."""
NOT_LEARNED = -100
"""In labels: a token that is given, not learned."""


@dataclass(frozen=True)
class Piece:
    """Text, and whether it is the model's to write (an answer with its end mark)."""

    text: str
    learned: bool


def pieces(tokenizer: Any, family: Family, head: str, turns: Sequence[Turn]) -> list[Piece]:
    """A dialog in pieces, prompts and answers in turn; it ends with a prompt if the last answer is empty.

    Args:
        tokenizer: the model's; its chat template is used if there is one, else the family's own prompt.
        family: tells what surrounds an image.
        head: what comes before the first question: a placeholder for each image, the situation.
        turns: all but the last have answers.

    Raises:
        ContractError: a chat template that rewrites what was said, or a turn without answer that is not last.
    """
    for number, turn in enumerate(turns[:-1]):
        if not turn.answer:
            raise ContractError(
                "only the last turn may be open", where=f"turn {number + 1}", found="no answer"
            )
    if tokenizer.chat_template:
        return _templated(tokenizer, family, head, turns)
    end = tokenizer.eos_token or ""
    found = []
    for number, turn in enumerate(turns):
        asked = f"{head}{turn.question}" if number == 0 else f"\n{turn.question}"
        found.append(Piece(family.prompt(asked, tokenizer) if number == 0 else f"{asked}\n", False))
        if turn.answer:
            found.append(Piece(turn.answer + end, True))
    return found


def starts_with_special(tokenizer: Any, family: Family) -> bool:
    """Whether the tokenizer's own special tokens belong before the first piece: a template writes its own."""
    return family.special_tokens and not tokenizer.chat_template


def _templated(tokenizer: Any, family: Family, head: str, turns: Sequence[Turn]) -> list[Piece]:
    found: list[Piece] = []
    written = ""
    for number, turn in enumerate(turns):
        before = _rendered(tokenizer, family, head, turns[: number + 1], open_end=True)
        prompt = _rest(before, written)
        found.append(Piece(_marked(prompt, family, tokenizer) if number == 0 else prompt, False))
        written = before
        if turn.answer:
            after = _rendered(tokenizer, family, head, turns[: number + 1], open_end=False)
            reply = _rest(after, before)
            learned = reply[: _end_of_answer(reply, turn.answer, tokenizer)]
            found.append(Piece(learned, True))
            written = before + learned
    return found


def _marked(text: str, family: Family, tokenizer: Any) -> str:
    """What the family puts around its images, unless the template did."""
    return family.prompt(text, tokenizer) if family.marks_images else text


def _rendered(tokenizer: Any, family: Family, head: str, turns: Sequence[Turn], open_end: bool) -> str:
    """The dialog up to the last turn's question (`open_end`) or answer."""
    from jinja2 import TemplateError

    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(turns):
        asked = f"{head}{turn.question}" if number == 0 else turn.question
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": turn.answer})
    if open_end:
        messages.pop()
    last: Exception | None = None
    for shaped in (messages, _in_parts(messages)):
        try:
            text = tokenizer.apply_chat_template(shaped, tokenize=False, add_generation_prompt=open_end)
        except (TemplateError, TypeError, AttributeError, KeyError, ValueError) as error:
            last = error
            continue
        if all(turn.question.strip() in text for turn in turns):
            return str(text)
    raise ContractError(
        "the chat template cannot render a dialog of text", where="chat_template",
        expected="a user's and an assistant's message with what was said", found=last or "other text",
        hint="give the tokenizer a template that renders text, or none",
    )  # fmt: skip


def _in_parts(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for templates that want a list of parts: placeholders stand in the text already."""
    return [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages]


def _rest(text: str, written: str) -> str:
    if not text.startswith(written):
        raise ContractError(
            "the chat template rewrites what was said before", where="chat_template",
            expected=f"text that goes on after {written[-60:]!r}", found=text[:200],
            hint="a template whose generation prompt differs from what it renders later cannot be trained on",
        )  # fmt: skip
    return text[len(written) :]


def _end_of_answer(reply: str, answer: str, tokenizer: Any) -> int:
    """Where the answer and the mark of its end are over; what follows belongs to the next prompt."""
    said = reply.find(answer.strip())
    if said < 0:
        raise ContractError(
            "the chat template changes an answer", where="chat_template", expected=answer, found=reply
        )
    end = said + len(answer.strip())
    mark = tokenizer.eos_token
    if mark and mark in reply[end:]:
        return reply.index(mark, end) + len(mark)
    return len(reply.rstrip()) if len(reply.rstrip()) >= end else len(reply)
