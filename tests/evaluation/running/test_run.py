"""A run of a real (tiny) model: going on, parts, items set aside, files of other runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pictured import model, muirbench, picture

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.files import SET_ASIDE
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Answer, Ask, SetAside
from vantage.evaluation.running.ask_vlm import VlmAnswerer
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.run import Run, duration
from vantage.evaluation.running.shard import Shard, files_of
from vantage.evaluation.scoring import score
from vantage.models.vlm.generate import Decoding

MUIR = BENCHMARKS.get("muirbench")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("model"), "llava")


@pytest.fixture
def references(tmp_path: Path) -> Path:
    return muirbench(tmp_path / "muir")


def answerer(base: Path, **decoding: Any) -> VlmAnswerer:
    return VlmAnswerer.load(base, None, "float32", "cpu", Decoding(**{"max_new_tokens": 6, **decoding}))


def run(references: Path, model: Any, out: Path, limit: int | None = None) -> Run:
    builder = OwnImages(MUIR, references, references.parent / "images")
    return Run(MUIR, MUIR.references(references, None), model, builder, out, limit)


def rows(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["question_id"]: row for row in lines[1:]}


class Stopped:
    """The same model, until it has answered so many batches."""

    def __init__(self, inner: VlmAnswerer, batches: int) -> None:
        self.inner, self.left = inner, batches
        self.identity, self.settings, self.prompt = inner.identity, inner.settings, inner.prompt

    def answers(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        for batch in self.inner.answers(asks):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            yield batch


def test_a_stopped_run_asks_only_what_is_missing_and_ends_in_the_same_bytes(
    base: Path, references: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.jsonl"
    tally = run(references, answerer(base), whole).go(Shard())
    assert (tally.items, tally.kept, tally.asked, tally.complete) == (12, 0, 12, True)
    assert list(rows(whole)) == [f"m{k}" for k in range(12)], "in the references' order"
    out = tmp_path / "out.jsonl"
    slow = answerer(base, batch=2)
    with pytest.raises(KeyboardInterrupt):
        run(references, Stopped(slow, 2), out).go(Shard())
    assert len(rows(out)) == 4
    with out.open("ab") as file:
        file.write(b'{"question_id": "m1", "te')
    tally = run(references, slow, out).go(Shard())
    assert (tally.kept, tally.asked) == (4, 8)
    assert out.read_bytes() == whole.read_bytes()
    again = run(references, slow, out).go(Shard())
    assert (again.kept, again.asked, again.complete) == (12, 0, True)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("of", [2, 3])
def test_parts_in_any_order_and_a_part_begun_elsewhere_give_the_same_bytes(
    base: Path, references: Path, tmp_path: Path, of: int
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    same = answerer(base, token_budget=300)
    run(references, answerer(base), whole).go(Shard())
    with pytest.raises(KeyboardInterrupt):
        run(references, Stopped(answerer(base, batch=1), 1), out).go(Shard(1, 5))
    done = [run(references, same, out).go(Shard(k, of)).complete for k in range(of, 0, -1)]
    assert done == [False] * (of - 1) + [True]
    assert out.read_bytes() == whole.read_bytes()
    assert files_of(out) == [out]


def test_items_that_cannot_be_asked_are_set_aside_and_stay_in_the_denominator(
    base: Path, references: Path, tmp_path: Path
) -> None:
    images, out = references.parent / "images", tmp_path / "out.jsonl"
    listed = json.loads(references.read_text())
    (images / "1-0.png").unlink()
    (images / "2-1.png").write_bytes(b"not a picture")
    (images / "3-0.png").write_bytes(picture(30)[:200])
    listed[4]["question"] = "where " * 3000 + "<image> <image>"
    listed[5]["question"] = "<image> where"  # of three
    listed[6]["image_list"] = ["../../escape.png"]
    listed[7]["image_list"] = [{"bytes": None}]
    references.write_text(json.dumps(listed))
    (tmp_path / "escape.png").write_bytes(picture(1))
    tally = run(references, answerer(base), out).go(Shard())
    found = rows(out)
    reasons = {name: row[SET_ASIDE] for name, row in found.items() if SET_ASIDE in row}
    assert {name: row["text"] for name, row in found.items() if "text" in row}.keys() == {
        "m0", "m8", "m9", "m10", "m11",
    }  # fmt: skip
    words = {
        "m1": "1-0.png", "m2": "not a picture", "m3": "3-0.png", "m4": "context", "m5": "differ",
        "m6": "outside", "m7": "image_list",
    }  # fmt: skip
    for name, word in words.items():
        assert word in reasons[name], reasons[name]
    assert (tally.asked, tally.reasons.total(), tally.complete) == (5, 7, True)
    scored = score(MUIR, out, references)
    assert (len(scored.items), scored.missing) == (12, 7)
    measure = scored.variants["strict"]["accuracy"]
    assert measure.n == 12

    (images / "1-0.png").write_bytes(picture(10))
    tally = run(references, answerer(base), out).go(Shard())
    assert (tally.kept, tally.asked, tally.reasons.total()) == (5, 1, 6)
    assert "text" in rows(out)["m1"] and list(rows(out)) == [f"m{k}" for k in range(12)]


def test_a_limit_asks_the_first_items_and_a_later_run_the_others(
    base: Path, references: Path, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    same = answerer(base)
    run(references, same, whole).go(Shard())
    assert run(references, same, out, limit=3).go(Shard()).asked == 3
    assert list(rows(out)) == ["m0", "m1", "m2"]
    tally = run(references, same, out).go(Shard())
    assert (tally.kept, tally.asked) == (3, 9)
    assert out.read_bytes() == whole.read_bytes()


def test_a_file_of_another_model_prompt_or_setting_is_refused_and_left_as_it_is(
    base: Path, references: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    run(references, answerer(base), out).go(Shard())
    before = out.read_bytes()
    with pytest.raises(ContractError, match="another run") as caught:
        run(references, answerer(model(tmp_path / "other", "llava", seed=3)), out).go(Shard())
    assert "model.weights" in str(caught.value.where)
    with pytest.raises(ContractError, match="another run") as caught:
        run(references, answerer(base, max_new_tokens=7), out).go(Shard())
    assert "settings.max_new_tokens" in str(caught.value.where)
    shutil.copytree(base, tmp_path / "template")
    (tmp_path / "template" / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    with pytest.raises(ContractError, match="another run") as caught:
        run(references, answerer(tmp_path / "template"), out).go(Shard())
    assert "model.files" in str(caught.value.where)
    references.write_text(references.read_text().replace("where is the chair", "where was the chair"))
    with pytest.raises(ContractError) as caught:
        run(references, answerer(base), out).go(Shard())
    assert "questions" in str(caught.value.where)
    assert out.read_bytes() == before


def test_the_same_model_elsewhere_goes_on(base: Path, references: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(references, answerer(base), out, limit=2).go(Shard())
    shutil.copytree(base, tmp_path / "copy")
    assert run(references, answerer(tmp_path / "copy"), out).go(Shard()).kept == 2


class Told:
    def __init__(self) -> None:
        self.steps: list[tuple[int, int, str]] = []

    def step(self, done: int, total: int, note: str = "") -> None:
        self.steps.append((done, total, note))

    def say(self, text: str) -> None:
        pass


def test_progress_counts_to_the_end_and_says_how_long(base: Path, references: Path, tmp_path: Path) -> None:
    (references.parent / "images" / "1-0.png").unlink()
    told = Told()
    run(references, answerer(base, batch=4), tmp_path / "out.jsonl").go(Shard(), told)
    assert [done for done, _, _ in told.steps] == [1, 5, 9, 12]
    assert {total for _, total, _ in told.steps} == {12}
    assert all("1 set aside" in note and "left" in note for _, _, note in told.steps)
    assert "about 0 s left" in told.steps[-1][2]


def test_an_estimate_asks_a_few_and_keeps_nothing(base: Path, references: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    same = answerer(base)
    run(references, same, out, limit=2).go(Shard())
    before = out.read_bytes()
    made = run(references, same, out).estimate(Shard())
    assert (made.items, made.kept, made.to_ask, made.scenes) == (12, 2, 10, 10)
    assert made.tried == 8 and made.seconds > 0
    assert out.read_bytes() == before and files_of(out) == [out]
    part = run(references, same, out).estimate(Shard(2, 2))
    assert (part.items, part.kept, part.to_ask, part.tried) == (6, 1, 5, 5)


def test_a_folder_is_no_file_of_predictions(base: Path, references: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="are a file"):
        run(references, answerer(base), tmp_path)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "0 s"), (89.0, "89 s"), (90.0, "1.5 min"), (1e3, "17 min"), (5400.0, "1.5 h"), (9e4, "25 h")],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told
