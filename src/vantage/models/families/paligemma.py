"""PaliGemma: a SigLIP tower, a linear projector, one picture per image."""

from __future__ import annotations

from typing import Any

import transformers
from torch import Tensor

from vantage.models.families.base import Family


class PaliGemma(Family):
    """`PaliGemmaForConditionalGeneration`."""

    name = "paligemma"
    special_tokens = False
    marks_images = False
    prefix_sees_question = True

    def prompt(self, text: str, tokenizer: Any) -> str:
        """The images, then a beginning of text, then the text and a line end."""
        end = text.rfind(self.placeholder) + len(self.placeholder)
        return f"{text[:end]}{tokenizer.bos_token}{text[end:]}\n"

    def logit_cap(self, model: Any) -> float | None:
        """Of a Gemma 2 decoder. transformers before 5.23 leaves it out, and so for the other families."""
        if tuple(map(int, transformers.__version__.split(".")[:2])) < (5, 23):
            return None
        return getattr(model.config.get_text_config(), "final_logit_softcapping", None)

    def extra_inputs(self, ids: Tensor, image_id: int) -> dict[str, Tensor]:
        """The whole prompt sees itself in both directions."""
        return {"token_type_ids": ids.new_zeros(ids.shape)}


PALIGEMMA = PaliGemma()
