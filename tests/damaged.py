"""Damage of files from users: bytes, lines and values of JSON trees; how often is a matter of `examples`."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("VANTAGE_FUZZ", "1"))
"""How many times the examples of a quick run; more than 1 draws others each time."""

NUMBERS = [
    *(0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**13, 10**400),
    *(0.5, -0.0, 5e-324, 1e-300, 1e30, -1e154, 1e300, 1.7976931348623157e308),
    *(float("nan"), float("inf"), float("-inf")),
]
TEXTS = [
    *(
        "",
        " ",
        "0",
        "-1",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "9" * 5000,
        "\u00b2",
        "\u0664",
        "1\u00bd",
        "--5",
        "0x10",
    ),
    *("\ud800", "\x00", "\u2028", "\u202e", "a\nb", "[", "{}", "null", "../../etc", "A.", "(B)", "3 o'clock"),
    *("1-2", "[1]*9999999999", "{[]: 1}", "(" * 300, "1,000", "-" * 99, "<think>", "region " + "9" * 5000),
]
scalars = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.text(max_size=6)
values = st.recursive(
    scalars | st.floats() | st.integers(-3, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)
"""Anything that JSON can hold, and what breaks readers more often than most."""


def examples(quick: int) -> settings:
    """As many as a quick run can afford, the same each time; or `VANTAGE_FUZZ` times as many, and others."""
    return settings(
        max_examples=quick * TIMES,
        derandomize=TIMES == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON tree."""
    pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    inner = [place for _, item in pairs if isinstance(item, (dict, list)) for place in places(item)]
    return [(value, key) for key, _ in pairs] + inner


@st.composite
def changed_trees(draw: st.DrawFn, tree: Any, most: int = 3) -> Any:
    """A JSON tree with values that are others, wrapped, gone or there twice."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, most))):
        if not isinstance(tree, (dict, list)) or not (found := places(tree)):
            break
        container, key = draw(st.sampled_from(found))
        match draw(st.integers(0, 4)):
            case 0 | 1:
                container[key] = draw(values)
            case 2:
                del container[key]
            case 3:
                container[key] = draw(st.sampled_from(_WRAPS))(container[key])
            case _ if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            case _:
                container[draw(st.sampled_from(sorted(map(str, container))))] = container[key]
    return tree


_WRAPS: list[Callable[[Any], Any]] = [
    str,
    lambda v: [v],
    lambda v: {"x": v},
    lambda v: [v, v],
    lambda v: [[[v]]],
]


@st.composite
def changed_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes flipped, cut, doubled or set in between; often an end that comes early."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed)))
        end = draw(st.integers(at, min(at + 40, len(changed))))
        doubled = bytes(changed[at:end]) * 2
        changed[at:end] = draw(st.binary(max_size=6) | st.just(doubled) | st.sampled_from(_BYTES))
    return bytes(changed[: draw(st.just(len(changed)) | st.integers(0, len(changed)))])


_BYTES = [
    *(b"", b'"', b"\\", b"\n", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b"{", b"[", b"]", b",", b"null"),
    *(b"NaN", b"1e999", b"9" * 5000, b"[" * 100_000, b'{"a":' * 20_000, b"\\ud800", b"\xed\xa0\x80"),
]


def as_json(value: Any) -> bytes:
    """JSON, NaN and lone surrogates as Python writes them."""
    return json.dumps(value).encode()


def as_lines(rows: list[Any]) -> bytes:
    """A row a line."""
    return b"".join(as_json(row) + b"\n" for row in rows)
