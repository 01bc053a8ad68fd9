"""The head of a situated prompt: views, each after its camera, then the situation and its two tokens."""

from __future__ import annotations

from typing import Final

from vantage.core.errors import ParameterError
from vantage.models.situated.tokens import CAM, NAMES, ORI, POS

NO_SITUATION: Final = "I am standing in the room."
"""What is said where nothing is known of the asker, as published."""


def head_text(placeholder: str, views: int, situation: str = "") -> str:
    """What stands before the question: `<Cam>` and a placeholder for each view, situation, `<Pos><Ori>`.

    In a decoder that sees backwards only, the two tokens see views and situation but not the question.

    `placeholder` is the family's. Raises `ParameterError` for no view, and for a situation that contains one
    of the tokens or the placeholder.
    """
    if views < 1:
        raise ParameterError("no view", where="head of a prompt", expected="at least one", found=views)
    if inside := [name for name in (*NAMES, placeholder) if name in situation]:
        raise ParameterError(
            "a situation is plain text", where=situation[:80], expected="no token of the prompt's own",
            found=", ".join(inside),
        )  # fmt: skip
    return f"{CAM}{placeholder}" * views + f"{situation.strip() or NO_SITUATION}{POS}{ORI}"
