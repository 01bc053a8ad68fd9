"""Which frames are shown with a question about a scan, and where its asker stands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_rooms import Rooms, annotated

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.annotated import ORIGINS, Origin
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.scan_views import MeasuredScan
from vantage.geometry.transforms import level_ego
from vantage.lift.coverage import frame_voxels
from vantage.records.frames import Frame
from vantage.scans.pixels import read_depth


def asked(rooms: Rooms, benchmark: str, references: Path, **options: Any) -> list[Ask | SetAside]:
    items = BENCHMARKS.get(benchmark).references(references, None)
    prompts = {item.id: item.content.question for item in items}
    views = PosedViews(rooms.scans, **options)
    scenes = sorted({item.scene for item in items})
    return [a for s in scenes for a in views.asks([i for i in items if i.scene == s], prompts)]


def good(asks: list[Ask | SetAside]) -> list[Ask]:
    assert all(isinstance(ask, Ask) for ask in asks), asks
    return [ask for ask in asks if isinstance(ask, Ask)]


def test_a_situated_question_is_asked_from_its_place(asked_rooms: Rooms) -> None:
    for ask in good(asked(asked_rooms, "sqa3d", asked_rooms.sqa3d, views=4, origin="aligned")):
        scan, frame = asked_rooms.stands[ask.id]
        assert ask.scan is not None
        shown = [f.frame_id for f in ask.scan.frames]
        assert shown[0] == frame
        assert len(set(shown)) == len(ask.views) == 4
        assert ask.sizes == ((scan.color_camera.width, scan.color_camera.height),) * 4
        np.testing.assert_allclose(
            ask.views[0].T_frame_cam, scan.T_aligned_raw @ scan.T_raw_cam[frame], atol=1e-5
        )
        assert ask.scan.T_raw_me is not None
        me = level_ego(scan.T_aligned_raw @ ask.scan.T_raw_me)
        np.testing.assert_allclose(me, level_ego(scan.T_aligned_raw @ scan.T_raw_cam[frame]), atol=1e-4)
        pixels = np.asarray(ask.views[0].image(), np.int64)
        assert np.abs(pixels - scan.color[frame]).mean() < 8, "the frame itself, but for its JPEG"


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_place_is_the_same_from_every_origin(asked_rooms: Rooms, tmp_path: Path, origin: Origin) -> None:
    for file in asked_rooms.sqa3d.parent.glob("v1_*.json"):
        shutil.copy(file, tmp_path)
    path = tmp_path / asked_rooms.sqa3d.name
    rows = json.loads(path.read_text())["annotations"]
    rows = [{**row, **annotated(*asked_rooms.stands[row["question_id"]], origin)} for row in rows]
    path.write_text(json.dumps({"annotations": rows}))
    for ask in good(asked(asked_rooms, "sqa3d", path, views=1, origin=origin)):
        scan, frame = asked_rooms.stands[ask.id]
        assert ask.scan is not None and ask.scan.T_raw_me is not None
        me = level_ego(scan.T_aligned_raw @ ask.scan.T_raw_me)
        np.testing.assert_allclose(me, level_ego(scan.T_aligned_raw @ scan.T_raw_cam[frame]), atol=1e-3)


def test_views_without_a_place_cover_most_and_are_those_of_every_question(asked_rooms: Rooms) -> None:
    asks = good(asked(asked_rooms, "scanqa", asked_rooms.scanqa, views=3))
    for scan in asked_rooms.made:
        own = [ask for ask in asks if ask.id.startswith(scan.scan_id)]
        (shown,) = {tuple(f.frame_id for f in ask.scan.frames) for ask in own if ask.scan is not None}
        assert len({ask.input for ask in own}) == 1
        assert own[0].scan is not None and own[0].scan.T_raw_me is None
        recorded = MeasuredScan.open(asked_rooms.scans / scan.scan_id)
        seen = {frame.frame_id: covered(recorded, frame) for frame in recorded.kept}
        most = max(len(keys) for keys in seen.values())
        assert len(seen[shown[0]]) == most, "the first shows most"
        gains = {k: len(keys - seen[shown[0]]) for k, keys in seen.items() if k != shown[0]}
        assert gains[shown[1]] == max(gains.values()), "the second adds most"


def test_frames_of_a_video_lie_evenly_on_the_path_and_in_its_order(asked_rooms: Rooms) -> None:
    for ask in good(asked(asked_rooms, "scanqa", asked_rooms.scanqa, views=4, frames="path")):
        assert ask.scan is not None
        shown = [f.frame_id for f in ask.scan.frames]
        kept = [f.frame_id for f in MeasuredScan.open(asked_rooms.scans / ask.scan.meta.scan_id).kept]
        assert shown == sorted(shown) and len(shown) == 4
        assert (shown[0], shown[-1]) == (kept[0], kept[-1])
        steps = np.diff([kept.index(frame) for frame in shown])
        assert steps.max() - steps.min() <= 1


def covered(recorded: MeasuredScan, frame: Frame) -> set[int]:
    """Voxels of 10 cm that every fourth pixel of a frame's depth sees."""
    depth = read_depth(recorded.folder, recorded.meta, frame)
    return set(frame_voxels(depth, recorded.meta.depth, frame.T_raw_cam, 0.1, 4).tolist())


