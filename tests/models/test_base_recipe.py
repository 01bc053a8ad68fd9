"""The base's recipe: its data against independent counts, its stages on tiny amounts, the shipped result."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlavaForConditionalGeneration

from vantage.core.errors import ContractError, VantageError
from vantage.core.progress import Silent
from vantage.models.base.align import SIDE_WORDS, align_loss, patch_batch
from vantage.models.base.recipe import FAMILIES, BaseRecipe, require
from vantage.models.base.rendered import RenderedRooms, degrade, render_rooms, room_of
from vantage.models.base.situated import RenderedScenes
from vantage.models.base.stages import test_text as percent_right_on_text
from vantage.models.base.stages import train_text
from vantage.models.base.symbolic import SymbolicScenes, geometry_words, sample_scenes
from vantage.models.base.text import GEOMETRIC, text_batch
from vantage.models.checkpoint import WEIGHTS_FILE, load_base, save_base
from vantage.models.model_files import RECIPE_FILE, SHIPPED_BASE
from vantage.models.pocket import PocketShape, build
from vantage.questions.words import COLORS, VOCABULARY, WORD_IDS


@pytest.fixture(scope="module")
def scenes() -> SymbolicScenes:
    return sample_scenes(11, 0, 30, FAMILIES, 24)


@pytest.fixture(scope="module")
def rooms() -> RenderedRooms:
    return render_rooms(12, 0, 2, 6)


def test_scenes_depend_on_seed_and_number_alone(scenes: SymbolicScenes) -> None:
    alone = sample_scenes(11, 7, 2, FAMILIES, 24)
    for field in fields(scenes):
        assert np.array_equal(getattr(scenes, field.name)[7:9], getattr(alone, field.name))


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_geometry_words_are_the_quadrant_and_the_metres(x: float, y: float) -> None:
    quadrant, near, far, lean = geometry_words(np.array([x, y, 0.3]))
    front, left = VOCABULARY[quadrant].split("-")
    assert (front == "front") == (x >= 0) and (left == "left") == (y >= 0)
    numbers = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
    low, high = numbers[VOCABULARY[near]], numbers[VOCABULARY[far]]
    assert high == low + 1
    assert math.isclose(low + lean, min(max(math.hypot(x, y), 1), 6), abs_tol=1e-9)


def test_a_scene_without_geometry_words_is_asked_nothing_that_needs_them(
    model: LlavaForConditionalGeneration, scenes: SymbolicScenes
) -> None:
    rng = np.random.default_rng(0)
    batch = text_batch(model, scenes, np.arange(30), rng, FAMILIES, plain_share=1.0)
    asked = {FAMILIES[k] for k in batch.family.tolist()}
    assert not asked & (set(GEOMETRIC) - {"direction"})
    table = model.model.language_model.embed_tokens.weight
    for word in ("front-left", "back-right", "three", "five"):
        assert float((batch.prefix @ table[WORD_IDS[word]]).abs().max()) < 1e-4
    words = {VOCABULARY[k] for k in batch.answer[batch.family == FAMILIES.index("direction")].tolist()}
    assert words <= {"front-left", "front-right"}


def test_colours_change_places_in_scene_question_and_answer_alike(
    model: LlavaForConditionalGeneration, scenes: SymbolicScenes
) -> None:
    """The colour of a class, read off the tokens by matching the class, is always the answer."""
    batch = text_batch(model, scenes, np.arange(30), np.random.default_rng(1), FAMILIES, plain_share=1.0)
    table = model.model.language_model.embed_tokens.weight
    colors = torch.tensor([WORD_IDS[color] for color in COLORS])
    at, checked = 0, 0
    for scene, questions in enumerate(batch.questions):
        for ids in questions:
            answer, family = int(batch.answer[at]), FAMILIES[int(batch.family[at])]
            at += 1
            if family != "color":
                continue
            label = ids[-2]  # the class, before the answer's cue
            tokens = batch.prefix[scene][(batch.prefix[scene] @ table[label]) > 0.5]
            if len(tokens):
                assert set(colors[(tokens @ table[colors].T).argmax(-1)].tolist()) == {answer}
                checked += 1
    assert checked > 20


def test_patch_words_and_points_agree_with_a_plain_loop(rooms: RenderedRooms) -> None:
    from vantage.core.seeds import priority
    from vantage.geometry.camera import Pinhole
    from vantage.models.base.cameras import MODEL_CAMERA
    from vantage.scans.generated.render import views_in_memory

    room = room_of(12, 1)
    views = views_in_memory(room, rooms.pose[1], MODEL_CAMERA, seed=priority(12, "decoration", 1) % 2**31)
    assert isinstance(MODEL_CAMERA, Pinhole)
    seen = 0
    for k in range(6):
        assert rooms.pixels[1, k].sum() == (views.ids[k] < len(room.items))[views.ids[k] >= 0].sum()
        for patch in range(64):
            y, x = divmod(patch, 8)
            block = views.ids[k, y * 8 : y * 8 + 8, x * 8 : x * 8 + 8].ravel().tolist()
            furniture = {i: block.count(i) for i in set(block) if 0 <= i < len(room.items)}
            if furniture and max(furniture.values()) >= 10:
                best = {i for i, n in furniture.items() if n == max(furniture.values())}
                names = {(room.items[i].label, room.items[i].color) for i in best}
                found = VOCABULARY[rooms.label[1, k, patch]], VOCABULARY[rooms.tint[1, k, patch]]
                assert found in names
                seen += 1
            else:
                assert rooms.tint[1, k, patch] == 0
                assert VOCABULARY[rooms.label[1, k, patch]] in ("wall", "floor", "door", "window")
    assert seen > 20
    inside = np.abs(rooms.xyz[1, ..., :2]) < (np.array([room.width, room.depth]) / 2 + 0.01)
    assert inside.all()


def test_degraded_pictures_show_the_same_but_not_the_same_bytes(rooms: RenderedRooms) -> None:
    before = rooms.color[0]
    after = degrade(before, np.random.default_rng(0))
    again = degrade(before, np.random.default_rng(0))
    assert np.array_equal(after, again) and not np.array_equal(after, before)
    assert np.abs(after.astype(float) - before).mean() < 30
    assert np.corrcoef(after.ravel(), before.ravel())[0, 1] > 0.9


def test_a_mirrored_picture_mirrors_its_words_but_not_the_sides(rooms: RenderedRooms) -> None:
    batch = patch_batch(rooms, np.random.default_rng(0), 64)
    known = {rooms.tint[r, k].tobytes() for r in range(2) for k in range(6)}
    flipped = {rooms.tint[r, k].reshape(8, 8)[:, ::-1].tobytes() for r in range(2) for k in range(6)}
    found = [row.astype(np.uint8).tobytes() for row in batch.tint]
    assert all(row in known | flipped for row in found)
    assert any(row in known - flipped for row in found) and any(row in flipped - known for row in found)
    assert [VOCABULARY[k] for k in SIDE_WORDS[:8]] == ["left"] * 4 + ["right"] * 4


def test_pictures_alone_are_asked_no_geometry_but_what_view_one_shows(rooms: RenderedRooms) -> None:
    rendered = RenderedScenes(rooms, 12)
    plain = rendered.draw(np.random.default_rng(0), 8, FAMILIES, 20)
    whole = rendered.draw(np.random.default_rng(0), 8, FAMILIES, 20, geometry=True)
    assert not {FAMILIES[k] for k in plain.family.tolist()} & {"distance", "nearest"}
    assert {"distance", "nearest"} <= {FAMILIES[k] for k in whole.family.tolist()}
    directions = plain.answer[plain.family == FAMILIES.index("direction")].tolist()
    assert {VOCABULARY[k] for k in directions} <= {"front-left", "front-right"}
    # The ego looks along +x: what its own view shows lies in front.
    assert (plain.xyz[:, 0, :, 0] > -1e-3).mean() > 0.99


def test_the_stages_run_and_learn(model: LlavaForConditionalGeneration, scenes: SymbolicScenes) -> None:
    recipe = BaseRecipe(text_steps=25, text_batch=4, bf16=False)
    table = model.model.language_model.embed_tokens.weight.clone()
    before = percent_right_on_text(model, scenes)
    train_text(model, scenes, recipe, Silent())
    assert torch.equal(table, model.model.language_model.embed_tokens.weight)
    after = percent_right_on_text(model, scenes)
    assert sum(after.values()) > sum(before.values()) + 100


def test_the_alignment_loss_is_least_for_the_right_words(
    model: LlavaForConditionalGeneration, rooms: RenderedRooms
) -> None:
    batch = patch_batch(rooms, np.random.default_rng(0), 4)
    wrong = type(batch)(batch.images, np.roll(batch.label, 9, 1), np.roll(batch.tint, 9, 1))
    optimiser = torch.optim.Adam(
        [*model.model.vision_tower.parameters(), *model.model.multi_modal_projector.parameters()], lr=3e-3
    )
    for _ in range(30):
        optimiser.zero_grad()
        loss = align_loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        assert align_loss(model, batch) < 0.7 * align_loss(model, wrong)


def test_a_stage_under_its_floor_stops_the_build() -> None:
    recipe = BaseRecipe()
    good = dict.fromkeys(recipe.floors["text"], 100.0)
    require("text", good, recipe)
    with pytest.raises(VantageError, match="not good enough"):
        require("text", good | {"exist": 60.0}, recipe)


def test_the_shipped_base_is_the_one_its_recipe_describes_and_still_owns_its_circuits() -> None:
    recipe = json.loads((SHIPPED_BASE / RECIPE_FILE).read_text())
    assert recipe["recipe"] == json.loads(json.dumps(asdict(BaseRecipe())))
    for stage in BaseRecipe().floors:
        require(stage, recipe["percent_right"][stage], BaseRecipe())
    assert (SHIPPED_BASE / WEIGHTS_FILE).stat().st_size < 8e6
    scores = percent_right_on_text(load_base(), sample_scenes(99, 0, 40, FAMILIES, 20))
    for name, floor in {"exist": 88, "category": 90, "direction": 88, "side": 88, "nearest": 85}.items():
        assert scores[name] >= floor, (name, scores[name])


def test_a_damaged_or_foreign_base_is_refused(tmp_path: Path) -> None:
    shape = PocketShape(vision_layers=1, layers=1)
    save_base(tmp_path, build(shape), shape, {"recipe": {}})
    load_base(tmp_path)
    weights = bytearray((tmp_path / WEIGHTS_FILE).read_bytes())
    weights[-1] ^= 1
    (tmp_path / WEIGHTS_FILE).write_bytes(bytes(weights))
    with pytest.raises(ContractError, match="not those its recipe describes"):
        load_base(tmp_path)
    save_base(tmp_path, build(shape), shape, {"recipe": {}})
    recipe = json.loads((tmp_path / RECIPE_FILE).read_text())
    (tmp_path / RECIPE_FILE).write_text(json.dumps(recipe | {"vocabulary_sha256": "0" * 64}))
    with pytest.raises(ContractError, match="another vocabulary"):
        load_base(tmp_path)
    (tmp_path / WEIGHTS_FILE).unlink()
    with pytest.raises(ContractError, match="make base"):
        load_base(tmp_path)
