"""A server on this machine that answers as bad ones do."""

import random
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Seconds of silence; the steps wait for less.
STALL = 3
MANNERS = ("stall", "cut", "short length", "long length", "reset", "no length", "wrong range", "redirect", "error")


class BadServer(ThreadingHTTPServer):
    """Serves files from memory, each answer well with probability `honest`, else in one of `MANNERS`.

    Parameters
    ----------
    files : dict of str to bytes
        By path, without the first slash.
    honest : float
    seed : int
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], honest: float = 1.0, seed: int = 0):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.honest, self.random, self.asked = files, honest, random.Random(seed), 0
        self.url = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    def manner(self) -> str:
        """How the next answer is given."""
        self.asked += 1
        return "well" if self.random.random() < self.honest else self.random.choice(MANNERS)

    def handle_error(self, *_) -> None:
        """A client that was killed is no news."""


class Answer(BaseHTTPRequestHandler):
    """One answer."""

    def do_GET(self) -> None:
        content = self.server.files.get(self.path.removeprefix("/"))
        if content is None:
            self.send_error(404)
            return
        manner, tag, begin = self.server.manner(), f'"{hash(content)}"', 0
        if manner in ("redirect", "error"):
            self.send_response(302 if manner == "redirect" else 503)
            self.send_header("Location", "ftp://127.0.0.1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.headers.get("Range") and self.headers.get("If-Range") == tag:
            begin = min(int(self.headers["Range"].removeprefix("bytes=").rstrip("-")), len(content) - 1)
        rest = content[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            first = begin // 2 if manner == "wrong range" else begin
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        length = len(rest) + {"short length": -len(rest) // 3, "long length": 1000}.get(manner, 0)
        if manner != "no length":
            self.send_header("Content-Length", str(length))
        self.send_header("ETag", tag)
        self.end_headers()
        self.send_body(rest, manner)

    def send_body(self, content: bytes, manner: str) -> None:
        """Whole, or the first part of it and then what the manner says."""
        if manner not in ("stall", "cut", "reset"):
            self.wfile.write(content)
            return
        self.wfile.write(content[: self.server.random.randrange(len(content))])
        if manner == "stall":
            time.sleep(STALL)
        if manner == "reset":
            # A linger time of zero makes closing a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_) -> None:
        """Say nothing."""
