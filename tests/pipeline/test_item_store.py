"""The store of finished items: whole entries only, found only unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vantage.core.hashing import digest_tree
from vantage.pipeline.link import begin, clean, link_tree
from vantage.pipeline.store import OUT, Manifest, Store


def put(store: Store, key: str, files: dict[str, bytes]) -> Manifest:
    temporary = store.begin()
    for name, content in files.items():
        (temporary / OUT / name).parent.mkdir(parents=True, exist_ok=True)
        (temporary / OUT / name).write_bytes(content)
    return store.commit(temporary, key, Manifest("stage", "item", "done", facts={"n": 1}, seconds=0.5))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(files=st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=9), min_size=1))
def test_what_is_put_is_found_with_the_digest_of_its_files(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    manifest = put(store, "key", files)
    assert store.find("key") == manifest
    assert manifest.digest == digest_tree(store.files("key"))
    assert manifest.size == sum(map(len, files.values()))
    assert {name: (store.files("key") / name).read_bytes() for name in files} == files


@pytest.mark.parametrize("harm", ["change", "same size", "remove", "add", "manifest", "no manifest"])
def test_a_harmed_entry_is_discarded(tmp_path: Path, harm: str) -> None:
    store = Store(tmp_path)
    put(store, "key", {"a": b"first", "b/c": b"second"})
    victim = store.files("key") / "a"
    victim.chmod(0o644)
    if harm == "change":
        victim.write_bytes(b"other content")
    if harm == "same size":
        victim.write_bytes(b"fIrst")
    if harm == "remove":
        victim.unlink()
    if harm == "add":
        (store.files("key") / "more").write_bytes(b"")
    if harm == "manifest":
        (store.entry("key") / "manifest.json").write_text("{")
    if harm == "no manifest":
        (store.entry("key") / "manifest.json").unlink()
    assert store.find("key") is None
    assert not store.entry("key").exists()
    assert list(tmp_path.iterdir()) == []


def test_another_time_alone_harms_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "key", {"a": b"first"})
    (store.files("key") / "a").touch()
    assert store.find("key") is not None


def test_an_item_set_aside_is_remembered_without_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    temporary = store.begin()
    (temporary / OUT / "half").write_text("done")
    store.commit(temporary, "key", Manifest("stage", "item", "set_aside", reason="bad"))
    found = store.find("key")
    assert found is not None
    assert (found.status, found.reason, dict(found.files)) == ("set_aside", "bad", {})


def test_what_a_kill_left_is_cleaned_and_never_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "key", {"a": b"first"})
    (store.begin() / OUT / "half").write_text("done")
    store.clean()
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_links_share_the_file_and_folders_left_by_a_kill_are_cleaned(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    put(store, "key", {"a": b"first", "b/c": b"second"})
    final = tmp_path / "out" / "frames"
    folder = begin(final)
    link_tree(store.files("key"), folder / "item")
    assert (folder / "item/b/c").stat().st_ino == (store.files("key") / "b/c").stat().st_ino
    former = tmp_path / "out" / ".frames.12345678.old"
    former.mkdir()
    (former / "whole").write_text("the output before the kill")
    clean(final)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["frames"]
    assert (final / "whole").is_file()
