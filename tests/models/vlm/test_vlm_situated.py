"""A situated model as a whole: trained, kept, merged, asked for the place on the way to an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_prompts import preparer
from vlm_samples import FAMILIES, SMALL, samples, stepped

from vantage.core.errors import ContractError, ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig
from vantage.models.loading import load_vlm
from vantage.models.prompts import Preparer
from vantage.models.situated import SituatedConfig, SituatedTokens, add_tokens
from vantage.models.situated.cameras import withheld
from vantage.models.vlm.batch import Batch, collate, single_dialogs
from vantage.models.vlm.checkpoint import export_merged, load_adapter, load_merged, save_adapter
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.prefix_inputs import shares_prefix
from vantage.models.vlm.request import Generated, Request
from vantage.models.vlm.sample import Sample, Turn

CONFIG = VlmConfig(
    InjectionConfig("post_vit", "aligned", EncoderConfig("mlp", hidden=16)), "lora", lora=SMALL,
    situated=SituatedConfig("aligned", head_width=16, camera_drop=0.0),
)  # fmt: skip


def in_world(prepare: Preparer) -> list[Sample]:
    """Samples in the frame of the recipe's preset."""
    return [replace(sample, frame="aligned") for sample in samples(prepare)]


def asked(prepare: Preparer) -> list[Sample]:
    """The first sample has a second dialog, where the model can share views."""
    first, second = in_world(prepare)
    both = replace(first, dialogs=(*first.dialogs, (Turn("is the chair here :", "answer"),)))
    return [both, second] if shares_prefix(prepare.model).possible else single_dialogs([both, second])


def made(name: str) -> tuple[SpatialVlm, Batch, Preparer]:
    prepare = preparer(name)
    tokens = add_tokens(prepare.tokenizer)
    model = SpatialVlm(prepare.model, CONFIG, 0, tokens)
    return model, collate(asked(prepare), prepare, CONFIG.head), prepare


@pytest.mark.parametrize("name", FAMILIES)
def test_words_layout_and_place_are_learned_together(name: str) -> None:
    model, batch, _ = made(name)
    model.train()
    losses = model(batch)
    weights = CONFIG.situated
    assert weights is not None
    expected = losses.parts["words"] + weights.layout_weight * losses.parts["layout"]
    situation = losses.parts["position"] + weights.orientation_weight * losses.parts["orientation"]
    assert torch.allclose(losses.total, expected + weights.situation_weight * situation, rtol=1e-5)
    assert losses.tokens == batch.tokens
    losses.total.backward()
    own = {name: p for name, p in model.trained().items() if name.startswith("situated.")}
    reached = {name for name, p in own.items() if p.grad is not None and p.grad.any()}
    assert set(own) - reached == {"situated.camera.null"}  # every camera is known here
    assert all(model.rate(name) == CONFIG.rates.situated for name in own)


def test_cameras_are_withheld_by_the_step_of_the_batch() -> None:
    """A sample's cameras come and go from step to step; the seed says when, so that a resumed run agrees."""
    prepare = preparer("llava")
    tokens = add_tokens(prepare.tokenizer)
    half = SituatedConfig("aligned", head_width=16, camera_drop=0.5)
    model = SpatialVlm(prepare.model, replace(CONFIG, situated=half), 0, tokens).train()
    batch = collate(asked(prepare), prepare, CONFIG.head)
    assert model.situated is not None
    seed = model.situated.seed
    gone = {draw: [withheld(seed, draw, name, 0.5) for name in batch.sample_ids] for draw in range(6)}
    assert len({tuple(one) for one in gone.values()}) > 2
    for draw, samples_gone in gone.items():
        per_image = torch.tensor(samples_gone).repeat_interleave(torch.tensor(batch.geometry.samples))
        blind = replace(batch, cameras=batch.cameras.masked_fill(per_image[:, None], 0.0))
        model.train()
        found = model(replace(batch, draw=draw)).total
        model.eval()
        assert torch.equal(found, model(blind).total), draw


@pytest.mark.parametrize("name", FAMILIES)
def test_it_comes_back_from_disk_and_out_of_a_merge(name: str, tmp_path: Path) -> None:
    prepare = preparer(name)
    for part in (prepare.model, prepare.tokenizer, prepare.image_processor):
        part.save_pretrained(tmp_path / "base")
    base = load_vlm(tmp_path / "base")
    prepare = Preparer.load(base.model, base.folder)
    tokens = add_tokens(prepare.tokenizer)
    model = SpatialVlm(base.model, CONFIG, 0, tokens)
    batch = collate(asked(prepare), prepare, CONFIG.head)
    stepped(model, batch, 3)
    model.eval()
    with torch.no_grad():
        logits, places = model.logits(batch), model.places(batch)
    save_adapter(tmp_path / "adapter", model, base.identity, {})
    again = load_adapter(tmp_path / "adapter", load_vlm(tmp_path / "base"), None, tokens)
    with torch.no_grad():
        assert torch.equal(again.logits(batch), logits)
    assert again.places(batch) == places
    save_adapter(tmp_path / "copy", again, base.identity, {})
    copied = (tmp_path / "copy" / "config.json").read_text()
    assert copied == (tmp_path / "adapter" / "config.json").read_text()
    export_merged(tmp_path / "merged", model, base, {})
    merged = load_merged(tmp_path / "merged", tokens)
    with torch.no_grad():
        assert torch.allclose(merged.logits(batch), logits, atol=1e-4)
    assert merged.places(batch)[0].x == pytest.approx(places[0].x, abs=1e-4)


def test_other_tokens_or_none_are_refused(tmp_path: Path) -> None:
    prepare = preparer("llava")
    prepare.model.save_pretrained(tmp_path / "base")
    base = load_vlm(tmp_path / "base")
    tokens = add_tokens(prepare.tokenizer)
    save_adapter(tmp_path, SpatialVlm(base.model, CONFIG, 0, tokens), base.identity, {})
    with pytest.raises(ParameterError, match="ids of its tokens"):
        load_adapter(tmp_path, load_vlm(tmp_path / "base"))
    with pytest.raises(ContractError, match="other token ids"):
        load_adapter(tmp_path, load_vlm(tmp_path / "base"), None, SituatedTokens(50, 51, 52))


def test_coordinates_and_places_share_a_frame() -> None:
    with pytest.raises(ParameterError, match="two frames"):
        replace(CONFIG, situated=SituatedConfig(frame="ego_level"))


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "paligemma"])
def test_an_answer_comes_with_the_place_of_a_whole_pass(name: str) -> None:
    model, _, prepare = made(name)
    model.eval()
    rows = single_dialogs(in_world(prepare))
    requests = [
        Request(
            row.sample_id, CONFIG.head(row, prepare.family) + row.dialogs[0][0].question, row.views,
            tuple(view.image().size for view in row.views), "aligned",
        )
        for row in rows
    ]  # fmt: skip
    generator = Generator(prepare, Decoding(3), model.injector, model.situated)
    found = {one.id: one for batch in generator.answers(requests) for one in batch}
    expected = model.places(collate(rows, prepare, CONFIG.head))
    for row, place in zip(rows, expected, strict=True):
        answer = found[row.sample_id]
        assert isinstance(answer, Generated) and answer.place is not None
        assert (answer.place.x, answer.place.y) == pytest.approx((place.x, place.y), abs=1e-4)
        assert answer.place.yaw == pytest.approx(place.yaw, abs=1e-3)
