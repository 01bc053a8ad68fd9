"""The state of a reasoning text while it is read: what it believes, and what it should."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from vantage.models.grounded.arithmetic import UnreadableError, Values, evaluate, holds, numbers_in
from vantage.models.grounded.clauses import Stated, expression_at_end, stated
from vantage.models.grounded.conclusion import Conclusion
from vantage.models.grounded.view import Located

_CONSTANTS: Final = (0.5, 1.0, 2.0)  # numbers that need no source


@dataclass(frozen=True)
class StepCheck:
    """A step of a reply.

    Attributes:
        text: the clause it stands in.
        stated: what it says comes out, as written.
        computed: what does come out of the numbers that it names, or the word that its comparison chooses;
            None where nothing can be computed.
        agrees: whether that is what it says, within half a unit of the last printed digit; None without
            `computed`.
        problem: why there is no value; else empty.
        unsourced: numbers with decimals that neither a box nor an earlier step has.
    """

    text: str
    stated: str
    computed: float | str | None
    agrees: bool | None
    problem: str = ""
    unsourced: tuple[str, ...] = ()


@dataclass
class Execution:
    """What is known while the steps are read: as stated, and as it should have been."""

    steps: list[StepCheck]
    names: dict[str, float]
    true_names: dict[str, float]
    box_numbers: frozenset[float]
    true_literals: dict[str, float] = field(default_factory=dict)
    stated_numbers: set[float] = field(default_factory=set)
    chosen: list[tuple[str, tuple[str, str]]] = field(default_factory=list)
    last: float | None = None
    lost: bool = False

    @classmethod
    def of(cls, boxes: Sequence[Located]) -> Execution:
        """Before the first step: the numbers of the boxes are known."""
        known = {f"{box.name}.{k}": value for box in boxes for k, value in box.values.items()}
        return cls([], dict(known), dict(known), frozenset(abs(v) for v in known.values()))

    def believed(self) -> Values:
        """Values as the text states them."""
        return Values(self.names)

    def executed(self) -> Values:
        """Values as they come out."""
        return Values(self.true_names, self.true_literals)

    def equal(self, clause: str, left: str, number: Stated, first: bool, named: bool) -> float | None:
        """Check `left = number`; gives the true value with the number's decimals, None if there is none.

        Args:
            clause: that it stands in.
            left: what stands between the two `=` before, or words and an expression where it is the first.
            number: what it is said to be.
            first: whether it is.
            named: whether it ends in a name that is given its value here.
        """
        pairs, unsourced = self._pairs(left, number, whole=not first)
        if not pairs:
            return self._given(clause, number) if first and named else None
        believed, executed = min(pairs, key=lambda pair: abs(pair[0] - number.value))
        agrees = abs(believed - number.value) <= number.tolerance
        self.steps.append(StepCheck(clause, number.text, believed, agrees, unsourced=unsourced))
        true = number.value if abs(executed - number.value) <= number.tolerance else number.rounded(executed)
        self._remember(number, true)
        return true

    def _given(self, clause: str, number: Stated) -> float:
        """A number that only gets a name."""
        self.steps.append(StepCheck(clause, number.text, None, None, "given", self._unsourced(number.text)))
        self.stated_numbers.add(abs(number.value))
        return number.value

    def _pairs(
        self, left: str, number: Stated, whole: bool
    ) -> tuple[list[tuple[float, float]], tuple[str, ...]]:
        """What is left of a number, as believed and as executed; in degrees too where it is stated so."""
        before = stated(left, last=False)
        if before is not None:
            pair = before.value, self.true_literals.get(before.text, before.value)
            turn = {("rad", "deg"): math.degrees, ("deg", "rad"): math.radians}.get(
                (before.unit, number.unit)
            )
            return [pair if turn is None else (turn(pair[0]), turn(pair[1]))], ()
        expression = expression_at_end(left, self.believed())
        if expression is None or (whole and expression != left.strip()):
            return [], ()
        pair = evaluate(expression, self.believed()), _executed(expression, self.executed())
        both = [pair, (math.degrees(pair[0]), math.degrees(pair[1]))]
        return both if number.unit == "deg" else [pair], self._unsourced(expression)

    def define(self, name: str, number: Stated, true: float) -> None:
        """From here on a name stands for a number."""
        self.names[name], self.true_names[name] = number.value, true

    def choose(self, clause: str, found: dict[str, str]) -> None:
        """Check `word if comparison else word = word`."""
        words = (found["yes"], found["no"])
        try:
            computed = words[0] if holds(found["test"], self.believed()) else words[1]
        except UnreadableError as error:
            self.steps.append(StepCheck(clause, found["said"], None, None, error.message))
            return
        left, _, right = found["test"].replace("<", ">").replace("=", "").partition(">")
        unsourced = self._unsourced(left) + self._unsourced(right)
        agrees = found["said"] == computed
        self.steps.append(StepCheck(clause, found["said"], computed, agrees, unsourced=unsourced))
        try:
            true = words[0] if holds(found["test"], self.executed()) else words[1]
        except UnreadableError:
            self.lost = True
        else:
            self.chosen.append((true, words))

    def compare(self, clause: str, comparison: str) -> None:
        """Check a comparison that is stated as a fact; one of words is none."""
        try:
            true = holds(comparison, self.believed())
        except UnreadableError:
            return
        self.steps.append(StepCheck(clause, comparison, "true" if true else "false", true))

    def conclusion(self) -> Conclusion:
        """What follows; nothing where a choice or the last value has none when it is executed."""
        if self.lost:
            return Conclusion()
        if self.chosen:
            return Conclusion(tuple(word for word, _ in self.chosen), tuple(two for _, two in self.chosen))
        return Conclusion(number=None if self.last is None or math.isnan(self.last) else self.last)

    def _remember(self, number: Stated, true: float) -> None:
        # A number that a box or an earlier step has as well may mean that one.
        known = abs(number.value) in self.box_numbers or abs(number.value) in self.stated_numbers
        if true != number.value and not known:
            self.true_literals[number.text] = true
        self.stated_numbers.add(abs(number.value))

    def _unsourced(self, expression: str) -> tuple[str, ...]:
        known = self.box_numbers | self.stated_numbers
        fractions = (text for text in numbers_in(expression) if "." in text)
        return tuple(t for t in fractions if abs(float(t)) not in known and float(t) not in _CONSTANTS)


def _executed(expression: str, values: Values) -> float:
    """The executed value; NaN where that has none (a division by what is truly 0)."""
    try:
        return evaluate(expression, values)
    except UnreadableError:
        return math.nan
