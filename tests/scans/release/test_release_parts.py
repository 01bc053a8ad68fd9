"""The pieces alone: headers, waiting, the rate limit, names of files, addresses and their secrets."""

from __future__ import annotations

import base64
import logging
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fetching import SENS, Fetching
from hypothesis import given
from hypothesis import strategies as st

from scannet_server import Handler, serving
from vantage.core.errors import ParameterError, ResourceError, ScanUnavailableError
from vantage.core.patience import FaultError, Patience, retry_after_s
from vantage.scans.release.address import find_address
from vantage.scans.release.client import Client
from vantage.scans.release.config import ScannetConfig
from vantage.scans.release.files import addresses, check_scan_id, is_scan_id, tree_of, wanted
from vantage.scans.release.headers import checksum, content_range, if_range
from vantage.scans.release.meter import Meter
from vantage.scans.release.patience import persist
from vantage.scans.release.rate import RateLimit

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "s3cr3t-t0ken"


def test_content_range() -> None:
    whole, unsatisfied = content_range("bytes 5-9/10"), content_range("bytes */10")
    assert whole is not None and (whole.first, whole.total) == (5, 10)
    assert unsatisfied is not None and (unsatisfied.first, unsatisfied.total) == (None, 10)
    open_end = content_range("bytes 5-9/*")
    assert open_end is not None and open_end.total is None
    for wrong in (None, "", "bytes", "bytes 5-9", "bits 5-9/10", "bytes -1-9/10"):
        assert content_range(wrong) is None


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after_s("120", NOW) == 120
    assert retry_after_s(format_datetime(NOW.replace(minute=5), usegmt=True), NOW) == 60
    assert retry_after_s(format_datetime(NOW.replace(year=2025), usegmt=True), NOW) == 0
    for nothing in (None, "", "soon", "-3"):
        assert retry_after_s(nothing, NOW) is None


def test_if_range_takes_no_weak_tag() -> None:
    assert if_range('"a"', "date") == '"a"'
    assert if_range('W/"a"', "date") == "date"
    assert if_range("", "") == ""


def test_checksums_prefer_sha_256_and_refuse_other_lengths() -> None:
    sha, md5 = base64.b64encode(b"s" * 32).decode(), base64.b64encode(b"m" * 16).decode()
    both = {"Digest": f"MD5={md5},SHA-256={sha}"}
    assert checksum(both, whole=False) == ("sha256", (b"s" * 32).hex())
    assert checksum({"Content-MD5": md5}, whole=True) == ("md5", (b"m" * 16).hex())
    assert checksum({"Content-MD5": md5}, whole=False) is None
    assert checksum({"Digest": f"sha-256={md5}, unixsum=30637"}, whole=True) is None


@given(st.text(max_size=40))
def test_headers_of_any_text_are_read_without_a_fault(text: str) -> None:
    content_range(text)
    wait = retry_after_s(text, NOW)
    assert wait is None or wait >= 0
    checksum({"Digest": text, "Repr-Digest": text, "X-Goog-Hash": text, "Content-MD5": text}, whole=True)


@given(st.integers(0, 40))
def test_waiting_doubles_up_to_a_minute_and_is_the_same_each_time(failures: int) -> None:
    patience = Patience(5)
    delay, longest = patience.delay_s("a", failures, None), min(60.0, 2.0**failures)
    assert 0.5 * longest <= delay <= longest
    assert delay == patience.delay_s("a", failures, None) != patience.delay_s("b", failures, None)


def test_giving_up_says_how_often_and_what_to_do() -> None:
    waits: list[float] = []

    def fails() -> None:
        raise FaultError("it is short", expected="10 bytes", found="9 bytes")

    with pytest.raises(ScanUnavailableError) as caught:
        persist(fails, "v1/x", Patience(2, waits.append))
    assert caught.value.expected == "10 bytes" and "9 bytes: it is short (3 times" in str(caught.value.found)
    assert len(waits) == 2 and caught.value.hint is not None
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_the_rate_limit_holds_for_all_who_share_a_file(tmp_path: Path) -> None:
    clock = [100.0]
    slept: list[float] = []
    limits = [RateLimit(tmp_path / "rate", 1000.0, lambda: clock[0], slept.append) for _ in range(3)]
    for limit in limits:
        limit.take(500)
    assert slept == [0.5, 1.0, 1.5], "each pays after the one before"
    clock[0] = 200.0
    limits[0].take(500)
    assert slept[-1] == 0.5, "a free line is not paid for"
    clock[0] = 1.0
    (tmp_path / "rate").write_text("1e9")
    limits[0].take(500)
    assert slept[-1] == 0.5, "a time of another boot counts for nothing"


