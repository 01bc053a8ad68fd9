"""The two turns of the grounded recipe on every family: real models, whose text is whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from asked_vlms import preparer
from tiny_vlms import FAMILY_CASES
from vlm_samples import samples

from vantage.geometry.camera import Pinhole
from vantage.models.grounded.asking import Grounded, Grounding, grounded_answers
from vantage.models.grounded.prompts import NOTHING, locate_prompt, reason_prompt
from vantage.models.grounded.recipe import INJECTION
from vantage.models.grounded.view import EgoView
from vantage.models.vlm.batch import NOT_LEARNED, collate
from vantage.models.vlm.buckets import prompt_ids
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.request import Generated, Refused, Request
from vantage.models.vlm.sample import Sample, Turn
from vantage.models.vlm.trained import TrainedVlm
from vantage.records.box_lattice import METRIC

VIEW = EgoView.level(Pinhole(30, 20, 25.0, 25.0, 14.5, 9.5))
QUESTION = "where is the chair from here"


class Kept(Generator):
    """Keeps what it was asked and what it said."""

    def __init__(self, vlm: TrainedVlm, decoding: Decoding) -> None:
        super().__init__(vlm.prepare, decoding, vlm.model.injector)
        self.asked: list[Request] = []
        self.said: list[Generated] = []

    def answers(self, requests: Sequence[Request]) -> Iterator[list[Generated | Refused]]:
        self.asked += requests
        for batch in super().answers(requests):
            self.said += [one for one in batch if isinstance(one, Generated)]
            yield batch


def untrained(name: str) -> TrainedVlm:
    maker = preparer(name)
    return TrainedVlm(SpatialVlm(maker.model, VlmConfig(INJECTION), seed=0).eval(), maker, None, "grounded")


def asked_of(vlm: TrainedVlm, question: str = QUESTION, name: str = "q") -> Grounding:
    views = samples(vlm.prepare)[0].views
    sizes = tuple(view.image().size for view in views)
    return Grounding(name, question, Sample(name, views, ((Turn(question),),)), VIEW, sizes)


def answered(
    vlm: TrainedVlm, generator: Generator, *asked: Grounding, check_steps: bool = True
) -> dict[str, Grounded | Refused]:
    batches = grounded_answers(vlm, generator, asked, check_steps)
    return {one.id: one for batch in batches for one in batch}


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_model_is_asked_twice_and_reads_what_training_reads(name: str) -> None:
    vlm = untrained(name)
    maker, generator, asked = vlm.prepare, Kept(vlm, Decoding(max_new_tokens=12)), asked_of(vlm)
    one = answered(vlm, generator, asked)["q"]
    assert isinstance(one, Grounded)
    found = one.found
    assert len(generator.said) == 2 and found.boxes == ()
    assert found.located == generator.said[0].text and len(found.bad) >= bool(found.located)
    assert one.tokens == sum(len(said.tokens) for said in generator.said)
    # The second prompt, token by token, against the training batch of the same dialog.
    located = found.located or NOTHING
    dialog = (
        Turn(locate_prompt(QUESTION, METRIC), located),
        Turn(reason_prompt(QUESTION, ()), "answer"),
    )
    views = asked.shown.views
    batch = collate([Sample("q", views, (dialog,))], maker)
    labels, ids = batch.labels[0], batch.inputs["input_ids"][0]
    last = int(torch.nonzero(labels != NOT_LEARNED)[-1])
    start = last - int((labels[: last + 1].flip(0) == NOT_LEARNED).nonzero()[0]) + 1
    written = maker.show([[view.image() for view in views]]).texts[0]
    assert prompt_ids(generator.asked[1], maker, written) == ids[:start].tolist()
    assert generator.said[1].prompt_tokens == one.prompt_tokens == start


def test_questions_in_one_batch_and_one_at_a_time_are_answered_alike() -> None:
    vlm = untrained("llava")
    asked = [asked_of(vlm, " ".join([QUESTION] * (1 + k)), f"q{k}") for k in range(4)]

    def texts(batch: int | None) -> dict[str, tuple[str, str]]:
        found = answered(vlm, vlm.generator(Decoding(6, batch=batch)), *asked, check_steps=False)
        return {k: (v.found.located, v.found.said) for k, v in found.items() if isinstance(v, Grounded)}

    together = texts(None)
    assert len(together) == 4 and len(set(together.values())) > 1
    assert together == texts(1) == texts(3)


def test_a_placeholder_that_the_model_spelled_is_not_shown_again() -> None:
    vlm = untrained("llava")
    spelled = f"the chair {vlm.prepare.family.placeholder}"

    class Spelling(Kept):
        def answers(self, requests: Sequence[Request]) -> Iterator[list[Generated | Refused]]:
            self.asked += requests
            yield [Generated(one.id, spelled, "eos", (1,), 9, (1.0,)) for one in requests]

    generator = Spelling(vlm, Decoding(max_new_tokens=4))
    one = answered(vlm, generator, asked_of(vlm))["q"]
    assert isinstance(one, Grounded) and one.found.located == spelled
    assert generator.asked[1].before[0].answer == "the chair"
    replies = [reply for batch in vlm.generator(Decoding(4)).answers(generator.asked[1:]) for reply in batch]
    assert isinstance(replies[0], Generated)


def test_a_dialog_that_does_not_fit_is_refused_by_name_and_others_are_not() -> None:
    vlm = untrained("llava")
    found = answered(
        vlm, vlm.generator(Decoding(max_new_tokens=4)), asked_of(vlm, "where " * 3000, "q17"), asked_of(vlm)
    )
    refused = found["q17"]
    assert isinstance(refused, Refused) and "tokens" in refused.reason
    assert isinstance(found["q"], Grounded)
