"""A benchmark as a task folder of lmms-eval that needs nothing of this repository: see `vantage export`."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core import atomic
from vantage.core.errors import ContractError, ParameterError
from vantage.core.hashing import digest_bytes
from vantage.core.progress import Progress, Silent
from vantage.evaluation.benchmarks.interface import Benchmark, Item
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.benchmarks.sqa3d import companion
from vantage.evaluation.lmms_task import QUESTIONS
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.registry.closure import copy_modules, own_modules, requirements
from vantage.registry.lmms_eval_text import readme, task_yaml, utils

if TYPE_CHECKING:
    from vantage.evaluation.running.run import Builder

_FILES: Mapping[str, Callable[[Path], list[Path]]] = {
    "scanqa": lambda path: [path],
    "sqa3d": lambda path: [path, companion(path)],
}
"""Benchmarks that can be exported, and the files that their references are read from."""
_NOT_HERE = ("meteor", "f_value")
"""Variants that need Java and a jar, or WordNet, which a task folder does not carry."""
_THEIRS = ("numpy", "pillow", "pyarrow")
"""Packages that lmms-eval brings itself, in versions of its own."""
_TASK = "vantage.evaluation.lmms_task"
_JPEG_QUALITY = 95
_MARK = "vantage_task.json"


@dataclass(frozen=True)
class Decoding:
    """How a model is asked to answer: greedily, up to so many tokens, or up to one of these texts."""

    max_new_tokens: int = 64
    stop: Sequence[str] = ()


@dataclass(frozen=True)
class PlugIn:
    """What is exported.

    Attributes:
        benchmark: whose questions and rules.
        files: its official files, the one that was named first.
        items: all of them.
        task: its name in lmms-eval; also that of the folder's Python package.
        decoding: how models answer.
    """

    benchmark: Benchmark[Any, Any]
    files: Sequence[Path]
    items: Sequence[Item[Any]]
    task: str
    decoding: Decoding

    def metrics(self) -> list[tuple[str, str]]:
        """Variant and metric of every number that `vantage score` has for texts, but for `_NOT_HERE`."""
        nothing = [None] * len(self.items)
        return [
            (name, metric)
            for name, rule in self.benchmark.variants.items()
            if name not in _NOT_HERE
            for metric in rule.score(self.items, nothing)
        ]


@dataclass
class Exported:
    """What became of the questions: all, those that can be asked, pictures written, reasons of the others."""

    items: int
    asked: int = 0
    pictures: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def plug_in(benchmark: str, references: Path, task: str, decoding: Decoding) -> PlugIn:
    """Read the references.

    Raises:
        ParameterError: the benchmark cannot be exported, the name is none, or there is no such file.
        ContractError: a file breaks its format, or holds no question.
    """
    rule = BENCHMARKS.get(benchmark)
    if benchmark not in _FILES:
        raise ParameterError(
            "cannot be exported to lmms-eval", where="--benchmark", expected=f"one of {', '.join(_FILES)}",
            found=benchmark,
        )  # fmt: skip
    if not re.fullmatch(r"[A-Za-z]\w*", task, re.ASCII) or task == "vantage":
        raise ParameterError(
            "not a name for a task", where="--task", expected="letters, digits and _, not vantage", found=task
        )
    items = rule.references(references, None)
    if not items:
        raise ContractError("there is nothing to ask", where=references, found="no item")
    return PlugIn(rule, _FILES[benchmark](references), items, task, decoding)


def export(plug: PlugIn, builder: Builder, out: Path, progress: Progress | None = None) -> Exported:
    """Write the folder `out`; the same input gives the same bytes.

    Raises:
        ParameterError: `out` holds something that is not an export.
        ContractError: not one question can be put together.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / _MARK).is_file()):
        raise ParameterError(
            "there is something else in that place", where="--out", found=out,
            expected="a new or empty folder, or an earlier export",
        )  # fmt: skip
    ready = out.with_name(f".{out.name}.new")
    shutil.rmtree(ready, ignore_errors=True)
    try:
        ready.mkdir(parents=True)
        made = _questions(plug, builder, ready, progress or Silent())
        _program(plug, ready)
        atomic.replace_folder(ready, out)
    finally:
        shutil.rmtree(ready, ignore_errors=True)
    return made


