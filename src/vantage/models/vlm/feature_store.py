"""Features of pictures on disk: a file for each, whole or not there, and never taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vantage.core import atomic
from vantage.core.errors import ResourceError
from vantage.models.state_file import digest_tensors

_FORMAT = "vantage features 1"


class FeatureStore:
    """Tensors by key, below one folder.

    A file is written beside its place and renamed, so that a kill leaves whole files only, and processes may
    share the folder: they write the same. Nothing is kept in memory; the operating system keeps what it has
    room for.

    Args:
        folder: of the files.
        say: hears of files that are damaged.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda _line: None) -> None:
        self.folder = folder
        self._say = say

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of a key, on the CPU; None where there are none or the file is damaged."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                described = file.metadata() or {}
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (OSError, SafetensorError):
            described, found = {}, {}
        if described != {_FORMAT: digest_tensors(key, found)}:
            self._say(f"kept features are damaged, and are computed again: {path.name}")
            return None
        return found

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep the tensors of a key; `ResourceError` where they cannot be written."""
        path = self._path(key)
        own = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        described = {_FORMAT: digest_tensors(key, own)}  # one entry: several would be written in any order
        try:
            with atomic.writing(path) as beside:
                save_file(own, beside, described)
        except (OSError, SafetensorError) as error:
            size = sum(value.nbytes for value in own.values())
            raise ResourceError(
                "features of a picture could not be written", where=path, found=error,
                hint=f"free space ({size / 1e6:.1f} MB a picture), or set cache_features to false",
            ) from error  # fmt: skip

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"
