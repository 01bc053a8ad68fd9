"""`vantage lift-settings`: the parameters of `lift` that fit a base model."""

from __future__ import annotations

from pathlib import Path

import typer

_FILES = ("*config.json",)


def lift_settings(base: str, revision: str, views: int) -> None:
    """Print the section `lift` of params.yaml, as far as the model's files decide it."""
    import yaml

    from vantage.lift.processors.block import lift_block

    folder = Path(base)
    if not folder.is_dir():
        from vantage.models.loading import base_folder

        folder, _, _ = base_folder(base, revision or None, _FILES)
    block = {"lift": lift_block(folder, views)}
    typer.echo(yaml.safe_dump(block, sort_keys=False, default_flow_style=None, width=110), nl=False)
