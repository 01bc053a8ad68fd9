"""A table with pictures among a run's files, in the form that MLflow's pages show.

MLflow's own `log_table` reads the table that is there back and appends, so that a run that goes on after a
kill would double it; it also wants pandas.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vantage.core.errors import ResourceError

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOGGED_TAG = "mlflow.loggedArtifacts"

Cell = str | int | float


@dataclass(frozen=True)
class LiveTable:
    """A table that is to be sent; `path` and pictures as in `vantage.core.tracking.OpenRun.table`."""

    path: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    pictures: Mapping[str, Path]

    def send(self, client: MlflowClient, run_id: str, sent: set[Path]) -> None:
        """Write table and pictures over those of an earlier call; pictures in `sent` are there already.

        Raises `ResourceError` whatever goes wrong: the clients of artifact stores have errors of their own.
        """
        try:
            self._send(client, run_id, sent)
        except Exception as error:
            raise ResourceError("a table cannot be sent", where=self.path, found=error) from error

    def _send(self, client: MlflowClient, run_id: str, sent: set[Path]) -> None:
        at = PurePosixPath(self.path)
        for file in sorted(set(self.pictures.values()) - sent):
            client.log_artifact(run_id, str(file), str(at.parent))
            sent.add(file)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / at.name
            made.write_text(self._text(at.parent), encoding="utf-8")
            client.log_artifact(run_id, str(made), str(at.parent))
        logged = json.loads(client.get_run(run_id).data.tags.get(LOGGED_TAG, "[]"))
        if (entry := {"path": self.path, "type": "table"}) not in logged:
            client.set_tag(run_id, LOGGED_TAG, json.dumps([*logged, entry]))

    def _text(self, folder: PurePosixPath) -> str:
        """As pandas writes `orient="split"` without an index."""
        rows = [[self._cell(cell, folder) for cell in row] for row in self.rows]
        return json.dumps({"columns": list(self.columns), "data": rows}, ensure_ascii=False)

    def _cell(self, cell: Cell, folder: PurePosixPath) -> Cell | dict[str, str]:
        if not isinstance(cell, str) or cell not in self.pictures:
            return cell
        path = str(folder / self.pictures[cell].name)
        return {"type": "image", "filepath": path, "compressed_filepath": path}
