"""A process of several that train an arm, on rooms of noise in place of the pipeline's folders."""

from __future__ import annotations

import sys
from pathlib import Path

from pocket_samples import noise_rooms

from vantage.training import __main__ as program
from vantage.training import stage

if __name__ == "__main__":
    stage.load_samples = lambda *_: noise_rooms()
    sys.exit(program.main(Path(sys.argv[1])))
