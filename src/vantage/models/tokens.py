"""Words to token ids and back; the vocabulary itself is `vantage.questions.words.VOCABULARY`."""

from __future__ import annotations

from functools import lru_cache

from vantage.core.hashing import digest_json
from vantage.questions import words

PAD_ID = words.WORD_IDS[words.PAD]
IMAGE_ID = words.WORD_IDS[words.IMAGE]
ANSWER_ID = words.WORD_IDS[words.BOS]
"""Closes a question: the answer is read at this token, the same one after every question."""
VOCABULARY_SIZE = len(words.VOCABULARY)


@lru_cache(maxsize=65536)
def question_ids(text: str) -> tuple[int, ...]:
    """Token ids of a question, the answer cue at the end; `UnknownWord` names words outside the
    vocabulary."""
    return (*(words.WORD_IDS[word] for word in words.tokenize(text)), ANSWER_ID)


def answer_id(word: str) -> int:
    """Token id of a one-word answer."""
    return words.WORD_IDS[word]


def vocabulary_digest() -> str:
    """Digest of the vocabulary in order; stored with every model, since it gives the token ids their
    meaning."""
    return digest_json(list(words.VOCABULARY))
