"""Batches of dialogs: what is given, what is learned, and whose points lie where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_prompts import PROCESSORS, preparer
from tiny_vlms import IMAGE_ID
from vlm_samples import samples

from vantage.align.ego import ego_of_camera
from vantage.align.embed import pose_numbers
from vantage.core.errors import ContractError, ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import PatchGrid
from vantage.models.vlm.batch import NOT_LEARNED, camera_numbers, collate, plain_head, single_dialogs
from vantage.models.vlm.dialog import pieces
from vantage.models.vlm.sample import Sample, Turn

# Answers end with the tokenizer's mark, and what comes between two turns is given.
CHAT = (
    "{% for m in messages %}<{{ m.role }}> {% if m.content is string %}{{ m.content }}"
    "{% else %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<eos>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)
PARTS_ONLY = CHAT.replace("{% if m.content is string %}{{ m.content }}{% else %}", "").replace(
    "{% endfor %}{% endif %}<eos>", "{% endfor %}<eos>"
)


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_a_batch_reads_as_its_dialogs_and_learns_their_answers(name: str) -> None:
    prepare = preparer(name)
    batch = collate(samples(prepare), prepare)
    words = prepare.tokenizer
    for row, sample in enumerate(samples(prepare)):
        learned = batch.labels[row] != NOT_LEARNED
        assert torch.equal(batch.labels[row][learned], batch.inputs["input_ids"][row][learned])
        said = words.decode(batch.labels[row][learned])
        answers = [part.strip() for part in said.split("<eos>")[:-1]]
        assert answers == [turn.answer for turn in sample.dialogs[0]]
        given = words.decode(batch.inputs["input_ids"][row][~learned], skip_special_tokens=True)
        for turn in sample.dialogs[0]:
            assert turn.question in given
    assert batch.tokens == int((batch.labels != NOT_LEARNED).sum())
    assert batch.inputs["attention_mask"][:, 0].all()


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_the_model_takes_a_batch_with_its_points(name: str) -> None:
    prepare = preparer(name)
    batch = collate(samples(prepare), prepare)
    injector = Injector.fresh(prepare.model, InjectionConfig("pre_vit", encoder=EncoderConfig("mlp")), seed=0)
    with torch.no_grad(), injector.bind(batch.geometry):
        whole = prepare.model(**batch.inputs).logits
    assert whole.shape[:2] == batch.labels.shape and whole.isfinite().all()


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_a_row_reads_in_training_as_the_prompt_does_in_use(name: str) -> None:
    """The ids before the first answer are those of `Preparer`, which generation uses."""
    prepare = preparer(name)
    rows = samples(prepare)
    batch = collate(rows, prepare)
    asked = [plain_head(s, prepare.family) + s.dialogs[0][0].question for s in rows]
    prompts = prepare(asked, [[view.image() for view in s.views] for s in rows]).inputs
    for row in range(len(rows)):
        first = int((batch.labels[row] != NOT_LEARNED).nonzero()[0])
        used = prompts["input_ids"][row][prompts["attention_mask"][row].bool()]
        assert torch.equal(batch.inputs["input_ids"][row][:first], used)


@pytest.mark.parametrize("template", [CHAT, PARTS_ONLY])
def test_a_chat_template_is_followed_piece_by_piece(template: str) -> None:
    prepare = preparer("qwen2_5_vl")
    prepare.tokenizer.chat_template = template
    turns = (Turn("where is the chair ?", "from here"), Turn("where ?", "the chair"))
    found = pieces(prepare.tokenizer, prepare.family, "<|image_pad|>", turns)
    assert [p.learned for p in found] == [False, True, False, True]
    assert [p.text for p in found if p.learned] == ["from here<eos>", "the chair<eos>"]
    marked = "<|vision_start|><|image_pad|><|vision_end|>"
    assert found[0].text == f"<user> {marked}where is the chair ?<eos>\n<assistant> "
    assert found[2].text == "\n<user> where ?<eos>\n<assistant> "
    open_end = pieces(prepare.tokenizer, prepare.family, "<|image_pad|>", (turns[0], Turn("where ?")))
    assert open_end == found[:3]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no text') }}", "cannot render"),
        (CHAT.replace("<assistant> {% endif %}", "<assistant><think>{% endif %}"), "rewrites"),
        (CHAT.replace("{{ m.content }}", "{{ m.content | replace('from', 'off') }}"), "changes an answer"),
    ],
)
def test_a_template_that_cannot_be_trained_on_is_refused(template: str, message: str) -> None:
    prepare = preparer("llava")
    prepare.tokenizer.chat_template = template
    with pytest.raises(ContractError, match=message):
        pieces(prepare.tokenizer, prepare.family, "", (Turn("where is it ?", "from here"),))


def test_only_the_last_turn_may_be_open() -> None:
    prepare = preparer("llava")
    with pytest.raises(ContractError, match="only the last turn"):
        pieces(prepare.tokenizer, prepare.family, "", (Turn("where ?"), Turn("is it ?", "here")))


def test_camera_numbers_are_those_of_the_ego_at_the_camera() -> None:
    rng = np.random.default_rng(4)
    T = np.eye(4)
    T[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    T[:3, :3] *= np.sign(np.linalg.det(T[:3, :3]))
    T[:3, 3] = rng.normal(size=3)
    expected = pose_numbers(ego_of_camera(T, "aligned", "ego_camera"))
    assert np.allclose(camera_numbers(T), expected, atol=1e-6)
    assert not camera_numbers(None).any()


def test_cameras_and_places_come_in_the_order_of_the_rows() -> None:
    prepare = preparer("llava")
    rows = samples(prepare)
    batch = collate([rows[0], replace(rows[1], place=None)], prepare)
    assert batch.cameras[:, 6:].tolist() == [[0, 0, 1.5], [0, 1, 1.5], [1, 0, 1.5]]
    assert batch.places[0].tolist() == [0.5, -1.0, 0.0] and batch.places[1].isnan().all()
    assert batch.sample_ids == ("room0", "room1")


def test_points_of_other_pictures_name_sample_and_view() -> None:
    prepare = preparer("llava")
    rows = samples(prepare)
    wrong = replace(rows[0].views[1], pictures=(PatchGrid.absent(2, 8),))
    rows[0] = replace(rows[0], views=(rows[0].views[0], wrong))
    with pytest.raises(ContractError, match="other pictures") as caught:
        collate(rows, prepare)
    assert "sample room0, view room0/frame 1" in str(caught.value)


def test_a_point_that_is_not_finite_names_sample_and_view() -> None:
    prepare = preparer("llava")
    rows = samples(prepare)
    pictures = rows[0].views[1].pictures
    assert pictures is not None
    picture = PatchGrid(pictures[0].xyz.clone(), pictures[0].valid.clone())
    picture.xyz[~picture.valid] = float("nan")
    view = replace(rows[0].views[1], pictures=(picture,))
    rows[0] = replace(rows[0], views=(rows[0].views[0], view))
    collate(rows, prepare)  # whatever stands where there is no point
    picture.xyz[tuple(picture.valid.nonzero()[0])] = float("nan")
    with pytest.raises(ContractError, match="not finite") as caught:
        collate(rows, prepare)
    assert "sample room0, view room0/frame 1" in str(caught.value) and "1 patches" in str(caught.value)


def test_views_without_points_stand_beside_those_with_points() -> None:
    prepare = preparer("llava")
    rows = samples(prepare)
    rows[1] = replace(rows[1], views=tuple(replace(v, pictures=None) for v in rows[1].views))
    geometry = collate(rows, prepare).geometry
    own = geometry.sample_of_patch()
    assert geometry.valid[own == 0].any() and not geometry.valid[own == 1].any()


def test_samples_of_two_frames_do_not_share_a_batch() -> None:
    prepare = preparer("llava")
    rows = samples(prepare)
    with pytest.raises(ContractError, match="several frames"):
        collate([rows[0], replace(rows[1], frame="aligned")], prepare)


def test_a_dialog_beyond_the_context_names_its_sample() -> None:
    prepare = preparer("llava")
    prepare.model.config.text_config.max_position_embeddings = 30
    with pytest.raises(ParameterError, match="context") as caught:
        collate(samples(prepare), prepare)
    assert "sample room0" in str(caught.value)


def test_a_word_that_the_model_has_no_row_for_names_its_sample() -> None:
    prepare = preparer("llava")
    prepare.tokenizer.add_tokens([f"beyond{number}" for number in range(200)])
    rows = samples(prepare)
    odd = replace(rows[0], dialogs=((Turn("where ?", "beyond199"),),))
    with pytest.raises(ContractError, match="not this model's") as refused:
        collate([odd, rows[1]], prepare)
    assert "sample room0" in str(refused.value.where) and "beyond199" in str(refused.value.found)


def test_every_dialog_becomes_a_row() -> None:
    prepare = preparer("llava")
    both = replace(samples(prepare)[0], dialogs=((Turn("where ?", "here"),), (Turn("is it ?", "the chair"),)))
    rows = single_dialogs([both, samples(prepare)[1]])
    assert [row.sample_id for row in rows] == ["room0#0", "room0#1", "room1"]
    assert [row.dialogs for row in rows[:2]] == [(d,) for d in both.dialogs]


@pytest.mark.parametrize("broken", [{"views": ()}, {"dialogs": ()}, {"dialogs": ((),)}])
def test_a_sample_without_views_or_questions_is_refused(broken: dict[str, Any]) -> None:
    prepare = preparer("llava")
    whole: Sample = samples(prepare)[0]
    with pytest.raises(ParameterError, match="sample room0"):
        replace(whole, **broken)


def test_image_tokens_stand_where_the_images_were_written() -> None:
    prepare = preparer("llava")
    batch = collate(samples(prepare), prepare)
    counts = (batch.inputs["input_ids"] == IMAGE_ID).sum(1).tolist()
    assert counts == [32, 16]
