"""A training by the processes that a launcher started on several machines, each as `vantage run finetune`.

The first of them runs the stage; over a store of torch's it tells the others which arm is up, and in the end
how it went. An arm itself is trained by a fresh process beside each of them, as on one machine.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from vantage.core import atomic
from vantage.core.errors import ContractError, ParameterError, ResourceError, VantageError
from vantage.training.place import patience_s
from vantage.training.told import described_error, error_of, failure_of

_PARTING_S, _BLAME_S = 20.0, 10.0


@dataclass(frozen=True)
class Nodes:
    """One process's line to the others.

    Attributes:
        store: of torch, common to all of them.
        rank: of this process.
        world: how many there are.
        program: what trains the part of a process, given the job.
    """

    store: Any
    rank: int
    world: int
    program: tuple[str, ...]

    @classmethod
    def join(cls, program: tuple[str, ...]) -> Nodes:
        """By the launcher's variables: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT.

        Raises:
            ParameterError: a variable is missing.
            ResourceError: the first process cannot be reached.
        """
        from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

        try:
            rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
            host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        except (KeyError, ValueError) as error:
            raise ParameterError(
                "a launcher's variable is missing", where="environment",
                expected="RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT", found=error,
            ) from error  # fmt: skip
        hosts = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
        try:
            store = TCPStore(host, port, None, hosts, timedelta(seconds=patience_s()), False)
        except RuntimeError as error:  # all that torch's stores raise
            raise _silent(f"{host}:{port}", error) from error
        os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # children of the first process: it is there
        again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return cls(PrefixStore(f"vantage/{again}", store), rank, world, program)

    def agree(self, seen: Mapping[str, str], work: Path) -> None:
        """Make sure that all processes start from the same, in one folder that all of them see.

        Args:
            seen: digests by what they are of.
            work: where the stage keeps checkpoints.

        Raises:
            ContractError: one of them sees other things; it is named, in every process.
        """
        versions = {f"version of {name}": version(name) for name in ("torch", "transformers", "accelerate")}
        own = {**seen, **versions}
        if self.rank > 0:
            self._say(f"checked/{self.rank}", _difference(own, self._turn(1), work))
            found = self._turn(2)["wrong"]
        else:
            work.mkdir(parents=True, exist_ok=True)
            token = work / f"nodes-{uuid4().hex}"
            atomic.write_text(token, "")
            try:
                self._next(digests=own, token=str(token))
                said = [self._wait(f"checked/{rank}") for rank in range(1, self.world)]
            finally:
                token.unlink()
            found = [f"process {rank}, {one}" for rank, one in enumerate(said, 1) if one]
            self._next(wrong=found)
        if found:
            raise ContractError(
                "processes of one training do not start from the same", where="; ".join(found),
                expected="what process 0 sees",
                hint="give all machines one workspace under one path, and the same code, libraries and base",
            )  # fmt: skip

    def call(self, job: Path) -> dict[str, str]:
        """Tell the others of an arm; the variables under which this process trains its part."""
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        self._next(job=str(job), port=port)
        return _variables(port)

    def follow(self, environment: Mapping[str, str]) -> None:
        """Train the part of a process that is not the first, arm after arm, until that one is done.

        Raises what the first process ended with, or what happened here if that one is gone.
        """
        turn = 3  # after the two of `agree`
        failure: VantageError | None = None
        while True:
            try:
                said = self._turn(turn, _PARTING_S if failure else None)
            except ResourceError:
                if failure is not None:
                    raise failure from None
                raise
            if "end" in said:
                return
            failure = self._train(Path(said["job"]), {**environment, **_variables(said["port"])})
            if failure is not None:
                self._say(f"failed/{self.rank}", f"process {self.rank} on {_host()}: {failure.one_line()}")
            turn += 1

    def end(self, error: BaseException | None) -> None:
        """Tell the others how it went here; the first one leaves when they have heard it, or soon after."""
        with suppress(ResourceError):  # they are gone: nothing is left to tell
            if self.rank > 0:
                said = "" if error is None else f"{_host()}: {_known(error).one_line()}"
                self._say(f"checked/{self.rank}", said)
                self._say(f"heard/{self.rank}", "")  # it asks nothing more of the first one
                return
            self._next(end=None if error is None else described_error(_known(error)))
            for rank in range(1, self.world):
                self._wait(f"heard/{rank}", _PARTING_S)

    def blamed(self) -> str:
        """What other processes say has failed in them, if they say so within some seconds."""
        found = []
        for rank in range(1, self.world):
            try:
                found.append(str(self._wait(f"failed/{rank}", _BLAME_S / self.world)))
            except ResourceError:
                continue
        return "; ".join(found)

    def _train(self, job: Path, environment: Mapping[str, str]) -> VantageError | None:
        log = job.with_name(f"processes-{self.rank}.log")
        command = [sys.executable, *self.program, str(job)]
        with log.open("w") as written:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=written, text=True, check=False,
                env={**os.environ, **environment},
            )  # fmt: skip
        return failure_of(done.stdout, log) if done.returncode else None

    def _next(self, **said: Any) -> None:
        """Say what the others are to do next."""
        self._say(f"turn/{self.store.add('turns', 1)}", said)

    def _turn(self, number: int, seconds: float | None = None) -> Any:
        """What the first process said; if it has ended with an error, that is raised."""
        said = self._wait(f"turn/{number}", seconds)
        if "end" in said:
            self._say(f"heard/{self.rank}", "")
            if said["end"] is not None:
                raise error_of(said["end"])
        return said

    def _say(self, key: str, value: Any) -> None:
        try:
            self.store.set(key, json.dumps(value))
        except RuntimeError as error:
            raise _silent(key, error) from error

    def _wait(self, key: str, seconds: float | None = None) -> Any:
        try:
            self.store.wait([key], timedelta(seconds=seconds or patience_s()))
            return json.loads(self.store.get(key))
        except RuntimeError as error:
            raise _silent(key, error) from error


def _variables(port: int) -> dict[str, str]:
    """A store of the arm's own: keys of an earlier one would be taken for its."""
    return {"MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "False"}


def _difference(own: Mapping[str, str], theirs: Mapping[str, Any], work: Path) -> str:
    """What this process sees otherwise than the first one; empty for nothing."""
    expected = theirs["digests"]
    for name in [*expected, *own]:
        if own.get(name) != expected.get(name):
            return f"{_host()}: {name} is {own.get(name, 'none')[:12]}, not {expected.get(name, 'none')[:12]}"
    token = Path(theirs["token"])
    if not token.is_file() or not (work / token.name).is_file():
        return f"{_host()}: its {work} is not {token.parent} of process 0"
    return ""


def _known(error: BaseException) -> VantageError:
    return error if isinstance(error, VantageError) else VantageError(f"a process ended: {error!r}")


def _host() -> str:
    return socket.gethostname()


def _silent(what: str, error: RuntimeError) -> ResourceError:
    return ResourceError(
        "another process of this training is gone or silent", where=what,
        found=str(error).partition("\n")[0][:200],
        hint="look at what it wrote; the same commands on all machines go on from the last checkpoint "
        "(VANTAGE_NODES_TIMEOUT_S sets how long one waits for another)",
    )  # fmt: skip
