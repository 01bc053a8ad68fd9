"""Places that a situated model tells: in the benchmark's frame, from the situation's text alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recipe_arms
from asked_rooms import SITUATIONS, Rooms, annotated, localization
from typer.testing import CliRunner

from vantage.cli.main import app
from vantage.core.errors import ContractError, VantageError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.annotated import ORIGINS, AnnotatedFrame, Origin, place_fields
from vantage.evaluation.scoring import score
from vantage.geometry.transforms import level_ego, yaw_of
from vantage.scans.generated.scan import GeneratedScan

LIMIT = 6  # the first room
RULE = BENCHMARKS.get("sqa3d_localization")


@pytest.fixture(scope="module")
def situated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base, and a situated adapter of it."""
    root = tmp_path_factory.mktemp("situated")
    base = recipe_arms.base(root / "base")
    return base, recipe_arms.adapter(root / "adapter", base, "situated")


def frame_of(scan: GeneratedScan, origin: Origin) -> AnnotatedFrame:
    return AnnotatedFrame(origin, np.asarray(scan.mesh.vertices, np.float32), scan.T_aligned_raw)


def told(x: float, y: float, yaw: float, **changes: Any) -> dict[str, Any]:
    sure = {"sigma_x": 0.3, "sigma_y": 0.4, "sigma_yaw": 0.2, "frame": "aligned", "other_yaws": ()}
    return {"x": x, "y": y, "yaw": yaw, **sure, **changes}


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_way_back_is_exact_in_rooms_whose_alignment_turns(asked_rooms: Rooms, origin: Origin) -> None:
    rng = np.random.default_rng(0)
    for scan in asked_rooms.made:
        assert abs(math.sin(yaw_of(scan.T_aligned_raw))) > 0.05, "a turn that would show"
        frame = frame_of(scan, origin)
        for x, y, yaw in rng.uniform(-3, 3, (20, 3)):
            there = frame.to_aligned(float(x), float(y), float(yaw))
            np.testing.assert_allclose(frame.from_aligned(*there), (x, y, yaw), atol=1e-9)


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_true_place_is_written_as_it_was_annotated_and_scores_in_full(
    asked_rooms: Rooms, tmp_path: Path, origin: Origin
) -> None:
    references = localization(asked_rooms, tmp_path, origin)
    lines = []
    for name, (scan, frame) in asked_rooms.stands.items():
        ego = level_ego(scan.T_aligned_raw @ scan.T_raw_cam[frame])
        fields = place_fields(told(*ego[:2, 3].tolist(), yaw_of(ego)), frame_of(scan, origin))
        truth = annotated(scan, frame, origin)
        (position,), (rotation,) = fields["positions"], fields["rotations"]
        np.testing.assert_allclose(
            (position["x"], position["y"]), (truth["position"]["x"], truth["position"]["y"]), atol=6e-4
        )
        both = np.array([[r["_z"], r["_w"]] for r in (rotation, truth["rotation"])])
        assert abs(both[0] @ both[1]) > 1 - 1e-6, "q and -q are one"
        assert fields["sigma_m"] == pytest.approx(math.sqrt(0.125), abs=6e-4) and fields["sigma_rad"] == 0.2
        lines.append(json.dumps({"question_id": name, **fields}))
    said = tmp_path / "said.jsonl"
    said.write_text("\n".join(lines))
    found = score(RULE, said, references).variants["top1"]
    assert found["joint@0.5m_15deg"].value == found["joint@1m_30deg"].value == 1.0


def test_more_directions_are_told_after_the_model_s_own_and_count_for_the_best_of_three(
    asked_rooms: Rooms, tmp_path: Path
) -> None:
    references = localization(asked_rooms, tmp_path)
    lines = []
    for name, (scan, frame) in asked_rooms.stands.items():
        ego = level_ego(scan.T_aligned_raw @ scan.T_raw_cam[frame])
        wrong, more = yaw_of(ego) + 2.0, (yaw_of(ego) - 2.0, yaw_of(ego))
        fields = place_fields(told(*ego[:2, 3].tolist(), wrong, other_yaws=more), frame_of(scan, "aligned"))
        lines.append(json.dumps({"question_id": name, **fields}))
    said = tmp_path / "said.jsonl"
    said.write_text("\n".join(lines))
    found = score(RULE, said, references).variants
    assert found["top1"]["rotation@30deg"].value == 0.0
    assert found["best_of_3"]["rotation@15deg"].value == found["best_of_3"]["position@0.5m"].value == 1.0


