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
_SERVING = "vantage.registry.serving:Answerer"
DIGEST_TAG = "vantage.digest"


@dataclass(frozen=True)
class ModelFiles:
    """What a registered model is made of.

    Attributes:
        base, adapter: folders of weights with their descriptions.
        card: the model card, Markdown.
        extras: files to keep beside the weights (an example), by name.
    """

    base: Path
    adapter: Path
    card: str
    extras: Mapping[str, Path]

    @property
    def digest(self) -> str:
        """Digest of the weights and their descriptions: what the model is, whatever its card says."""
        parts = {"base": self.base, "adapter": self.adapter}
        return digest_files(
            {
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
        code = copy_modules(_modules(), Path(folder) / "code")
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
                pip_requirements=_requirements(),
                registered_model_name=name,
                tags={DIGEST_TAG: files.digest},
            )
        number = str(logged.registered_model_version)
        store.client().set_model_version_tag(name, number, DIGEST_TAG, files.digest)
    return number


def _requirements() -> list[str]:
    return [
        f"mlflow=={version('mlflow')}",
        *requirements(list(_modules().values())),
    ]


def _modules() -> dict[str, Path]:
    """The project's modules that serving needs."""
    return own_modules(_SERVING.partition(":")[0])


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
