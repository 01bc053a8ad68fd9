import os
from pathlib import Path

import pytest

from vantage.core.hashing import canonical_json, digest_bytes, digest_file, digest_json, digest_tree


def test_digest_of_known_bytes(tmp_path: Path) -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, "abc"
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_bytes(b"abc") == known == digest_file(tmp_path / "abc")


def test_a_tree_is_its_names_and_contents_not_its_times_or_order(tmp_path: Path) -> None:
    for root, names in (("one", ["a", "sub/b"]), ("two", ["sub/b", "a"])):
        for name in names:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    os.utime(tmp_path / "two/a", (1, 1))
    same = digest_tree(tmp_path / "one")
    assert same == digest_tree(tmp_path / "two")
    (tmp_path / "two/a").rename(tmp_path / "two/c")
    assert digest_tree(tmp_path / "two") != same
    (tmp_path / "one/a").write_text("b")
    assert digest_tree(tmp_path / "one") != same


def test_json_has_one_text_for_one_value() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))
