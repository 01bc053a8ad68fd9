"""One process of several that train an arm: `python -m torch.distributed.run ... -m vantage.training JOB`.

JOB is `processes.json`, which `finetune` writes where `finetune.processes` is above 1.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from pydantic import TypeAdapter

from vantage.core.errors import VantageError
from vantage.training.config import FinetuneConfig
from vantage.training.place import leave
from vantage.training.processes import described_error, task_of, tell
from vantage.training.stage import train_arm


def main(path: Path) -> int:
    """Train as the job file says; 1 after an error that was told."""
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


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
