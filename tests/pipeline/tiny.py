"""A workspace of the real pipeline at tiny size, driven as a person drives it: by commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vantage.records.index import IndexRow, read_index

REPOSITORY = Path(__file__).resolve().parents[2]
STAGES = ("download", "extract", "lift", "recover", "synthesize", "finetune", "evaluate", "promote")
OUTS = {
    "download": "data/raw",
    "extract": "data/frames",
    "lift": "data/lift",
    "recover": "data/recover",
    "synthesize": "data/questions",
    "finetune": "models/arms",
    "evaluate": "reports/evaluation",
    "promote": "reports/promotion",
}
# Files in these folders are never written in place, so copies of a workspace may share them.
_LINKED = ("data", "models", "reports", ".vantage/store", ".dvc/cache")
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def environment() -> dict[str, str]:
    """For commands: this checkout's code, this interpreter's programs, no services."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_", "VANTAGE_"))}
    return inherited | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY / "src"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_AUTHOR_NAME": "Test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "Test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
        "GIT_CONFIG_NOSYSTEM": "1",
    }


@dataclass
class Tiny:
    """A workspace."""

    root: Path

    def command(
        self, *words: str, check: bool = True, workers: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the workspace; with `check`, it must succeed."""
        extra = {} if workers is None else {"VANTAGE_WORKERS": str(workers)}
        done = subprocess.run(
            words, cwd=self.root, env=environment() | extra, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done

    def vantage(
        self, *words: str, check: bool = True, workers: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.command("vantage", *words, check=check, workers=workers)

    def dvc(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.command("dvc", *words, check=check)

    def set(self, key: str, value: object) -> None:
        """Change one parameter in params.yaml."""
        path = self.root / "params.yaml"
        values = yaml.safe_load(path.read_text())
        *sections, name = key.split(".")
        inner = values
        for section in sections:
            inner = inner[section]
        inner[name] = value
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    def out(self, stage: str) -> Path:
        return self.root / OUTS[stage]

    def rows(self, stage: str) -> dict[str, IndexRow]:
        return {row.item: row for row in read_index(self.out(stage))}

    def state(self) -> dict[str, dict[str, Any]]:
        """What `vantage ls` says, by stage."""
        return {row["stage"]: row for row in json.loads(self.vantage("ls", "--json").stdout)}

    def forget(self, stage: str) -> None:
        """Remove a stage's output and its finished items."""
        shutil.rmtree(self.out(stage), ignore_errors=True)
        shutil.rmtree(self.root / ".vantage/store" / stage, ignore_errors=True)

    def stored(self, stage: str) -> dict[str, int]:
        """When each finished item of a stage was stored (ns), by key."""
        folder = self.root / ".vantage/store" / stage
        found = [path for path in folder.glob("*/manifest.json") if not path.parent.name.startswith(".")]
        return {path.parent.name: path.stat().st_mtime_ns for path in found}

    def take_captures(self, scans: Path, own: Path, unreadable: str) -> None:
        """Take scans from a folder of captures: a copy of `scans` at `own`, one `.sens` cut in half."""
        shutil.copytree(scans, own, ignore=shutil.ignore_patterns("index.jsonl"))
        victim = own / unreadable / f"{unreadable}.sens"
        content = victim.read_bytes()
        victim.unlink()
        victim.write_bytes(content[: len(content) // 2])
        self.set("download.source", "folder")
        self.set("download.folder.path", str(own))

    def registered_model(self) -> str:
        """Digest of the model that `promote` decided about; it must be in the registry."""
        from vantage.registry.promote import is_registered
        from vantage.registry.store import find_store

        decision = json.loads((self.out("promote") / "promote/decision.json").read_text())
        digest: str = decision["model_digest"]
        assert is_registered(find_store(self.root), digest)
        return digest

    def copy(self, root: Path) -> Tiny:
        """The same workspace elsewhere; what is never written in place is shared."""
        root.mkdir(parents=True)
        for path in self.root.iterdir():
            _copy(path, root / path.name, path.name)
        return Tiny(root)


def _copy(source: Path, target: Path, name: str) -> None:
    if source.is_file():
        shutil.copy2(source, target)
    elif name in _LINKED:
        shutil.copytree(source, target, copy_function=os.link)
    else:
        target.mkdir()
        for path in source.iterdir():
            _copy(path, target / path.name, f"{name}/{path.name}")


def make(root: Path) -> Tiny:
    """A new workspace with the tiny profile: what a clone of the project holds, in git."""
    root.mkdir(parents=True)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy2(REPOSITORY / name, root / name)
    (root / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy2(REPOSITORY / ".dvc" / name, root / ".dvc" / name)
    shutil.copytree(REPOSITORY / "src/vantage", root / "src/vantage", ignore=_IGNORED)
    workspace = Tiny(root)
    profile = ("vantage", "params", "--profile", "tiny", "--workspace", str(REPOSITORY))
    (root / "params.yaml").write_text(workspace.command(*profile).stdout)
    if base := os.environ.get("VANTAGE_TEST_BASE"):
        for section in ("finetune", "evaluate", "promote"):
            workspace.set(f"{section}.base", base)
    workspace.command("git", "init", "-q")
    workspace.command("git", "add", "-A")
    workspace.command("git", "commit", "-qm", "A workspace")
    return workspace
