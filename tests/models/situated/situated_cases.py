"""The tiny models' batches with the tokens of a situated prompt in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tiny_vlms import CASES, IMAGE_ID, PAD_ID, VOCABULARY, Case, Inputs

from vantage.models.families import family_of
from vantage.models.situated import Cameras, Situated, SituatedConfig, SituatedTokens

BEYOND = SituatedTokens(VOCABULARY, VOCABULARY + 1, VOCABULARY + 2)
"""Ids that the models' tables do not have."""
WITHIN = SituatedTokens(61, 62, 63)
"""Ids of rows that the tables happen to have."""


@dataclass
class Scene:
    """A tiny model, a batch for it, and what is learned of the situation.

    `situations` and `questions` are token ids for each sample.
    """

    name: str
    tokens: SituatedTokens = BEYOND
    config: SituatedConfig = field(default_factory=lambda: SituatedConfig(head_width=64, camera_drop=0.0))
    seed: int = 0
    situations: Sequence[Sequence[int]] = ((30, 31), (32, 33, 34))
    questions: Sequence[Sequence[int]] = ((40, 41, 42), (43,))

    def __post_init__(self) -> None:
        self.case: Case = CASES[self.name]()
        self.model: Any = self.case.model
        self.situated = Situated(self.model, self.tokens, self.config, self.seed)
        self.images = tuple(len(sample) for sample in self.case.samples)
        self.sample_ids = tuple(f"room/{number}" for number in range(len(self.images)))

    def ids(self) -> torch.Tensor:
        """Cameras, views, situation, tokens, question; padded at the left."""
        case, tokens = self.case, self.tokens
        images = [image for sample in case.samples for image in sample]
        counts = iter(family_of(case.model).image_tokens(case.model, images, case.pixels))
        rows = []
        for number, sample in enumerate(case.samples):
            row: list[int] = []
            for _ in sample:
                row += [tokens.cam, 9, *[IMAGE_ID] * next(counts), 11]
            rows.append([*row, *self.situations[number], tokens.pos, tokens.ori, *self.questions[number]])
        length = max(map(len, rows))
        return torch.tensor([[PAD_ID] * (length - len(row)) + row for row in rows])

    @property
    def inputs(self) -> Inputs:
        """What the model is called with."""
        ids = self.ids()
        text: Inputs = {"input_ids": ids, "attention_mask": (ids != PAD_ID).long()}
        if "mm_token_type_ids" in self.case.text:
            text["mm_token_type_ids"] = (ids == IMAGE_ID).int()
        if "token_type_ids" in self.case.text:
            text["token_type_ids"] = torch.zeros_like(ids)
        return {**text, **self.case.pixels}

    def cameras(self, seed: int = 0) -> Cameras:
        """Random numbers for every image."""
        numbers = torch.randn(
            sum(self.images), self.config.camera_width, generator=torch.Generator().manual_seed(seed)
        )
        return Cameras(numbers, self.images, self.sample_ids, self.config.frame)

    def places(self, seed: int = 0) -> torch.Tensor:
        """A random place for each sample."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(len(self.images), 3, generator=generator) * torch.tensor([2.0, 2.0, 1.5])

    def hidden(self, cameras: Cameras | None = None, step: int | None = None) -> torch.Tensor:
        """The decoder's last hidden states."""
        with self.situated.bind(cameras or self.cameras(), step):
            out: torch.Tensor = self.model.model(**self.inputs).last_hidden_state
        return out

    def losses(self, **known: Any) -> dict[str, torch.Tensor]:
        """Of one pass, with everything known unless given otherwise."""
        given = {"geometry": self.case.random_geometry(), "places": self.places(), **known}
        return self.situated.losses(self.hidden(), self.inputs, **given)
