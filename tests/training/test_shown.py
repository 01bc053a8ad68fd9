"""What a tracker hears of a run, and that it changes no byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from test_loop import config, task

from vantage.core.errors import VantageError
from vantage.core.hashing import digest_tree
from vantage.training.samples import Samples
from vantage.training.stage import finetune


class Book:
    """A tracker and its run, written down."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str, Mapping[str, str], Mapping[str, str]]] = []
        self.values: list[tuple[int, Mapping[str, float]]] = []
        self.closed: list[str | None] = []

    def open(self, name: str, key: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> Book:
        self.opened.append((name, key, params, tags))
        return self

    def record(self, name: str, digest: str, **_: object) -> str:
        raise AssertionError("promote's work")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self.values.append((step, metrics))

    def table(self, *_: object) -> None:
        raise AssertionError("the pocket model is asked nothing")

    def close(self, digest: str | None) -> None:
        self.closed.append(digest)


def test_every_step_is_told_and_the_run_ends_with_the_outputs_digest(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    book = Book()
    finetune(task(tmp_path / "plain", "embedding"), config(small_base, steps=6))
    shown = replace(task(tmp_path / "shown", "embedding"), tracker=book)
    finetune(shown, config(small_base, steps=6))
    assert digest_tree(shown.out) == digest_tree(tmp_path / "plain/out")
    assert book.closed == [digest_tree(shown.out)]
    ((name, _, params, tags),) = book.opened
    assert (name, params["finetune.steps"], params["seed"]) == ("embedding", "6", "4")
    assert params["finetune.arms.embedding.site"] == "post_vit" and tags["vantage.arm"] == "embedding"
    assert [step for step, _ in book.values] == [1, 2, 3, 4, 5, 6]
    assert set(book.values[0][1]) == {"loss", "rate_share", "gradient_norm", "tokens"}


def test_a_run_that_stops_is_closed_as_failed(
    small_base: Path, samples: Samples, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    points = samples.xyz_aligned.copy()
    points[:] = float("nan")
    spoilt = replace(samples, xyz_aligned=points)
    monkeypatch.setattr("vantage.training.stage.load_samples", lambda *_: spoilt)
    book = Book()
    with pytest.raises(VantageError, match="the loss is nan"):
        finetune(replace(task(tmp_path, "embedding"), tracker=book), config(small_base, steps=6))
    assert book.closed == [None]
