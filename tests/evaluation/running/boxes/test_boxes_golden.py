"""What models are asked for boxes, to the letter, and how views are turned: a change shows as a diff."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from asked_rooms import Rooms
from boxed_rooms import VIEWS, boxed
from pictured_boxes import grounding3d

from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask
from vantage.evaluation.running.ask_vlm import request_of
from vantage.evaluation.running.boxes.answering import RULE
from vantage.evaluation.running.boxes.reading import told_camera
from vantage.evaluation.running.boxes.view_asks import ViewAsks
from vantage.evaluation.running.own_images import OwnImages
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.run import Builder
from vantage.models.grounded.prompts import locate_prompt
from vantage.records.box_json import box_request
from vantage.records.box_lattice import METRIC
from vantage.registry.abilities import Abilities
from vantage.registry.ask_registered import RegisteredAnswerer

GOLDEN = Path(__file__).with_name("asked_boxes_golden.json")
RENEW = "VANTAGE_RENEW_GOLDEN"
HOW = f"{RENEW}=1 pytest {Path('tests/evaluation/running/boxes', Path(__file__).name)}"

GROUNDED = Abilities(pocket=False, grounded=True)


def asked(name: str, path: Path, builder: Builder, scans: Path | None) -> dict[str, Any]:
    """Of the first item: the text of each kind of model, and the views of each of its questions."""
    rule = BENCHMARKS.get(name)
    item = rule.references(path, scans)[0]
    assert rule.boxes is not None
    prompt = box_request(rule.prompt(item.content), rule.boxes.several)
    (ask,) = builder.asks([item], {item.id: prompt})
    assert isinstance(ask, Ask), ask
    object.__setattr__(ask, "content", item.content)
    views = ViewAsks().of(ask)
    return {
        "stock": [request_of(told_camera(view), "<image>").text.split("\n") for view in views[:1]],
        "grounded": locate_prompt(rule.prompt(item.content), METRIC).split("\n"),
        "registered": RegisteredAnswerer(None, "", GROUNDED).prompt(rule, item.content),
        "shown": [[view.name for view in one.ask.views] for one in views],
        "eyes": [one.eye.name for one in views],
    }


def test_prompts_and_turns_of_views_are_those_kept(asked_rooms: Rooms, tmp_path: Path) -> None:
    (tmp_path / "boxed").mkdir()
    made = boxed(asked_rooms, tmp_path / "boxed")
    posed = PosedViews(made.scans, VIEWS)
    found: dict[str, Any] = {name: asked(name, path, posed, made.scans) for name, path in made.files.items()}
    own = grounding3d(tmp_path / "own")
    images = OwnImages(BENCHMARKS.get("grounding3d"), own, own.parent / "images")
    found["grounding3d"] = asked("grounding3d", own, images, None)
    found["rule"] = RULE
    now = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get(RENEW):
        GOLDEN.write_text(now)
    kept = GOLDEN.read_text()
    diff = list(
        difflib.unified_diff(kept.splitlines(), now.splitlines(), GOLDEN.name, "now", n=4, lineterm="")
    )
    if diff:
        listed = "\n".join(diff)
        pytest.fail(
            f"prompts, views or the rule have changed:\n{listed}\nrenew the file: {HOW}", pytrace=False
        )