def _questions(plug: PlugIn, builder: Builder, folder: Path, progress: Progress) -> Exported:
    """Pictures, the questions that show them, and those set aside with the reason."""
    made, written = Exported(len(plug.items)), set[str]()
    prompts = {item.id: plug.benchmark.prompt(item.content) for item in plug.items}
    scenes: dict[str, list[Item[Any]]] = {}
    for item in plug.items:
        scenes.setdefault(item.scene or item.id, []).append(item)
    found: dict[str, Ask | SetAside] = {}
    shown: dict[str, list[str]] = {}
    for number, items in enumerate(scenes.values(), start=1):
        for one in builder.asks(items, prompts):
            found[one.id] = one
            if isinstance(one, Ask):
                shown[one.id] = _pictures(one, folder, written)
        progress.step(number, len(scenes), f"{len(written)} pictures")
    asks, aside = [], []
    for item in plug.items:
        one = found[item.id]
        if isinstance(one, SetAside):
            aside.append({"question_id": item.id, "set_aside": one.reason})
            made.reasons[re.split("[;:]", one.reason)[0]] += 1
            continue
        row = {"question_id": item.id, "scene_id": item.scene, "prompt": one.prompt}
        asks.append({**row, "images": shown[item.id], "answers": list(item.content.answers)})
    if not asks:
        raise ContractError("no question can be asked", found=made.reasons.most_common(1)[0][0])
    _write_lines(folder / QUESTIONS, asks)
    _write_lines(folder / "set_aside.jsonl", aside)
    made.asked, made.pictures = len(asks), len(written)
    return made


def _pictures(ask: Ask, folder: Path, written: set[str]) -> list[str]:
    """The JPEG files of a question's pictures, by their paths in the folder; each is written once.

    Frames that are JPEG in their scan are copied byte for byte.
    """
    from vantage.scans.codecs import encode_jpeg
    from vantage.scans.pixels import read_bytes

    names = []
    for k, view in enumerate(ask.views):
        frame = None if ask.scan is None else ask.scan.frames[k]
        name = (
            ""
            if ask.scan is None or frame is None
            else f"frames/{ask.scan.meta.scan_id}/{frame.frame_id}.jpg"
        )
        if name not in written:
            if ask.scan is not None and frame is not None and frame.color.encoding == "jpeg":
                data = read_bytes(ask.scan.folder, frame.color)
            else:
                import numpy as np

                data = encode_jpeg(np.asarray(view.image()), _JPEG_QUALITY)
            name = name or f"frames/{digest_bytes(data)[:32]}.jpg"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
            written.add(name)
        names.append(name)
    return names


def _program(plug: PlugIn, folder: Path) -> None:
    """The official files, the scorers, and what lmms-eval reads."""
    given = folder / "references"
    given.mkdir()
    for path in plug.files:
        shutil.copyfile(path, given / path.name)
    rule = f"vantage.evaluation.benchmarks.{plug.benchmark.name}"
    modules = own_modules(rule) | own_modules(_TASK)
    copy_modules(dict(sorted(modules.items())), folder, plug.task)
    needed = [line for line in requirements(list(modules.values())) if line.split("==")[0] not in _THEIRS]
    metrics = plug.metrics()
    references = f"references/{plug.files[0].name}"
    texts = {
        f"{plug.task}.yaml": task_yaml(
            plug.task, metrics, plug.decoding.max_new_tokens, list(plug.decoding.stop)
        ),
        "utils.py": utils(plug.task, plug.benchmark.name, references, metrics),
        "README.md": readme(plug.task, plug.benchmark.about),
        "requirements.txt": "".join(f"{line}\n" for line in needed),
        _MARK: json.dumps({"task": plug.task, "benchmark": plug.benchmark.name}) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
