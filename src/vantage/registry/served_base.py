"""The base of a packaged vision-language model: its files, or its name on the hub and what it has to be."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from vantage.core import atomic
from vantage.core.errors import ContractError, ResourceError
from vantage.core.hashing import digest_json
from vantage.models.loading.load import base_fingerprint, base_folder, weight_files
from vantage.models.loading.nvila import PARTS
from vantage.models.model_files import MODEL_FILES
from vantage.records.jsonfile import read_json_record, validated

RECORD, VERSION = "served_base", 1
SERVED_FILE = "served.json"


@dataclass(frozen=True)
class ServedBase:
    """What a packaged model is loaded from, and how it is asked.

    Attributes:
        base: its name on the hub, or `local`: the files beside this record.
        revision: the hub's commit; empty for `local`.
        fingerprint: of configuration and weights.
        weights: precision that they are held in.
        max_new_tokens: of an answer.
        tokens: of a batch at most, prompts with their padding and answers.
    """

    base: str
    revision: str
    fingerprint: str
    weights: Literal["float32", "bfloat16"] = "float32"
    max_new_tokens: int = 32
    tokens: int = 16384

    @property
    def digest(self) -> str:
        """Of what its answers depend on: the same base from a folder or from the hub is the same."""
        return digest_json([self.fingerprint, self.weights, self.max_new_tokens])

    def write(self, folder: Path) -> None:
        """Write `served.json`."""
        atomic.write_json(folder / SERVED_FILE, {"record": RECORD, "version": VERSION, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> ServedBase:
        """From `served.json`; `ContractError` for a damaged one."""
        value = read_json_record(folder / SERVED_FILE, RECORD, VERSION)
        fields = {key: one for key, one in value.items() if key not in ("record", "version")}
        message = "not the base of a packaged model"
        found = validated(cls, fields, message, folder / SERVED_FILE)
        if not found.base or min(found.max_new_tokens, found.tokens) < 1:
            raise ContractError(
                message, where=folder / SERVED_FILE, expected="a name, and numbers above 0", found=found
            )
        return found

    def folder(self, beside: Path) -> Path:
        """Where its files are: `beside` the record, or in the hub's cache, where nothing is downloaded to.

        Raises:
            ResourceError: the cache does not hold it.
            ContractError: what is there is another model, or damaged.
        """
        found = beside if self.base == "local" else self._cached()
        fingerprint = base_fingerprint(found)
        if fingerprint != self.fingerprint:
            raise ContractError(
                "the base is not the one that the model was packaged with", where=found,
                expected=f"{self.base} {self.revision} ({self.fingerprint[:12]})", found=fingerprint[:12],
                hint="download it again",
            )  # fmt: skip
        return found

    def _cached(self) -> Path:
        from huggingface_hub import snapshot_download

        try:
            found = snapshot_download(
                self.base, revision=self.revision, allow_patterns=list(MODEL_FILES), local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise ResourceError(
                "the base model is not in the hub's cache", where=self.base,
                expected=f"revision {self.revision}", found=str(error).splitlines()[0],
                hint=f"download it once: hf download {self.base} --revision {self.revision}",
            ) from error  # fmt: skip
        return Path(found)


def identified(base: str, revision: str | None) -> tuple[Path, str, str, str]:
    """Folder, name (`local` for a folder), commit and fingerprint of a base; raises as `base_folder` does."""
    folder, name, asked = base_folder(base, revision)
    if name != "local" and folder.parent.name == "snapshots":
        asked = folder.name
    return folder, name, asked, base_fingerprint(folder)


def copy_model_files(source: Path, into: Path) -> None:
    """Copy a model's folder: weights, configuration, tokenizer, image processor; nothing else in it."""
    wanted = set(weight_files(source))
    for folder in (source, *(source / part for part in PARTS)):
        for pattern in MODEL_FILES:
            wanted |= {p for p in folder.glob(pattern) if p.is_file() and p.suffix != ".safetensors"}
    for file in sorted(wanted):
        place = into / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
