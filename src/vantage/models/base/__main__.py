"""Rebuild the pocket base: `python -m vantage.models.base [--out FOLDER] [--work FOLDER]` (`make base`).

Stages `text` and `align` run side by side, one core each, then `base`. A stage that finished is kept in
the work folder under the digest of the recipe, so that an interrupted build goes on.

On a processor of the same family (AVX512-BF16), with the pinned torch and the recipe's thread counts, the
result is the shipped base byte for byte, also beside other work. Elsewhere sums may round otherwise: then
the floors of the recipe hold, which every build asserts, and the bytes do not.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from vantage.models.base.build import finish
from vantage.models.base.lines import Lines, part
from vantage.models.base.recipe import BaseRecipe
from vantage.models.model_files import SHIPPED_BASE


def main() -> None:
    """Build and write the base."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=SHIPPED_BASE, help="where the base goes")
    parser.add_argument(
        "--work", type=Path, default=Path(".vantage/base"), help="finished stages are kept here"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("text", "align"), help="run one stage and stop")
    arguments = parser.parse_args()
    recipe = BaseRecipe(seed=arguments.seed)
    names = (arguments.only,) if arguments.only else ("text", "align")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(part, name, recipe, arguments.work) for name in names]:
            job.result()
    if arguments.only is None:
        scores = finish(recipe, arguments.work, arguments.out, Lines("base"))
        Lines("base").say(f"written to {arguments.out}: {scores} by {asdict(recipe)}")


if __name__ == "__main__":
    main()
