"""A real HTTP server on loopback that serves a folder as ScanNet's server does, or misbehaves as scripted."""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Script = Callable[["Handler", bytes], None]


@dataclass
class Asked:
    """A request as it came, and how many bytes of the body were sent for it."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self) -> str:
        return self.headers.get("range", "")


class Handler(BaseHTTPRequestHandler):
    """Answers from the folder, unless a script is waiting for the path."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        served = self.server.served
        url = urlsplit(self.path)
        path = url.path.removeprefix(served.prefix)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Asked(self.command, path, headers)
        with served.lock:
            served.asked.append(self.asked)
            waiting = served.scripts[self.command, path]
            script = waiting.popleft() if waiting else served.always.get((self.command, path))
        file = served.root / path.lstrip("/")
        content = file.read_bytes() if file.is_file() else None
        try:
            if served.token and headers.get("authorization") != f"Bearer {served.token}":
                return self.plain(401)
            if script is not None:
                return script(self, content or b"")
            if content is None:
                return self.plain(404)
            self.serve(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def plain(self, status: int, text: bytes = b"", **headers: str) -> None:
        """A status with a short body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def serve(
        self,
        content: bytes,
        *,
        etag: str | None = None,
        stop_after: int | None = None,
        length: int | None = None,
        ranges: bool = True,
        pace_s: float = 0.0,
        extra: dict[str, str] | None = None,
    ) -> None:
        """The content with ETag and ranges; it may stop early, or lie about its length."""
        etag = etag or f'"{hashlib.sha1(content).hexdigest()[:12]}"'
        start = self._start(etag) if ranges else 0
        if start >= len(content):
            return self.plain(416, Content_Range=f"bytes */{len(content)}", ETag=etag)
        part = content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", etag)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(part) if length is None else length))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.body(part if stop_after is None else part[:stop_after], pace_s or self.server.served.pace_s)
        if stop_after is not None or length is not None:
            self.wfile.flush()
            self.close_connection = True

    def body(self, part: bytes, pace_s: float = 0.0) -> None:
        """Send bytes, and count them."""
        step = 1 << 14
        for at in range(0, len(part), step):
            self.wfile.write(part[at : at + step])
            self.wfile.flush()
            self.asked.sent += len(part[at : at + step])
            if pace_s:
                time.sleep(pace_s)

    def _start(self, etag: str) -> int:
        text = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        if not text.startswith("bytes=") or (condition is not None and condition != etag):
            return 0
        return int(text.removeprefix("bytes=").partition("-")[0])


class Server(ThreadingHTTPServer):
    """Threads that end with the test."""

    daemon_threads = True
    served: Served

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up, as a killed one does, is no fault of the server."""


@dataclass
class Served:
    """What is served and what was asked for.

    Attributes:
        root: the folder that holds `v1` and `v2`.
        token: asked for in every request; empty for none.
        prefix: a first part of every path.
        pace_s: a pause after every 16 KiB of a body.
    """

    root: Path
    url: str = ""
    token: str = ""
    prefix: str = ""
    pace_s: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    scripts: dict[tuple[str, str], deque[Script]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[tuple[str, str], Script] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, path: str, *scripts: Script, method: str = "GET") -> None:
        """The next answers for a path, one each."""
        self.scripts[method, f"/{path}"].extend(scripts)

    def gets(self, path: str = "") -> list[Asked]:
        """The GET requests so far, of one path or of all."""
        with self.lock:
            return [one for one in self.asked if one.method == "GET" and one.path.endswith(path)]

    def sent(self, path: str = "") -> int:
        """Bytes of bodies sent so far."""
        return sum(one.sent for one in self.gets(path))


@contextmanager
def serving(root: Path, context: ssl.SSLContext | None = None) -> Iterator[Served]:
    """A server of `root` on a free port of loopback, with TLS if told."""
    served = Served(root)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.served = served
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        served.url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
