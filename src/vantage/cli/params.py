"""`vantage params`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from vantage.core import atomic
from vantage.core.errors import ParameterError
from vantage.pipeline import yaml12
from vantage.pipeline.params import Params, merge, validate
from vantage.pipeline.params_text import render
from vantage.pipeline.workspace import PARAMS_FILE, find_workspace

_SETTINGS = ("*config.json",)


def show(
    profiles: Sequence[str], base: str, revision: str, defaults: bool, write: bool, workspace: Path | None
) -> None:
    """Print parameters to standard output, or write them as the workspace's, after checking them."""
    if revision and not base:
        raise ParameterError(
            "a revision of nothing", where="--revision", expected="--base HUB_ID beside it", found=revision,
            hint="or set base.revision in params.yaml",
        )  # fmt: skip
    if defaults and not (profiles or base or write):
        sys.stdout.write(render(validate({})))
        return
    root = find_workspace(workspace).root
    params = validate({})
    if not defaults:
        document = yaml12.parse(root / PARAMS_FILE)
        params = validate(document.value, document.where)
        if not (profiles or base or write):
            sys.stdout.write(document.path.read_text(encoding="utf-8"))
            return
    for name in profiles:
        overlay = yaml12.parse(_profile(root, name))
        # Laid over every key, so that an overlay means the same where the file leaves defaults out.
        params = validate(merge(params.plain(), overlay.value), overlay.where)
    if base:
        params = validate(_with_base(params, _from(root, base), _lift_of(base, revision, params), revision))
    _put(render(params), root if write else None)


def _put(text: str, root: Path | None) -> None:
    if root is None:
        sys.stdout.write(text)
        return
    atomic.write_text(root / PARAMS_FILE, text)
    typer.echo(f"wrote {root / PARAMS_FILE}")


def _profile(root: Path, name: str) -> Path:
    path = root / "profiles" / f"{name}.yaml"
    if not path.is_file():
        known = sorted(found.stem for found in path.parent.glob("*.yaml"))
        raise ParameterError(
            "no such profile", where=path, expected=", ".join(known) or "a profile there", found=name
        )
    return path


def _from(root: Path, base: str) -> str:
    """A folder that is named from here as the stages find it, which run in the workspace's folder."""
    if base == "shipped" or not Path(base).is_dir() or Path(base).is_absolute():
        return base
    return os.path.relpath(base, root)


def _with_base(params: Params, base: str, lift: Mapping[str, Any], revision: str) -> dict[str, Any]:
    value = params.plain()
    shared = {**value["base"], "model": base, "revision": revision}
    return {**value, "base": shared, "lift": {**value["lift"], **lift}}


def _lift_of(base: str, revision: str, params: Params) -> dict[str, Any]:
    """What in `lift` makes patches those of the pictures that the base sees."""
    from vantage.lift.config import LiftConfig
    from vantage.lift.processors.block import lift_block
    from vantage.models.model_files import is_pocket

    if is_pocket(base):
        stock = LiftConfig()
        return {"processor": "squash", "image_size": stock.image_size, "patch_size": stock.patch_size}
    folder = Path(base)
    if not folder.is_dir():
        from vantage.models.loading import base_folder

        folder, _, _ = base_folder(base, revision or None, _SETTINGS)
    return lift_block(folder, params.section("synthesize").views_per_question)
