"""The tokens of a situated model: `<Cam>` before each image, `<Pos>` and `<Ori>` after the situation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jaxtyping import Int64
from torch import Tensor

from vantage.core.errors import ContractError

CAM: Final = "<Cam>"
POS: Final = "<Pos>"
ORI: Final = "<Ori>"
NAMES: Final = (CAM, POS, ORI)


@dataclass(frozen=True)
class SituatedTokens:
    """Ids of the three tokens; they may lie beyond the model's table of embeddings."""

    cam: int
    pos: int
    ori: int

    @property
    def ids(self) -> tuple[int, int, int]:
        """In the order of `NAMES`."""
        return self.cam, self.pos, self.ori


def add_tokens(tokenizer: Any) -> SituatedTokens:
    """Add the tokens to a tokenizer, or find them where they were added before.

    The model's tables stay as they are: the tokens' vectors come from a hook.

    Raises:
        ContractError: a name that is an ordinary word already, only some of the names, or names that the
            tokenizer does not give back as one token each.
    """
    from transformers import AddedToken

    known = [name for name in NAMES if name in tokenizer.get_vocab()]
    if not known:
        first = len(tokenizer)
        tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in NAMES], True)
        found = tokenizer.convert_tokens_to_ids(list(NAMES))
        if found != [first, first + 1, first + 2]:
            raise ContractError(
                "the tokenizer gives new tokens ids that are not new", where="tokenizer",
                expected=[first, first + 1, first + 2], found=found,
            )  # fmt: skip
    return tokens_of(tokenizer)


def tokens_of(tokenizer: Any) -> SituatedTokens:
    """The ids of a tokenizer that has the tokens.

    Raises `ContractError` where one is missing or an ordinary word, or is not read as one token.
    """
    special = {token.content: number for number, token in _added(tokenizer).items() if token.special}
    if missing := [name for name in NAMES if name not in special]:
        plain = [name for name in missing if name in tokenizer.get_vocab()]
        raise ContractError(
            "the tokenizer has not the tokens of a situated model", where=", ".join(missing),
            expected="three added special tokens",
            found=f"ordinary words: {', '.join(plain)}" if plain else "none of these",
            hint="add them with vantage.models.situated.add_tokens",
        )  # fmt: skip
    ids = [special[name] for name in NAMES]
    text = f"a{CAM}{CAM}b{POS}{ORI}c"
    read = tokenizer(text, add_special_tokens=False)["input_ids"]
    if [i for i in read if i in ids] != [ids[0], ids[0], ids[1], ids[2]] or len(set(ids)) != len(ids):
        raise ContractError(
            "the tokenizer does not read the tokens of a situated model one by one", where=text,
            expected=ids, found=read,
        )  # fmt: skip
    return SituatedTokens(*ids)


def _added(tokenizer: Any) -> dict[int, Any]:
    added: dict[int, Any] = tokenizer.added_tokens_decoder
    return added


def situation_columns(
    ids: Int64[Tensor, "b t"], tokens: SituatedTokens, sample_ids: Sequence[str] | None = None
) -> Int64[Tensor, "b"]:
    """Where `<Pos>` stands in each row; `<Ori>` is next to it.

    Raises `ContractError`, with the sample, unless both stand once in every row, in this order.
    """
    pos, ori = ids == tokens.pos, ids == tokens.ori
    good = (pos.sum(1) == 1) & (ori.sum(1) == 1) & (pos[:, :-1] & ori[:, 1:]).any(1)
    if not bool(good.all()):
        row = int((~good).nonzero()[0, 0])
        raise ContractError(
            "a prompt without its situation", where=named(row, sample_ids), expected=f"{POS}{ORI} once",
            found=f"{int(pos[row].sum())} x {POS}, {int(ori[row].sum())} x {ORI}",
            hint="begin the prompt with vantage.models.situated.head_text",
        )  # fmt: skip
    return pos.long().argmax(1)


def named(row: int, sample_ids: Sequence[str] | None) -> str:
    """What a row of a batch is called in messages."""
    return f"sample {row} of the batch" if sample_ids is None else f"sample {sample_ids[row]}"
