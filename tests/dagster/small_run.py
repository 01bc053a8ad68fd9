"""`vantage run` for the small pipeline: `python small_run.py STAGE [--scan ID ...]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pipeline"))

import small_stages

from vantage.core.errors import VantageError
from vantage.pipeline.runner import Request, run_stage
from vantage.pipeline.watch import PlainWatcher
from vantage.pipeline.workspace import find_workspace


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("stage")
    parser.add_argument("--scan", action="append", default=[])
    asked = parser.parse_args()
    watcher = PlainWatcher(lambda text: print(text, flush=True))
    try:
        run_stage(
            find_workspace(Path.cwd()),
            asked.stage,
            Request(items=asked.scan),
            watcher=watcher,
            table=small_stages.TABLE,
        )
    except VantageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
