"""Files arrive whole from a server that breaks off, stalls, lies, changes its mind or refuses."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from fetching import MESH, SCAN, SENS, Fetching

from scannet_server import Handler, Script
from vantage.core.errors import ParameterError, ResourceError, ScanUnavailableError


def drops(after: int) -> Script:
    return lambda handler, content: handler.serve(content, stop_after=after)


def status(code: int, **headers: str) -> Script:
    return lambda handler, content: handler.plain(code, **headers)


def lies(length: int, **fields: Any) -> Script:
    """A Content-Length that is not the body's."""
    return lambda handler, content: handler.serve(content, length=len(content) + length, **fields)


def with_header(name: str, value: str, content_too: bytes | None = None) -> Script:
    return lambda handler, content: handler.serve(content_too or content, extra={name: value})


def no_ranges(handler: Handler, content: bytes) -> None:
    handler.serve(content, ranges=False)


def test_a_whole_scan_arrives_from_the_releases_places(fetching: Fetching) -> None:
    fetched = fetching.fetch()
    assert sorted(name.removeprefix(SCAN) for name in fetched.files) == [
        ".aggregation.json",
        ".sens",
        ".txt",
        "_vh_clean_2.0.010000.segs.json",
        "_vh_clean_2.labels.ply",
        "_vh_clean_2.ply",
    ]
    for name, path in fetched.files.items():
        tree = "v1" if name.endswith(".sens") else "v2"
        assert path.read_bytes() == fetching.original(f"{tree}/scans/{SCAN}/{name}")
    assert fetched.label_table is not None
    assert fetched.label_table.read_bytes() == fetching.original("v2/tasks/scannetv2-labels.combined.tsv")
    assert fetched.facts["files"] == 6 and fetched.facts["absent"] == ""
    assert fetched.facts["fetched_bytes"] == fetching.served.sent()
    assert fetching.waits == []


