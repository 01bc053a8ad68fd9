"""Many questions on one set of views.

The prefix (view tokens) is computed once; every question is a slot of words behind it that sees the
prefix and
itself only, and whose positions restart right after the prefix. Each answer then equals what the model
gives for that question alone, at a fraction of the cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor
from transformers import LlavaForConditionalGeneration


@dataclass(frozen=True)
class Packed:
    """Questions of a batch of scenes behind their prefixes.

    `words` (b, l) token ids; `slot` (b, l) number of the question a word belongs to, -1 for padding;
    `offset` (b, l) place of the word inside its question; `last` (b, q) index of each question's last word,
    which is where the answer is read, -1 where a scene has fewer questions.
    """

    words: Int64[Tensor, "b l"]
    slot: Int64[Tensor, "b l"]
    offset: Int64[Tensor, "b l"]
    last: Int64[Tensor, "b q"]

    def to(self, device: torch.device) -> Packed:
        """The same on another device."""
        return Packed(*(t.to(device) for t in (self.words, self.slot, self.offset, self.last)))


def pack(scenes: Sequence[Sequence[Sequence[int]]]) -> Packed:
    """Lay the questions (token ids) of each scene end to end."""
    length = max(sum(len(q) for q in questions) for questions in scenes)
    most = max(len(questions) for questions in scenes)
    words = np.zeros((len(scenes), length), np.int64)
    slot = np.full((len(scenes), length), -1, np.int64)
    offset = np.zeros((len(scenes), length), np.int64)
    last = np.full((len(scenes), most), -1, np.int64)
    for row, questions in enumerate(scenes):
        at = 0
        for number, question in enumerate(questions):
            end = at + len(question)
            words[row, at:end] = question
            slot[row, at:end] = number
            offset[row, at:end] = np.arange(len(question))
            last[row, number] = end - 1
            at = end
    return Packed(*(torch.from_numpy(array) for array in (words, slot, offset, last)))


def attention_mask(prefix: Bool[Tensor, "b p"], slot: Int64[Tensor, "b l"]) -> Bool[Tensor, "b 1 t t"]:
    """True where a token (row) may look at another (column); `prefix` is False at padding."""
    p, length = prefix.shape[1], slot.shape[1]
    total = p + length
    # Padding words (slot -1) see the prefix and each other: harmless, and no row is ever empty.
    group = torch.cat([torch.full_like(prefix, -2, dtype=slot.dtype), slot], dim=1)
    mask = group[:, :, None] == group[:, None, :]
    mask[:, p:, :p] = True
    mask &= torch.ones(total, total, dtype=torch.bool, device=slot.device).tril()
    mask[:, :, :p] &= prefix[:, None, :]
    mask |= torch.eye(total, dtype=torch.bool, device=slot.device)
    return mask[:, None]


def answer_logits(
    model: LlavaForConditionalGeneration,
    prefix: Tensor,
    packed: Packed,
    positions: Int64[Tensor, "b p"],
    valid: Bool[Tensor, "b p"] | None = None,
    restart: int | None = None,
) -> Tensor:
    """Logits over the vocabulary at each question's last word, (n, vocabulary), questions in scene order.

    `prefix` (b, p, width) are token vectors at `positions`; `valid` is False at padding; questions restart at
    position `restart`, by default right after the prefix. Absent questions (`last` < 0) have no row.
    """
    decoder = model.model.language_model
    batch, length = prefix.shape[:2]
    if valid is None:
        valid = torch.ones(batch, length, dtype=torch.bool, device=prefix.device)
    start = length if restart is None else restart
    words = decoder.embed_tokens(packed.words)
    sees = attention_mask(valid, packed.slot)
    # Added to the scores, as the library's plain attention wants it.
    mask = torch.zeros(sees.shape, device=sees.device).masked_fill_(~sees, torch.finfo(torch.float32).min)
    hidden = decoder(
        inputs_embeds=torch.cat([prefix.to(words.dtype), words], dim=1),
        position_ids=torch.cat([positions, start + packed.offset], dim=1),
        attention_mask={"full_attention": mask},
        use_cache=False,
    ).last_hidden_state
    scene, question = torch.nonzero(packed.last >= 0, as_tuple=True)
    chosen = hidden[scene, length + packed.last[scene, question]]
    logits: Tensor = model.lm_head(chosen).float()
    return logits
