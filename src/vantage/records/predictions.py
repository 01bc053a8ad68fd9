"""Answers of one arm to the held-out questions, kept per item so that scores can be recomputed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vantage.records.tables import read_table, write_table

PREDICTIONS_FILE = "predictions.parquet"
VERSION = 1
_NAMES = ("question_id", "scan_id", "room_id", "family", "slice", "question", "answer", "prediction")


@dataclass(frozen=True)
class Prediction:
    """What an arm answered to a question; the first seven fields are the question's own."""

    question_id: str
    scan_id: str
    room_id: str
    family: str
    slice: str
    question: str
    answer: str
    prediction: str


def write_predictions(folder: Path, predictions: Sequence[Prediction]) -> None:
    """Write `predictions.parquet`, sorted by question id."""
    import pyarrow as pa

    rows = sorted(predictions, key=lambda row: row.question_id)
    columns = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    schema = pa.schema([(name, pa.string()) for name in _NAMES])
    write_table(folder / PREDICTIONS_FILE, "predictions", VERSION, columns, schema)


def read_predictions(folder: Path) -> list[Prediction]:
    """Predictions of an arm, sorted by question id; `ContractError` when unreadable."""
    columns = read_table(folder / PREDICTIONS_FILE, "predictions", VERSION, _NAMES)
    return [Prediction(*row) for row in zip(*(columns[name] for name in _NAMES), strict=True)]
