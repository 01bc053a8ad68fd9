"""Damaged input of every reader, a few seconds of it; `make fuzz` goes on for minutes, led by coverage."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import TARGETS

#: Numbers that break readers: at the edges of what their types hold.
EDGES = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
]

place = st.integers(0, 1 << 16)
mutation = st.one_of(
    st.tuples(st.just("flip"), place, st.integers(0, 7)),
    st.tuples(st.just("cut"), place, st.integers(1, 64)),
    st.tuples(st.just("double"), place, st.integers(1, 64)),
    st.tuples(st.just("number"), place, st.sampled_from(EDGES)),
    st.tuples(
        st.just("text"), place, st.sampled_from([b"-", b"nan", b"1e999", b"\xff", b"[[", b'"', b"\n", b"../"])
    ),
    st.tuples(st.just("end"), place, st.just(0)),
)


def mutated(data: bytes, changes: list[tuple[str, int, int | bytes]]) -> bytes:
    """The bytes after some changes, at places counted modulo the length."""
    out = bytearray(data)
    for kind, at, how in changes:
        at %= max(1, len(out))
        if kind == "flip" and out:
            out[at] ^= 1 << int(how)
        elif kind == "cut":
            del out[at : at + int(how)]
        elif kind == "double":
            out[at:at] = out[at : at + int(how)]
        elif kind == "number":
            packed = struct.pack("<Q", int(how))
            size = 8 if int(how) > 0xFFFFFFFF else 4
            out[at : at + size] = packed[:size]
        elif kind == "text":
            assert isinstance(how, bytes)
            out[at:at] = how
        else:
            del out[at:]
    return bytes(out)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=150)
@given(st.data())
def test_only_scan_errors_come_out(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    seed = data.draw(st.sampled_from(target.seeds))
    target.read(mutated(seed, data.draw(st.lists(mutation, min_size=1, max_size=6))))


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_read(name: str) -> None:
    target = TARGETS[name]
    assert target.seeds
    for seed in target.seeds:
        target.read(seed)
