"""Recipe of token_golden.json: made-up hard strings and the tokens that Stanford's PTBTokenizer gives.

    pip install pycocoevalcap && python tests/evaluation/metrics/make_token_golden.py    # needs java

The strings of the file are tokenized again; `first` were looked at while the rules were written, `fresh` were
written afterwards, so their agreement is the honest one (95 % when they were first run).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

FILE = Path(__file__).with_name("token_golden.json")
JAR = "tokenizer/stanford-corenlp-3.4.1.jar"


def jar() -> Path | None:
    """The tokenizer's jar, if pycocoevalcap is installed."""
    found = find_spec("pycocoevalcap")
    folders = list(found.submodule_search_locations or []) if found else []
    return next((Path(folder) / JAR for folder in folders if (Path(folder) / JAR).is_file()), None)


def stanford(lines: list[str]) -> list[str]:
    """Tokens of each line, nothing dropped."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.txt"
        file.write_text("\n".join(line.replace("\n", " ") for line in lines), encoding="utf-8")
        command = ["java", "-cp", str(jar()), "edu.stanford.nlp.process.PTBTokenizer"]
        command += ["-preserveLines", "-lowerCase", str(file)]
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    return done.stdout.split("\n")[: len(lines)]


def main() -> None:
    golden = json.loads(FILE.read_text())
    for name, pairs in golden.items():
        lines = [line for line, _ in pairs]
        golden[name] = [list(pair) for pair in zip(lines, stanford(lines), strict=True)]
    FILE.write_text(json.dumps(golden, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
