"""From words and pictures to a place, through each family's own prompt."""

from __future__ import annotations

import pytest
import torch
from test_family_prompts import PROCESSORS, pictures, processor, tokenizer
from tiny_vlms import CASES, IMAGE_ID

from vantage.align.embed import POSE_NUMBERS
from vantage.models.families import family_of
from vantage.models.patch_geometry import BatchGeometry, PatchGrid
from vantage.models.prompts import Preparer
from vantage.models.situated import Cameras, Situated, SituatedConfig, add_tokens, head_text


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_a_prompt_made_of_a_head_and_a_question_gives_a_place(name: str) -> None:
    model = CASES[name]().model
    family = family_of(model)
    words = tokenizer(family.placeholder)
    tokens = add_tokens(words)
    situated = Situated(model, tokens, SituatedConfig(head_width=8), seed=0).eval()
    images = pictures()
    heads = [head_text(family, 2, "here is the chair"), head_text(family, 1)]
    prepared = Preparer(model, words, processor(name))([f"{head}where is" for head in heads], images)
    rows = [[i for i in row if i in (*tokens.ids, IMAGE_ID)] for row in prepared.inputs["input_ids"].tolist()]
    for row, views in zip(rows, (2, 1), strict=True):
        # A camera, then its image and nothing else's, and the situation after the last.
        assert row[0] == tokens.cam
        assert row.count(tokens.cam) == views
        assert all(row[i + 1] == IMAGE_ID for i, token in enumerate(row) if token == tokens.cam)
        assert row[-2:] == [tokens.pos, tokens.ori]
    cameras = Cameras(torch.randn(3, POSE_NUMBERS), (2, 1), ("room/0", "room/1"))
    with torch.no_grad(), situated.bind(cameras):
        hidden = model.model(**prepared.inputs).last_hidden_state
    grids = [
        [[PatchGrid(torch.ones(*g, 3), torch.ones(g, dtype=torch.bool)) for g in i] for i in s]
        for s in prepared.samples
    ]
    losses = situated.losses(hidden, prepared.inputs, BatchGeometry.of(grids), torch.zeros(2, 3))
    assert all(bool(loss.isfinite()) and float(loss) != 0 for loss in losses.values())
    assert len(situated.read(hidden, prepared.inputs["input_ids"])) == 2
