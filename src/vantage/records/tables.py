"""Parquet tables with a record name and version inside, written with the same bytes for the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError


def write_table(path: Path, record: str, version: int, columns: Mapping[str, Any], schema: Any) -> None:
    """Write columns as Parquet.

    Args:
        path: the file to write.
        record: the record's name, kept in the file ("frames").
        version: the record's version.
        columns: column name to sequence, in the schema's order.
        schema: a `pyarrow.Schema`; a missing or extra column is an error.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if list(columns) != schema.names:
        raise ContractError(
            f"columns of record {record} do not match its schema",
            where=path,
            expected=schema.names,
            found=list(columns),
        )
    arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
    table = pa.Table.from_arrays(arrays, schema=schema)
    table = table.replace_schema_metadata({"vantage.record": record, "vantage.version": str(version)})
    pq.write_table(table, path, compression="zstd", store_schema=True)


def read_table(path: Path, record: str, version: int, names: Sequence[str]) -> dict[str, list[Any]]:
    """Read a table of a given record and version into columns of Python values.

    Raises:
        ContractError: the file is missing, unreadable, another record, another version, or lacks columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise ContractError(f"the {record} table is missing", where=path, hint="run the stage that writes it")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ContractError(f"the {record} table cannot be read", where=path, found=error) from error
    meta = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    found = (meta.get("vantage.record"), meta.get("vantage.version"))
    if found != (record, str(version)):
        raise ContractError(
            "another record or version",
            where=path,
            expected=f"{record} version {version}",
            found=f"{found[0]} version {found[1]}",
            hint="run the stage that writes it again",
        )
    if missing := [name for name in names if name not in table.column_names]:
        raise ContractError(
            f"the {record} table lacks columns", where=path, expected=list(names), found=missing
        )
    return {name: table.column(name).to_pylist() for name in names}
