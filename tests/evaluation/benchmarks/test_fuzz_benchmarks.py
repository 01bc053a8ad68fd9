"""Damaged references and predictions of every benchmark: scores that add up, or an error that tells where.

A few seconds of it; `make fuzz` takes more examples, others each time.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from official_files import FILES, as_csv

from damaged import as_json, as_lines, changed_bytes, changed_trees, examples
from vantage.core.errors import VantageError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.scoring import Scored, score
from vantage.evaluation.subsets import direction_subset, item_texts

NAMES = sorted(FILES)
SHARE = re.compile(
    r"^(em|acc|accuracy|success|f1|miou|iou|joint|position|rotation|kept|micro|macro|paired)\b"
)
LONGEST_S = 10.0


def benchmark(name: str) -> Any:
    """Without METEOR, whose Java takes a second to start."""
    found = BENCHMARKS.get(name)
    return replace(found, variants={k: v for k, v in found.variants.items() if k != "meteor"})


def encoded(path: str, value: Any) -> bytes:
    if path.endswith(".csv"):
        return as_csv(value)
    return as_lines(value) if path.endswith(".jsonl") else as_json(value)


def call(folder: Path, name: str, references: Mapping[str, bytes], said: tuple[str, bytes]) -> Scored | None:
    """The scores; None where the files were refused as they should be."""
    for path, data in references.items():
        (folder / path).write_bytes(data)
    predictions = folder / said[0]
    predictions.write_bytes(said[1])
    begin = time.perf_counter()
    try:
        found = score(benchmark(name), predictions, folder / next(iter(references)))
    except VantageError as error:
        assert error.where and (error.expected or error.found or error.hint), error
        return None
    finally:
        assert time.perf_counter() - begin < LONGEST_S
    require_sound(name, found)
    return found


def require_sound(name: str, found: Scored) -> None:
    """Counts add up, every number is one, and all of it can be written."""
    n = len(found.items)
    assert n > 0 and 0 <= found.missing + found.empty + found.unparsed <= n
    rows = found.per_item()
    assert len({row["id"] for row in rows}) == n
    json.dumps([found.record(), rows], allow_nan=False, ensure_ascii=False).encode()
    for measures in found.record()["variants"].values():
        for metric, value in measures.items():
            assert value is None or not SHARE.match(metric) or -1e-9 <= value <= 1 + 1e-9, (metric, value)
    for intervals in found.intervals(0, 5).values():
        assert all(i is None or i[0] <= i[1] for i in intervals.values())
    for item in found.items:
        assert isinstance(benchmark(name).prompt(item.content), str)
    if name in ("scanqa", "sqa3d", "msqa", "scan2cap"):
        ids = [item.id for item in found.items]
        direction_subset("words", ids, item_texts(found.items))


def records_in(path: str, data: bytes) -> int | None:
    """How many records a file holds, counted without the code under test; None where it cannot be told."""
    text = data.decode("utf-8-sig")
    if path.endswith(".csv"):
        return sum(1 for row in csv.reader(io.StringIO(text)) if row) - 1
    if path.endswith(".jsonl"):
        return sum(1 for line in text.split("\n") if line.strip())
    value = json.loads(text)
    if isinstance(value, dict):
        value = next((v for k, v in value.items() if k in ("annotations", "data")), None)
    return len(value) if isinstance(value, list) else None


def require_nothing_lost(name: str, found: Scored, said: bytes, given_path: str, given_data: bytes) -> None:
    """Every record of either file is an item or a prediction."""
    assert found.missing == len(found.items) - (records_in("said.jsonl", said) or 0)
    wanted = records_in(given_path, given_data)
    if name != "scan2cap" and wanted is not None:
        assert len(found.items) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_are_scored(name: str, tmp_path: Path) -> None:
    files = FILES[name]
    references = {path: encoded(path, value) for path, value in files.references.items()}
    said = as_lines(files.predictions)
    found = call(tmp_path, name, references, ("said.jsonl", said))
    assert found is not None
    require_nothing_lost(name, found, said, *next(iter(references.items())))
    if files.upload is not None:
        assert call(tmp_path, name, references, ("upload.json", as_json(files.upload))) is not None
    for path, value in files.more.items():
        assert call(tmp_path, name, {path: as_json(value)}, ("said.jsonl", b"")) is not None


@pytest.mark.parametrize("name", NAMES)
@examples(60)
@given(data=st.data())
def test_values_changed_in_predictions(name: str, data: st.DataObject, tmp_path: Path) -> None:
    files = FILES[name]
    references = {path: encoded(path, value) for path, value in files.references.items()}
    if files.upload is not None and data.draw(st.booleans()):
        call(tmp_path, name, references, ("upload.json", as_json(data.draw(changed_trees(files.upload)))))
        return
    said = as_lines(data.draw(changed_trees(files.predictions)))
    if (found := call(tmp_path, name, references, ("said.jsonl", said))) is not None:
        require_nothing_lost(name, found, said, *next(iter(references.items())))


@pytest.mark.parametrize("name", NAMES)
@examples(60)
@given(data=st.data())
def test_values_changed_in_references(name: str, data: st.DataObject, tmp_path: Path) -> None:
    files = FILES[name]
    wholes = [dict(files.references), *({path: value} for path, value in files.more.items())]
    whole = data.draw(st.sampled_from(wholes))
    hit = data.draw(st.sampled_from(sorted(whole)))
    if hit.endswith(".csv"):
        changed = changed_csv(data, whole[hit])
    else:
        changed = encoded(hit, data.draw(changed_trees(whole[hit])))
    references = {path: encoded(path, value) for path, value in whole.items()} | {hit: changed}
    found = call(tmp_path, name, references, ("said.jsonl", b""))
    if found is not None and whole is wholes[0]:
        require_nothing_lost(name, found, b"", *next(iter(references.items())))


def changed_csv(data: st.DataObject, rows: list[dict[str, Any]]) -> bytes:
    """A table with cells that are others, columns and cells that are gone, there twice, or without a name."""
    table = list(csv.reader(io.StringIO(as_csv(rows).decode())))
    for _ in range(data.draw(st.integers(1, 3))):
        line = data.draw(st.sampled_from(table))
        at = data.draw(st.integers(0, max(0, len(line) - 1)))
        match data.draw(st.integers(0, 4)):
            case 0 if line:
                line[at] = str(data.draw(st.text(max_size=6) | st.sampled_from(CELLS)))
            case 1 if line:
                del line[at]
            case 2 if line:
                line.insert(at, line[at])
            case 3:
                for one in table:
                    del one[at : at + 1]
            case _:
                table.append(list(line))
    out = io.StringIO()
    csv.writer(out).writerows(table)
    return out.getvalue().encode("utf-8", "surrogatepass")


CELLS = [
    *(
        "",
        "nan",
        "\u00b2",
        "9" * 5000,
        "[1]*9999999999",
        "{[]: 1}",
        "(" * 3000,
        "['a'",
        "x" * 200_000,
        "a\nb",
        '"',
    ),
    *(
        "scene0011_00-chair-2-\u00b2-1",
        "scene0011_00-chair-" + "9" * 5000 + "-0",
        "-1",
        "[" * 150 + "]" * 150,
    ),
]


@pytest.mark.parametrize("name", NAMES)
@examples(40)
@given(data=st.data())
def test_bytes_changed(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """Bytes of references or predictions, whatever their form."""
    files = FILES[name]
    references = {path: encoded(path, value) for path, value in files.references.items()}
    said = data.draw(st.sampled_from(["said.jsonl", "said.json"]))
    predictions = as_lines(files.predictions) if said.endswith("l") else as_json(files.predictions)
    hit = data.draw(st.sampled_from([said, *references]))
    if hit == said:
        predictions = data.draw(changed_bytes(predictions))
    else:
        references[hit] = data.draw(changed_bytes(references[hit]))
    call(tmp_path, name, references, (said, predictions))
