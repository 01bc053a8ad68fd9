"""Contracts on whole tables, over the items of a stage together: what no item can see by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.records.predictions import PREDICTIONS_FILE
from vantage.records.questions import QUESTIONS_FILE

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl

Cases = list[dict[str, Any]]


def broken_rows(contract: str, folder: Path, items: Sequence[str]) -> Cases:
    """Failure cases of a contract over all items of an output folder; empty when it holds or has none.

    Args:
        contract: the contract's name in `dvc.yaml`.
        folder: the stage's output.
        items: its finished items.
    """
    if contract not in TABLES or not items:
        return []
    import polars as pl
    from pandera.errors import SchemaErrors

    file, schema = TABLES[contract]
    frames = [
        pl.read_parquet(folder / item / file).with_columns(pl.lit(item).alias("item")) for item in items
    ]
    try:
        # Eager: pandera checks no values of a lazy frame.
        schema().validate(pl.concat(frames), lazy=True)
    except SchemaErrors as error:
        return [_case(row) for row in error.failure_cases.to_dicts()]
    return []


def _case(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if row.get(name) is None else str(row[name])
        for name in ("check", "column", "failure_case")
    }


def _questions() -> pa.DataFrameSchema:
    import pandera.polars as pa

    return pa.DataFrameSchema(
        {
            "question_id": pa.Column(str, unique=True),
            "scan_id": pa.Column(str, pa.Check.str_matches(r"^[^/\\]+$")),
            "room_id": pa.Column(str),
            "split": pa.Column(str, pa.Check.isin(["train", "heldout"])),
            "question": pa.Column(str, pa.Check.str_matches(r"^[a-z0-9' -]+\?$")),
            "answer": pa.Column(str, pa.Check.str_matches(r"^[a-z0-9-]+$")),
        },
        checks=[
            pa.Check(_of_its_item, name="each table holds its own scan"),
            pa.Check(_one_split, name="a room is in one split"),
        ],
    )


def _predictions() -> pa.DataFrameSchema:
    import pandera.polars as pa

    return pa.DataFrameSchema(
        {"question_id": pa.Column(str), "item": pa.Column(str), "prediction": pa.Column(str)},
        unique=["item", "question_id"],
        checks=[pa.Check(_same_questions, name="every arm answers the same questions")],
    )


def _of_its_item(data: Any) -> pl.LazyFrame:
    import polars as pl

    held: pl.LazyFrame = data.lazyframe.select(pl.col("scan_id") == pl.col("item"))
    return held


def _one_split(data: Any) -> pl.LazyFrame:
    import polars as pl

    held: pl.LazyFrame = data.lazyframe.select(pl.col("split").n_unique().over("room_id") == 1)
    return held


def _same_questions(data: Any) -> pl.LazyFrame:
    import polars as pl

    arms = pl.col("item").n_unique()
    held: pl.LazyFrame = data.lazyframe.select(pl.col("item").n_unique().over("question_id") == arms)
    return held


TABLES: Mapping[str, tuple[str, Callable[[], pa.DataFrameSchema]]] = {
    "questions": (QUESTIONS_FILE, _questions),
    "predictions": (PREDICTIONS_FILE, _predictions),
}
"""Contract name to the file of an item and the schema of all of them together."""
