"""The bodies of this folder on a device that refuses what a GPU refuses, where there is no GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate", reason="no accelerate: the loop was not tried on the strict device")
pytest.importorskip("peft", reason="no peft: adapters were not tried on the strict device")

import torch

if torch.version.cuda or torch.version.hip:
    pytest.skip("this PyTorch has a GPU's own kernels", allow_module_level=True)

HERE = Path(__file__).parent
#: Of each kind of body as many as some seconds allow; the rest has been run by hand and takes minutes.
CHOSEN = (
    "test_models_on_a_gpu or rows_and_gradients or (zero_is_bit and not smolvlm)"
    " or (llava and a_point_reaches) or whole_logits or (shared_views_give and sdpa)"
    " or scores_are or accumulated or after_a_stop or random_numbers or losses_are"
    " or moves_afterwards or (pocket_model_learns and post_vit) or (stock_model_learns and llava and lora)"
)


def run(*arguments: str) -> str:
    """The output of pytest on the strict device; it must end well, with nothing skipped."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "strict_cuda", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}, cwd=HERE.parents[1],
        capture_output=True, text=True, timeout=550, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout[-2000:]
    return done.stdout


def number(output: str, what: str) -> int:
    found = re.search(rf"(\d+) {what}", output)
    assert found, output[-500:]
    return int(found[1])


def test_nothing_is_left_on_the_cpu() -> None:
    bodies = [str(path) for path in sorted(HERE.glob("test_*_on_a_gpu.py"))]
    output = run(*bodies, "-k", CHOSEN)
    assert number(output, "passed") == 69
    assert number(output, "operations on the device") > 300_000
    assert number(output, "of them different") >= 100


def test_faults_that_a_cpu_bears_are_refused() -> None:
    assert number(run(str(HERE / "strict_faults.py")), "passed") == 23