def test_a_scan_of_a_data_set_may_lie_in_the_data_sets_folder(asked_rooms: Rooms, tmp_path: Path) -> None:
    nested = tmp_path / "scannet"
    nested.symlink_to(asked_rooms.scans)
    for scans in (tmp_path, asked_rooms.scans):
        recorded = PosedViews(scans)._open("scannet/room0000_00")
        assert recorded.meta.scan_id == "room0000_00"


def test_the_digest_of_what_is_shown_follows_pixels_and_place(asked_rooms: Rooms, tmp_path: Path) -> None:
    def digests(views: int, origin: Origin) -> list[str]:
        asks = good(asked(asked_rooms, "sqa3d", asked_rooms.sqa3d, views=views, origin=origin))
        return [ask.input for ask in asks]

    once = digests(2, "aligned")
    assert once == digests(2, "aligned")
    assert len(set(once)) == len(once)
    assert not set(once) & set(digests(3, "aligned"))
    assert not set(once) & set(digests(2, "aligned_centre"))


def test_a_missing_or_damaged_scan_sets_its_questions_aside(asked_rooms: Rooms, tmp_path: Path) -> None:
    shutil.copytree(asked_rooms.scans / "room0000_00", tmp_path / "room0000_00")
    (sens,) = (tmp_path / "room0000_00").glob("*.sens")
    sens.write_bytes(sens.read_bytes()[:5000])
    items = BENCHMARKS.get("scanqa").references(asked_rooms.scanqa, None)
    prompts = {item.id: item.content.question for item in items}
    views = PosedViews(tmp_path)
    for scene in ("room0000_00", "room0001_00"):
        found = views.asks([item for item in items if item.scene == scene], prompts)
        assert len(found) == 6 and all(isinstance(one, SetAside) for one in found)
        assert scene in found[0].reason  # type: ignore[union-attr]
        assert str(tmp_path) not in found[0].reason, "machines say the same"  # type: ignore[union-attr]


def test_wrong_folders_and_places_are_told(asked_rooms: Rooms, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no such folder"):
        PosedViews(tmp_path / "none")
    for file in asked_rooms.sqa3d.parent.glob("v1_*.json"):
        shutil.copy(file, tmp_path)
    path = tmp_path / asked_rooms.sqa3d.name
    rows = json.loads(path.read_text())["annotations"]
    rows[0]["rotation"] = [0, 0, 0, 1]
    path.write_text(json.dumps({"annotations": rows}))
    found = asked(asked_rooms, "sqa3d", path, views=1)
    assert isinstance(found[0], SetAside) and "_w" in found[0].reason
    assert all(isinstance(ask, Ask) for ask in found[1:])
    with pytest.raises(ContractError):
        BENCHMARKS.get("sqa3d").references(path, None)[0].content.place()
