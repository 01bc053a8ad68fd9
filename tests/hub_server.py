"""A model hub on loopback: one repository out of a folder, in the hub's own protocol."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40


@contextmanager
def hub(folder: Path, name: str) -> Iterator[tuple[str, list[str]]]:
    """Serve `folder` as repository `name`; gives the address and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            if path.startswith(f"/api/models/{name}/revision/"):
                files = [{"rfilename": p.relative_to(folder).as_posix()} for p in folder.rglob("*")]
                self._send(json.dumps({"id": name, "sha": COMMIT, "siblings": files}).encode(), body)
                return
            if path == f"/api/models/{name}/tree/{COMMIT}":
                listed = [
                    {"type": "file", "path": p.relative_to(folder).as_posix(), "oid": "0", "size": size}
                    for p in folder.rglob("*")
                    for size in (p.stat().st_size,)
                ]
                self._send(json.dumps(listed).encode(), body)
                return
            prefix = f"/{name}/resolve/{COMMIT}/"
            file = folder / path.removeprefix(prefix)
            if not path.startswith(prefix) or not file.is_file():
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = file.read_bytes()
            self._send(data, body, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT})

        def _send(self, data: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
            self.send_response(200)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
