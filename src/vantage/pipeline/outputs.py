"""A stage's output folder as others see it: its index, its digest, and whether its items match them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from vantage.core import atomic
from vantage.core.errors import ContractError
from vantage.core.hashing import digest_file, digest_files, digest_json
from vantage.pipeline.graph import Stage
from vantage.pipeline.store import StoredFile, describe, intact
from vantage.pipeline.workspace import Workspace
from vantage.records.index import IndexRow, read_index


@dataclass(frozen=True)
class Output:
    """An assembled output folder.

    Attributes:
        folder: where it lies.
        rows: its index.
        digest: digest of the index and of the files beside it.
    """

    folder: Path
    rows: tuple[IndexRow, ...]
    digest: str

    @property
    def done(self) -> Mapping[str, str]:
        """Digests of the finished items, by name."""
        return {row.item: row.digest for row in self.rows if row.status == "done"}

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Reasons of the items set aside, by name."""
        return {row.item: row.reason for row in self.rows if row.status == "set_aside"}


def read_output(workspace: Workspace, stage: Stage) -> Output:
    """The output of a stage; `ContractError` if it is not there."""
    folder = workspace.root / stage.out
    if not folder.is_dir():
        raise ContractError(
            f"the output of stage {stage.name} is missing",
            where=stage.out,
            hint=f"`dvc repro {stage.name}` makes it and all it needs, `vantage run {stage.name}` it alone",
        )
    return describe_output(folder)


def describe_output(folder: Path) -> Output:
    """Index and digest of an assembled folder."""
    rows = tuple(read_index(folder))
    beside = {path.name: digest_file(path) for path in sorted(folder.iterdir()) if path.is_file()}
    return Output(folder, rows, digest_json(beside))


class Verifier:
    """Tells whether the items of an output folder are what the index says, reading only what changed.

    Args:
        workspace: where sizes and times of verified files are remembered.
        stage: the stage whose output it is.
    """

    def __init__(self, workspace: Workspace, stage: Stage) -> None:
        self._path = workspace.private / "verified" / f"{stage.name}.json"
        self._stage = stage
        self._known = self._load()

    def check(self, output: Output, items: Iterable[str]) -> None:
        """Raise `ContractError` if an item's folder is not what its digest says."""
        changed = False
        for item in items:
            digest = output.done[item]
            known = self._known.get(item)
            if known is not None and known[0] == digest and intact(output.folder / item, known[1]):
                continue
            files = describe(output.folder / item) if (output.folder / item).is_dir() else {}
            found = digest_files({name: file.sha256 for name, file in files.items()})
            if found != digest:
                raise ContractError(
                    f"the output of stage {self._stage.name} was changed by hand",
                    where=f"{self._stage.out}/{item}",
                    expected=f"content {digest[:12]} as in its index",
                    found=found[:12] if files else "nothing",
                    hint=f"`vantage run {self._stage.name}` puts it right",
                )
            self._known[item] = (digest, files)
            changed = True
        if changed:
            self._save()

    def remember(self, items: Mapping[str, tuple[str, Mapping[str, StoredFile]]]) -> None:
        """Note items that were just assembled from verified files."""
        self._known = {item: (digest, dict(files)) for item, (digest, files) in items.items()}
        self._save()

    def _load(self) -> dict[str, tuple[str, dict[str, StoredFile]]]:
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                item: (entry["digest"], {name: StoredFile(**file) for name, file in entry["files"].items()})
                for item, entry in value.items()
            }
        except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
            return {}

    def _save(self) -> None:
        value = {
            item: {"digest": digest, "files": {name: asdict(file) for name, file in files.items()}}
            for item, (digest, files) in self._known.items()
        }
        atomic.write_json(self._path, value)
