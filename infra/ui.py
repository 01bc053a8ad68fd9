"""Dagster and MLflow on loopback, over one workspace: `make ui`, or `python infra/ui.py --help`.

Both are started in process groups of their own; Ctrl-C, or the end of either, ends both.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from vantage.registry.store import find_store

REPOSITORY = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
GRACE_S = 15.0


class UiError(Exception):
    """Something a person has to put right; printed without a traceback."""


@dataclass(frozen=True)
class Server:
    """One of the two servers.

    Attributes:
        name: as it is called in messages.
        command: how it is started.
        port: where it listens, on loopback.
        probe: a path that answers once it is ready.
        log: the file that receives what it prints.
    """

    name: str
    command: Sequence[str]
    port: int
    probe: str
    log: Path

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.port}"


def say(text: str) -> None:
    """A line for the person at the terminal."""
    print(text, flush=True)  # noqa: T201


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Dagster and MLflow on loopback, over one workspace.")
    parser.add_argument(
        "--workspace", type=Path, default=Path(os.environ.get("VANTAGE_WORKSPACE") or REPOSITORY)
    )
    parser.add_argument(
        "--dagster-port", type=int, default=int(os.environ.get("VANTAGE_DAGSTER_PORT", "3000"))
    )
    parser.add_argument("--mlflow-port", type=int, default=int(os.environ.get("VANTAGE_MLFLOW_PORT", "5000")))
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds to wait for both (180)")
    return parser.parse_args(arguments)


def require_free(name: str, port: int, option: str) -> None:
    """Raise `UiError` when something listens on a port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UiError(
                f"port {port}, which {name} needs, is in use ({error.strerror}).\n"
                f"  to do: stop what listens there (`ss -ltnp 'sport = :{port}'` shows it), or choose "
                f"another port: python infra/ui.py {option} {port + 1}"
            ) from error


def servers(options: argparse.Namespace) -> list[Server]:
    """Both servers for a workspace."""
    workspace, python = options.workspace, sys.executable
    home, store = workspace / ".dagster", workspace / "mlruns"
    dagster = [python, "-m", "dagster", "dev", "-h", HOST, "-p", str(options.dagster_port)]
    dagster += ["-w", str(REPOSITORY / "infra" / "dagster" / "workspace.yaml")]
    mlflow = [python, "-m", "mlflow", "server", "--host", HOST, "--port", str(options.mlflow_port)]
    mlflow += ["--workers", "1", "--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}"]
    mlflow += ["--artifacts-destination", str(store / "artifacts")]
    return [
        Server("MLflow", mlflow, options.mlflow_port, "/health", home / "mlflow.log"),
        Server("Dagster", dagster, options.dagster_port, "/server_info", home / "dagster.log"),
    ]


def prepare(workspace: Path) -> None:
    """Folders, Dagster's settings, MLflow's database."""
    if not (workspace / "dvc.yaml").is_file():
        raise UiError(f"{workspace} is no workspace: it has no dvc.yaml\n  to do: name one with --workspace")
    (workspace / ".dagster").mkdir(exist_ok=True)
    settings = REPOSITORY / "infra" / "dagster" / "dagster.yaml"
    shutil.copyfile(settings, workspace / ".dagster" / settings.name)
    if not (workspace / "mlruns" / "mlflow.db").is_file():
        # Two processes at once break MLflow's migrations; here they run under the store's lock.
        find_store(workspace).experiment_id()


def environment(options: argparse.Namespace) -> Mapping[str, str]:
    """Variables of both servers: the workspace, Dagster's home, and nothing that calls home."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
        "VANTAGE_WORKSPACE": str(options.workspace),
        "VANTAGE_MLFLOW_UI": f"http://{HOST}:{options.mlflow_port}",
        "DAGSTER_HOME": str(options.workspace / ".dagster"),
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes for features that are not used here
        "DVC_NO_ANALYTICS": "1",
    }


def start(server: Server, env: Mapping[str, str], workspace: Path) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own."""
    with server.log.open("wb") as log:
        return subprocess.Popen(
            server.command,
            cwd=workspace,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_ready(server: Server, process: subprocess.Popen[bytes], deadline: float) -> None:
    """Return once a server answers; `UiError`, with the end of its log, when it ends or is too slow."""
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UiError(f"{server.name} ended with code {process.returncode}; {tail(server)}")
        try:
            with urllib.request.urlopen(server.address + server.probe, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise UiError(f"{server.name} did not answer at {server.address}; {tail(server)}")


def tail(server: Server, lines: int = 15) -> str:
    """The end of a server's log."""
    last = server.log.read_text("utf-8", "replace").splitlines()[-lines:]
    return "\n".join([f"{server.log} ends so:", *(f"    {line}" for line in last)])


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End whole process groups: kindly, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            send(process, number)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(alive(process) for process in processes):
            time.sleep(0.1)


def send(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to every process of a group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def alive(process: subprocess.Popen[bytes]) -> bool:
    """Whether any process of a group is left."""
    process.poll()  # reaps the leader, which would count as alive otherwise
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Let signals end the program as Ctrl-C does."""
    raise KeyboardInterrupt


def run(options: argparse.Namespace) -> int:
    """Start both servers, print their addresses, and wait."""
    options.workspace = options.workspace.resolve()
    require_free("Dagster", options.dagster_port, "--dagster-port")
    require_free("MLflow", options.mlflow_port, "--mlflow-port")
    prepare(options.workspace)
    env, both = environment(options), servers(options)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        say(f"starting Dagster and MLflow over {options.workspace} (about 15 s) ...")
        processes.extend(start(server, env, options.workspace) for server in both)
        deadline = time.monotonic() + options.timeout
        for server, process in zip(both, processes, strict=True):
            wait_until_ready(server, process, deadline)
            say(f"  {server.name:<8} {server.address}")
        say("Ctrl-C stops both. A run in progress stops with them; started again, it goes on where it was.")
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        ended = next(i for i, process in enumerate(processes) if process.poll() is not None)
        raise UiError(f"{both[ended].name} ended; {tail(both[ended])}")
    except KeyboardInterrupt:
        say("stopping (about 10 s) ...")
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop(processes)


def main() -> int:
    """The program."""
    # Both, since a shell starts background jobs with SIGINT ignored.
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        return run(parse())
    except UiError as error:
        print(f"ui: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
