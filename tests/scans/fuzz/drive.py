"""Fuzz the readers, led by coverage (`make fuzz`): `drive.py [--seconds 60] [TARGET ...]`.

Each target runs in a process of its own under a limit of memory and of time for one input. Whatever breaks it
is left in `.fuzz/TARGET/`, to be made a seed or a test.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

MEMORY_MB = 1500
INPUT_SECONDS = 10
LONGEST = 8192


def main() -> None:
    """Run the targets one after the other; exit with 1 if one was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        fuzz(arguments.targets[0], arguments.seconds)
    from targets import TARGETS

    broken = []
    for name in arguments.targets or TARGETS:
        command = [sys.executable, __file__, "--here", "--seconds", str(arguments.seconds), name]
        if subprocess.run(command, check=False).returncode:
            broken.append(name)
    if broken:
        sys.exit(f"broken: {', '.join(broken)}; see .fuzz/")


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process; never returns."""
    import atheris

    with atheris.instrument_imports(include=["vantage.scans", "vantage.geometry"]):
        from targets import TARGETS

    target, folder = TARGETS[name], Path(".fuzz") / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for k, seed in enumerate(target.seeds):
        (folder / "corpus" / f"seed{k}").write_bytes(seed)
    flags = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={INPUT_SECONDS}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *flags, str(folder / "corpus")], lambda data: target.read(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