def test_a_deviation_that_is_no_number_is_left_out_and_another_frame_is_refused(asked_rooms: Rooms) -> None:
    frame = frame_of(asked_rooms.made[0], "aligned")
    assert "sigma_rad" not in place_fields(told(0, 0, 0, sigma_yaw=math.inf), frame)
    assert "sigma_rad" not in place_fields(told(0, 0, 0, sigma_yaw=0.0), frame)
    with pytest.raises(ContractError, match="wrong frame"):
        place_fields(told(0, 0, 0, frame="ego_level"), frame)
    empty = AnnotatedFrame("raw_middle", np.zeros((0, 3), np.float32), np.eye(4))
    with pytest.raises(VantageError, match="without points"):
        place_fields(told(0, 0, 0), empty)


def predicted(
    rooms: Rooms,
    situated: tuple[Path, Path],
    references: Path,
    out: Path,
    origin: str = "aligned_centre",
    *more: str,
) -> dict[str, dict[str, Any]]:
    words = [
        "predict", "sqa3d_localization", "--references", references, "--model", situated[0], "--adapter",
        situated[1], "--scans", rooms.scans, "--views", 2, "--origin", origin, "--device", "cpu",
        "--out", out, "--limit", LIMIT, *more,
    ]  # fmt: skip
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return {row["question_id"]: row for row in lines[1:]}


def test_a_model_s_places_are_the_same_from_every_origin_and_are_scored(
    asked_rooms: Rooms, situated: tuple[Path, Path], tmp_path: Path
) -> None:
    found: dict[str, list[tuple[float, ...]]] = {}
    for origin in ORIGINS:
        references = localization(asked_rooms, tmp_path / origin, origin)
        out = tmp_path / f"{origin}.jsonl"
        rows = predicted(asked_rooms, situated, references, out, origin)
        assert list(rows) == asked_rooms.ids()[:LIMIT] and not any(
            "set_aside" in row for row in rows.values()
        )
        record = CliRunner().invoke(
            app,
            ["score", "sqa3d_localization", "--predictions", str(out), "--references", str(references),
             "--json"],
        )  # fmt: skip
        scored = json.loads(record.stdout)
        assert (scored["n"], scored["unparsed"], scored["empty"], scored["missing"]) == (12, 0, 0, 6)
        assert any("coverage@0.5" in name for name in scored["variants"]["calibration"]), "sigmas are read"
        for name, row in rows.items():
            frame = frame_of(asked_rooms.stands[name][0], origin)
            (at,), (rotation, *others) = row["positions"], row["rotations"]
            assert len(others) == 2 and rotation not in others
            yaw = 2 * math.atan2(rotation["_z"], rotation["_w"]) + math.pi
            x, y, yaw = frame.to_aligned(at["x"], at["y"], yaw)
            found.setdefault(name, []).append((x, y, math.cos(yaw), math.sin(yaw)))
    for places in found.values():
        np.testing.assert_allclose(places, [places[0]] * len(ORIGINS), atol=3e-3)
    own = {tuple(np.round(places[0], 2)) for places in found.values()}
    assert len(own) == len(SITUATIONS), "one for each text"


def test_nothing_of_the_truth_reaches_the_model(
    asked_rooms: Rooms, situated: tuple[Path, Path], tmp_path: Path
) -> None:
    told_here = localization(asked_rooms, tmp_path / "here")
    told_there = localization(asked_rooms, tmp_path / "there", turned=3)
    pairs = zip(RULE.references(told_here, None), RULE.references(told_there, None), strict=True)
    assert all(a.content.xy.tolist() != b.content.xy.tolist() for a, b in pairs), "every place is another"
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    predicted(asked_rooms, situated, told_here, here)
    predicted(asked_rooms, situated, told_there, there)
    assert here.read_bytes() == there.read_bytes()


def test_batches_and_a_run_in_two_goes_change_no_byte(
    asked_rooms: Rooms, situated: tuple[Path, Path], tmp_path: Path
) -> None:
    references = localization(asked_rooms, tmp_path)
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    predicted(asked_rooms, situated, references, whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    parts.write_bytes(b"".join([*lines[:3], lines[3][:40]]))  # as a kill leaves it
    predicted(asked_rooms, situated, references, parts, "aligned_centre", "--token-budget", "250")
    assert parts.read_bytes() == whole.read_bytes()
