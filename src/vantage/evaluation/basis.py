"""What the scores of a report rest on: questions, rooms, scorers, weights, and the answers' own digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vantage.core.hashing import digest_json
from vantage.records.index import IndexRow
from vantage.records.jsonfile import read_json_record
from vantage.records.questions import Question


@dataclass(frozen=True)
class ArmBasis:
    """What a trained arm is.

    Attributes:
        base_sha256: digest of the weights it was trained on; a vision-language model's fingerprint.
        site: where the 3D position enters; `none` for an arm without.
        coordinates: which coordinates it was trained with.
        recipe: the method.
    """

    base_sha256: str
    site: str
    coordinates: str
    recipe: str


@dataclass(frozen=True)
class Basis:
    """What every number of an evaluation rests on.

    Attributes:
        questions_digest: of the sorted ids of the held-out questions.
        questions, scans, rooms: how many are held out.
        pose_sources: questions by the source of their pose.
        seed, resamples: of every bootstrap.
        base: `shipped`, or `own` where the parameters name a folder.
        arms: by name.
        answers: digest of every item's folder of predictions.
    """

    questions_digest: str
    questions: int
    scans: int
    rooms: int
    pose_sources: Mapping[str, int]
    seed: int
    resamples: int
    base: str
    arms: Mapping[str, ArmBasis]
    answers: Mapping[str, str]

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def basis_of(
    questions: Sequence[Question],
    finetune: Path,
    rows: Sequence[IndexRow],
    seed: int,
    resamples: int,
    base: str,
) -> Basis:
    """Gather it.

    Args:
        questions: held out.
        finetune: output folder of that stage.
        rows: the evaluation's items.
        seed, resamples: of the bootstrap.
        base: the parameter; a path is not told.

    Raises:
        ContractError: an arm has no configuration.
    """
    from vantage.models.model_files import is_pocket

    pocket = is_pocket(base)
    done = {row.item: row.digest for row in rows if row.status == "done"}
    sources = [q.pose_source for q in questions]
    return Basis(
        questions_digest=digest_json(sorted(q.question_id for q in questions)),
        questions=len(questions),
        scans=len({q.scan_id for q in questions}),
        rooms=len({q.room_id for q in questions}),
        pose_sources={name: sources.count(name) for name in sorted(set(sources))},
        seed=seed,
        resamples=resamples,
        base="shipped" if base == "shipped" else "own",
        arms={item: _arm(finetune / item, pocket) for item in sorted(done) if "@" not in item},
        answers=dict(sorted(done.items())),
    )


def _arm(folder: Path, pocket: bool) -> ArmBasis:
    from vantage.models.checkpoint import CONFIG_FILE

    if not pocket:
        return _vlm_arm(read_json_record(folder / CONFIG_FILE, "spatial_vlm", 1))
    config = read_json_record(folder / CONFIG_FILE, "adapter", 1)
    fields = {name: str(config.get(name, "")) for name in ("base_sha256", "site", "coordinates", "recipe")}
    return ArmBasis(**fields)


def _vlm_arm(value: Mapping[str, Any]) -> ArmBasis:
    injection, about = value["config"]["injection"], value["about"]
    return ArmBasis(
        base_sha256=str(value["base"]["fingerprint"]),
        site="none" if injection is None else str(injection["site"]),
        coordinates=str(about["coordinates"]),
        recipe=str(about["recipe"]),
    )
