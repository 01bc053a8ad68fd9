"""A real chat server on loopback: it marks by a rule of its own, or misbehaves as scripted."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[["Handler"], None]


def verdict(word: str, reason: str = "so it is") -> str:
    return json.dumps({"reason": reason, "verdict": word})


def honest(asked: dict[str, Any]) -> str:
    """Correct if the answer (or caption) is one of the references."""
    fields = json.loads(asked["messages"][-1]["content"])
    said = fields.get("answer", fields.get("caption"))
    return verdict("correct" if said in fields["references"] else "incorrect")


@dataclass
class Chat:
    url: str = ""
    says: Callable[[dict[str, Any]], str] = honest
    finish: str = "stop"
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    scripts: deque[Script] = field(default_factory=deque)
    always: Script | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        chat = self.server.chat
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with chat.lock:
            chat.asked.append(body | {"path": self.path})
            chat.headers.append({name.lower(): value for name, value in self.headers.items()})
            script = chat.scripts.popleft() if chat.scripts else chat.always
        try:
            if script is None:
                self.say(chat.says(body), chat.finish)
            else:
                script(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def say(self, text: str | None, finish: str = "stop", **message: str) -> None:
        choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        self.plain(200, json.dumps({"choices": [choice]}).encode())

    def plain(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    chat: Chat

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no fault of the server."""


def status(code: int, body: bytes = b"", **headers: str) -> Script:
    return lambda handler: handler.plain(code, body, **headers)


def says(text: str | None, finish: str = "stop", **message: str) -> Script:
    return lambda handler: handler.say(text, finish, **message)


def drops(handler: Handler) -> None:
    """The connection breaks before an answer."""
    handler.close_connection = True
    handler.connection.close()


def stops_half_way(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"message": {"content": "{')
    handler.close_connection = True


def drips(handler: Handler) -> None:
    """A byte at a time, so that no single read times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@contextmanager
def chatting() -> Iterator[Chat]:
    chat = Chat()
    with Server(("127.0.0.1", 0), Handler) as server:
        server.chat = chat
        chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield chat
        finally:
            server.shutdown()
            thread.join()
