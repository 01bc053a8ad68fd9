"""Questions that an arm is asked at each validation: shown once, and without a trace in what is learned."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

TESTS = Path(__file__).parent.parent
sys.path += [str(TESTS), str(TESTS / "models" / "vlm")]  # pocket_as_vlm, question_folders

from question_folders import Folders  # noqa: E402

from pocket_as_vlm import write  # noqa: E402
from vantage.core.hashing import digest_tree  # noqa: E402
from vantage.core.progress import Silent  # noqa: E402
from vantage.core.tasks import Task  # noqa: E402
from vantage.models.config import BaseConfig  # noqa: E402
from vantage.models.pocket import PocketShape, build  # noqa: E402
from vantage.models.vlm.generate import Decoding  # noqa: E402
from vantage.models.vlm.listing import Selection  # noqa: E402
from vantage.models.vlm.question_samples import QuestionSamples  # noqa: E402
from vantage.models.vlm.sample import Turn  # noqa: E402
from vantage.models.vlm.trained import TrainedVlm  # noqa: E402
from vantage.records.objects import write_objects  # noqa: E402
from vantage.training import processes  # noqa: E402
from vantage.training.asked import TABLE, choose  # noqa: E402
from vantage.training.config import ArmConfig, FinetuneConfig, VlmTraining  # noqa: E402
from vantage.training.stage import HISTORY_FILE, finetune  # noqa: E402
from vantage.training.vlm_rows import divided  # noqa: E402

SMALL = PocketShape(
    vision_width=32, vision_layers=2, vision_heads=2, vision_mlp=48, width=96, layers=1, heads=2, mlp=64
)
ARMS = {
    "adapters": ArmConfig("multiview", "post_vit", options={"tune": "lora", "lora": {"dropout": 0.5}}),
    "all": ArmConfig("multiview", "none", options={"tune": "full", "rates": {"decoder": 1e-2}}),
    "situated": ArmConfig("situated"),
    "grounded": ArmConfig("grounded"),
    "prompted": ArmConfig("posealign", "none", options={"align": {"mode": "prompt"}}),
}
FAMILIES = ("where", "is", "count")


class Book:
    """A tracker and its run, written down."""

    def __init__(self) -> None:
        self.tables: list[tuple[str, list[dict[str, Any]], dict[str, Path]]] = []
        self.pictures: dict[str, bytes] = {}

    def open(self, name: str, key: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> Book:
        return self

    def record(self, name: str, digest: str, **_: object) -> str:
        raise AssertionError("promote's work")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        pass

    def table(
        self, path: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], pictures: Mapping[str, Path]
    ) -> None:
        self.tables.append((path, [dict(zip(columns, r, strict=True)) for r in rows], dict(pictures)))
        self.pictures |= {name: file.read_bytes() for name, file in pictures.items()}

    def close(self, digest: str | None) -> None:
        pass


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = Folders(tmp_path_factory.mktemp("stages"), grid=(8, 8))
    for number in range(5):
        made.scan(f"room{number:04d}_00", "train", 40 + 25 * number)
        write_objects(made.inputs["extract"] / f"room{number:04d}_00", [])
    made.index()
    return made.inputs


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("vlm"), build(SMALL, seed=1))


def config(base: Path, asked: int, **changes: Any) -> FinetuneConfig:
    vlm = VlmTraining(samples=3, asked=asked)
    plain = FinetuneConfig(
        BaseConfig(str(base)), 7, warm_up=2, precision="fp32", families=FAMILIES, vlm=vlm, arms=ARMS
    )
    validated = replace(plain, validation_share=0.4, validate_every=3, checkpoint_every=2)
    return replace(validated, **changes)


def task(inputs: dict[str, Path], folder: Path, arm: str, book: Book | None, progress: Any = None) -> Task:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Task(arm, inputs, folder / "out", folder / "work", 3, progress or Silent(), tracker=book)


@pytest.mark.parametrize("arm", sorted(ARMS))
def test_answers_are_shown_at_each_validation_and_nothing_else_changes(
    arm: str, inputs: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    book, quiet = Book(), Book()
    finetune(task(inputs, tmp_path / "plain", arm, None), config(base, 3))
    finetune(task(inputs, tmp_path / "none", arm, quiet), config(base, 0))
    finetune(task(inputs, tmp_path / "shown", arm, book), config(base, 3))
    assert digest_tree(tmp_path / "shown/out") == digest_tree(tmp_path / "plain/out")
    assert digest_tree(tmp_path / "none/out") == digest_tree(tmp_path / "plain/out")
    assert "validation_loss" in (tmp_path / "plain/out" / HISTORY_FILE).read_text()
    assert not quiet.tables and len(book.tables) == 3 and {path for path, *_ in book.tables} == {TABLE}
    _, rows, pictures = book.tables[-1]
    asked = sorted({row["question_id"] for row in rows})
    steps = [(row["question_id"], row["step"]) for row in rows]
    assert steps == [(q, s) for q in asked for s in (3, 6, 7)] and len(asked) == 3
    samples = QuestionSamples(inputs, Selection("train", FAMILIES))
    train, aside = divided(samples, 0.4, 3)
    known = {q.question_id: q for k in aside for q in samples.questions(k)}
    assert not set(asked) & {q for k in train for q in samples.listed[k].question_ids}
    assert {known[q].family for q in asked} == set(FAMILIES), "families take turns"
    for row in rows:
        question = known[row["question_id"]]
        assert (row["question"], row["truth"]) == (question.question, question.answer)
        assert (row["arm"], row["recipe"]) == (arm, ARMS[arm].recipe) and row["picture"] in pictures


def test_the_last_answers_are_those_of_the_adapter(
    inputs: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    book = Book()
    finetune(task(inputs, tmp_path, "all", book), config(base, 3, steps=30, validate_every=10))
    vlm = TrainedVlm.load(str(base), tmp_path / "out")
    samples = QuestionSamples(inputs, Selection("train", FAMILIES))
    generator = vlm.generator(Decoding(32))
    for row in [row for row in book.tables[-1][1] if row["step"] == 30]:
        index = next(k for k, one in enumerate(samples.listed) if row["question_id"] in one.question_ids)
        sample = samples[index]
        sizes = [samples.listed[index].size] * len(sample.views)
        request = vlm.request("q", sample, [Turn(row["question"])], sizes)
        ((reply,),) = list(generator.answers([request]))
        assert row["answer"] == reply.text != ""


def test_a_picture_shows_the_views_side_by_side(inputs: dict[str, Path], base: Path, tmp_path: Path) -> None:
    book = Book()
    finetune(task(inputs, tmp_path, "adapters", book), config(base, 2))
    _, rows, pictures = book.tables[-1]
    samples = QuestionSamples(inputs, Selection("train", FAMILIES))
    for row in rows:
        index = next(k for k, one in enumerate(samples.listed) if row["question_id"] in one.question_ids)
        views = [np.asarray(view.image()) for view in samples[index].views]
        picture = np.asarray(Image.open(pictures[row["picture"]]))
        height, width = views[0].shape[:2]
        assert picture.shape == (height, len(views) * (width + 4) - 4, 3)
        for number, view in enumerate(views):
            at = number * (width + 4)
            assert (picture[:, at : at + width] == view).all()


def test_a_killed_run_shows_each_answer_once(inputs: dict[str, Path], base: Path, tmp_path: Path) -> None:
    class StopAt(Silent):
        def step(self, done: int, total: int, note: str = "") -> None:
            if total > 1 and "loss" in note:
                raise InterruptedError

    long, whole, broken = config(base, 3, steps=14, checkpoint_every=4), Book(), Book()
    finetune(task(inputs, tmp_path / "whole", "adapters", whole), long)
    with pytest.raises(InterruptedError):  # at step 10: asked at 9, and the last checkpoint is that of 8
        finetune(task(inputs, tmp_path / "broken", "adapters", broken, StopAt()), long)
    assert {row["step"] for row in broken.tables[-1][1]} == {3, 6, 9}
    finetune(task(inputs, tmp_path / "broken", "adapters", broken), long)
    assert {row["step"] for row in broken.tables[3][1]} == {3, 6}, "shown again before it goes on"
    assert broken.tables[-1][1] == whole.tables[-1][1]
    assert digest_tree(tmp_path / "broken/out") == digest_tree(tmp_path / "whole/out")


def test_the_choice_is_fixed_and_no_larger_than_asked(inputs: dict[str, Path]) -> None:
    samples = QuestionSamples(inputs, Selection("train", FAMILIES))
    everything = range(len(samples))
    for count in (0, 1, 4, 1000):
        found = choose(samples, everything, count, 3)
        ids = [q for k, some in found.items() for q in some]
        assert len(ids) == min(count, 20) and found == choose(samples, everything, count, 3)
        assert all(set(some) <= set(samples.listed[k].question_ids) for k, some in found.items())
    assert choose(samples, everything, 4, 3) != choose(samples, everything, 4, 4)


def test_a_table_is_told_to_the_process_that_listens(tmp_path: Path, capfd: Any) -> None:
    book, picture = Book(), tmp_path / "views.png"
    picture.write_bytes(b"png")
    relay = processes._Relay(Task("arm", {}, tmp_path, tmp_path, 0, tracker=book))
    told = processes._ToldTracker().open("arm", "key", params={}, tags={})
    rows = [[3, "what?\n" * 3000, "views.png"]]  # more than a pipe takes at once
    told.table(TABLE, ["step", "question", "picture"], rows, {"views.png": picture})
    for line in capfd.readouterr().out.splitlines():
        relay.hear(line)
    assert book.tables == [
        (TABLE, [{"step": 3, "question": rows[0][1], "picture": "views.png"}], {"views.png": picture})
    ]


def test_what_is_asked_is_no_part_of_the_run_s_key(base: Path) -> None:
    from vantage.training.stage import _plan

    folder = Path("unused")
    plans = [_plan(config(base, count), Task("adapters", {}, folder, folder, 3), "data") for count in (0, 4)]
    assert asdict(plans[0]) == asdict(plans[1])
