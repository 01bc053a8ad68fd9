"""Answers do not depend on how requests are batched: for every family, against passes without any cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asked_vlms import NEW_TOKENS, answered, preparer, requests
from tiny_vlms import FAMILY_CASES
from transformers import GenerationConfig

import vantage
from vantage.core.errors import ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import PatchGrid
from vantage.models.vlm.batch import NOT_LEARNED, collate
from vantage.models.vlm.buckets import Meter, plan
from vantage.models.vlm.differences import changed
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Generated, Refused, Request
from vantage.models.vlm.sample import Sample, Turn, View

ROUNDING = 1e-4
"""More than rounding moves a margin of these models (float32, logits of about 10); measured below."""
CALL = 0.01
"""The closest call among the answers is at least so far: no tie can hide or excuse a difference."""


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_batch_size_composition_and_order_change_no_answer(name: str) -> None:
    maker = preparer(name)
    asked = requests(maker.family.placeholder)
    alone = answered(maker, asked, batch=1)
    assert len({answer.text for answer in alone.values()}) > len(asked) // 2, "answers tell requests apart"
    assert min(min(answer.margins) for answer in alone.values()) > CALL
    order = np.random.default_rng(1).permutation(len(asked))
    ways = {
        "three": answered(maker, asked, batch=3),
        "all": answered(maker, asked),
        "shuffled": answered(maker, [asked[i] for i in order], batch=4),
        "some": answered(maker, asked[1::2]) | answered(maker, asked[::2]),
    }
    for way, found in ways.items():
        assert found.keys() == alone.keys()
        assert changed(alone.values(), found.values()) == [], way
        for key, answer in found.items():
            assert answer.tokens == alone[key].tokens, way
            np.testing.assert_allclose(answer.margins, alone[key].margins, atol=ROUNDING, err_msg=way)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_every_token_is_the_best_of_a_whole_pass_without_cache_and_padding(name: str) -> None:
    maker = preparer(name)
    asked = requests(maker.family.placeholder)
    for request, answer in zip(asked, _by_request(answered(maker, asked), asked), strict=True):
        made = maker([request.text], [[view.image() for view in request.views]]).inputs
        ids, start = made["input_ids"], made["input_ids"].shape[1]
        assert answer.prompt_tokens == start
        whole = torch.cat([ids, torch.tensor([answer.tokens])], 1)
        more = {"input_ids": whole, "attention_mask": torch.ones_like(whole)}
        if "mm_token_type_ids" in made:
            more["mm_token_type_ids"] = _longer(made["mm_token_type_ids"], len(answer.tokens), 0)
        if "token_type_ids" in made:  # PaliGemma: the prompt sees itself whole, an answer what came before
            more["token_type_ids"] = _longer(made["token_type_ids"], len(answer.tokens), 1)
        with torch.no_grad():
            logits = maker.model(**{**made, **more}).logits[0, start - 1 : -1]
        assert logits.argmax(-1).tolist() == list(answer.tokens)
        best = logits.topk(2, -1).values
        np.testing.assert_allclose(answer.margins, best[:, 0] - best[:, 1], atol=ROUNDING)


def _by_request(found: dict[str, Generated], asked: list[Request]) -> list[Generated]:
    return [found[request.id] for request in asked]


def _longer(values: torch.Tensor, by: int, fill: int) -> torch.Tensor:
    return torch.nn.functional.pad(values, (0, by), value=fill)


def test_one_and_two_processes_answer_alike() -> None:
    here = Path(__file__).parent
    source = Path(vantage.__file__).parents[1]
    paths = [str(here.parent), str(source), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(here / "asked_vlms.py")]
    running = [
        subprocess.Popen([*command, str(k), "2"], env=environment, stdout=subprocess.PIPE) for k in (0, 1)
    ]
    shares = [json.loads(process.communicate()[0]) for process in running]
    assert shares[0], "every release has image processors for some families"
    for name in shares[0]:
        maker = preparer(name)
        whole = answered(maker, requests(maker.family.placeholder))
        assert shares[0][name] | shares[1][name] == {key: answer.text for key, answer in whole.items()}


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_an_embedding_is_summed_for_each_requests_own_views(name: str) -> None:
    maker = preparer(name)
    injector = Injector.fresh(maker.model, InjectionConfig("pre_vit", encoder=EncoderConfig("mlp")), seed=0)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in injector.encoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    asked = [_located(maker, request) for request in requests(maker.family.placeholder)]

    def said(batch: int | None, geometry: Injector | None) -> dict[str, Generated]:
        settings = Decoding(max_new_tokens=NEW_TOKENS, token_budget=10**6, batch=batch)
        runs = Generator(maker, settings, geometry).answers(asked)
        return {a.id: a for answers in runs for a in answers if isinstance(a, Generated)}

    alone, together, plain = said(1, injector), said(None, injector), said(None, None)
    assert changed(alone.values(), together.values()) == []
    assert len(changed(plain.values(), alone.values())) > len(asked) // 2, "coordinates reach the answers"


def _located(maker: Any, request: Request) -> Request:
    """The request with random points, a third of its views without any."""
    images = [view.image() for view in request.views]
    (grids,) = maker([request.text], [images]).samples
    rng = np.random.default_rng(int(request.id[1:]))
    views = []
    for number, (view, tiles) in enumerate(zip(request.views, grids, strict=True)):
        points = tuple(
            PatchGrid(torch.from_numpy(rng.normal(size=(*g, 3)).astype(np.float32)), torch.rand(g) < 2)
            for g in tiles
        )
        views.append(View(view.name, view.image, None if number == 1 else points))
    return Request(request.id, request.text, tuple(views), request.sizes)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_lengths_are_known_without_the_images(name: str) -> None:
    maker, asked = preparer(name), requests(preparer(name).family.placeholder)
    meter = Meter(maker)
    images = [[view.image() for view in request.views] for request in asked]
    counted = maker([request.text for request in asked], images).inputs["attention_mask"].sum(1)
    assert [meter.tokens(request) for request in asked] == counted.tolist()


def test_batches_fit_the_budget_and_hold_every_request_once() -> None:
    maker = preparer("internvl")
    asked = requests(maker.family.placeholder, 30)
    meter = Meter(maker)
    for budget in (1, 90, 300, 10**6):
        made = plan(asked, meter, NEW_TOKENS, budget)
        assert sorted(one.request.id for batch in made.batches for one in batch) == sorted(
            request.id for request in asked
        )
        for batch in made.batches:
            padded = len(batch) * (max(one.tokens for one in batch) + NEW_TOKENS)
            assert len(batch) == 1 or padded <= budget
        lengths = [one.tokens for batch in made.batches for one in batch]
        assert lengths == sorted(lengths, reverse=True)
    assert len(plan(asked, meter, NEW_TOKENS, 10**6).batches) == 1
    assert len(plan(asked, meter, NEW_TOKENS, 1).batches) == len(asked)
    again = plan(asked, meter, NEW_TOKENS, 300).batches
    assert again == plan(asked, meter, NEW_TOKENS, 300).batches


def test_a_stop_string_ends_its_own_answer_only() -> None:
    maker = preparer("nvila_3x3")
    asked = requests(maker.family.placeholder)
    free = answered(maker, asked)
    word = free["q3"].text.split()[1]
    for batch in (1, None):
        found = answered(maker, asked, stop=(word,), batch=batch)
        for key, answer in found.items():
            before, met, _ = free[key].text.partition(word)
            assert answer.text == before.strip()
            assert (answer.finish == "stop") == bool(met)
            assert answer.tokens == free[key].tokens[: len(answer.tokens)]
        assert found["q3"].finish == "stop"


def test_a_stop_string_of_several_tokens_and_one_that_begins_in_the_prompt() -> None:
    maker = preparer("nvila_3x3")
    (asked,) = requests(maker.family.placeholder, 1)
    (free,) = answered(maker, [asked]).values()
    words = free.text.split()
    pair = free.text[: free.text.index(words[2])].strip()
    (found,) = answered(maker, [asked], stop=(pair,)).values()
    assert found.text == "" and found.finish == "stop" and len(found.tokens) < len(free.tokens)
    across = f"{asked.text.split()[-1]} {words[0]}"
    (unmoved,) = answered(maker, [asked], stop=(across,)).values()
    assert (unmoved.text, unmoved.finish) == (free.text, free.finish)


def test_an_answer_ends_with_the_models_end_mark() -> None:
    maker = preparer("llava_onevision", seed=5)
    found = answered(maker, requests(maker.family.placeholder))
    ended = [answer for answer in found.values() if answer.finish == "eos"]
    assert ended and len(ended) < len(found)
    for answer in ended:
        assert answer.tokens[-1] == 2 and 2 not in answer.tokens[:-1]
        assert "<eos>" not in answer.text
    assert all(len(a.tokens) == NEW_TOKENS for a in found.values() if a.finish == "length")


def test_a_chat_template_goes_around_a_request_as_in_training() -> None:
    maker = preparer("internvl")
    asked = requests(maker.family.placeholder)
    plain = answered(maker, asked)
    maker.tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}> {{ m.content }}<eos>\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant> {% endif %}"
    )
    alone, together = answered(maker, asked, batch=1), answered(maker, asked)
    assert changed(alone.values(), together.values()) == []
    assert changed(plain.values(), alone.values())
    for request in asked:
        turn = (Turn(request.text, "the chair"),)
        trained = collate([Sample(request.id, request.views, (turn,))], maker, lambda *_: "")
        given = int((trained.labels[0] == NOT_LEARNED).sum())
        assert alone[request.id].prompt_tokens == given


def test_a_models_own_settings_of_sampling_and_penalties_are_not_used() -> None:
    maker = preparer("llava")
    asked = requests(maker.family.placeholder)
    plain = answered(maker, asked)
    own = GenerationConfig(
        do_sample=True, temperature=3.0, top_k=3, repetition_penalty=5.0, no_repeat_ngram_size=1,
        suppress_tokens=[plain["q0"].tokens[0]], max_length=3, min_new_tokens=9, eos_token_id=2,
    )  # fmt: skip
    maker.model.generation_config = own
    assert changed(plain.values(), answered(maker, asked).values()) == []
    assert maker.model.generation_config is own


def test_what_cannot_be_asked_is_refused_by_name_and_the_others_are_answered() -> None:
    maker = preparer("llava")
    asked = requests(maker.family.placeholder)

    def gone() -> Any:
        raise FileNotFoundError("no such picture")

    lost = Request("lost", asked[0].text, (View("holiday.jpg", gone),), asked[0].sizes)
    bare = Request("bare", "where is the chair", (), ())
    many = Request("many", f"<image> {asked[0].text}", asked[0].views, asked[0].sizes)
    maker.model.config.text_config.max_position_embeddings = 70
    made = Generator(maker, Decoding(max_new_tokens=NEW_TOKENS)).answers([lost, bare, *asked, many])
    found = {answer.id: answer for answers in made for answer in answers}
    assert found.keys() == {"lost", "bare", "many", *(request.id for request in asked)}
    refused = {key: answer.reason for key, answer in found.items() if isinstance(answer, Refused)}
    assert "holiday.jpg" in refused["lost"] and "no such picture" in refused["lost"]
    assert "placeholders" in refused["bare"] and "placeholders" in refused["many"]
    long = {key for key, reason in refused.items() if "context" in reason}
    counted = Meter(maker)
    assert long == {request.id for request in asked if counted.tokens(request) + NEW_TOKENS > 70}
    assert long and len(refused) < len(found)
    maker.model.config.text_config.max_position_embeddings = 2048
    kept = {key: a for key, a in found.items() if isinstance(a, Generated)}
    whole = {key: a for key, a in answered(maker, asked).items() if key in kept}
    assert changed(kept.values(), whole.values()) == []


def test_changed_answers_are_listed_with_the_step_and_how_close_it_was() -> None:
    def answer(key: str, text: str, tokens: tuple[int, ...], margins: tuple[float, ...]) -> Generated:
        return Generated(key, text, "eos", tokens, 9, margins)

    first = [answer("a", "left", (4, 2), (0.5, 2.0)), answer("b", "red", (7, 2), (1.0, 1.0))]
    second = [answer("b", "red chair", (7, 8, 2), (1.0, 0.25, 1.0)), answer("a", "left", (4, 2), (0.5, 2.0))]
    (found,) = changed(first, second)
    assert (found.id, found.first, found.second, found.step) == ("b", "red", "red chair", 1)
    assert found.margins == (1.0, 0.25)
    with pytest.raises(ParameterError, match="same requests"):
        changed(first, second[:1])


@pytest.mark.parametrize("wrong", [{"max_new_tokens": 0}, {"token_budget": 0}, {"batch": 0}, {"stop": ("",)}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        Decoding(**wrong)
