"""Pictures that several requests of a batch are shown: a tower computes each of them once.

Questions on one set of views repeat its pictures; what the tower makes of a picture depends on nothing else
it is shown beside, so that its features are computed once and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from vantage.core.errors import ContractError
from vantage.models.families import Family, Site
from vantage.models.vlm.tower_calls import standing_in, tower_calls


class TowerOnce:
    """Stands in for a model's tower during a pass.

    A picture is known by the bytes that the tower is given for it, with its mask or grid.

    Args:
        family, model: whose tower it is.
        site: where coordinates enter; None: nowhere. Before the tower's blocks (`pre_vit`) they make pictures
            of the same pixels differ, and nothing is shared.

    Attributes:
        asked, computed: pictures so far.
    """

    def __init__(self, family: Family, model: nn.Module, site: Site | None) -> None:
        self.calls = tower_calls(family, model)
        self.asked = self.computed = 0
        self._shares = site != "pre_vit"

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Share pictures in the passes made inside."""
        if not self._shares:
            yield
            return
        with standing_in(self.calls.tower, self._answer):
            yield

    def _answer(self, inner: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        try:
            call = self.calls.call(args, kwargs)
        except ContractError:  # given more than pictures: which output is whose is not known
            return inner(*args, **kwargs)
        pictures = self.calls.alone(call)
        first: dict[str, int] = {}
        places = [first.setdefault(picture.key(), len(first)) for picture in pictures]
        self.asked += len(places)
        self.computed += len(first)
        if len(first) == len(places):
            return call.run(inner)
        chosen = self.calls.together([pictures[places.index(k)] for k in range(len(first))])
        own = self.calls.apart(chosen, self.calls.states(chosen, inner))
        return self.calls.joined(call, [own[k] for k in places])
