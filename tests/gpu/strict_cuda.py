"""A pretended CUDA device over a CPU's memory, for finding tensors that were left on the CPU.

Loaded as a pytest plugin (`-p strict_cuda`) into a process of its own. `torch.device("cuda")` then names
plain tensors whose memory is the CPU's and whose device is a GPU's in everything that PyTorch asks: dispatch,
autograd, autocast, device checks. Every operation on them is computed by the CPU's kernel, after the check
that a GPU's kernel makes: all tensors on one device, but for single numbers and indices from the CPU. The
device draws its random numbers from a generator of its own. It shows nothing of what only a GPU can show:
its kernels' rounding and determinism, its memory and speed, more than one of it.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
#: Calls of each operation on the device.
calls: Counter[str] = Counter()

_AS_CPU = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
#: Only change what a tensor says of its memory: the CPU's own do that for any device.
_METADATA = {"as_strided", "view", "_reshape_alias", "unfold", "set_"}
#: Take one number from the CPU, as whatever is elementwise does.
_TAKES_NUMBERS = {
    "masked_fill", "masked_fill_", "fill", "fill_", "index_fill", "index_fill_", "where", "floor_divide",
}  # fmt: skip
_INDEXES = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
#: PyTorch's own of these asks for a GPU's kernel by another way than its dispatcher.
_DIRECT = ("copy_", "convolution", "convolution_backward")


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


def _allocated(count: int, dtype: torch.dtype) -> Tensor:
    """Numbers in memory of the device, in a row."""
    letter = dtype.itemsize * 8
    code = 5 if dtype.is_complex else 2 if dtype.is_floating_point else 0 if dtype.is_signed else 1
    code = {torch.bool: 6, torch.bfloat16: 4}.get(dtype, code)
    start = _C.aligned_alloc(64, _HEADER + -(-max(count * dtype.itemsize, 1) // 64) * 64)
    held = _Managed.from_address(start)
    held.data, held.device[0], held.device[1], held.dimensions = start + _HEADER, 2, 0, 1
    held.kind, held.offset, held.context = _Kind(code, letter, 1), 0, None
    held.size, held.stride = count, 1
    held.shape, held.strides = start + _Managed.size.offset, start + _Managed.stride.offset
    held.release = ctypes.cast(_C.free, ctypes.c_void_p)  # whoever lets go of the memory frees all of it
    return torch._C._from_dlpack(_capsule(start, b"dltensor", None))  # type: ignore[attr-defined]


def _strided(like: Tensor, row: Tensor) -> Tensor:
    return torch.ops.aten.as_strided.default.redispatch(_AS_CPU, row, like.shape, like.stride(), 0)


def _extent(tensor: Tensor) -> int:
    """Elements of memory from a tensor's first to its last."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))


def uploaded(tensor: Tensor) -> Tensor:
    """A copy of a CPU's tensor on the device."""
    made = _strided(tensor, _allocated(_extent(tensor), tensor.dtype))
    seen(made).copy_(tensor)
    return made


def seen(tensor: Tensor) -> Tensor:
    """The same memory as a tensor of the CPU."""
    storage = tensor.untyped_storage()
    pointed = torch._C._construct_storage_from_data_pointer(storage.data_ptr(), CPU, storage.nbytes())
    bare = torch.empty(0, dtype=tensor.dtype)
    bare.set_(pointed, tensor.storage_offset(), tensor.shape, tensor.stride())
    return bare


