"""The arithmetic of a reply's reasoning, executed: what each step states, what it comes to, what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vantage.models.grounded.arithmetic import spelled
from vantage.models.grounded.clauses import (
    CHOICE,
    chain,
    clauses,
    comparisons,
    expression_at_end,
    name_at_end,
    stated,
)
from vantage.models.grounded.conclusion import Conclusion
from vantage.models.grounded.execution import Execution, StepCheck
from vantage.models.grounded.view import Located

_LONGEST = 600  # characters of a clause


@dataclass(frozen=True)
class Checked:
    """The steps of a reply in order, and what follows from them."""

    steps: tuple[StepCheck, ...]
    conclusion: Conclusion

    @property
    def wrong(self) -> tuple[StepCheck, ...]:
        """Steps that state something else than what comes out."""
        return tuple(step for step in self.steps if step.agrees is False)


def check(thought: str, boxes: Sequence[Located] = ()) -> Checked:
    """Execute every step of a reasoning text.

    A step is judged by the numbers that it names itself, so that one mistake counts once. The conclusion is
    drawn from executed values: a mistake is replaced by its true value wherever a later step repeats it.
    Text that computes nothing is passed over; a clause with an equals sign that cannot be read is reported.
    """
    state = Execution.of(boxes)
    for clause in map(spelled, clauses(thought)):
        if len(clause) > _LONGEST:
            state.steps.append(StepCheck(f"{clause[:80]}...", "", None, None, "too long to be a step"))
            continue
        if (choice := CHOICE.search(clause)) is not None:
            state.choose(clause, choice.groupdict())
            continue
        before = len(state.steps)
        parts = chain(clause)
        _equalities(state, clause, parts)
        for comparison in comparisons(clause):
            state.compare(clause, comparison)
        if len(state.steps) == before and len(parts) > 1:
            state.steps.append(StepCheck(clause, "", None, None, "nothing in it can be computed"))
    return Checked(tuple(state.steps), state.conclusion())


def _equalities(state: Execution, clause: str, parts: Sequence[str]) -> None:
    """Each number of a chain against what stands before it; the chain's name, if any, becomes known."""
    name, first, begun = name_at_end(parts[0]), None, len(state.steps)
    begins = expression_at_end(parts[0], state.believed())
    if begins is not None and (begins != name or stated(parts[1], last=len(parts) == 2) is not None):
        name = None  # an expression, or a name that is stated again; `d = sqrt(...) = 2.0` gives d anew
    for i in range(1, len(parts)):
        number = stated(parts[i], last=i == len(parts) - 1)
        if number is None:
            continue
        true = state.equal(clause, parts[i - 1], number, first=i == 1, named=name is not None)
        if true is not None:
            first = first or (number, true)
    if name is not None and first is not None:
        state.define(name, *first)
    if len(state.steps) > begun and first is not None:
        state.last = first[1]
