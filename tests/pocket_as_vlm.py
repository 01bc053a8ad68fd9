"""The pocket model as a stock LLaVA in a folder of its own: weights, tokenizer, image processor."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast, SiglipImageProcessorPil

from vantage.models.checkpoint import load_base
from vantage.models.pocket import IMAGE_SIZE
from vantage.models.tokens import ANSWER_ID, IMAGE_ID, PAD_ID
from vantage.questions.words import VOCABULARY

PLACEHOLDER = "<image>"
TEMPLATE = (
    "{% for m in messages %}{{ m.content }}"
    f"{{% if m.role == 'user' %}}{VOCABULARY[ANSWER_ID]}{{% endif %}}{{% endfor %}}"
)
"""Closes a question as the pocket model knows it; what comes next is the answer."""


def write(folder: Path, model: LlavaForConditionalGeneration | None = None) -> Path:
    """Write a pocket model (None: the shipped one) as its users would find a model on the hub."""
    names = {word: number for number, word in enumerate(VOCABULARY)}
    names[PLACEHOLDER] = names.pop(VOCABULARY[IMAGE_ID])
    inner = Tokenizer(models.WordLevel(names, unk_token=VOCABULARY[PAD_ID]))
    inner.normalizer = normalizers.Replace(Regex("[?.,]"), "")
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=VOCABULARY[PAD_ID], unk_token=VOCABULARY[PAD_ID],
        additional_special_tokens=[PLACEHOLDER, VOCABULARY[ANSWER_ID]],
    )  # fmt: skip
    words.chat_template = TEMPLATE
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    for part in (model or load_base(), words, SiglipImageProcessorPil(size=size)):
        part.save_pretrained(folder)
    return folder
