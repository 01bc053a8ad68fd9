import pickle

from vantage.core.errors import ContractError, ParameterError, ScanError, SetAsideError, VantageError


def test_an_error_says_where_what_is_wrong_and_what_to_do() -> None:
    error = ScanError("pose is not rigid", where="pose/3.txt", expected="det 1", found=0.5, hint="drop it")
    assert str(error).splitlines() == [
        "pose is not rigid",
        "  in: pose/3.txt",
        "  expected: det 1",
        "  found: 0.5",
        "  to do: drop it",
    ]
    assert (
        error.one_line() == "pose is not rigid; in: pose/3.txt; expected: det 1; found: 0.5; to do: drop it"
    )


def test_details_and_type_survive_a_process_border() -> None:
    sent = ContractError("bad", where="a", expected=1, found=2, hint="x")
    error = pickle.loads(pickle.dumps(sent))  # noqa: S301
    assert type(error) is ContractError
    assert (error.where, error.expected, error.found, error.hint) == ("a", "1", "2", "x")


def test_exit_codes() -> None:
    kinds = (VantageError, ParameterError, ContractError, SetAsideError, ScanError)
    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 4, 1]