def test_a_second_run_asks_for_nothing_and_needs_no_address(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, asked = fetching.fetch(), len(fetching.served.asked)
    monkeypatch.delenv("VANTAGE_SCANNET_URL")
    second = fetching.fetch()
    assert len(fetching.served.asked) == asked
    assert second.files == first.files and second.facts["fetched_bytes"] == 0


def test_another_file_type_costs_that_file(fetching: Fetching) -> None:
    fetching.fetch(file_types=(".sens", ".txt"))
    before = fetching.served.sent()
    fetching.fetch(file_types=(".sens", ".txt", "_vh_clean_2.ply"))
    assert fetching.served.sent() - before == len(fetching.original(MESH))


def test_a_file_that_was_changed_is_fetched_again(fetching: Fetching) -> None:
    whole = fetching.sens()
    path = fetching.fetch(file_types=(".sens",)).files[f"{SCAN}.sens"]
    assert len(fetching.served.gets()) == 1
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert fetching.sens() == whole
    assert len(fetching.served.gets()) == 2


def test_a_broken_connection_is_gone_on_with(fetching: Fetching) -> None:
    """Five breaks in a row with three retries: every one of them brought something new."""
    whole = fetching.original()
    step = len(whole) // 6
    fetching.served.script(SENS, *[drops(step)] * 5)
    assert fetching.sens() == whole
    asked = fetching.served.gets()
    assert [one.range for one in asked] == ["", *(f"bytes={step * k}-" for k in range(1, 6))]
    assert all(one.headers["if-range"].startswith('"') for one in asked[1:])
    assert fetching.served.sent() == len(whole), "no byte twice"
    assert len(fetching.waits) == 5
    assert "ends early" in fetching.lines.said[0] or "broke" in fetching.lines.said[0]


def test_breaks_that_bring_nothing_are_given_up(fetching: Fetching) -> None:
    fetching.served.always["GET", f"/{SENS}"] = drops(0)
    with pytest.raises(ScanUnavailableError) as caught:
        fetching.sens()
    text = str(caught.value)
    assert SENS in text and "4 times in a row" in text and "run the same command again" in text
    assert len(fetching.served.gets()) == 4
    first, second, third = fetching.waits
    assert 0.5 <= first <= 1 <= second <= 2 <= third <= 4, "it doubles, spread by half"


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_waited_for_as_it_asks(fetching: Fetching, code: int) -> None:
    fetching.served.script(SENS, status(code, Retry_After="17"), status(code))
    assert fetching.sens() == fetching.original()
    assert fetching.waits[0] == 17.0 and 1 <= fetching.waits[1] <= 2
    assert f"the server answers {code}; again in 17 s" in fetching.lines.said[0]


def test_a_server_that_stays_busy_ends_the_stage(fetching: Fetching) -> None:
    fetching.served.always["GET", f"/{SENS}"] = status(503)
    with pytest.raises(ResourceError, match="does not deliver") as caught:
        fetching.sens()
    assert "503 (4 times in a row)" in str(caught.value)


def test_a_server_that_asks_for_hours_is_left_alone(fetching: Fetching) -> None:
    fetching.served.script(SENS, status(429, Retry_After="7200"))
    with pytest.raises(ResourceError) as caught:
        fetching.sens()
    assert "wait 7200 s as the server asks" in str(caught.value)
    assert fetching.waits == [] and len(fetching.served.gets()) == 1


def test_a_stall_is_noticed(fetching: Fetching) -> None:
    def stalls(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("ETag", '"a"')
        handler.end_headers()
        handler.body(content[:1000])
        time.sleep(3)
        handler.close_connection = True

    fetching.served.script(SENS, stalls)
    began = time.monotonic()
    assert fetching.sens(timeout_s=0.3) == fetching.original()
    assert time.monotonic() - began < 2.5
    assert "the connection stalled" in fetching.lines.said[0]


def test_a_server_that_ignores_ranges_sends_all_again(fetching: Fetching) -> None:
    whole = fetching.original()
    fetching.served.script(SENS, drops(len(whole) // 2), no_ranges)
    assert fetching.sens() == whole


def test_a_file_that_changes_between_two_parts_is_never_mixed(fetching: Fetching) -> None:
    """With If-Range the server starts over; one that does not look at it is caught by its ETag."""
    whole = fetching.original()
    other = bytes(byte ^ 255 for byte in whole)

    def ignores_if_range(handler: Handler, content: bytes) -> None:
        del handler.headers["If-Range"]
        handler.serve(content, etag='"new"')

    fetching.served.script(
        SENS,
        lambda handler, content: handler.serve(other, stop_after=len(other) // 2, etag='"old"'),
        ignores_if_range,
    )
    assert fetching.sens() == whole
    assert [one.range != "" for one in fetching.served.gets()] == [False, True, False]
    assert fetching.waits[1] == 0, "another content is begun at once"


def test_if_range_makes_an_honest_server_start_over(fetching: Fetching) -> None:
    whole = fetching.original()
    other = bytes(byte ^ 255 for byte in whole)
    fetching.served.script(
        SENS, lambda handler, content: handler.serve(other, stop_after=len(other) // 2, etag='"old"')
    )
    assert fetching.sens() == whole
    assert len(fetching.served.gets()) == 2


@pytest.mark.parametrize("shift", [-1000, 1000])
def test_a_range_that_begins_elsewhere_is_refused(fetching: Fetching, shift: int) -> None:
    whole = fetching.original()
    first = len(whole) // 2 + shift

    def shifted(handler: Handler, content: bytes) -> None:
        etag = f'"{hashlib.sha1(content).hexdigest()[:12]}"'
        part = content[first:]
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        handler.body(part)

    fetching.served.script(SENS, drops(len(whole) // 2), shifted)
    assert fetching.sens() == whole


def test_416_for_a_part_that_is_whole(fetching: Fetching) -> None:
    """A chunked body tells no size; when it breaks off exactly at its end, 416 says that it was the end."""
    whole = fetching.original()

    def chunked_without_end(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("ETag", '"same"')
        handler.end_headers()
        handler.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        handler.wfile.flush()
        handler.close_connection = True

    fetching.served.script(
        SENS, chunked_without_end, lambda handler, content: handler.serve(content, etag='"same"')
    )
    assert fetching.sens() == whole
    asked = fetching.served.gets()
    assert asked[1].range == f"bytes={len(whole)}-" and len(asked) == 2


def test_416_for_a_part_that_is_too_long_starts_again(fetching: Fetching) -> None:
    whole = fetching.original()
    longer = whole + bytes(1000)
    fetching.served.script(
        SENS,
        lambda handler, content: handler.serve(longer, stop_after=len(whole) + 500, etag='"x"'),
        lambda handler, content: handler.serve(content, etag='"x"'),
    )
    assert fetching.sens() == whole
    assert [one.range != "" for one in fetching.served.gets()] == [False, True, False]


def test_a_chunked_body_is_whole_by_its_end(fetching: Fetching) -> None:
    def chunked(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (content[:5000], content[5000:]):
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    fetching.served.script(SENS, chunked)
    assert fetching.sens() == fetching.original()
    assert fetching.waits == []


def test_a_size_that_stays_wrong_is_told(fetching: Fetching) -> None:
    whole = fetching.original()
    fetching.served.always["GET", f"/{SENS}"] = lies(100, ranges=False)
    with pytest.raises(ScanUnavailableError) as caught:
        fetching.sens()
    assert SENS in str(caught.value) and "times in a row" in str(caught.value)
    fetching.served.always.clear()
    assert fetching.sens() == whole, "the next run does better"


def test_more_bytes_than_announced_are_refused(fetching: Fetching) -> None:
    whole = fetching.original()
    half = len(whole) // 2

    def too_much(handler: Handler, content: bytes) -> None:
        part = content[half:] + b"surplus"
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {half}-{len(content) - 1}/{len(content)}")
        handler.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()[:12]}"')
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        handler.body(part)

    fetching.served.script(SENS, drops(half), too_much)
    assert fetching.sens() == whole
    assert "sends more than it says" in fetching.lines.said[1]


@pytest.mark.parametrize("kind", ["Repr-Digest", "Digest", "x-goog-hash", "Content-MD5"])
def test_a_checksum_is_held_to(fetching: Fetching, kind: str) -> None:
    whole = fetching.original()
    sha = base64.b64encode(hashlib.sha256(whole).digest()).decode()
    md5 = base64.b64encode(hashlib.md5(whole).digest()).decode()
    value = {
        "Repr-Digest": f"sha-256=:{sha}:",
        "Digest": f"SHA-256={sha}",
        "x-goog-hash": f"crc32c=AAAAAA==, md5={md5}",
        "Content-MD5": md5,
    }[kind]
    damaged = whole[:1000] + b"\0" + whole[1001:] if whole[1000] else whole[:1000] + b"\1" + whole[1001:]
    fetching.served.script(SENS, with_header(kind, value, damaged), with_header(kind, value))
    assert fetching.sens() == whole
    assert "the checksum differs" in fetching.lines.said[0]
    assert len(fetching.served.gets()) == 2


def test_a_checksum_that_stays_wrong_is_told_with_both(fetching: Fetching) -> None:
    wrong = base64.b64encode(bytes(32)).decode()
    fetching.served.always["GET", f"/{SENS}"] = with_header("Digest", f"sha-256={wrong}")
    with pytest.raises(ScanUnavailableError) as caught:
        fetching.sens()
    text = str(caught.value)
    assert f"sha256 {'0' * 64}" in text and hashlib.sha256(fetching.original()).hexdigest() in text


@pytest.mark.parametrize("typed", [True, False])
def test_a_page_for_logging_in_is_no_file(fetching: Fetching, typed: bool) -> None:
    def page(handler: Handler, content: bytes) -> None:
        kind = "text/html; charset=utf-8" if typed else "application/octet-stream"
        handler.plain(200, b"\n<!DOCTYPE html><title>Log in</title>", Content_Type=kind)

    fetching.served.always["GET", f"/{SENS}"] = page
    with pytest.raises(ParameterError, match="no access") as caught:
        fetching.sens()
    assert "web page instead of the file" in str(caught.value)
    assert len(fetching.served.gets()) == 1


@pytest.mark.parametrize("code", [401, 403])
def test_a_refusal_is_not_tried_again(fetching: Fetching, code: int) -> None:
    fetching.served.always["GET", f"/{SENS}"] = status(code)
    with pytest.raises(ParameterError) as caught:
        fetching.fetch()
    text = str(caught.value)
    assert str(code) in text and "VANTAGE_SCANNET_TOKEN" in text and "Terms of Use" in text
    assert len(fetching.served.gets(SENS)) == 1


def test_a_missing_file_that_a_scan_needs_sets_it_aside(fetching: Fetching) -> None:
    (fetching.served.root / MESH).unlink()
    with pytest.raises(ScanUnavailableError) as caught:
        fetching.fetch()
    assert MESH in str(caught.value) and "404" in str(caught.value)


def test_a_missing_file_that_no_scan_needs_is_recorded(fetching: Fetching) -> None:
    (fetching.served.root / f"v2/scans/{SCAN}/{SCAN}_vh_clean_2.labels.ply").unlink()
    fetched = fetching.fetch()
    assert fetched.facts["absent"] == "_vh_clean_2.labels.ply" and fetched.facts["files"] == 5


def test_a_release_without_a_label_table_says_so(fetching: Fetching) -> None:
    (fetching.served.root / "v2/tasks/scannetv2-labels.combined.tsv").unlink()
    assert fetching.fetch().label_table is None
    assert "built-in label table" in fetching.lines.said[-1]


def test_a_test_scan_has_no_annotations(fetching: Fetching) -> None:
    fetched = fetching.fetch("scene0707_00")
    assert sorted(name.removeprefix("scene0707_00") for name in fetched.files) == [
        ".sens",
        ".txt",
        "_vh_clean_2.ply",
    ]
    assert fetched.label_table is None
    assert all("scans_test" in path.as_posix() for path in fetched.files.values())


def test_annotations_of_version_1_are_never_taken(fetching: Fetching) -> None:
    (fetching.served.root / f"v2/scans/{SCAN}/{SCAN}.aggregation.json").unlink()
    with pytest.raises(ScanUnavailableError, match=r"lacks files"):
        fetching.fetch()
    assert not [one for one in fetching.served.asked if one.path.startswith("/v1") and "sens" not in one.path]


def test_nobody_listening_ends_the_stage(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("VANTAGE_SCANNET_URL", f"http://127.0.0.1:{port}/secret-path")
    with pytest.raises(ResourceError) as caught:
        fetching.sens()
    assert "no connection to the server" in str(caught.value)
    assert "secret-path" not in str(caught.value) and len(fetching.waits) == 3


def test_one_failure_stops_the_other_files_and_keeps_their_bytes(fetching: Fetching) -> None:
    part = fetching.cache / "scannet/scans" / SCAN / f".{SCAN}.sens.part"

    def refuses_when_the_recording_is_begun(handler: Handler, content: bytes) -> None:
        deadline = time.monotonic() + 20
        while not (part.is_file() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        handler.plain(403)

    fetching.served.always["GET", f"/{MESH}"] = refuses_when_the_recording_is_begun

    def slow(handler: Handler, content: bytes) -> None:
        handler.serve(content, pace_s=0.05)

    fetching.served.script(SENS, slow)
    with pytest.raises(ParameterError):
        fetching.fetch()
    fetching.served.always.clear()
    fetching.fetch()
    asked = fetching.served.gets(SENS)
    assert len(asked) == 2 and asked[1].range.startswith("bytes=")
    begun = int(asked[1].range.removeprefix("bytes=").rstrip("-"))
    assert asked[1].sent == len(fetching.original()) - begun


def test_no_half_file_has_a_files_name(fetching: Fetching) -> None:
    fetching.served.always["GET", f"/{SENS}"] = drops(5000)
    with pytest.raises(ScanUnavailableError):
        fetching.fetch(retries=0)
    folder: Path = fetching.cache / "scannet/scans" / SCAN
    assert not (folder / f"{SCAN}.sens").exists()
    assert (folder / f".{SCAN}.sens.part").stat().st_size == 5000
