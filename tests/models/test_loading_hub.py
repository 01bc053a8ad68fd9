"""A base by its name on the hub: the right files, at a revision, or an error that says why not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from tiny_vlms import CASES

from hub_server import COMMIT, hub

SCRIPT = """
import dataclasses, json, sys
from vantage.core.errors import VantageError
from vantage.models.loading import load_vlm
try:
    base = load_vlm(sys.argv[1], revision=sys.argv[2])
except VantageError as error:
    print(json.dumps({"error": type(error).__name__, "text": str(error)}))
else:
    total = sum(float(p.double().sum()) for p in base.model.parameters())
    print(json.dumps({**dataclasses.asdict(base.identity), "total": total, "folder": str(base.folder)}))
"""


def loaded(address: str, cache: Path, name: str) -> dict[str, object]:
    """In a process of its own: the hub's address is read once, when its library is imported."""
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0"}
    environment["HF_HUB_DISABLE_XET"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, "v1"],
        env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    value: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return value


def test_a_model_is_fetched_by_name_and_revision_without_its_pickles_or_code(tmp_path: Path) -> None:
    model = CASES["llava"]().model
    model.save_pretrained(tmp_path / "repository", max_shard_size="60KB")
    torch.save({}, tmp_path / "repository" / "pytorch_model.bin")
    (tmp_path / "repository" / "modeling_evil.py").write_text("raise SystemExit(1)\n")
    with hub(tmp_path / "repository", "someone/some-vlm") as (address, asked):
        found = loaded(address, tmp_path / "cache", "someone/some-vlm")
        missing = loaded(address, tmp_path / "cache", "someone/nothing")
    assert (found["base"], found["revision"], found["model_type"]) == ("someone/some-vlm", "v1", "llava")
    total = sum(float(p.double().sum()) for p in model.parameters())
    assert found["total"] == total
    assert any(path.endswith("/revision/v1") for path in asked)
    assert not any(path.endswith((".bin", ".py")) for path in asked)
    assert COMMIT in str(found["folder"])
    assert missing["error"] == "ResourceError"
    assert "cannot be had" in str(missing["text"])