def _require_one_device(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    name = op._schema.name.removeprefix("aten::")
    if name == "copy_":
        return
    numbers = torch.Tag.pointwise in op.tags or name in _TAKES_NUMBERS
    for place, spec in enumerate(op._schema.arguments):
        given = kwargs.get(spec.name, args[place] if place < len(args) else None)
        if isinstance(given, torch.Generator) and given.device.type != "cuda":
            raise RuntimeError(f"{op}: expected a generator of the device, found one of the CPU")
        if name in _INDEXES and spec.name == "indices" and args[0].is_cuda:
            continue
        for tensor in tree_flatten(given)[0]:
            if not isinstance(tensor, Tensor) or tensor.is_cuda:
                continue
            written = spec.alias_info is not None and spec.alias_info.is_write
            if tensor.dim() or written or not (numbers or (name in _INDEXES and spec.name == "values")):
                raise RuntimeError(
                    f"{op}: expected all tensors to be on the same device, but `{spec.name}` of shape "
                    f"{tuple(tensor.shape)} is on {tensor.device}"
                )


def _on_device(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Any operation, with the CPU's kernel."""
    name = op._schema.name.removeprefix("aten::")
    calls[name] += 1
    if name in _METADATA:
        return op.redispatch(_AS_CPU, *args, **kwargs)
    _require_one_device(op, args, kwargs)
    specs = op._schema.arguments
    args = tuple(_number(spec, given) for spec, given in zip(specs, args, strict=False))
    kwargs = {spec.name: _number(spec, kwargs[spec.name]) for spec in specs if spec.name in kwargs}
    if "device" in kwargs:
        kwargs["device"] = CPU
    flat, form = tree_flatten((args, kwargs))
    inner = [_inside(op, x) for x in flat]
    before = [(x.shape, x.stride(), x.data_ptr()) if isinstance(x, Tensor) else None for x in inner]
    own_args, own_kwargs = tree_unflatten(inner, form)
    with _own_numbers() if torch.Tag.nondeterministic_seeded in op.tags else _nothing():
        found = op(*own_args, **own_kwargs)
    owners = {}
    for outer, mine, was in zip(flat, inner, before, strict=True):
        if isinstance(outer, Tensor):
            owners[id(mine)] = outer
            if outer is not mine and (mine.shape, mine.stride(), mine.data_ptr()) != was:
                _replace(outer, mine)
    return tree_map(lambda x: owners.get(id(x)) if id(x) in owners else _wrapped(x), found)


def _number(spec: Any, given: Any) -> Any:
    """Numbers that a kernel takes as tensors come from the dispatcher as Python's."""
    if isinstance(given, bool | int | float) and isinstance(spec.type, torch.TensorType):
        return torch.tensor(given, dtype=torch.float64 if isinstance(given, float) else None)
    return given


def _inside(op: Any, given: Any) -> Any:
    """What the CPU's kernel gets: the same memory, or memory of its own for what it may resize."""
    if not isinstance(given, Tensor) or not given.is_cuda:
        return given
    resized = op._schema.name == "aten::resize_" or (op._schema.is_mutable and given.numel() == 0)
    return seen(given).clone() if resized else seen(given)


def _wrapped(result: Any) -> Any:
    return uploaded(result) if isinstance(result, Tensor) else result


def _replace(outer: Tensor, mine: Tensor) -> None:
    """Give a tensor that was resized its new memory."""
    new = uploaded(mine)
    torch.ops.aten.set_.source_Storage_storage_offset.redispatch(
        _AS_CPU, outer, new.untyped_storage(), 0, new.shape, new.stride()
    )


_numbers = torch.Generator().manual_seed(0)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _own_numbers() -> Iterator[None]:
    """Random numbers from the device's generator, and the CPU's left as it is."""
    kept = torch.default_generator.get_state()
    torch.default_generator.set_state(_numbers.get_state())
    try:
        yield
    finally:
        _numbers.set_state(torch.default_generator.get_state())
        torch.default_generator.set_state(kept)


def _state(*_: Any) -> Tensor:
    return _numbers.get_state()


def _set_state(state: Tensor, *_: Any) -> None:
    _numbers.set_state(state)


def _seed(seed: int) -> None:
    _numbers.manual_seed(seed)


_ANSWERS: dict[str, Any] = {
    "_lazy_init": lambda: None, "is_initialized": lambda: True, "_is_in_bad_fork": lambda: False,
    "is_available": lambda: True, "device_count": lambda: 1, "current_device": lambda: 0,
    "set_device": lambda device: None, "_exchange_device": lambda index: 0,
    "_maybe_exchange_device": lambda index: 0, "synchronize": lambda device=None: None,
    "is_bf16_supported": lambda including_emulation=True: True, "empty_cache": lambda: None,
    "get_device_name": lambda device=None: "a CPU", "get_device_capability": lambda device=None: (8, 0),
    "manual_seed": _seed, "manual_seed_all": _seed, "get_rng_state": _state, "set_rng_state": _set_state,
    "get_rng_state_all": lambda: [_state()], "set_rng_state_all": lambda states: _set_state(states[0]),
}  # fmt: skip


_TRUE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(lambda _: 1)
_ZERO = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(lambda _: 0)
_kept: list[Any] = []


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


def _guard() -> None:
    """What autograd asks for the device's streams: PyTorch's stand-in, taken where a guard counts no GPU."""
    c10 = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    guards = (ctypes.c_void_p * 2).in_dll(c10, "_ZN3c104impl26device_guard_impl_registryE")
    methods = (ctypes.c_void_p * 64)(*[_address(_ZERO)] * 64)
    counts_none = ctypes.c_void_p(ctypes.addressof(methods))
    guards[1] = ctypes.addressof(counts_none)
    torch._C._ensureCUDADeviceGuardSet()  # type: ignore[attr-defined]
    assert guards[1] != ctypes.addressof(counts_none)


def _there_is_a_gpu() -> None:
    """PyTorch's answer to whether it has CUDA; autograd uses a device's streams only where it has."""
    home = Path(torch.__file__).parent
    names = ["destructor", "deleting destructor"]
    for part in ("Accelerator", "CUDA"):
        text = (home / f"include/ATen/detail/{part}HooksInterface.h").read_text()
        for name in re.findall(
            r"^  (?:virtual )?[\w:<>*&, ]+?(~?\w+)\([^;{]*\)[\w ]*(?:{| = 0;)", text, re.M
        ):
            if name not in names and not name.startswith("~"):
                names.append(name)
    get = ctypes.CDLL(str(home / "lib/libtorch_cpu.so"))._ZN2at6detail12getCUDAHooksEv
    get.restype = ctypes.c_void_p
    held = ctypes.c_void_p.from_address(get())
    table = (ctypes.c_void_p * len(names))(*(ctypes.c_void_p * len(names)).from_address(held.value or 0))
    for name in ("hasCUDA", "init", "isBuilt", "isAvailable", "hasPrimaryContext"):
        table[names.index(name)] = _address(_TRUE)
    _kept.append(table)
    held.value = ctypes.addressof(table)
    assert torch.accelerator.current_accelerator() == torch.device("cuda")


def start() -> tuple[Any, Any]:
    """Make the device; for the rest of the process, and before its first backward pass."""
    _guard()
    _there_is_a_gpu()
    for name, answer in _ANSWERS.items():
        setattr(torch.cuda, name, answer)
    everything, some = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    everything.fallback(_on_device, "CUDA")
    for name in _DIRECT:
        op = getattr(torch.ops.aten, name).default
        some.impl(name, lambda *args, _op=op, **kwargs: _on_device(_op, *args, **kwargs), "CUDA")
    return everything, some


if not torch.cuda.is_available():
    _libraries = start()
