"""SQA3D localisation: where the asker stands and which way it faces, from the text of a situation.

A pose is a position (x, y in metres) and a rotation; the heading is the z component of its rotation vector,
which is the yaw for rotations about z alone, the only ones annotated. The agent faces local -x; nothing here
depends on that, nor on the frame, as long as predictions and references share one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks.files import Record, beside, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, State
from vantage.evaluation.benchmarks.localization_rules import VARIANTS

HYPOTHESES = 3
_COMPANIONS = {"localization_annotations": "situations", "situations": "localization_annotations"}


@dataclass(frozen=True, eq=False)
class Situation:
    """A described situation, its place (x, y, metres) and its heading (radians)."""

    text: str
    xy: Float64[np.ndarray, "2"]
    heading: float

    @property
    def situation(self) -> str:
        """The text, by the name that it has in questions."""
        return self.text


@dataclass(frozen=True, eq=False)
class Guess:
    """Up to three places and, ranked apart, up to three headings; the first is the model's choice.

    Attributes:
        xy: metres.
        headings: radians.
        sigma_m, sigma_rad: its own uncertainty of the first, where it states one.
    """

    xy: Float64[np.ndarray, "p 2"]
    headings: Float64[np.ndarray, "r"]
    sigma_m: float | None = None
    sigma_rad: float | None = None


def references(path: Path, _scans: Path | None) -> list[Item[Situation]]:
    """Items of either published form.

    One file, `v1_balanced_localization_*`, or the pair `v1_localization_annotations_*` and `v1_situations_*`
    joined on `situation_id`; either of the pair may be named.
    """
    value = load(path)
    if "localization_annotations" in path.name or "v1_situations" in path.name:
        other = beside(path, _COMPANIONS)
        files = {path: value, other: load(other)}
        noted, texts = (_rows(files, word) for word in ("localization_annotations", "situations"))
        if lonely := sorted(noted.keys() ^ texts.keys()):
            raise ContractError(
                "situations and annotations are not of one split",
                where=(noted.get(lonely[0]) or texts[lonely[0]]).where,
                found=f"{len(lonely)} ids in one only",
            )
        return [_item(name, row, texts[name].text("situation")) for name, row in noted.items()]
    listed = value
    if isinstance(value, dict):
        listed = next((rows for rows in value.values() if isinstance(rows, list)), value)
    rows = unique(records(path, listed), key)
    return [_item(name, row, row.text("situation")) for name, row in rows.items()]


def _rows(files: Mapping[Path, object], word: str) -> dict[str, Record]:
    path = next(file for file in files if word in file.name)
    return unique(records(path, files[path], "annotations" if "annotations" in word else word), key)


def _item(name: str, row: Record, text: str) -> Item[Situation]:
    xy, heading = position_of(row, row.get("position")), heading_of(row, row.get("rotation"))
    return Item(name, row.text("scene_id"), row.where, Situation(text, xy, heading))


def key(row: Record) -> str:
    """The id: `situation_id` or `question_id`."""
    return row.text("situation_id", "question_id")


def prediction(row: Record) -> Guess:
    """`positions` and `rotations`, up to three each, named components; also one `position` and `rotation`."""
    places = [position_of(row, value) for value in _listed(row, "positions", "position")]
    turns = [heading_of(row, value) for value in _listed(row, "rotations", "rotation")]
    xy = np.array(places).reshape(-1, 2)
    return Guess(xy, np.array(turns, dtype=np.float64), _sigma(row, "sigma_m"), _sigma(row, "sigma_rad"))


def _listed(row: Record, many: str, one: str) -> list[object]:
    value = row.fields.get(many)
    if value is None:
        return [row.fields[one]] if row.fields.get(one) is not None else []
    if not isinstance(value, list) or len(value) > HYPOTHESES:
        raise row.error(f"a list of at most {HYPOTHESES} in {many}", repr(value)[:80])
    return value


def _sigma(row: Record, name: str) -> float | None:
    value = row.fields.get(name)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or not np.isfinite(value) or value <= 0:
        raise row.error(f"a number above 0 in {name}", repr(value))
    return float(value)


def position_of(row: Record, value: object) -> Float64[np.ndarray, "2"]:
    """x and y of a position given by named components, metres; `ContractError` for anything else."""
    return _named(row, value, ("x", "y"), "a position with x and y")


def heading_of(row: Record, value: object) -> float:
    """The z component of the rotation vector of a quaternion given by named components, -pi to pi.

    `ContractError` for anything else.
    """
    if isinstance(value, Mapping) and "_x" not in value and "x" in value:
        value = {f"_{name}": number for name, number in value.items()}
    x, y, z, w = _named(row, value, ("_x", "_y", "_z", "_w"), "a rotation with _x, _y, _z and _w")
    length = math.hypot(x, y, z, w)
    if length == 0:
        raise row.error("a quaternion other than 0", value)
    x, y, z, w = (float(c) / (length if w >= 0 else -length) for c in (x, y, z, w))  # q and -q are one
    angle = 2 * math.atan2(math.hypot(x, y, z), w)
    return z * (angle / math.sin(angle / 2) if angle > 1e-3 else 2 + angle**2 / 12)


def _named(row: Record, value: object, names: Sequence[str], expected: str) -> Float64[np.ndarray, " k"]:
    """Components by name: their order in the file means nothing."""
    if not isinstance(value, Mapping) or any(name not in value for name in names):
        raise row.error(expected, repr(value)[:80])
    try:
        numbers = np.array([value[name] for name in names], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise row.error(expected, repr(value)[:80]) from error
    if not np.isfinite(numbers).all():
        raise row.error(expected, repr(value)[:80])
    return numbers


def state(_situation: Situation, guess: Guess) -> State:
    """Empty without any pose, unparsed without a place or a heading."""
    if not len(guess.xy) and not len(guess.headings):
        return "empty"
    return "answered" if len(guess.xy) and len(guess.headings) else "unparsed"


BENCHMARK: Benchmark[Situation, Guess] = Benchmark(
    name="sqa3d_localization",
    about="where the asker of a situation stands and which way it faces (SilongYong/SQA3D)",
    splits={"719 situations": 719, "1,997 situations, alternatives included": 1997},
    references=references,
    key=key,
    prediction=prediction,
    state=state,
    variants=VARIANTS,
    prompt=lambda situation: f"{situation.text} Where are you, and which way do you face?",
    answered_with="place",
)
