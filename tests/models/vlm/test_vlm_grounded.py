"""The two turns of the grounded recipe on every family: real models, whose text is whatever it is."""

from __future__ import annotations

import pytest
import torch
from asked_vlms import preparer
from tiny_vlms import FAMILY_CASES
from vlm_samples import samples

from vantage.core.errors import ParameterError
from vantage.geometry.camera import Pinhole
from vantage.models.grounded.answering import ground_and_answer
from vantage.models.grounded.asking import asking
from vantage.models.grounded.prompts import NOTHING, locate_prompt, reason_prompt
from vantage.models.grounded.recipe import INJECTION
from vantage.models.grounded.view import EgoView
from vantage.models.injector import Injector
from vantage.models.vlm.batch import NOT_LEARNED, collate
from vantage.models.vlm.buckets import prompt_ids
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Generated, Request
from vantage.models.vlm.sample import Sample, Turn
from vantage.records.box_lattice import METRIC

VIEW = EgoView.level(Pinhole(30, 20, 25.0, 25.0, 14.5, 9.5))
QUESTION = "where is the chair from here"


class Kept(Generator):
    """Keeps what it was asked and what it said."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.asked: list[Request] = []
        self.said: list[Generated] = []

    def answers(self, requests):  # type: ignore[no-untyped-def]
        self.asked += requests
        for batch in super().answers(requests):
            self.said += [one for one in batch if isinstance(one, Generated)]
            yield batch


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_model_is_asked_twice_and_reads_what_training_reads(name: str) -> None:
    maker = preparer(name)
    injector = Injector.fresh(maker.model, INJECTION, seed=0)
    generator = Kept(maker, Decoding(max_new_tokens=12), injector)
    shown = samples(maker)[0]
    sizes = [view.image().size for view in shown.views]
    found = ground_and_answer(asking(generator, "q", shown.views, sizes), QUESTION, VIEW, correct=True)
    assert len(generator.said) == 2 and found.boxes == ()
    assert found.located == generator.said[0].text and len(found.bad) >= bool(found.located)
    # The second prompt, token by token, against the training batch of the same dialog.
    located = found.located or NOTHING
    dialog = (
        Turn(locate_prompt(QUESTION, METRIC), located),
        Turn(reason_prompt(QUESTION, ()), "answer"),
    )
    batch = collate([Sample("q", shown.views, (dialog,))], maker)
    labels, ids = batch.labels[0], batch.inputs["input_ids"][0]
    last = int(torch.nonzero(labels != NOT_LEARNED)[-1])
    start = last - int((labels[: last + 1].flip(0) == NOT_LEARNED).nonzero()[0]) + 1
    written = maker.show([[view.image() for view in shown.views]]).texts[0]
    assert prompt_ids(generator.asked[1], maker, written) == ids[:start].tolist()
    assert generator.said[1].prompt_tokens == start


def test_a_placeholder_that_the_model_spelled_is_not_shown_again() -> None:
    maker = preparer("llava")
    ask = asking(
        Generator(maker, Decoding(max_new_tokens=4)), "q", samples(maker)[0].views, [(30, 20), (16, 16)]
    )
    text = ask((Turn("where", f"the chair {maker.family.placeholder}"), Turn("from here")))
    assert isinstance(text, str)


def test_a_dialog_that_does_not_fit_is_refused_by_name() -> None:
    maker = preparer("llava")
    views = samples(maker)[0].views
    ask = asking(Generator(maker, Decoding(max_new_tokens=4)), "q17", views, [(30, 20), (16, 16)])
    with pytest.raises(ParameterError, match="cannot be asked") as caught:
        ask((Turn("where " * 3000),))
    assert "q17" in str(caught.value) and "tokens" in str(caught.value)
