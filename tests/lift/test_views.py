from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.lift.config import GoodViews, ViewStrategy
from vantage.lift.coverage import greedy_coverage
from vantage.lift.views import METHODS, evenly, good_views, view_set
from vantage.records.frames import Frame, PixelRef

PIXELS = PixelRef("scan.sens", 0, 0, "jpeg")
FRAME = Frame(0, True, "", np.eye(4), 0.0, PIXELS, PIXELS, 0.9, 300.0, 0.5)
RNG = np.random.default_rng(5)
COVERS = [np.unique(RNG.integers(0, 200, 25)) for _ in range(12)]
TIES = [int(tie) for tie in RNG.permutation(12)]


@given(st.integers(1, 400), st.integers(1, 40))
def test_evenly_is_linspace_without_repeats(total: int, n: int) -> None:
    places = evenly(total, n)
    assert len(places) == len(set(places)) == min(n, total)
    assert places == sorted(places)
    if 2 <= n <= total:
        assert (places[0], places[-1]) == (0, total - 1)
        assert np.abs(np.array(places) - np.linspace(0, total - 1, n)).max() <= 0.5


def test_frames_out_of_bounds_are_left_out_and_all_return_when_none_is_left() -> None:
    bad = [
        replace(FRAME, depth_valid_share=0.29),
        replace(FRAME, blur=49.0),
        replace(FRAME, exposure=0.1),
        replace(FRAME, exposure=0.9),
    ]
    bounds = GoodViews(0.3, 50.0, 0.2, 0.8)
    assert good_views([bad[0], FRAME, *bad[1:], FRAME], bounds) == [1, 5]
    assert good_views(bad, bounds) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="min_exposure"):
        GoodViews(min_exposure=0.5, max_exposure=0.4)


@pytest.mark.parametrize("strategy", METHODS)
@pytest.mark.parametrize("among", [None, [1, 3, 4, 8, 9], [2]])
@pytest.mark.parametrize("views", [1, 3, 5, 12, 40])
def test_a_view_set_is_of_the_allowed_frames_each_once(
    strategy: ViewStrategy, among: list[int] | None, views: int
) -> None:
    allowed = list(range(12)) if among is None else among
    cover = view_set(COVERS, views, TIES, strategy, among)
    assert len(cover.chosen) == len(set(cover.chosen)) == min(views, len(allowed))
    assert set(cover.chosen) <= set(allowed)
    assert cover.total == len(np.unique(np.concatenate(COVERS)))
    for place, gain in enumerate(cover.gains):  # what each adds to those before it
        before, now = cover.chosen[:place], cover.chosen[: place + 1]
        sizes = [len(set().union(*(COVERS[i].tolist() for i in some))) for some in (before, now)]
        assert gain == sizes[1] - sizes[0]


def test_what_the_strategies_choose() -> None:
    assert view_set(COVERS, 4, TIES) == greedy_coverage(COVERS, 4, TIES)
    assert view_set(COVERS, 4, TIES, "uniform").chosen == [0, 4, 7, 11]
    assert view_set(COVERS, 3, TIES, "uniform", [1, 3, 4, 8, 9]).chosen == [1, 4, 9]
    drawn = view_set(COVERS, 4, TIES, "random").chosen
    assert [TIES[i] for i in drawn] == [0, 1, 2, 3]
    most = sum(view_set(COVERS, 4, TIES).gains)
    assert all(sum(view_set(COVERS, 4, TIES, other).gains) <= most for other in ("uniform", "random"))
