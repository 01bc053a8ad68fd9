"""Views turned for boxes stay under the control that they are shown under."""

from __future__ import annotations

from dataclasses import replace

from asked_rooms import Rooms

from vantage.evaluation.running.ask import Ask
from vantage.evaluation.running.boxes.view_asks import ViewAsks
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews


def test_what_a_control_says_of_each_view_is_turned_with_it(asked_rooms: Rooms) -> None:
    recorded = MeasuredScan.open(asked_rooms.scans / asked_rooms.made[0].scan_id)
    plain = ScanViews(recorded.folder, recorded.meta, recorded.chosen(3))
    told = tuple(reversed(plain.measured))
    for scan in (plain, replace(plain, blind=True), replace(plain, told=told)):
        views = scan.views()
        ask = Ask("a", "where?", views, ((1, 1),) * len(views), "", scan)
        for k, turned in enumerate(ViewAsks().of(ask)):
            own = turned.ask.scan
            assert own is not None and own.blind is scan.blind
            order = [k, *(i for i in range(3) if i != k)]
            assert [f.frame_id for f in own.frames] == [scan.frames[i].frame_id for i in order]
            assert own.told == (None if scan.told is None else tuple(told[i] for i in order))
