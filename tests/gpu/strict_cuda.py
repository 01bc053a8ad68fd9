"""A pretended CUDA device over a CPU's memory, for finding tensors that were left on the CPU.

Loaded as a pytest plugin (`-p strict_cuda`) into a process of its own. `torch.device("cuda")` then names
plain tensors whose memory is the CPU's and whose device is a GPU's in everything that PyTorch asks: dispatch,
autograd, autocast, device checks. Every operation on them is computed by the CPU's kernel, after the check
that a GPU's kernel makes: all tensors on one device, but for single numbers and indices from the CPU. The
device draws its random numbers from a generator of its own. It shows nothing of what only a GPU can show:
its kernels' rounding and determinism, its memory and speed, more than one of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import torch
from cuda_by_name import give_streams, say_there_is_a_gpu
from device_memory import AS_CPU, allocated, extent, seen, strided, uploaded
from torch import Tensor

#: Calls of each operation on the device.
calls: Counter[str] = Counter()

#: Only change what a tensor says of its memory: the CPU's own do that for any device.
_METADATA = {"as_strided", "view", "_reshape_alias", "unfold", "set_"}
#: Take one number from the CPU, as whatever is elementwise does.
_TAKES_NUMBERS = {
    "masked_fill", "masked_fill_", "fill", "fill_", "index_fill", "index_fill_", "where", "floor_divide",
}  # fmt: skip
_INDEXES = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
#: PyTorch's own of these asks for a GPU's kernel by another way than its dispatcher.
_DIRECT = ("copy_.default", "convolution.default", "convolution_backward.default", "index.Tensor")


class _Facts(NamedTuple):
    """Of an operation: arguments in order as (name, whether it is a tensor, whether it is written)."""

    name: str
    arguments: tuple[tuple[str, bool, bool], ...]
    mutable: bool
    random: bool
    numbers: bool


@cache
def _facts(op: Any) -> _Facts:
    schema, name = op._schema, op._schema.name.removeprefix("aten::")
    arguments = tuple(
        (
            one.name,
            isinstance(one.type, torch.TensorType),
            one.alias_info is not None and one.alias_info.is_write,
        )
        for one in schema.arguments
    )
    random = torch.Tag.nondeterministic_seeded in op.tags
    numbers = torch.Tag.pointwise in op.tags or name in _TAKES_NUMBERS
    return _Facts(name, arguments, schema.is_mutable, random, numbers)


def _refuse_others(op: Any, facts: _Facts, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse as a GPU's kernel the CPU's tensors, but for indices, and single numbers where it takes them."""
    for place, (name, _, written) in enumerate(facts.arguments):
        given = kwargs.get(name) if place >= len(args) else args[place]
        if name == "generator" and given is not None and given.device.type != "cuda":
            raise RuntimeError(f"{op}: expected a generator of the device, found one of the CPU")
        indexes = facts.name in _INDEXES
        if indexes and name == "indices" and args[0].is_cuda:
            continue
        for tensor in given if isinstance(given, list | tuple) else (given,):
            if not isinstance(tensor, Tensor) or tensor.is_cuda:
                continue
            if tensor.dim() or written or not (facts.numbers or (indexes and name == "values")):
                raise RuntimeError(
                    f"{op}: expected all tensors to be on the same device, but `{name}` of shape "
                    f"{tuple(tensor.shape)} is on {tensor.device}"
                )


def _on_device(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Any operation, with the CPU's kernel."""
    facts = _facts(op)
    name = facts.name
    calls[name] += 1
    if name in _METADATA:
        return op.redispatch(AS_CPU, *args, **kwargs)
    if name == "empty_strided":
        return strided(args[0], args[1], allocated(extent(args[0], args[1]), kwargs["dtype"]))
    if name != "copy_":
        _refuse_others(op, facts, args, kwargs)
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    owners: dict[int, Tensor] = {}
    resizes = name == "resize_"

    def inside(given: Any, tensor_wanted: bool = False) -> Any:
        """The same memory on the CPU, or memory of its own for what may be resized."""
        if isinstance(given, Tensor):
            if not given.is_cuda:
                own = given
            elif facts.mutable and (resizes or given.numel() == 0):
                own = seen(given).clone()
            else:
                own = seen(given)
            owners[id(own)] = given
            return own
        if isinstance(given, list | tuple):
            return [inside(one) for one in given]
        if tensor_wanted and isinstance(given, int | float):  # the dispatcher makes Python's of them
            return torch.tensor(given, dtype=torch.float64 if isinstance(given, float) else None)
        return given

    inner = [inside(given, tensor) for given, (_, tensor, _) in zip(args, facts.arguments, strict=False)]
    named = {key: inside(given) for key, given in kwargs.items()}
    mine = [one for one in (*inner, *named.values()) if id(one) in owners] if facts.mutable else []
    before = [(one.shape, one.stride(), one.data_ptr()) for one in mine]
    with _own_numbers() if facts.random else nullcontext():
        found = op(*inner, **named)
    for one, was in zip(mine, before, strict=True):
        if owners[id(one)] is not one and (one.shape, one.stride(), one.data_ptr()) != was:
            _replace(owners[id(one)], one)

    def outside(result: Any) -> Any:
        if isinstance(result, list | tuple):
            return [outside(one) for one in result]
        if not isinstance(result, Tensor):
            return result
        return owners[id(result)] if id(result) in owners else uploaded(result)

    return tuple(outside(found)) if isinstance(found, tuple) else outside(found)


def _replace(outer: Tensor, mine: Tensor) -> None:
    """Give a tensor that was resized its new memory."""
    new = uploaded(mine)
    torch.ops.aten.set_.source_Storage_storage_offset.redispatch(
        AS_CPU, outer, new.untyped_storage(), 0, new.shape, new.stride()
    )


_numbers = torch.Generator().manual_seed(0)


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


def start() -> tuple[Any, Any]:
    """Make the device; for the rest of the process, and before its first backward pass."""
    give_streams()
    say_there_is_a_gpu()
    for name, answer in _ANSWERS.items():
        setattr(torch.cuda, name, answer)
    everything, some = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    everything.fallback(_on_device, "CUDA")
    for name in _DIRECT:
        packet, _, overload = name.partition(".")
        op = getattr(getattr(torch.ops.aten, packet), overload)
        key = name.removesuffix(".default")
        some.impl(key, lambda *args, _op=op, **kwargs: _on_device(_op, *args, **kwargs), "CUDA")
    return everything, some


if not torch.cuda.is_available():
    _libraries = start()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """What a test does on the CPU it does without this plugin."""
    params = {one: getattr(getattr(one, "callspec", None), "params", {}) for one in items}
    items[:] = [one for one in items if "cuda" in params[one].values()]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How much was computed on the device."""
    terminalreporter.write_line(f"{calls.total()} operations on the device, {len(calls)} of them different")
