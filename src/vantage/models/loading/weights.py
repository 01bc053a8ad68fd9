"""What a folder's safetensors hold, read from their headers, and whether all of it is there."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
_HINT = "download the model again"
_SAMPLE = 4096


@dataclass(frozen=True)
class Entry:
    """A tensor in a file: its name there, and where its bytes are."""

    file: Path
    name: str
    start: int
    end: int
    shape: tuple[int, ...]
    dtype: str


def entries(folder: Path) -> dict[str, Entry]:
    """Every tensor of a folder by name, sharded or not.

    Raises `ContractError`, naming file and tensor: no safetensors at all, a shard that is missing or cut
    short, a tensor that the index promises and its shard lacks.
    """
    index = folder / INDEX
    if not index.is_file():
        return _entries(_single(folder))
    promised = read_json(index).get("weight_map")
    if not isinstance(promised, dict):
        raise ContractError("not an index of weights", where=index, expected="weight_map", hint=_HINT)
    found: dict[str, Entry] = {}
    for name in sorted(set(map(str, promised.values()))):
        if Path(name).name != name:
            raise ContractError("a shard outside its folder", where=index, expected="a file name", found=name)
        found |= _entries(folder / name)
    for tensor, name in promised.items():
        if tensor not in found or found[tensor].file.name != name:
            raise ContractError(
                "a tensor is missing", where=folder / str(name), expected=f"{tensor}, as {INDEX} says",
                found=found[tensor].file.name if tensor in found else "nowhere", hint=_HINT,
            )  # fmt: skip
    return found


def fingerprint(config: bytes, tensors: Iterable[tuple[str, Entry]]) -> str:
    """A digest of a model: its configuration, and name, shape, type and first bytes of every tensor.

    It tells two trainings of one model apart and reads megabytes of a model of many gigabytes; it does not
    depend on the folder, nor on how the tensors are spread over files.
    """
    digest = hashlib.sha256(config)
    for name, entry in sorted(tensors, key=lambda item: item[0]):
        digest.update(f"{name} {entry.shape} {entry.dtype}".encode())
        with entry.file.open("rb") as stream:
            stream.seek(entry.start)
            digest.update(stream.read(min(_SAMPLE, entry.end - entry.start)))
    return digest.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises `ContractError` when the file is missing or holds something else.
    """
    if not path.is_file():
        raise ContractError("a model file is missing", where=path, hint=_HINT)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ContractError("not JSON", where=path, found=error, hint=_HINT) from error
    if not isinstance(value, dict):
        raise ContractError("not a JSON object", where=path, found=type(value).__name__, hint=_HINT)
    return value


def _single(folder: Path) -> Path:
    path = folder / SINGLE
    if not path.is_file():
        others = sorted(
            p.name for p in folder.glob("*") if p.suffix in {".bin", ".pt", ".pth", ".safetensors"}
        )
        raise ContractError(
            "no weights in safetensors", where=folder, expected=f"{SINGLE} or {INDEX}",
            found=", ".join(others) or "none",
            hint="pickled weights can run code and are never read; take the model's safetensors",
        )  # fmt: skip
    return path


def _entries(path: Path) -> dict[str, Entry]:
    """From a file's header: eight bytes of length, then JSON with offsets behind it."""
    if not path.is_file():
        raise ContractError("a shard is missing", where=path, hint=_HINT)
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if 8 + length > size:
            raise ContractError(
                "a file of weights is cut short", where=path, expected=f"a header of {length} bytes",
                found=f"{size} bytes in all", hint=_HINT,
            )  # fmt: skip
        try:
            header = json.loads(stream.read(length))
        except ValueError as error:
            raise ContractError("not safetensors", where=path, found=error, hint=_HINT) from error
    found = {}
    for name, value in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + int(offset) for offset in value["data_offsets"])
        if end > size:
            raise ContractError(
                "a file of weights is cut short", where=path, expected=f"{name} up to byte {end}",
                found=f"{size} bytes in all", hint=_HINT,
            )  # fmt: skip
        found[name] = Entry(path, name, start, end, tuple(value["shape"]), value["dtype"])
    return found
