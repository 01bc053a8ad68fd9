"""A registered pocket model under the controls of `vantage predict`: what reaches it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "evaluation" / "running"))

from asked_rooms import Rooms, rooms

from vantage.align.controls import GREY
from vantage.core.errors import ResourceError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Answer, Ask, SetAside
from vantage.evaluation.running.controls import CONTROLS, Control, under
from vantage.evaluation.running.posed import PosedViews
from vantage.models.answering import PocketVLM
from vantage.models.checkpoint import AdapterConfig, adapter_state, base_digest, load_base, save_adapter
from vantage.models.injector import InjectionConfig
from vantage.models.loading.load import BaseIdentity
from vantage.models.pocket import fresh_injector
from vantage.models.vlm.checkpoint import RECORD, VERSION
from vantage.models.vlm.model import VlmConfig
from vantage.registry.abilities import Abilities
from vantage.registry.ask_registered import RegisteredAnswerer
from vantage.registry.served_base import SERVED_FILE
from vantage.registry.serving import Answerer


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    return rooms(tmp_path_factory.mktemp("rooms"))


def adapter(folder: Path, site: Any) -> Path:
    model = load_base()
    injector = None if site == "none" else fresh_injector(model, site, 0)
    folder.mkdir(parents=True)
    save_adapter(folder, adapter_state(model, injector), AdapterConfig(base_digest(), site))
    return folder


class Seen(PocketVLM):
    """A pocket model that keeps what it was shown."""

    shown: list[tuple[np.ndarray, ...]]

    def answer(self, images: Any, xyz: Any, valid: Any, questions: Any) -> list[str]:
        self.shown.append((images, xyz, valid))
        return super().answer(images, xyz, valid, questions)


class Loaded:
    """What MLflow's wrapper does with a request, in this process."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def predict(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._answerer.answer(request)


def asks(rooms: Rooms, inner: PosedViews, control: str) -> list[Ask]:
    items = BENCHMARKS.get("sqa3d").references(rooms.sqa3d, None)
    builder = under(Control(control, 0), inner, items) if control else inner  # type: ignore[arg-type]
    found: list[Ask | SetAside] = []
    for scene in ("room0000_00", "room0001_00"):
        own = [item for item in items if item.scene == scene][:2]
        found += builder.asks(own, {item.id: item.content.question for item in items})
    assert not [one for one in found if isinstance(one, SetAside)], found
    return [one for one in found if isinstance(one, Ask)]


def test_controls_reach_the_pocket_model(asked: Rooms, tmp_path: Path) -> None:
    vlm = Seen.load(None, adapter(tmp_path / "adapter", "post_vit"))
    assert isinstance(vlm, Seen)
    who = RegisteredAnswerer(Loaded(Answerer(vlm)), "digest")
    shown, said = {}, {}
    inner = PosedViews(asked.scans, 2, origin="aligned")
    for control in ("", *CONTROLS):
        vlm.shown = []
        found = [one for batch in who.answers(asks(asked, inner, control)) for one in batch]
        said[control] = {one.id: one.text for one in found if isinstance(one, Answer)}
        assert len(said[control]) == 4, found
        shown[control] = vlm.shown
    images, xyz, valid = (np.stack([one[k] for one in shown[""]]) for k in range(3))
    assert valid.mean() > 0.5
    grey, nothing, nowhere = (np.stack([one[k] for one in shown["blind"]]) for k in range(3))
    assert (grey == GREY).all() and grey.shape == images.shape
    assert not nothing.any() and not nowhere.any()
    blind = [said["blind"][f"room000{room}_00-{k}"] for room in (0, 1) for k in (0, 1)]
    assert blind[:2] == blind[2:], "only words are left, and they are the same in both rooms"
    for control in ("random_yaw", "random_pose", "other_sample"):
        pictures, points, there = (np.stack([one[k] for one in shown[control]]) for k in range(3))
        assert np.array_equal(pictures, images)
        assert np.abs(points - xyz)[there & valid].mean() > 0.3
        if control != "other_sample":
            assert np.array_equal(there, valid)
        if control == "random_yaw":
            flat = np.linalg.norm(points[valid][:, :2], axis=1)
            np.testing.assert_allclose(flat, np.linalg.norm(xyz[valid][:, :2], axis=1), atol=1e-4)
            np.testing.assert_allclose(points[valid][:, 2], xyz[valid][:, 2], atol=1e-4)


def test_an_adapters_description_tells_whether_coordinates_reach_the_model(tmp_path: Path) -> None:
    for site, reach in (("post_vit", True), ("none", False)):
        folder = tmp_path / site
        adapter(folder / "adapter", site)
        assert Abilities.of(folder).coordinates is reach
    for number, (injection, about, reach) in enumerate(
        (
            (None, {}, False),
            (None, {"align": {"mode": "prompt"}}, True),
            (None, {"dialogs": "grounded"}, True),
            (InjectionConfig("pre_vit"), {}, True),
        )
    ):
        folder = tmp_path / str(number)
        (folder / "adapter").mkdir(parents=True)
        (folder / "base").mkdir()
        (folder / "base" / SERVED_FILE).write_text("{}")
        base = asdict(BaseIdentity("local", "", "f" * 64, "llava"))
        own = {"base": base, "family": "llava", "config": asdict(VlmConfig(injection)), "tokens": None}
        record = {"record": RECORD, "version": VERSION, **own, "about": about}
        (folder / "adapter" / "config.json").write_text(json.dumps(record))
        assert Abilities.of(folder).coordinates is reach


def test_a_machine_that_is_too_small_sets_no_question_aside(asked: Rooms) -> None:
    class Small:
        def predict(self, request: Mapping[str, Any]) -> Any:
            raise ResourceError("the GPU's memory is too small")

    who = RegisteredAnswerer(Small(), "digest")
    with pytest.raises(ResourceError, match="memory"):
        list(who.answers(asks(asked, PosedViews(asked.scans, 2, origin="aligned"), "")))
