"""A PyTorch without CUDA that takes "cuda" for a device it has: what autograd asks before it computes on one.

PyTorch has no way to say so from Python, so two tables of its are changed in memory. They are found by their
exported names, and the places in them by the headers that come with PyTorch.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

import torch

_HOME = Path(torch.__file__).parent
_TRUE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(lambda _: 1)
_ZERO = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(lambda _: 0)
_kept: list[Any] = []


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


def give_streams() -> None:
    """What autograd asks for the device's streams: PyTorch's stand-in, taken where a guard counts no GPU."""
    c10 = ctypes.CDLL(str(_HOME / "lib/libc10.so"))
    guards = (ctypes.c_void_p * 2).in_dll(c10, "_ZN3c104impl26device_guard_impl_registryE")
    methods = (ctypes.c_void_p * 64)(*[_address(_ZERO)] * 64)
    counts_none = ctypes.c_void_p(ctypes.addressof(methods))
    guards[1] = ctypes.addressof(counts_none)
    torch._C._ensureCUDADeviceGuardSet()  # type: ignore[attr-defined]
    assert guards[1] != ctypes.addressof(counts_none)


def say_there_is_a_gpu() -> None:
    """PyTorch's answer to whether it has CUDA; autograd uses a device's streams only where it has."""
    names = ["destructor", "deleting destructor"]
    for part in ("Accelerator", "CUDA"):
        text = (_HOME / f"include/ATen/detail/{part}HooksInterface.h").read_text()
        for name in re.findall(
            r"^  (?:virtual )?[\w:<>*&, ]+?(~?\w+)\([^;{]*\)[\w ]*(?:{| = 0;)", text, re.M
        ):
            if name not in names and not name.startswith("~"):
                names.append(name)
    get = ctypes.CDLL(str(_HOME / "lib/libtorch_cpu.so"))._ZN2at6detail12getCUDAHooksEv
    get.restype = ctypes.c_void_p
    held = ctypes.c_void_p.from_address(get())
    table = (ctypes.c_void_p * len(names))(*(ctypes.c_void_p * len(names)).from_address(held.value or 0))
    for name in ("hasCUDA", "init", "isBuilt", "isAvailable", "hasPrimaryContext"):
        table[names.index(name)] = _address(_TRUE)
    _kept.append(table)
    held.value = ctypes.addressof(table)
    assert torch.accelerator.current_accelerator() == torch.device("cuda")
