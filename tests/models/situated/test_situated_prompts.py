"""From samples to places: through each family's own prompt, alone and several dialogs behind one prefix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_prompts import PROCESSORS, processor, tokenizer
from tiny_vlms import CASES, IMAGE_ID

from vantage.core.errors import ContractError
from vantage.models.families import family_of
from vantage.models.patch_geometry import PatchGrid
from vantage.models.prompts import Preparer
from vantage.models.situated import Cameras, Situated, SituatedConfig, add_tokens
from vantage.models.vlm.batch import collate, encoded, single_dialogs, situated_head
from vantage.models.vlm.head import last_hidden
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.prefix_inputs import prefix_inputs, shares_prefix
from vantage.models.vlm.sample import Place, Sample, Turn, View
from vantage.models.vlm.shared_prefix import pack_dialogs

DIALOGS = (Turn("where is the chair :", "here"),), (Turn("is the chair here :", "briefly the chair"),)


def image(width: int, height: int) -> Any:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(1, 255, (height, width, 3), dtype=np.uint8))


def view(width: int, height: int) -> View:
    T = np.eye(4)
    T[:3, 3] = (width / 10, height / 10, 1.5)
    return View(f"frame {width}", lambda: image(width, height), None, T)


SAMPLES = [
    Sample(
        "room/0",
        (view(30, 20), view(16, 16)),
        DIALOGS,
        situation="from the chair",
        place=Place(0.5, -1.0, 0.2),
    ),
    Sample("room/1", (replace(view(32, 24), T_frame_cam=None),), DIALOGS[:1]),
]


def made(name: str) -> tuple[Preparer, Situated]:
    model = CASES[name]().model
    words = tokenizer(family_of(model).placeholder)
    tokens = add_tokens(words)
    situated = Situated(model, tokens, SituatedConfig(head_width=8), seed=0).eval()
    return Preparer(model, words, processor(name)), situated


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_a_batch_of_samples_gives_losses_and_a_place_for_each(name: str) -> None:
    prepare, situated = made(name)
    tokens = situated.tokens
    shown = prepare.show([[v.image() for v in s.views] for s in SAMPLES]).samples
    known = [
        replace(v, pictures=tuple(PatchGrid(torch.ones(*g, 3), torch.ones(g, dtype=torch.bool)) for g in own))
        for v, own in zip(SAMPLES[0].views, shown[0], strict=True)
    ]
    batch = collate(
        single_dialogs([replace(SAMPLES[0], views=tuple(known)), SAMPLES[1]]), prepare, situated_head
    )
    ids = batch.inputs["input_ids"]
    for row, views in zip(ids.tolist(), (2, 2, 1), strict=True):
        marks = [i for i in row if i in (*tokens.ids, IMAGE_ID)]
        # A camera, then its image and nothing else's, and the situation after the last.
        assert marks[0] == tokens.cam
        assert marks.count(tokens.cam) == views
        assert all(marks[i + 1] == IMAGE_ID for i, token in enumerate(marks) if token == tokens.cam)
        assert marks[-2:] == [tokens.pos, tokens.ori]
    with torch.no_grad(), situated.bind(batch.seen_from):
        hidden = last_hidden(prepare.model, batch.inputs)
    losses = situated.losses(hidden, batch.inputs, batch.geometry, batch.places)
    assert all(bool(loss.isfinite()) and float(loss) != 0 for loss in losses.values())
    read = situated.read(hidden, ids)
    assert len(read) == 3
    if not prepare.family.prefix_sees_question:
        assert read[0].x == pytest.approx(read[1].x, abs=1e-4), "of one situation, whatever is asked"
    assert abs(read[0].x - read[2].x) > 1e-4


@pytest.mark.parametrize("name", [n for n in PROCESSORS if shares_prefix(CASES[n]().model).possible])
def test_dialogs_behind_one_prefix_share_its_place(name: str) -> None:
    prepare, situated = made(name)
    sample = SAMPLES[0]
    shown = prepare.show([[v.image() for v in sample.views]])
    dialogs = [encoded(sample, turns, prepare, situated_head, shown.texts[0]) for turns in sample.dialogs]
    rows = pack_dialogs([dialogs], IMAGE_ID, 0)
    alone = collate(single_dialogs([sample]), prepare, situated_head)
    numbers = alone.cameras[:2]
    with torch.no_grad():
        with situated.bind(Cameras(numbers, (2,), ("room/0",))):
            packed = last_hidden(prepare.model, prefix_inputs(prepare.model, rows, shown.inputs))
        with situated.bind(alone.seen_from):
            hidden = last_hidden(prepare.model, alone.inputs)
    (one,) = situated.read(packed, rows.input_ids)
    for other in situated.read(hidden, alone.inputs["input_ids"]):
        assert (one.x, one.y, one.resultant) == pytest.approx((other.x, other.y, other.resultant), abs=1e-4)


def test_a_model_situated_in_the_aligned_world_takes_batches_in_it_and_no_others() -> None:
    prepare, situated = made("llava")
    config = VlmConfig(None, situated=SituatedConfig("aligned", head_width=8))
    model = SpatialVlm(prepare.model, config, 0, situated.tokens).train()
    samples = single_dialogs(SAMPLES)
    batch = collate([replace(sample, frame="aligned") for sample in samples], prepare, situated_head)
    losses = model(batch)
    assert set(losses.parts) == {"words", "layout", "position", "orientation"}
    expected = losses.parts["words"] + 0.075 * (losses.parts["position"] + 3.5 * losses.parts["orientation"])
    assert float(losses.total.detach()) == pytest.approx(float(expected), rel=1e-5)
    with pytest.raises(ContractError, match="wrong frame"):
        model(collate(samples, prepare, situated_head))
