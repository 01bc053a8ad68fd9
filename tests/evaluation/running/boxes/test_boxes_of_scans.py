"""Benchmarks of boxes from replies to scores: frames, merging and rows, on exact truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked_rooms import Rooms
from boxed_rooms import VIEWS, Boxed, Scripted, boxed, in_json
from pictured import model as tiny_model
from typer.testing import CliRunner

from vantage.cli.main import app
from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask_vlm import VlmAnswerer
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.run import Run
from vantage.evaluation.running.shard import Shard
from vantage.evaluation.scoring import Scored, score
from vantage.models.vlm.generate import Decoding


@pytest.fixture(scope="session")
def made(asked_rooms: Rooms, tmp_path_factory: pytest.TempPathFactory) -> Boxed:
    return boxed(asked_rooms, tmp_path_factory.mktemp("boxed"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"), "llava")


def asked(
    made: Boxed,
    base: Path,
    name: str,
    out: Path,
    script: Scripted | None = None,
    views: int = VIEWS,
    **decoding: int,
) -> Run:
    """A run of a stock model, its words replaced by a script."""
    rule, file = BENCHMARKS.get(name), made.files[name]
    answerer = VlmAnswerer.load(base, None, "float32", "cpu", Decoding(max_new_tokens=6, **decoding))
    if script is not None:
        answerer._generator = script  # type: ignore[assignment]
    return Run(rule, rule.references(file, made.scans), answerer, PosedViews(made.scans, views), out)


def rows(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["question_id"]: row for row in lines[1:]}


def scored(made: Boxed, name: str, out: Path) -> Scored:
    return score(BENCHMARKS.get(name), out, made.files[name], scans=made.scans)


def true(made: Boxed, spoil: Callable[[str, int, str], str] | None = None) -> Scripted:
    return Scripted(made.truth, made.eyes, in_json, *([] if spoil is None else [spoil]))


PERFECT = {
    "scanrefer": ("official", "acc@0.5"),
    "multi3drefer": ("official", "f1@0.5"),
    "nr3d": ("official", "accuracy"),
}


@pytest.mark.parametrize("name", PERFECT)
def test_true_boxes_of_every_view_score_in_full(made: Boxed, base: Path, tmp_path: Path, name: str) -> None:
    out, script = tmp_path / "out.jsonl", true(made)
    tally = asked(made, base, name, out, script).go(Shard())
    assert tally.complete and not tally.reasons
    found = scored(made, name, out)
    variant, metric = PERFECT[name]
    assert found.variants[variant][metric].value == 1.0
    assert (found.missing, found.empty, found.unparsed) == (0, 0, 0)
    assert script.calls == 1, "all views of all items go in one call"
    assert len(script.asked) == VIEWS * len(found.items)
    first = {request.id: request.views[0].name for request in script.asked}
    assert len({first[key] for key in first if key.startswith(found.items[0].id + " from")}) == VIEWS
    assert all("fx = " in request.text for request in script.asked)


def test_a_view_that_errs_is_outvoted_and_one_that_talks_nonsense_is_told(
    made: Boxed, base: Path, tmp_path: Path
) -> None:
    def spoil(_item: str, view: int, text: str) -> str:
        if view == 0:
            return json.dumps([{"bbox_3d": [3, 3, 4, 1, 1, 1, 0, 0, 0], "label": "thing"}])
        return "I cannot tell." if view == 1 else text

    out = tmp_path / "out.jsonl"
    asked(made, base, "scanrefer", out, true(made, spoil)).go(Shard())
    for row in rows(out).values():
        (unread,) = row["unread"]
        assert (unread["reason"], unread["text"]) == ("no JSON with bbox_3d", "I cannot tell.")
        lines = row["text"].split("\n")
        assert len(lines) == VIEWS and lines[1] == "I cannot tell." and lines[0].startswith('[{"bbox_3d"')
        assert row["tokens"] == 2 * VIEWS and row["prompt_tokens"] == 7 * VIEWS
    seen_twice = [
        name for name in rows(out) if all(eye.sees(made.truth[name][0]) for eye in eyes_of(made, name)[2:])
    ]
    assert seen_twice
    found = {row["id"]: row["official.acc@0.5"] for row in scored(made, "scanrefer", out).per_item()}
    assert all(found[name] == 1.0 for name in seen_twice)


def eyes_of(made: Boxed, item: str) -> list[Any]:
    return [eye for name, eye in made.eyes.items() if name.partition("/")[0] in item]


def test_replies_without_a_box_are_empty_or_unparsed_and_stay_in_the_denominator(
    made: Boxed, base: Path, tmp_path: Path
) -> None:
    said = {0: "", 1: "the chair", 2: "[]", 3: "[]"}
    for name in PERFECT:
        out = tmp_path / f"{name}.jsonl"
        order = {
            item.id: k for k, item in enumerate(BENCHMARKS.get(name).references(made.files[name], made.scans))
        }
        script = true(made, lambda item, _view, _text, order=order: said[order[item] % 4])  # type: ignore[misc]
        asked(made, base, name, out, script).go(Shard())
        found, n = scored(made, name, out), len(order)
        counts = [sum(k % 4 == which for k in order.values()) for which in range(4)]
        assert len(found.items) == n and found.missing == 0
        assert found.unparsed == counts[1]
        if name == "multi3drefer":
            assert found.empty == counts[0], "none is an answer, saying nothing is not"
            per_item = {row["id"]: row["official.f1@0.5"] for row in found.per_item()}
            right = [i for i, k in order.items() if k % 4 > 1 and not made.truth[i]]
            assert {i for i, value in per_item.items() if value} == set(right)
        else:
            assert found.empty == n - counts[1]


def test_the_truth_reaches_neither_the_model_nor_the_choice(made: Boxed, base: Path, tmp_path: Path) -> None:
    """Another of the candidates is made the target: what is asked and what is answered stay the same."""
    listed = json.loads(made.files["nr3d"].read_text())
    for row in listed:
        parts = row["stimulus_id"].split("-")
        row["stimulus_id"] = "-".join([*parts[:3], parts[4], parts[3], *parts[5:]])
        row["target_id"] = parts[4]
    other = tmp_path / "nr3d.json"
    other.write_text(json.dumps(listed))
    moved = Boxed(made.scans, {**made.files, "nr3d": other}, made.truth, made.eyes)
    scripts = []
    for number, which in enumerate((made, moved)):
        scripts.append(true(made))
        asked(which, base, "nr3d", tmp_path / f"{number}.jsonl", scripts[-1]).go(Shard())
    assert (tmp_path / "0.jsonl").read_bytes() == (tmp_path / "1.jsonl").read_bytes()
    assert [r.text for r in scripts[0].asked] == [r.text for r in scripts[1].asked]
    assert scored(made, "nr3d", tmp_path / "1.jsonl").variants["official"]["accuracy"].value == 1.0
    assert scored(moved, "nr3d", tmp_path / "1.jsonl").variants["official"]["accuracy"].value == 0.0
    for row in rows(tmp_path / "0.jsonl").values():
        assert row["target_id"] in row["chosen_among"] == sorted(row["chosen_among"])


def test_a_box_that_overlaps_no_candidate_chooses_none_and_is_wrong(
    made: Boxed, base: Path, tmp_path: Path
) -> None:
    far = json.dumps([{"bbox_3d": [0, 0, 60, 1, 1, 1, 0, 0, 0], "label": "thing"}])
    out = tmp_path / "out.jsonl"
    asked(made, base, "nr3d", out, true(made, lambda *_: far)).go(Shard())
    assert all("target_id" not in row and row["chosen_among"] for row in rows(out).values())
    found = scored(made, "nr3d", out)
    assert found.variants["official"]["accuracy"].value == 0.0
    assert found.variants["official"]["accuracy"].n == len(found.items)


def test_a_view_that_cannot_be_read_sets_its_item_aside_once(made: Boxed, base: Path, tmp_path: Path) -> None:
    from vantage.models.vlm.request import Refused

    class Refusing(Scripted):
        def answers(self, requests):  # type: ignore[no-untyped-def]
            for batch in super().answers(requests):
                yield [Refused(o.id, "too long") if o.id.endswith(("view 2", "view 3")) else o for o in batch]

    out = tmp_path / "out.jsonl"
    tally = asked(made, base, "scanrefer", out, Refusing(made.truth, made.eyes, in_json)).go(Shard())
    assert tally.complete and tally.asked == 0
    assert tally.reasons == {"too long": len(rows(out))}
    assert scored(made, "scanrefer", out).missing == len(rows(out))


def test_a_real_model_gives_the_same_bytes_for_any_batch_and_after_a_stop(
    made: Boxed, base: Path, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    first = asked(made, base, "multi3drefer", whole, views=2)
    first.items = first.items[:4]
    tally = first.go(Shard())
    assert tally.complete and tally.asked == 4
    run = asked(made, base, "multi3drefer", out, views=2, batch=1)
    run.items = first.items
    left, real = [2], run.answerer.answers

    def stopped(asks):  # type: ignore[no-untyped-def]
        for batch in real(asks):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            yield batch

    run.answerer.answers = stopped  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run.go(Shard())
    assert len(rows(out)) == 2
    again = asked(made, base, "multi3drefer", out, views=2)
    again.items = first.items
    tally = again.go(Shard())
    assert (tally.kept, tally.asked) == (2, 2)
    assert out.read_bytes() == whole.read_bytes()


def test_a_stock_model_answers_by_the_command_and_is_scored(made: Boxed, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    words = ["scanrefer", "--references", made.files["scanrefer"], "--scans", made.scans]
    more = [
        "--model",
        base,
        "--views",
        2,
        "--limit",
        1,
        "--max-new-tokens",
        3,
        "--device",
        "cpu",
        "--out",
        out,
    ]
    done = CliRunner().invoke(app, [str(word) for word in ("predict", *words, *more)])
    assert done.exit_code == 0, done.output
    header = json.loads(out.read_text().splitlines()[0])
    assert header["settings"]["boxes"]["same_from"] == 0.25
    told = CliRunner().invoke(app, [str(w) for w in ("score", *words, "--predictions", out, "--json")])
    assert told.exit_code == 0, told.output
    record = json.loads(told.stdout)
    assert record["unparsed"] == 1 and record["missing"] == record["n"] - 1


def test_pictures_without_a_camera_are_set_aside(made: Boxed, base: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    run = asked(made, base, "scanrefer", tmp_path / "out.jsonl", true(made))
    real = run.builder.asks

    class Unposed:
        settings = run.builder.settings

        def asks(self, items, prompts):  # type: ignore[no-untyped-def]
            return [replace(one, scan=None) for one in real(items, prompts)]

    run.builder = Unposed()
    tally = run.go(Shard())
    assert tally.asked == 0 and list(tally.reasons) == [
        "boxes need posed views, from --scans, or a picture with intrinsics"
    ]


def test_other_benchmarks_and_boxes_are_told_apart(made: Boxed, base: Path, tmp_path: Path) -> None:
    answerer = VlmAnswerer.load(base, None, "float32", "cpu", Decoding())
    rule = BENCHMARKS.get("sqa3d_localization")
    with pytest.raises(ParameterError, match="does not give what this benchmark wants"):
        answerer.prompt(rule, None)
