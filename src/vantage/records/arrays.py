"""Arrays in one `.npz` file whose bytes depend on the arrays alone."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped

from vantage.core.errors import ContractError

_LOCAL_HEADER = 30
"""Bytes of a zip member's own header before its name, whose length and that of the rest stand at its end."""


def write_arrays(path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> None:
    """Write arrays uncompressed, under their names and in their order; `numpy.load` reads them.

    `numpy.savez` announces no sizes beforehand, and what zipfile then writes into the headers differs between
    Python 3.11.2 (Debian 12's) and 3.11.4 and later, so that the same scan would have two digests.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())


def map_arrays(path: Path, names: Sequence[str]) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Arrays of a file that `write_arrays` wrote, read from the disk where they are looked at.

    Of a large array a few rows then cost a few pages, not the file. The file must not change meanwhile.

    Raises:
        ContractError: the file is missing, not such a file, or lacks one of `names`.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            return {name: _mapped(path, file, archive.getinfo(f"{name}.npy")) for name in names}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ContractError(
            "arrays that cannot be read", where=path, expected=", ".join(names), found=error,
            hint="run the stage that writes it again",
        ) from error  # fmt: skip


def _mapped(path: Path, file: BinaryIO, member: zipfile.ZipInfo) -> Shaped[np.ndarray, "..."]:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    file.seek(lengths, os.SEEK_CUR)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"{member.filename} is of version {version} of numpy's format")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
    if kind.hasobject:
        raise ValueError(f"{member.filename} holds objects")
    if 0 in shape or not shape:  # what has no bytes, or but one value, cannot be mapped
        return np.fromfile(file, kind, int(np.prod(shape))).reshape(shape)
    start, order = file.tell(), "F" if fortran else "C"
    if start + kind.itemsize * math.prod(shape) > path.stat().st_size:
        raise ValueError(f"{member.filename} ends before its last value")
    return np.memmap(path, kind, "r", start, shape, order)  # type: ignore[call-overload, no-any-return]
