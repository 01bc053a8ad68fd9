"""Arrays in a file: they come back, and the file's bytes are the same from every Python."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from vantage.core.errors import ContractError
from vantage.records.arrays import map_arrays, write_arrays

ARRAYS = {
    "version": np.array(1, np.int64),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "every_other": np.arange(10, dtype=np.int32)[::2],
    "valid": np.array([[True], [False]]),
    "names": np.array(["25.txt", "3.txt"]),
    "none": np.zeros((0, 3)),
}


def test_arrays_come_back_bit_for_bit(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", ARRAYS)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        assert list(data) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert data[name].dtype == array.dtype
            np.testing.assert_array_equal(data[name], array, strict=True)


def test_the_bytes_are_those_that_other_pythons_write(tmp_path: Path) -> None:
    """Python 3.11.2, 3.11.7 and 3.12.1 gave this digest; `numpy.savez` gave 3.11.2 another one."""
    write_arrays(tmp_path / "a.npz", ARRAYS)
    digest = hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest()
    assert digest == "4fa46bd1b672935883f446cd482f7f5d6fde911989da1da2d12054a0f6736fe2"


def test_arrays_are_read_where_they_lie(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", ARRAYS)
    found = map_arrays(tmp_path / "a.npz", list(ARRAYS))
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert isinstance(found["transposed"], np.memmap) and not found["transposed"].flags.writeable


def test_what_cannot_be_read_in_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(ContractError, match="cannot be read"):
        map_arrays(path, ["valid"])
    np.savez_compressed(path, valid=np.ones(5))
    with pytest.raises(ContractError, match="compressed"):
        map_arrays(path, ["valid"])
    write_arrays(path, ARRAYS)
    with pytest.raises(ContractError, match="xyz"):
        map_arrays(path, ["xyz"])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ContractError, match="cannot be read"):
        map_arrays(path, ["valid"])
