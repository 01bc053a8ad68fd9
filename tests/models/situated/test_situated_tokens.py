"""Three tokens in a tokenizer, and the head of a prompt that they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from vantage.core.errors import ContractError, ParameterError
from vantage.models.families import FAMILIES
from vantage.models.situated.prompt import NO_SITUATION, head_text
from vantage.models.situated.tokens import NAMES, SituatedTokens, add_tokens, situation_columns, tokens_of


def tokenizer(*more: str) -> Any:
    inner = Tokenizer(
        models.WordLevel({n: i for i, n in enumerate(["<unk>", "here", "<image>", *more])}, "<unk>")
    )
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", additional_special_tokens=["<image>"]
    )


def test_new_ids_follow_the_old_ones_and_are_found_again(tmp_path: Path) -> None:
    words = tokenizer()
    before = words("here <image>here")["input_ids"]
    tokens = add_tokens(words)
    assert tokens == SituatedTokens(3, 4, 5)
    assert len(words) == 6
    assert words("here <image>here")["input_ids"] == before
    assert words(head_text("<image>", 2, "here"))["input_ids"] == [3, 2, 3, 2, 1, 4, 5]
    assert words.decode([3, 2, 1, 4, 5], skip_special_tokens=True).split() == ["here"]
    assert add_tokens(words) == tokens
    assert len(words) == 6
    words.save_pretrained(tmp_path)
    assert tokens_of(AutoTokenizer.from_pretrained(tmp_path)) == tokens


def test_a_tokenizer_that_cannot_have_the_tokens_is_refused() -> None:
    with pytest.raises(ContractError, match="has not the tokens"):
        tokens_of(tokenizer())
    with pytest.raises(ContractError, match="ordinary words"):
        add_tokens(tokenizer(*NAMES))
    with pytest.raises(ContractError, match="ordinary words: <Pos>"):
        add_tokens(tokenizer("<Pos>"))
    some = tokenizer()
    some.add_tokens(["<Pos>"], special_tokens=True)
    with pytest.raises(ContractError, match="<Cam>, <Ori>"):
        add_tokens(some)


def test_ids_that_are_not_new_are_refused() -> None:
    class Reusing(PreTrainedTokenizerFast):  # type: ignore[misc]
        """Puts new tokens onto ids that are taken, as a damaged `added_tokens.json` makes one do."""

        def convert_tokens_to_ids(self, tokens: Any) -> Any:
            found = super().convert_tokens_to_ids(tokens)
            return [1, *found[1:]] if isinstance(tokens, list) and len(tokens) == 3 else found

    inner = tokenizer().backend_tokenizer
    with pytest.raises(ContractError, match="not new"):
        add_tokens(Reusing(tokenizer_object=inner, unk_token="<unk>"))


def test_the_head_has_a_camera_before_each_view_and_the_situation_before_its_tokens() -> None:
    for name in FAMILIES.names():
        image = FAMILIES.get(name).placeholder
        assert head_text(image, 2, " I face the door. ") == (
            f"<Cam>{image}<Cam>{image}I face the door.<Pos><Ori>"
        )
        assert head_text(image, 1) == f"<Cam>{image}{NO_SITUATION}<Pos><Ori>"
    assert NO_SITUATION == "I am standing in the room."


def test_a_head_without_views_or_with_tokens_in_its_situation_is_refused() -> None:
    with pytest.raises(ParameterError, match="no view"):
        head_text("<image>", 0)
    for word in (*NAMES, "<image>"):
        with pytest.raises(ParameterError, match="plain text"):
            head_text("<image>", 1, f"I am {word} here")


def test_the_situations_tokens_stand_once_in_each_row_and_side_by_side() -> None:
    tokens = SituatedTokens(7, 8, 9)
    good = torch.tensor([[0, 7, 8, 9, 1], [7, 1, 1, 8, 9]])
    assert situation_columns(good, tokens).tolist() == [2, 3]
    for bad in ([7, 1, 8, 1, 1], [7, 1, 9, 8, 1], [8, 9, 1, 8, 9], [8, 1, 9, 1, 1], [1, 1, 1, 1, 1]):
        ids = torch.cat([good[:1], torch.tensor([bad])])
        with pytest.raises(ContractError, match="sample room/17"):
            situation_columns(ids, tokens, ("room/16", "room/17"))
        with pytest.raises(ContractError, match="sample 1 of the batch"):
            situation_columns(ids, tokens)
