"""What a scan is asked: of the candidates of its situations those that may be asked, balanced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from vantage.questions.balance import Asked, choose
from vantage.questions.config import SynthesizeConfig
from vantage.questions.families import Family, family
from vantage.questions.must_see import MustSee
from vantage.questions.sampling import every_candidate
from vantage.questions.scene import Scene, Situated
from vantage.questions.situations import Situation

Dropped = Counter[tuple[str, str]]
"""Candidates not asked, by family and reason."""

_NOT_CHOSEN_FOR = "about none of the objects that the pose was chosen for"
_NOT_SHOWN = "about more objects than the views can show"
_BALANCE = "more than the quota or the balance allows"


def ask(
    scene: Scene,
    situations: Sequence[Situation],
    must_see: MustSee | None,
    config: SynthesizeConfig,
    seed: int,
    scan_id: str,
    dropped: Dropped,
) -> list[Asked]:
    """The questions of a scan, family by family; `dropped` counts what is not asked.

    Without `must_see` they are about what each situation's views show.
    """
    situated = [
        (s, Situated(scene, s.T_aligned_ego, must_see.reach(s) if must_see else s.seen)) for s in situations
    ]
    asked: list[Asked] = []
    for name, quota in sorted(config.questions.items()):
        kind = family(name)
        pool = list(_candidates(kind, situated, must_see, config, dropped))
        chosen = choose(pool, kind, quota * len(situated), seed, scan_id)
        dropped[name, _BALANCE] += len(pool) - len(chosen)
        asked += chosen
    return asked


def _candidates(
    kind: Family,
    situated: Sequence[tuple[Situation, Situated]],
    must_see: MustSee | None,
    config: SynthesizeConfig,
    dropped: Dropped,
) -> Iterator[Asked]:
    for situation, each in situated:
        for candidate in every_candidate(each, kind, config.margins, dropped):
            if not situation.asks_about(candidate.object_ids):
                dropped[kind.name, _NOT_CHOSEN_FOR] += 1
            elif must_see and not must_see.can_show(situation, candidate.object_ids):
                dropped[kind.name, _NOT_SHOWN] += 1
            else:
                yield Asked(situation.views[0], candidate)
