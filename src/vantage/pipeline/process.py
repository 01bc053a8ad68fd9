"""Working through jobs while somebody watches; the first error that stops the stage is raised at the end."""

from __future__ import annotations

from collections.abc import Sequence

from vantage.core.errors import VantageError
from vantage.pipeline.pool import Died, Pool
from vantage.pipeline.watch import Position, Watcher
from vantage.pipeline.worker import Failed, Finished, Job, Remark, Step

Result = Finished | Died


def process(pool: Pool, jobs: Sequence[Job], watcher: Watcher) -> dict[str, Result]:
    """Run all jobs of a stage; results by item.

    Raises:
        VantageError: what stopped the stage, with the traceback of an error in the code as its note. Jobs
            under way then were finished first.
    """
    results: dict[str, Result] = {}
    if not jobs:
        return results
    failure: Failed | None = None
    stage, total = jobs[0].stage, len(jobs)
    watcher.begin(stage, total)
    try:
        for job, message in pool.run(jobs):
            name = job.task.item
            if isinstance(message, Step):
                watcher.at(Position(len(results), total, name, message.done, message.total, message.note))
            elif isinstance(message, Remark):
                watcher.say(
                    f"{stage} {name}: {message.text}" if name != stage else f"{stage}: {message.text}"
                )
            elif isinstance(message, Failed):
                failure = failure or message
            else:
                results[name] = message
                watcher.at(Position(len(results), total, name))
    finally:
        watcher.end()
    if failure is not None:
        raise _with_trace(failure)
    return results


def _with_trace(failure: Failed) -> VantageError:
    if failure.trace:
        failure.error.add_note(failure.trace)
    return failure.error
