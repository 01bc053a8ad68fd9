from __future__ import annotations

import pickle

from vantage.core.recent import Recent


def test_only_the_last_few_are_kept() -> None:
    made: list[str] = []

    def get(key: str) -> str:
        return recent.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    recent: Recent[str] = Recent(2)
    assert [get(key) for key in "abab"] == list("ABAB") and made == ["a", "b"]
    get("c")  # lets go of a
    get("b")
    assert made == ["a", "b", "c"]
    get("a")  # lets go of c
    get("b")
    get("c")
    assert made == ["a", "b", "c", "a", "c"]


def test_copies_begin_empty() -> None:
    recent: Recent[int] = Recent(3)
    assert recent.get("a", lambda: 1) == 1
    other = pickle.loads(pickle.dumps(recent))  # noqa: S301
    assert other.get("a", lambda: 2) == 2 and recent.get("a", lambda: 3) == 1
