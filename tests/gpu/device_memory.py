"""Memory of the pretended device: the CPU's, in tensors that say they lie on a GPU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

AS_CPU = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
"""By the CPU's kernel: those that only change what a tensor says of its memory do so for any device."""


class _Kind(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Managed(ctypes.Structure):
    """DLPack's description of a tensor, its one size behind it, in one piece of memory with the numbers."""

    _fields_ = [
        ("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2), ("dimensions", ctypes.c_int32),
        ("kind", _Kind), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
        ("offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p), ("release", ctypes.c_void_p), ("size", ctypes.c_int64),
        ("stride", ctypes.c_int64),
    ]  # fmt: skip


_C = ctypes.CDLL(None)
_C.aligned_alloc.restype, _C.aligned_alloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t, ctypes.c_size_t)
_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_HEADER = 192


def allocated(count: int, dtype: torch.dtype) -> Tensor:
    """Numbers in memory of the device, in a row."""
    code = 5 if dtype.is_complex else 2 if dtype.is_floating_point else 0 if dtype.is_signed else 1
    code = {torch.bool: 6, torch.bfloat16: 4}.get(dtype, code)
    start = _C.aligned_alloc(64, _HEADER + -(-max(count * dtype.itemsize, 1) // 64) * 64)
    held = _Managed.from_address(start)
    held.data, held.device[0], held.device[1], held.dimensions = start + _HEADER, 2, 0, 1
    held.kind, held.offset, held.context = _Kind(code, dtype.itemsize * 8, 1), 0, None
    held.size, held.stride = count, 1
    held.shape, held.strides = start + _Managed.size.offset, start + _Managed.stride.offset
    held.release = ctypes.cast(_C.free, ctypes.c_void_p)  # whoever lets go of the memory frees all of it
    return torch._C._from_dlpack(_capsule(start, b"dltensor", None))  # type: ignore[attr-defined]


def strided(shape: Sequence[int], strides: Sequence[int], row: Tensor) -> Tensor:
    return torch.ops.aten.as_strided.default.redispatch(AS_CPU, row, shape, strides, 0)


def extent(shape: Sequence[int], strides: Sequence[int]) -> int:
    """Elements of memory from a tensor's first to its last."""
    return 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if 0 not in shape else 0


def uploaded(tensor: Tensor) -> Tensor:
    """A copy of a CPU's tensor on the device."""
    shape, strides = tensor.shape, tensor.stride()
    made = strided(shape, strides, allocated(extent(shape, strides), tensor.dtype))
    seen(made).copy_(tensor)
    return made


def seen(tensor: Tensor) -> Tensor:
    """The same memory as a tensor of the CPU."""
    storage = tensor.untyped_storage()
    start, size = storage.data_ptr(), storage.nbytes()
    pointed = torch._C._construct_storage_from_data_pointer(start, torch.device("cpu"), size)
    bare = torch.empty(0, dtype=tensor.dtype)
    bare.set_(pointed, tensor.storage_offset(), tensor.shape, tensor.stride())
    return bare
