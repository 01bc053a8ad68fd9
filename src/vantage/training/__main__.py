"""One process of several that train an arm: `python -m torch.distributed.run ... -m vantage.training JOB`.

JOB is `processes.json`, which `finetune` writes where `finetune.processes` is above 1.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from pydantic import TypeAdapter

from vantage.core.errors import VantageError
from vantage.training.config import FinetuneConfig
from vantage.training.place import leave
from vantage.training.processes import task_of
from vantage.training.stage import train_arm
from vantage.training.told import described_error, tell


def main(path: Path) -> int:
    """Train as the job file says; 1 after an error that was told."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    job = json.loads(path.read_text())
    config = TypeAdapter(FinetuneConfig).validate_python(job["config"])
    try:
        facts = train_arm(task_of(job), config)
    except VantageError as error:
        tell("error", **described_error(error))
        return 1
    if os.environ.get("RANK", "0") == "0":
        tell("facts", facts=dict(facts))
    leave()
    return 0


def _end_with(parent: int) -> None:
    """End where the process that started this one is gone: nobody would hear of an arm then."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