def test_the_rate_limit_in_real_time(tmp_path: Path) -> None:
    def work() -> None:
        limit = RateLimit(tmp_path / "rate", 1e6)
        for _ in range(5):
            limit.take(20_000)

    threads = [threading.Thread(target=work) for _ in range(4)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 0.39, "400 kB at 1 MB/s"


def test_the_meter_counts_several_files() -> None:
    clock = [0.0]
    meter = Meter(lambda: clock[0])
    clock[0] = 2.0
    meter.there("a", 1_000_000)
    meter.received("b", 3_000_000, 5_000_000, 3_000_000)
    assert meter.state() == (4, 6, "MB, 1.5 MB/s, b") and meter.fetched == 3_000_000


def test_where_files_lie() -> None:
    assert addresses("scene0001_00", ".sens")[0] == "v1/scans/scene0001_00/scene0001_00.sens"
    assert addresses("scene0001_00", ".aggregation.json") == (
        "v2/scans/scene0001_00/scene0001_00.aggregation.json",
    )
    assert addresses("scene0707_00", ".sens")[0] == "v2/scans_test/scene0707_00/scene0707_00.sens"
    assert (tree_of("scene0706_00"), tree_of("scene0707_00")) == ("scans", "scans_test")
    assert wanted("scene0800_00", (".sens", ".aggregation.json", ".sens")) == [".sens"]


@given(st.text(max_size=14) | st.from_regex(r"scene\d{4}_\d\d"))
def test_an_id_is_never_a_path(text: str) -> None:
    if is_scan_id(text):
        assert len(text) == 12 and text.isascii() and not set(text) & set("/\\.\n\0")
    else:
        with pytest.raises(ParameterError, match="no id"):
            check_scan_id(text)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the address of ScanNet is not set"),
        ("ftp://host/scannet", "not an address"),
        ("scannet.example", "not an address"),
        ("http://host:port/", "not an address"),
        (f"https://me:{SECRET}@host.example/", "holds a secret"),
        (f"https://host.example/?sig={SECRET}", "holds a secret"),
    ],
)
def test_wrong_addresses_are_told_without_showing_them(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VANTAGE_SCANNET_URL", raising=False)
    with pytest.raises(ParameterError, match=message) as caught:
        find_address(ScannetConfig(url=url))
    assert SECRET not in str(caught.value) and "host.example" not in str(caught.value)


def test_a_token_does_not_travel_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VANTAGE_SCANNET_TOKEN", SECRET)
    with pytest.raises(ParameterError, match="unencrypted"):
        find_address(ScannetConfig(url="http://host.example/scannet/"))
    address = find_address(ScannetConfig(url="https://host.example/scannet"))
    assert address.at("v2/scans.txt") == "https://host.example/scannet/v2/scans.txt"
    assert address.authorization == f"Bearer {SECRET}"
    assert SECRET not in repr(address) and "host.example" not in repr(address)
    monkeypatch.setenv("VANTAGE_SCANNET_TOKEN", "two\nlines")
    with pytest.raises(ParameterError, match="characters that no header can"):
        find_address(ScannetConfig(url="https://host.example/scannet"))


def test_an_address_may_hold_its_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VANTAGE_SCANNET_TOKEN", raising=False)
    monkeypatch.setenv("VANTAGE_SCANNET_URL", f"https://me:{SECRET}@h.example:8443/scannet?sig=abc")
    address = find_address(ScannetConfig())
    assert address.at("v2/x") == "https://h.example:8443/scannet/v2/x?sig=abc"
    assert base64.b64decode(address.authorization.removeprefix("Basic ")).decode() == f"me:{SECRET}"
    monkeypatch.setenv("VANTAGE_SCANNET_URL", "https://h.example:8443/scannet?sig=other")
    assert find_address(ScannetConfig()).key == address.key, "a new secret is no new server"


def test_the_token_reaches_the_server_and_nothing_else(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fetching.served.token, fetching.served.prefix = SECRET, f"/{SECRET}"
    monkeypatch.setenv("VANTAGE_SCANNET_URL", f"{fetching.served.url}/{SECRET}/")
    monkeypatch.setenv("VANTAGE_SCANNET_TOKEN", SECRET)
    fetching.served.script(SENS, lambda handler, content: handler.serve(content, stop_after=100))
    fetching.fetch()
    fetching.served.always["GET", "/v2/scans/scene0001_00/scene0001_00.txt"] = lambda handler, content: (
        handler.serve(content, stop_after=0)
    )
    with pytest.raises(ScanUnavailableError) as caught:
        fetching.fetch("scene0001_00")
    kept = [path.read_bytes() for path in fetching.cache.rglob("*") if path.is_file()]
    told = [str(caught.value), *fetching.lines.said, *[note for _, _, note in fetching.lines.steps]]
    assert fetching.lines.said and not [text for text in (*told, caplog.text) if SECRET in text]
    assert not [content for content in kept if SECRET.encode() in content]


def test_a_redirect_to_another_host_goes_without_the_token(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.1 and localhost are two hosts to a client."""
    monkeypatch.setenv("VANTAGE_SCANNET_TOKEN", SECRET)
    port = fetching.served.url.rpartition(":")[2]

    def elsewhere(handler: Handler, content: bytes) -> None:
        handler.plain(302, Location=f"http://localhost:{port}/v1/moved.bin")

    (fetching.served.root / "v1/moved.bin").write_bytes(fetching.original())
    fetching.served.script(SENS, elsewhere)
    assert fetching.sens() == fetching.original()
    first, second = fetching.served.gets()
    assert first.headers["authorization"] == f"Bearer {SECRET}"
    assert second.path == "/v1/moved.bin" and "authorization" not in second.headers


def test_an_untrusted_certificate_is_no_reason_to_try_again(fetching: Fetching, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_bytes(_own_certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    with serving(fetching.served.root, context) as served:
        address = find_address(ScannetConfig(url=served.url))
        with (
            Client(address, 5.0, 1) as client,
            pytest.raises(ResourceError, match="certificate is not trusted") as caught,
            client.request("GET", "v2/scans.txt"),
        ):
            raise AssertionError("answered")
    assert "SSL_CERT_FILE" in str(caught.value) and "127.0.0.1" not in str(caught.value)


def _own_certificate() -> bytes:
    """A key and a certificate that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(pem)
