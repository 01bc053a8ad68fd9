"""Floors for what the benchmark of lifted boxes measures, on four of its rooms."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.lift.box_settings import BoxSettings

pytest.importorskip("open3d")
FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "geometry" / "boxes_from_2d.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("boxes_from_2d", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(bench: Any) -> list[Any]:
    return [row for k in range(4) for row in bench.room_rows(f"room{k:04d}", 7, BoxSettings())]


def of(rows: list[Any], way: str, least_share: float = 0.0) -> list[Any]:
    return [row for row in rows if row.way == way and row.share >= least_share]


@pytest.mark.parametrize(
    ("way", "share", "centre_m", "size", "iou"),
    [
        ("mask", 0.9, 0.05, 0.06, 0.75),
        ("2D box", 0.9, 0.08, 0.15, 0.65),
        ("masks of views", 0.0, 0.04, 0.05, 0.78),
        ("2D boxes of views", 0.0, 0.09, 0.08, 0.65),
    ],
)
def test_medians(
    bench: Any, rows: list[Any], way: str, share: float, centre_m: float, size: float, iou: float
) -> None:
    mine = of(rows, way, share)
    assert len(mine) >= 35
    errors = bench.errors(mine)
    assert errors.refused <= 0.02 * len(mine)
    assert np.median(errors.centre) < centre_m
    assert (np.median(np.abs(errors.size), axis=0) < size).all()
    assert np.median(errors.iou) > iou


def test_far_better_than_the_least_and_greatest_of_all_pixels(bench: Any, rows: list[Any]) -> None:
    naive, bare = (bench.errors(of(rows, way, 0.6)).iou for way in ("naive, 2D box", "2D box"))
    assert len(naive) == len(bare)
    assert np.median(bare) > np.median(naive) + 0.3
    assert (bare > naive).mean() > 0.8


@pytest.mark.parametrize(
    ("way", "least"), [("mask", 0.6), ("2D box", 0.6), ("masks of views", 0.0), ("2D boxes of views", -0.1)]
)
def test_confidence_ranks_the_boxes(bench: Any, rows: list[Any], way: str, least: float) -> None:
    mine = of(rows, way)
    confidence = np.array([row.found.confidence for row in mine])
    iou = bench.errors(mine).iou
    _, low, _ = bench.rank_correlation(confidence, iou, np.array([row.room for row in mine]))
    assert low > least
    assert np.abs(confidence - iou).mean() < 0.22


def test_confidence_over_all_ways_is_close_to_the_iou(bench: Any, rows: list[Any]) -> None:
    mine = [row for row in rows if row.found is not None]
    confidence, iou = np.array([row.found.confidence for row in mine]), bench.errors(mine).iou
    for low, high in ((0.0, 0.3), (0.3, 0.6), (0.6, 0.8), (0.8, 1.0)):
        group = (confidence >= low) & (confidence < high)
        assert group.sum() >= 25
        assert abs(confidence[group].mean() - iou[group].mean()) < 0.12
