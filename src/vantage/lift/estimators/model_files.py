"""Where a model's files lie: a folder of one's own, or the hub at a pinned commit, fetched once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError, ResourceError
from vantage.core.hashing import digest_file, digest_json
from vantage.core.tasks import Cost

#: What is taken of a model: never a pickle, never code.
PATTERNS = ("config.json", "preprocessor_config.json", "model*.safetensors", "model.safetensors.index.json")
_HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine.

    Attributes:
        folder: holds its files.
        name: how to call it to a person.
        identity: what it is wherever it lies: `owner/name@commit`, or a digest of a folder's files.
    """

    folder: Path
    name: str
    identity: str


def is_folder(model: str) -> bool:
    """Whether a model is given as a folder that is there, and not by its id on the hub."""
    return bool(model) and Path(model).expanduser().is_dir()


def require_pinned(model: str, revision: str) -> None:
    """ParameterError unless `model` is a folder, or a hub id with a whole commit for its revision."""
    if is_folder(model):
        return
    _require_hub_id(model)
    if not _COMMIT.fullmatch(revision):
        raise ParameterError(
            "a model of the hub needs a commit: a branch may move, and the same parameters would then give "
            "other results", where=f"revision of {model}", expected="a commit of 40 hexadecimal digits",
            found=revision or "none", hint="copy it from the model's page, under Files, History",
        )  # fmt: skip


def find_model(model: str, revision: str = "") -> ModelFiles:
    """The files of a model, from the hub's cache or fetched into it if they are not in a folder.

    With HF_HUB_OFFLINE set nothing is asked for outside. Raises ParameterError for a name that is neither a
    folder nor a model of the hub, ResourceError when the hub cannot be reached.
    """
    if is_folder(model):
        folder = Path(model).expanduser()
        return ModelFiles(folder, folder.name, folder_identity(folder))
    _require_hub_id(model)
    folder = Path(_ask_hub(model, revision))
    return ModelFiles(folder, model, f"{model}@{folder.name}")


def download_cost(model: str, revision: str = "") -> Cost:
    """Files and bytes that `find_model` would fetch, beside those that are there; it raises the same."""
    if is_folder(model):
        return _nothing_to_fetch(Path(model).expanduser())
    _require_hub_id(model)
    files = _ask_hub(model, revision, dry_run=True)
    if isinstance(files, str):  # offline: the folder that is there
        return _nothing_to_fetch(Path(files))
    wanted = [file.file_size for file in files if file.will_download]
    here = [file.file_size or 0 for file in files if not file.will_download]
    known = [size for size in wanted if size is not None]
    return Cost(len(wanted), sum(known), len(here), sum(here), unknown=len(wanted) - len(known))


def folder_identity(folder: Path) -> str:
    """A digest of the names and contents of the files that make up a model in a folder."""
    return f"sha256:{digest_json({path.name: digest_file(path) for path in _files(folder)})}"


def folder_state(folder: Path) -> list[list[str | int]]:
    """Names, sizes and times of those files: when they change, so may the model."""
    return [[str(p.absolute()), p.stat().st_size, p.stat().st_mtime_ns] for p in _files(folder)]


def _nothing_to_fetch(folder: Path) -> Cost:
    sizes = [path.stat().st_size for path in _files(folder)]
    return Cost(0, 0, len(sizes), sum(sizes))


def _files(folder: Path) -> list[Path]:
    found = {path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()}
    return sorted(found)


def _require_hub_id(model: str) -> None:
    if not _HUB_ID.fullmatch(model):
        raise ParameterError(
            "no such model folder, nor the name of a model on the hub", where="model",
            expected="a folder with config.json, or owner/name", found=repr(model),
        )  # fmt: skip


def _ask_hub(model: str, revision: str, dry_run: bool = False) -> Any:
    try:
        from huggingface_hub import constants, errors, snapshot_download
    except ImportError as error:
        raise missing_library(error) from error
    where = f"{model}, revision {revision or 'main'}"
    try:
        return snapshot_download(
            model,
            revision=revision or None,
            allow_patterns=list(PATTERNS),
            local_files_only=constants.HF_HUB_OFFLINE,
            dry_run=dry_run and not constants.HF_HUB_OFFLINE,
        )
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise ResourceError(
            "the model is not on this machine, and the hub cannot be asked", where=where, found=_line(error),
            hint="connect once (without HF_HUB_OFFLINE), or name a folder that holds the model",
        ) from error  # fmt: skip
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        raise ParameterError(
            "no such model or revision on the hub, or no access to it", where=where, found=_line(error),
            hint="check the name; for a model with terms, accept them and set HF_TOKEN",
        ) from error  # fmt: skip
    except OSError as error:
        raise ResourceError("cannot fetch the model", where=where, found=_line(error)) from error


def missing_library(error: ImportError) -> ResourceError:
    """What to say when the libraries of depth estimators are not installed."""
    return ResourceError(
        "estimating depth needs PyTorch and transformers", found=error, hint="pip install 'vantage[train]'"
    )


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]
