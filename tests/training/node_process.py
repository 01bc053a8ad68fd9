"""`vantage run finetune` as a launcher starts it, on rooms of noise in place of the pipeline's folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vantage.core.errors import VantageError
from vantage.pipeline.runner import Request, run_stage
from vantage.pipeline.stages import STAGES
from vantage.pipeline.watch import PlainWatcher
from vantage.pipeline.workspace import Workspace

if __name__ != "__main__" or "RANK" in os.environ:
    from vantage.training import processes

    processes.PROGRAM = (str(Path(__file__).with_name("arm_process.py")),)
if __name__ != "__main__":  # a child of the pool imports this file too, and alone needs the training itself
    from pocket_samples import noise_rooms

    from vantage.training import stage

    stage.load_samples = lambda *_: noise_rooms()

if __name__ == "__main__":
    table = {name: STAGES[name] for name in ("finetune", "download")}
    os.chdir(sys.argv[1])
    try:
        run_stage(
            Workspace(Path(sys.argv[1])), sys.argv[2], Request(dry=len(sys.argv) > 3),
            watcher=PlainWatcher(lambda line: print(line, flush=True)), table=table,
        )  # fmt: skip
    except VantageError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
