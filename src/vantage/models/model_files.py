"""Which files make a model's folder, and a digest of them: found without loading anything."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_file, digest_json
from vantage.core.memo import Memo
from vantage.models.config import BaseConfig

MODEL_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""What of a model's folder is read."""

RECIPE_FILE = "recipe.json"
"""What a pocket model's folder has and no other: how its base was made."""

SHIPPED_BASE = Path(__file__).with_name("pocket_base")
"""The base that comes with the package."""


def is_pocket(base: str) -> bool:
    """Whether a base is a pocket model: the shipped one, or a folder that describes one."""
    return base == "shipped" or (Path(base) / RECIPE_FILE).is_file()


@runtime_checkable
class Based(Protocol):
    """A configuration that names a base."""

    @property
    def base(self) -> BaseConfig:
        """Which."""


def base_identity(config: Based, _item: str, memo: Memo) -> str:
    """What a base is, wherever it lies: a digest of all that is read of it; of the hub's, name and revision.

    Files are read again when the size or the time of one has changed. Raises `ParameterError` for one that
    cannot be read.
    """
    base = config.base
    folder = SHIPPED_BASE if base.model == "shipped" else Path(base.model)
    if not folder.is_dir():
        return f"{base.model}@{base.revision or 'main'}"
    files = _files(folder)
    state = [[str(p.absolute()), p.stat().st_size, p.stat().st_mtime_ns] for p in files]

    def digest() -> str:
        return f"sha256:{digest_json({p.relative_to(folder).as_posix(): digest_file(p) for p in files})}"

    try:
        return memo.get("base", digest_json(state), digest)
    except OSError as error:
        raise ParameterError("cannot read the base", where=base.model, found=error) from error


def _files(folder: Path) -> list[Path]:
    """Those of the folder and of the parts in it (NVILA keeps its models apart)."""
    found = (path for pattern in MODEL_FILES for depth in ("", "*/") for path in folder.glob(depth + pattern))
    return sorted({path for path in found if path.is_file()})
