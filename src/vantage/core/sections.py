"""Fields of stages' configurations that several stages read alike, and that stand once in the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

_SECTION = "section"


def shared(section: str) -> Mapping[str, str]:
    """Metadata of a field that is a section of its own in `params.yaml`, the same for all who have the field.

    The field's class has a default for every one of its own.
    """
    return {_SECTION: section}


def shared_fields(kind: type[Any]) -> dict[str, str]:
    """By field of a configuration class, the section of the file that it is."""
    found = {field.name: field.metadata.get(_SECTION) for field in dataclasses.fields(kind)}
    return {name: section for name, section in found.items() if section is not None}
