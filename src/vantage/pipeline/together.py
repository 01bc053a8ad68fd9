"""A stage that a launcher (torchrun, accelerate, an Indexed Job) started as one of several processes.

The first process runs the stage, and it alone locks, stores and writes; the others take part in the items
that it works on, and leave when it does, with its verdict.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json
from vantage.core.names import load
from vantage.pipeline.params import plain
from vantage.pipeline.plan import Plan
from vantage.pipeline.stages import StageBody


@runtime_checkable
class Others(Protocol):
    """What a process knows of the others; `vantage.training.nodes` implements it."""

    @property
    def rank(self) -> int:
        """Of this process; the first is 0."""

    def agree(self, seen: Mapping[str, str], work: Path) -> None:
        """Raise ContractError in every process when one sees other things, or another folder."""

    def follow(self, environment: Mapping[str, str]) -> None:
        """Take part until the first one is done; raise what it ended with."""

    def end(self, error: BaseException | None) -> None:
        """Tell the others how it went here; the first one waits until they have heard it."""


@contextmanager
def others(name: str, body: StageBody, whole: bool) -> Iterator[Others | None]:
    """The others of this process; None for a process alone.

    Args:
        name: of the stage.
        body: its body.
        whole: whether it runs in its own folder, and not for a look.

    Raises:
        ParameterError: a stage, or a way of running it, that is not for several processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield None
        return
    if body.together is None or not whole:
        raise ParameterError(
            f"several processes cannot run stage {name} together" + ("" if whole else " like this"),
            where="WORLD_SIZE", expected="one process", found=os.environ["WORLD_SIZE"],
            hint="start it without a launcher",
        )  # fmt: skip
    join: Callable[[], Others] = load(body.together)
    found = join()
    try:
        yield found
    except BaseException as error:
        found.end(error)
        raise
    found.end(None)


def seen_by(plan: Plan) -> dict[str, str]:
    """What an item's bytes follow from, as this process sees it: digests by what they are of."""
    return {
        "the code": plan.code,
        "the section of the parameters": digest_json(plain(plan.config)),
        **{f"the output of {stage}": output.digest for stage, output in plan.upstream.items()},
        "seed or base model": plan.digest,
    }
