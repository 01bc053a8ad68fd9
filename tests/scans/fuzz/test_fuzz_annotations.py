"""Damaged meshes, annotations and scan texts raise `ScanError` or are read: nothing else, in little memory.

The damage is made with knowledge of the formats: bytes of binary parts, words of headers and lines, values of
JSON trees. A longer run of the same targets is a matter of a fuzzer.
"""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets_annotations import TARGETS

from damaged import changed_trees

SEEDS = [(name, seed) for name, (_, seeds) in TARGETS.items() for seed in seeds]
WORDS = [
    *(
        "0",
        "-1",
        "3",
        "255",
        "256",
        "65536",
        "2147483648",
        "99999999999999",
        "9" * 5000,
        "1e999",
        "nan",
        "inf",
        "0.5",
    ),
    *(
        "vertex",
        "face",
        "list",
        "property",
        "element",
        "uchar",
        "int",
        "float",
        "double",
        "label",
        "x",
        "end_header",
    ),
    *(
        "ascii",
        "binary_big_endian",
        "binary_little_endian",
        "format",
        "comment",
        "=",
        "axisAlignment",
        "",
        "\u00e9",
    ),
]
BYTES = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def call(name: str, data: bytes) -> None:
    """The target, within 20 MB."""
    tracemalloc.start()
    try:
        TARGETS[name][0](data)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_seeds_are_valid(name: str, seed: bytes) -> None:
    call(name, seed)


@BYTES
@given(st.sampled_from(SEEDS), st.data())
def test_bytes_changed_cut_and_doubled(seed: tuple[str, bytes], data: st.DataObject) -> None:
    name, changed = seed[0], bytearray(seed[1])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        end = data.draw(st.integers(at, min(at + 12, len(changed))))
        changed[at:end] = data.draw(st.binary(max_size=6) | st.just(bytes(changed[at:end]) * 2))
    call(name, bytes(changed[: data.draw(st.just(len(changed)) | st.integers(0, len(changed)))]))


@BYTES
@given(st.sampled_from([s for s in SEEDS if s[0] in ("ply", "scan_txt")]), st.data())
def test_words_changed(seed: tuple[str, bytes], data: st.DataObject) -> None:
    """Header lines and lines of numbers with a word, or a line, more, fewer or another."""
    name, whole = seed
    head, end, body = whole.partition(b"end_header")
    lines = [line.split(b" ") for line in head.split(b"\n")]
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(0, len(lines) - 1))
        line, word = lines[row], data.draw(st.sampled_from(WORDS)).encode()
        at = data.draw(st.integers(0, len(line) - 1))
        match data.draw(st.integers(0, 4)):
            case 0:
                line[at] = word
            case 1:
                line.insert(at, word)
            case 2:
                lines.insert(row, list(line))
            case 3 if len(lines) > 1:
                lines.pop(row)
            case _:
                lines[row] = [word]
    call(name, b"\n".join(b" ".join(line) for line in lines) + end + body)


@BYTES
@given(st.sampled_from([s for s in SEEDS if s[0] in ("segments", "aggregation", "attributes")]), st.data())
def test_values_changed(seed: tuple[str, bytes], data: st.DataObject) -> None:
    """JSON trees with a value that is another, gone, or there twice."""
    name, tree = seed[0], json.loads(seed[1])
    call(name, json.dumps(data.draw(changed_trees(tree))).encode("utf-8", "surrogatepass"))
