"""The tokens' vectors in a pass: exactly where the tokens stand, in every family, and nothing left behind."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from situated_cases import BEYOND, WITHIN, Scene
from tiny_vlms import CASES, FAMILY_CASES, IMAGE_ID, VOCABULARY
from torch import Tensor

from vantage.core.errors import ContractError, ParameterError, VantageError
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.situated import Cameras, Situated, SituatedConfig, SituatedTokens
from vantage.models.situated.cameras import withheld


@torch.no_grad()
def resized(scene: Scene, cameras: Cameras) -> tuple[Any, dict[str, Any]]:
    """The oracle: a model whose table was made longer by hand, with an id of its own for every camera."""
    model, inputs = copy.deepcopy(scene.model), scene.inputs
    rows = [*scene.situated.camera(cameras.numbers), scene.situated.pos, scene.situated.ori]
    table = model.resize_token_embeddings(VOCABULARY + len(rows), mean_resizing=False)
    factor = table(torch.tensor([40]))[0] / table.weight[40]  # Gemma's table scales what it gives
    table.weight[VOCABULARY:] = torch.stack(rows) / factor.mean()
    ids, count = inputs["input_ids"].clone(), len(cameras.numbers)
    ids[ids == scene.tokens.pos] = VOCABULARY + count + 1000
    ids[ids == scene.tokens.ori] = VOCABULARY + count + 1001
    ids[ids == scene.tokens.cam] = VOCABULARY + torch.arange(count)
    return model, {**inputs, "input_ids": torch.where(ids > 1000, ids - 1000, ids)}


@pytest.mark.parametrize("tokens", [BEYOND, WITHIN])
@pytest.mark.parametrize("name", list(CASES))
def test_a_pass_is_that_of_a_model_with_a_longer_table(name: str, tokens: SituatedTokens) -> None:
    scene = Scene(name, tokens)
    cameras = scene.cameras()
    cameras.numbers[0] = 0.0
    model, inputs = resized(scene, cameras)
    with torch.no_grad():
        expected = model.model(**inputs).last_hidden_state
        found = scene.hidden(cameras)
    assert torch.allclose(found, expected, atol=1e-5) if name == "paligemma" else torch.equal(found, expected)
    assert not torch.allclose(scene.hidden(scene.cameras(seed=9)), found, atol=1e-3)
    assert len(scene.model.get_input_embeddings().weight) == VOCABULARY


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_nothing_is_left_in_the_model_also_after_an_error(name: str) -> None:
    scene = Scene(name)

    def hooks() -> list[int]:
        return [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in scene.model.modules()]

    def plain() -> Tensor:
        with torch.no_grad():
            out: Tensor = scene.model(**scene.case.inputs).logits
        return out

    # Outputs are recorded by hooks of transformers' own, set at the first call.
    answer, before, weights = plain(), hooks(), copy.deepcopy(scene.model.state_dict())
    scene.hidden()
    with pytest.raises(RuntimeError, match="the user's own"), scene.situated.bind(scene.cameras()):
        assert hooks() != before
        raise RuntimeError("the user's own")
    with pytest.raises(ContractError), scene.situated.bind(scene.cameras()):
        plain()
    assert hooks() == before
    assert torch.equal(plain(), answer)
    assert all(torch.equal(value, weights[key]) for key, value in scene.model.state_dict().items())
    assert not any(key.startswith("_base") for key in scene.situated.state_dict())


@pytest.mark.parametrize("tokens", [BEYOND, WITHIN])
@pytest.mark.parametrize("name", FAMILY_CASES)
def test_generation_sees_them_at_the_prompt_and_the_place_is_read_on_the_way(
    name: str, tokens: SituatedTokens
) -> None:
    scene = Scene(name, tokens)
    words = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None}
    words["suppress_tokens"] = [IMAGE_ID, *(i for i in tokens.ids if i < VOCABULARY)]
    steps = 1 if name == "paligemma" else 4  # its prompt sees itself both ways, the words made do not
    cameras, text = scene.cameras(), scene.inputs
    with torch.no_grad():
        with scene.situated.bind(cameras) as seen:
            made = scene.model.generate(
                **scene.inputs, **words, output_logits=True, return_dict_in_generate=True
            )
        assert seen.hidden is not None
        assert seen.input_ids is not None
        assert torch.equal(seen.input_ids, text["input_ids"])
        real = text["attention_mask"].bool()
        assert torch.allclose(seen.hidden[real], scene.hidden(cameras)[real], atol=1e-4)
        assert len(scene.situated.read(seen.hidden, seen.input_ids)) == len(scene.images)
        for step in range(steps):
            # The same by hand: a whole forward for every word.
            with scene.situated.bind(cameras):
                scores = scene.model(**text).logits[:, -1]
            assert torch.allclose(made.logits[step], scores, atol=1e-4)
            word = made.sequences[:, step - 4, None]
            more = {"input_ids": word, "attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 1}
            for key in text.keys() & more.keys():
                column = torch.zeros_like(text[key][:, :1]) + more[key]
                text[key] = torch.cat([text[key], column], dim=1)


def test_a_token_that_the_model_writes_itself_is_a_word_like_any_other() -> None:
    scene = Scene("llava", WITHIN)
    others = [i for i in range(VOCABULARY) if i != WITHIN.pos]
    asked = {"max_new_tokens": 3, "do_sample": False, "eos_token_id": None, "suppress_tokens": others}
    with torch.no_grad(), scene.situated.bind(scene.cameras()):
        made = scene.model.generate(**scene.inputs, **asked)
    assert (made[:, -3:] == WITHIN.pos).all()


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_beams_share_the_cameras_of_their_prompt(name: str) -> None:
    scene = Scene(name)
    asked = {"max_new_tokens": 1, "do_sample": False, "eos_token_id": None, "suppress_tokens": [IMAGE_ID]}
    with torch.no_grad():
        try:
            with Injector.fresh(scene.model, InjectionConfig(), 0).bind(scene.case.random_geometry()):
                scene.model.generate(**scene.case.inputs, **asked, num_beams=2)
        except ContractError:
            pytest.skip("this release of transformers shows the tower the pictures of every beam, mixed up")
        with scene.situated.bind(scene.cameras()):
            alone = scene.model.generate(**scene.inputs, **asked)
        with scene.situated.bind(scene.cameras()):
            beams = scene.model.generate(**scene.inputs, **asked, num_beams=2)
    assert torch.equal(alone, beams)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_gradients_reach_exactly_the_recipes_own_tensors_with_and_without_checkpointing(name: str) -> None:
    grads = []
    for reentrant in (None, False, True):
        scene = Scene(name)
        scene.model.requires_grad_(False)
        if reentrant is not None:
            scene.model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        scene.model.train()
        cameras = scene.cameras()
        cameras.numbers[0] = 0.0
        geometry = scene.case.random_geometry()
        with scene.situated.bind(cameras, step=0):
            hidden = scene.model.model(**scene.inputs, use_cache=False).last_hidden_state
        losses = scene.situated.losses(hidden, scene.inputs, geometry, scene.places())
        scene.situated.weighted(losses).backward()
        own = dict(scene.situated.named_parameters())
        assert [n for n, p in own.items() if p.grad is None or not bool(p.grad.abs().sum() > 0)] == []
        assert all(p.grad is None for p in scene.model.parameters())
        grads.append({n: p.grad for n, p in own.items()})
    for other in grads[1:]:
        assert all(torch.allclose(grads[0][n], g, rtol=1e-4, atol=1e-6) for n, g in other.items())


def test_a_table_that_is_trained_learns_from_words_only() -> None:
    scene = Scene("llava", WITHIN)
    table = scene.model.get_input_embeddings().weight
    scene.hidden()[..., 0].sum().backward()
    own = torch.tensor(WITHIN.ids)
    assert (table.grad[own] == 0).all()
    assert (table.grad[0] == 0).all(), "the stand-in learns nothing either"
    assert (table.grad[40] != 0).any()


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_prompt_that_does_not_fit_its_cameras_is_refused_by_name(name: str) -> None:
    scene = Scene(name)
    inputs, cameras = scene.inputs, scene.cameras()
    last = len(scene.images) - 1

    def refused(ids: Tensor, given: Cameras, message: str) -> None:
        with pytest.raises(ContractError, match=message), scene.situated.bind(given):
            scene.model(**{**inputs, "input_ids": ids})

    fewer = inputs["input_ids"].clone()
    fewer[last, (fewer[last] == scene.tokens.cam).nonzero()[-1]] = 7
    refused(fewer, cameras, f"room/{last}")
    more = inputs["input_ids"].clone()
    more[last, (more[last] == scene.tokens.pos).nonzero() - 1] = scene.tokens.cam
    refused(more, cameras, f"room/{last}")
    lost = inputs["input_ids"].clone()
    lost[last, (lost[last] == scene.tokens.pos).nonzero()] = 7
    refused(lost, cameras, f"room/{last}")
    one = Cameras(cameras.numbers, (sum(scene.images),), ("room/all",))
    refused(inputs["input_ids"], one, "do not fit the batch")
    if scene.images[0] != scene.images[-1]:
        turned = Cameras(cameras.numbers, scene.images[::-1], scene.sample_ids)
        refused(inputs["input_ids"], turned, "room/0")


def test_cameras_that_do_not_add_up_or_are_not_numbers_are_refused() -> None:
    scene = Scene("llava")
    cameras = scene.cameras()
    with pytest.raises(ContractError, match="add up"):
        Cameras(cameras.numbers, (1, 1), scene.sample_ids)
    with pytest.raises(ContractError, match="add up"):
        replace(cameras, sample_ids=("one",))
    broken = cameras.numbers.clone()
    broken[2, 3] = -math.inf
    with pytest.raises(ContractError, match="room/1"):
        replace(cameras, numbers=broken)
    with (
        pytest.raises(ContractError, match="another width"),
        scene.situated.bind(replace(cameras, numbers=torch.zeros(3, 768))),
    ):
        pass


def test_cameras_in_another_frame_are_refused() -> None:
    scene = Scene("llava")
    with (
        pytest.raises(ContractError, match="wrong frame"),
        scene.situated.bind(replace(scene.cameras(), frame="aligned")),
    ):
        pass


@pytest.mark.parametrize(
    "wrong",
    [{"bins": 2}, {"camera_drop": 1.5}, {"sigma_ori_deg": 0.0}, {"head_width": 0}, {"camera_width": 0}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        SituatedConfig(**wrong)


def test_one_binding_is_for_one_pass() -> None:
    scene = Scene("llava")
    with pytest.raises(VantageError, match="not used"), scene.situated.bind(scene.cameras()):
        pass
    with pytest.raises(VantageError, match="second pass"), scene.situated.bind(scene.cameras()):
        scene.model(**scene.inputs)
        scene.model(**scene.inputs)
    with (
        pytest.raises(VantageError, match="already bound"),
        scene.situated.bind(scene.cameras()),
        scene.situated.bind(scene.cameras()),
    ):
        pass
    scene.hidden()


def test_an_id_that_is_the_models_own_is_refused() -> None:
    scene = Scene("llava")
    with pytest.raises(ContractError, match="taken"):
        Situated(scene.model, SituatedTokens(64, IMAGE_ID, 65), SituatedConfig(), 0)


def test_cameras_are_withheld_in_training_only_and_again_when_resumed() -> None:
    config = SituatedConfig(head_width=64, camera_drop=0.5)
    scene, unknown = Scene("llava", config=config), Scene("llava", config=config)
    blank = replace(unknown.cameras(), numbers=torch.zeros_like(unknown.cameras().numbers))
    with torch.no_grad():
        scene.situated.eval()
        known = scene.hidden()
        nothing = unknown.situated.eval() and unknown.hidden(blank)
        scene.situated.train()
        chosen = {}
        for step in range(20):
            hidden = scene.hidden(step=step)
            assert torch.equal(hidden, scene.hidden(step=step))
            for row, name in enumerate(scene.sample_ids):
                gone = withheld(scene.seed, step, name, 0.5)
                # Left padding does not move, so a row is one of the two exactly.
                assert torch.equal(hidden[row], nothing[row] if gone else known[row])
                chosen[step, name] = gone
    assert len(set(chosen.values())) == 2
    assert [chosen[s, "room/0"] for s in range(20)] != [chosen[s, "room/1"] for s in range(20)]
    with pytest.raises(ParameterError, match="by step"):
        scene.hidden()


def test_the_share_of_samples_whose_cameras_are_withheld_is_the_one_asked_for() -> None:
    for share in (0.0, 0.1, 0.5, 1.0):
        found = sum(withheld(3, step, f"room/{n}", share) for step in range(100) for n in range(100))
        assert abs(found / 10_000 - share) < 0.015
    first = [withheld(3, step, "room/1", 0.5) for step in range(64)]
    assert first != [withheld(4, step, "room/1", 0.5) for step in range(64)]


def test_a_geometry_models_camera_tokens_are_taken_at_their_width() -> None:
    scene = Scene("qwen2_5_vl", config=SituatedConfig(head_width=64, camera_width=768, camera_drop=0.0))
    assert scene.situated.camera.mlp[0].in_features == 768
    assert not torch.equal(scene.hidden(scene.cameras(1)), scene.hidden(scene.cameras(2)))


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_base_in_bfloat16_leaves_the_recipes_own_tensors_in_float32(name: str) -> None:
    scene = Scene(name)
    before = copy.deepcopy(scene.situated.state_dict())
    scene.model.bfloat16()
    scene.situated.bfloat16()
    assert all(torch.equal(value, before[key]) for key, value in scene.situated.state_dict().items())
    hidden = scene.hidden()
    assert hidden.dtype == torch.bfloat16
    losses = scene.situated.losses(hidden, scene.inputs, scene.case.random_geometry(), scene.places())
    assert all(loss.dtype == torch.float32 and bool(loss.isfinite()) for loss in losses.values())


def test_fresh_vectors_are_as_long_as_the_words_and_drawn_from_the_seed_alone() -> None:
    scene = Scene("llava")
    words = float(scene.model.get_input_embeddings().weight.square().mean().sqrt())
    state = torch.random.get_rng_state()
    one, two = Scene("llava", seed=5).situated, Scene("llava", seed=5).situated
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.pos, scene.situated.pos)
    vectors = (one.pos, one.ori, one.camera.null, one.camera(scene.cameras().numbers))
    assert all(0.5 < float(v.square().mean().sqrt()) / words < 2 for v in vectors)


@pytest.mark.parametrize("name", ["llava", "qwen3_vl"])
def test_an_injected_geometry_and_the_situated_tokens_share_a_pass(name: str) -> None:
    scene = Scene(name)
    injector = Injector.fresh(scene.model, InjectionConfig("pre_vit"), seed=0)
    plain = scene.hidden()
    with injector.bind(scene.case.random_geometry()):
        assert torch.equal(scene.hidden(), plain)
    with torch.no_grad():
        for parameter in injector.encoder.parameters():
            parameter.add_(0.1)
    with injector.bind(scene.case.random_geometry()):
        assert not torch.equal(scene.hidden(), plain)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_adapters_on_the_decoder_train_beside_it(name: str) -> None:
    peft = pytest.importorskip("peft")
    scene = Scene(name)
    wrapped = peft.get_peft_model(scene.model, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    situated = Situated(wrapped, scene.tokens, scene.config, 0)
    with situated.bind(scene.cameras()):
        hidden = wrapped.base_model.model.model(**scene.inputs).last_hidden_state
    losses = situated.losses(hidden, scene.inputs, scene.case.random_geometry(), scene.places())
    situated.weighted(losses).backward()
    trained = {n for n, p in wrapped.named_parameters() if p.grad is not None}
    assert trained
    assert all("lora_" in n for n in trained)
    assert situated.pos.grad is not None
