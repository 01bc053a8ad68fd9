"""METEOR 1.5 through its own jar, or not at all: no short program of ours would give its numbers.

The jar and its paraphrases come with pycocoevalcap (`pip install "vantage[meteor]"`); Java must be on the
path. It takes some seconds and about 1 GB to start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ResourceError

_JAR = Path("meteor") / "meteor-1.5.jar"
SWITCH = "VANTAGE_METEOR"
"""An environment variable: `off` leaves METEOR out although it could be reported."""


def lacks() -> str | None:
    """What stands against reporting METEOR, in words; None when all is there."""
    if os.environ.get(SWITCH) == "off":
        return f"{SWITCH} unset: it is off"
    java = None if shutil.which("java") else "Java on the path"
    package = None if _jar() else 'its jar: pip install "vantage[meteor]"'
    return " and ".join(one for one in (java, package) if one) or None


def _jar() -> Path | None:
    found = find_spec("pycocoevalcap")
    folders = list(found.submodule_search_locations or ()) if found else []
    return next((Path(f) / _JAR for f in folders if (Path(f) / _JAR).is_file()), None)


def meteor(
    predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, Float64[np.ndarray, " n"]]:
    """METEOR of the corpus, from statistics summed over items, and of each item; 0 to 1.

    Args:
        predictions: tokens separated by spaces; a text without any scores 0 where the jar says so.
        references: at least one for each.

    Raises:
        ResourceError: the jar is not installed, or Java fails.
    """
    pairs = list(zip(predictions, references, strict=True))
    file = _jar()
    if file is None or lacks():
        raise ResourceError("METEOR is not installed", expected=lacks())
    lines = [" ||| ".join(("SCORE", *map(_plain, given), _plain(said))) for said, given in pairs]
    command = ["java", "-jar", "-Xmx2G", file.name, "-", "-", "-stdio", "-l", "en", "-norm"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=file.parent, stdin=pipe, stdout=pipe, encoding="utf-8") as process:
        statistics = [_ask(process, line)[0] for line in lines]
        scores = _ask(process, " ||| ".join(("EVAL", *statistics)), len(lines) + 1)
        process.communicate()
    numbers = np.array([float(score) for score in scores], dtype=np.float64)
    return float(numbers[-1]), numbers[:-1]


def _plain(text: str) -> str:
    """A text without METEOR's separator and without white space but single spaces."""
    return " ".join(text.replace("|||", " ").split())


def _ask(process: subprocess.Popen[str], line: str, answers: int = 1) -> list[str]:
    """What the jar answers to a line: one answer must be read before the next line is written."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("a process with pipes")
    process.stdin.write(line + "\n")
    process.stdin.flush()
    read = [process.stdout.readline() for _ in range(answers)]
    if not read[-1]:
        raise ResourceError("METEOR's jar stopped", expected=f"{answers} lines", found=f"{read}"[:200])
    return [answer.strip() for answer in read]
