import pytest

from vantage.core.errors import ParameterError
from vantage.core.names import Names


def test_a_name_is_imported_when_asked_for() -> None:
    table: Names[object] = Names("number", {"pi": "math:pi", "broken": "no_such_module:x"})
    assert table.names() == ["broken", "pi"]
    assert table.get("pi") == pytest.approx(3.14159, abs=1e-5)


def test_an_unknown_name_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(ParameterError) as caught:
        Names("source", {"generated": "a:b", "folder": "a:b"}).get("generatd")
    assert caught.value.expected == "one of folder, generated"
    assert caught.value.hint == "did you mean 'generated'?"
