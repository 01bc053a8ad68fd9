"""Fuzz the readers for a while: `python tests/scans/fuzz/driver.py [TARGET ...] --seconds 60`.

By the targets' own mutators, or by coverage with atheris where it is installed (`--atheris`). Memory is
limited, and a single input may take 10 s. An input that breaks a reader is kept, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

_MEMORY = 600 << 20
_SECONDS_EACH = 10


def main() -> int:
    """Fuzz the targets named, or all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(), help="where a breaking input is written")
    args = parser.parse_args()
    if args.atheris:
        return by_coverage(args)
    from targets import TARGETS

    results = [by_mutation(name, args) for name in args.targets or TARGETS]
    return int(not all(results))


def by_mutation(name: str, args: argparse.Namespace) -> bool:
    """Run one target; whether nothing broke."""
    from targets import TARGETS

    target, rng = TARGETS[name], random.Random(args.seed)
    seeds = target.seeds()
    pool = list(seeds)
    for data in seeds:
        target.run(data)
    _limit_memory()
    signal.signal(signal.SIGALRM, _hang)
    start, done = time.monotonic(), 0
    while time.monotonic() - start < args.seconds:
        data = target.mutate(rng.choice(pool), rng)
        if rng.random() < 0.1 and len(data) < 20_000:  # mutants of mutants, around a core of sound files
            pool[len(seeds) :] = [*pool[len(seeds) :][-60:], data]
        signal.alarm(_SECONDS_EACH)
        try:
            target.run(data)
        except (Exception, MemoryError):
            kept = args.out / f"breaks-{name}-{done}.bin"
            kept.write_bytes(data)
            print(f"{name}: input {done} breaks the reader; kept as {kept}")
            sys.excepthook(*sys.exc_info())
            return False
        finally:
            signal.alarm(0)
        done += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {done} inputs in {time.monotonic() - start:.0f} s, nothing broke, peak {peak:.0f} MB")
    return True


def by_coverage(args: argparse.Namespace) -> int:
    """One target with atheris, which ends the process itself."""
    import atheris

    with atheris.instrument_imports(include=["vantage.scans"]):
        from targets import TARGETS
    name = args.targets[0] if args.targets else "sens"
    target = TARGETS[name]

    def custom(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        return (target.mutate(data, rng) if rng.random() < 0.7 else atheris.Mutate(data, most))[:most]

    corpus = args.out / f"corpus-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for k, data in enumerate(target.seeds()):
        (corpus / f"seed-{k}").write_bytes(data)
    options = [f"-max_total_time={args.seconds:.0f}", "-rss_limit_mb=1500", f"-timeout={_SECONDS_EACH}"]
    atheris.Setup([sys.argv[0], *options, "-max_len=20000", str(corpus)], target.run, custom_mutator=custom)
    atheris.Fuzz()
    return 0


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, resource.RLIM_INFINITY))


def _hang(*_: object) -> None:
    raise TimeoutError(f"an input took over {_SECONDS_EACH} s")


if __name__ == "__main__":
    sys.exit(main())
