"""Views for each question, so that they show the objects which its answer rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from vantage.questions.recorded import Recorded
from vantage.questions.scene import Seen
from vantage.questions.situations import Situation
from vantage.questions.views import choose_views, shown_by


class MustSee:
    """The views of a scan's questions.

    Args:
        recorded: the scan's frames.
        n: views of a question, the ego's included.
        seed: of ties.
    """

    def __init__(self, recorded: Recorded, n: int, seed: int) -> None:
        self._recorded, self._n, self._seed = recorded, n, seed
        self._anywhere = shown_by(recorded, recorded.frame_ids)
        self._choose = lru_cache(maxsize=None)(self._choice)

    def reach(self, situation: Situation) -> Seen:
        """What questions of a situation may be about: all that any frame of the scan shows."""
        return replace(situation.seen, views=self._anywhere)

    def can_show(self, situation: Situation, object_ids: Iterable[int]) -> bool:
        """Whether `views` shows all of these objects, each of them shown by some frame."""
        wanted = frozenset(object_ids)
        # A choice for each that the ego does not see is always enough.
        return len(wanted - situation.seen.first.keys()) < self._n or wanted <= shown_by(
            self._recorded, self.views(situation, wanted)
        )

    def views(self, situation: Situation, object_ids: Iterable[int]) -> tuple[int, ...]:
        """The situation's own views if they show all the objects, else others, chosen to show them."""
        wanted = frozenset(object_ids)
        if wanted <= situation.seen.views:
            return situation.views
        return self._choose(situation.views[0], wanted)

    def _choice(self, ego: int, wanted: frozenset[int]) -> tuple[int, ...]:
        return choose_views(self._recorded, ego, self._n, self._seed, wanted)
