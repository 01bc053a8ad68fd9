"""What a model is asked and shown, to the letter and the frame: a change of either shows as a diff."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from asked_rooms import Rooms
from captioned_rooms import scan2cap
from pictured import muirbench, picture

from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask
from vantage.evaluation.running.ask_vlm import request_of
from vantage.evaluation.running.described import Boxes
from vantage.evaluation.running.outlined_views import OutlinedViews
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.run import Builder
from vantage.geometry.transforms import level_ego, yaw_of
from vantage.registry.abilities import Abilities
from vantage.registry.ask_registered import RegisteredAnswerer

GOLDEN = Path(__file__).with_name("asked_golden.json")
RENEW = "VANTAGE_RENEW_GOLDEN"
HOW = f"{RENEW}=1 pytest {Path('tests/evaluation/running', Path(__file__).name)}"


def msqa(folder: Path) -> Path:
    row = {
        "index": 7, "scan_id": "room0000_00", "question": "Which is nearer, the bed or the sofa?",
        "situation": "I stand beside the table.", "answers": ["the bed"], "type": "spatial",
    }  # fmt: skip
    return _written(folder / "MSQA_scannet_test.json", json.dumps([row]))


def vsibench(folder: Path) -> Path:
    shared = {"dataset": "scannet", "scene_name": "room0001_00"}
    rows = [
        {**shared, "id": 0, "question_type": "object_counting", "question": "How many chairs are there?"},
        {
            **shared, "id": 1, "question_type": "object_rel_direction_easy", "question": "Left or right?",
            "options": ["A. left", "B. right"],
        },
    ]  # fmt: skip
    truths = ("2", "A")
    lines = [json.dumps({**row, "ground_truth": truth}) for row, truth in zip(rows, truths, strict=True)]
    return _written(folder / "test.jsonl", "\n".join(lines))


def cv_bench(folder: Path) -> Path:
    (folder / "images" / "cv.png").write_bytes(picture(1))
    row = {
        "idx": 0, "task": "Depth", "source": "Omni3D", "question": "Which is closer?", "answer": "(B)",
        "choices": ["a lamp", "a desk"], "image": "cv.png",
        "prompt": "Which is closer? Select from the following choices.\n(A) a lamp\n(B) a desk",
    }  # fmt: skip
    return _written(folder / "cv.jsonl", json.dumps(row))


def spatialrgpt(folder: Path) -> Path:
    row = {
        "id": "r1", "image_info": {"file_path": "cv.png"}, "text_q": "How far is Region [0] from Region [1]?",
        "conversations": [{"value": "?"}, {"value": "It is 2.0 meters."}],
        "bbox": [[1, 1, 6, 6], [7, 7, 12, 12]], "qa_info": {"type": "quantitative", "category": "distance"},
    }  # fmt: skip
    return _written(folder / "SpatialRGPT-Bench.jsonl", json.dumps(row))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def asked(name: str, references: Path, builder: Builder, scans: Path | None) -> dict[str, Any]:
    """By item: the text for a vision-language model, the one for a registered model, and what is shown."""
    rule = BENCHMARKS.get(name)
    items = rule.references(references, scans)
    prompts = {item.id: rule.prompt(item.content) for item in items}
    found: dict[str, Any] = {}
    for item in items:
        (ask,) = builder.asks([item], prompts)
        assert isinstance(ask, Ask), ask
        word = Abilities(pocket=rule.answered_with == "text")  # a pocket model describes nothing
        registered = RegisteredAnswerer(None, "", word).prompt(rule, item.content)
        text = request_of(ask, "<image>").text
        found[item.id] = {"text": text, "registered": registered, "shown": [v.name for v in ask.views]}
        if ask.scan is not None and ask.scan.T_raw_me is not None:
            ego = level_ego(ask.scan.meta.T_aligned_raw @ ask.scan.T_raw_me)
            found[item.id]["me"] = [round(float(v), 3) for v in (*ego[:2, 3], yaw_of(ego))]
        if ask.scan is not None and ask.scan.outlines:
            found[item.id]["outlined"] = sorted(ask.scan.outlines)
    return found


def everything(rooms: Rooms, folder: Path) -> dict[str, Any]:
    muir = muirbench(folder, 3)
    images, scans = folder / "images", rooms.scans
    posed = {"scanqa": rooms.scanqa, "msqa": msqa(folder), "vsibench": vsibench(folder)}
    builders = {"vsibench": PosedViews(scans, frames="path")}
    plain = PosedViews(scans)
    found = {name: asked(name, path, builders.get(name, plain), scans) for name, path in posed.items()}
    situated = PosedViews(scans, views=4, origin="aligned_centre")
    found["sqa3d"] = asked("sqa3d", rooms.sqa3d, situated, scans)
    references = scan2cap(rooms, folder / "ScanRefer_filtered_val.json", every=6)
    boxes = Boxes.annotated(BENCHMARKS.get("scan2cap").references(references, scans))
    found["scan2cap"] = asked("scan2cap", references, OutlinedViews(scans, views=4, boxes=boxes), scans)
    own = {"muirbench": muir, "cv_bench": cv_bench(folder), "spatialrgpt_bench": spatialrgpt(folder)}
    for name, path in own.items():
        found[name] = asked(name, path, OwnImages(BENCHMARKS.get(name), path, images), None)
    return found


def text_of(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def compared(golden: str, now: str) -> str:
    """The difference between two texts for a person, and how to accept it; "" if there is none."""
    lines = difflib.unified_diff(golden.splitlines(), now.splitlines(), GOLDEN.name, "now", n=4, lineterm="")
    diff = "\n".join(lines)
    return diff and f"prompts or frames have changed:\n{diff}\nif that is meant, renew the file: {HOW}"


def test_prompts_and_frames_are_those_kept(asked_rooms: Rooms, tmp_path: Path) -> None:
    now = text_of(everything(asked_rooms, tmp_path / "own"))
    if os.environ.get(RENEW):
        GOLDEN.write_text(now)
    difference = compared(GOLDEN.read_text(), now)
    if difference:
        pytest.fail(difference, pytrace=False)


def test_a_change_shows_the_item_before_and_after_and_how_to_renew() -> None:
    golden = GOLDEN.read_text()
    assert compared(golden, golden) == ""
    kept = json.loads(golden)
    item = kept["scanqa"]["room0000_00-0"]
    before, item["text"] = item["text"], item["text"].replace("simply", "briefly")
    shown = item["shown"][1]
    item["shown"][1] = "room0000_00/frame 99"
    told = compared(golden, text_of(kept)).splitlines()
    assert f'-   "text": {json.dumps(before)}' in told
    assert f'+   "text": {json.dumps(item["text"])}' in told
    assert f'-    "{shown}",' in told and '+    "room0000_00/frame 99",' in told
    assert told[-1].endswith(HOW)


def test_every_benchmark_that_is_answered_with_words_about_pictures_is_kept() -> None:
    assert sorted(json.loads(GOLDEN.read_text())) == [
        "cv_bench", "msqa", "muirbench", "scan2cap", "scanqa", "spatialrgpt_bench", "sqa3d", "vsibench",
    ]  # fmt: skip
