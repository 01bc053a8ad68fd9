"""A trained arm as a registered MLflow model that needs nothing of this repository to load.

The model's folder holds base and adapter, the modules that answering needs (found by their imports), pinned
requirements, a model card and an example.
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from vantage.core.hashing import digest_files, file_digests
from vantage.registry.closure import copy_modules, own_modules, requirements
from vantage.registry.store import Store, fluent

_ENTRY = Path(__file__).with_name("pyfunc_model.py")
POCKET, VLM = "vantage.registry.serving", "vantage.registry.vlm_serving"
"""The modules that answer; a model's folder holds one of them and what it imports."""
DIGEST_TAG = "vantage.digest"
SERVING_KEY = "vantage.serving"


@dataclass(frozen=True)
class ModelFiles:
    """What a registered model is made of.

    Attributes:
        base, adapter: folders of weights with their descriptions.
        card: the model card, Markdown.
        extras: files to keep beside the weights (an example), by name.
        serving: the module that answers, `POCKET` or `VLM`.
        base_digest: what the base is, wherever its files are; None: what its folder holds.
        unused: distributions that the modules may import and this model never does.
    """

    base: Path
    adapter: Path
    card: str
    extras: Mapping[str, Path]
    serving: str = POCKET
    base_digest: str | None = None
    unused: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Digest of the weights and their descriptions: what the model is, whatever its card says."""
        parts = {"base": self.base, "adapter": self.adapter}
        known = {}
        if self.base_digest is not None:
            known = {"base": self.base_digest}
            del parts["base"]
        return digest_files(
            known
            | {
                f"{name}/{path}": d
                for name, folder in parts.items()
                for path, d in file_digests(folder).items()
            }
        )


def register(store: Store, name: str, files: ModelFiles, run_id: str) -> str:
    """Log the model under a finished run, register it as a version of `name` and return the version.

    The version is tagged with the model's digest.
    """
    with (
        tempfile.TemporaryDirectory(prefix="vantage-model-") as folder,
        fluent(store) as mlflow,
        _no_chatter(),
    ):
        code = copy_modules(own_modules(files.serving), Path(folder) / "code")
        card = Path(folder) / "README.md"
        card.write_text(files.card, encoding="utf-8")
        with mlflow.start_run(run_id=run_id):
            logged = mlflow.pyfunc.log_model(
                name=name,
                python_model=str(_ENTRY),
                code_paths=[str(code)],
                artifacts={
                    "base": str(files.base),
                    "adapter": str(files.adapter),
                    "card": str(card),
                    **{key: str(path) for key, path in files.extras.items()},
                },
                pip_requirements=_requirements(files),
                registered_model_name=name,
                tags={DIGEST_TAG: files.digest},
                metadata=None if files.serving == POCKET else {SERVING_KEY: files.serving},
            )
        number = str(logged.registered_model_version)
        store.client().set_model_version_tag(name, number, DIGEST_TAG, files.digest)
    return number


def _requirements(files: ModelFiles) -> list[str]:
    found = requirements(list(own_modules(files.serving).values()))
    needed = [line for line in found if line.partition("==")[0] not in files.unused]
    return [f"mlflow=={version('mlflow')}", *needed]


@contextmanager
def _no_chatter() -> Iterator[None]:
    """Without MLflow's advice on signatures: they cannot describe pictures; the model checks its input."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
