"""Parameters that make no sense are refused; the compiler works without a cache."""

from typing import Any

import numba
import pytest

from vantage.core.errors import ParameterError
from vantage.geometry.compiled import compiled
from vantage.scans.generated.cameras import color_camera, depth_camera
from vantage.scans.generated.config import GeneratedConfig


def test_a_smallest_side_above_the_largest_is_refused() -> None:
    with pytest.raises(ParameterError, match="exceeds"):
        GeneratedConfig(smallest_side=5.0, largest_side=4.0)


def test_cameras_differ_and_depth_sees_all_that_colour_sees() -> None:
    config = GeneratedConfig()
    color, depth = color_camera(config), depth_camera(config)
    assert (color.width, color.height) == (384, 288) and (depth.width, depth.height) == (320, 240)
    assert color.fx != depth.fx
    for u in (0.0, color.width - 1.0):
        for v in (0.0, color.height - 1.0):
            x, y = (u - color.cx) / color.fx, (v - color.cy) / color.fy
            assert -0.5 <= x * depth.fx + depth.cx <= depth.width - 0.5
            assert -0.5 <= y * depth.fy + depth.cy <= depth.height - 0.5


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def njit(*functions: Any, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions, **options)

    monkeypatch.setattr(numba, "njit", njit)

    def twice(x: int) -> int:
        return 2 * x

    assert compiled(twice)(21) == 42
