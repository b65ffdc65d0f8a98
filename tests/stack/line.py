"""A line to a server which can be cut, as when the server or the network between is gone, and mended."""

import socket
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import cast
from urllib.parse import urlsplit


class Line:
    """Reached at `url`, which is the server's with another port. Cut, it refuses whoever calls."""

    def __init__(self, url: str, default_port: int) -> None:
        parts = urlsplit(url)
        self._far_end = (parts.hostname or "127.0.0.1", parts.port or default_port)
        self._port = 0
        self._server: _Server | None = None
        self.mend()
        credentials = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(
            netloc=f"{credentials}{'@' if credentials else ''}127.0.0.1:{self._port}"
        ).geturl()

    def mend(self) -> None:
        if self._server:
            return
        self._server = _Server(("127.0.0.1", self._port), self._far_end)
        self._port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def cut(self) -> None:
        """Those who are speaking are cut off in the middle of a word."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], far_end: tuple[str, int]) -> None:
        self.far_end = far_end
        self.open: set[socket.socket] = set()
        super().__init__(address, _Call)

    def hang_up(self) -> None:
        for end in list(self.open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class _Call(BaseRequestHandler):
    def handle(self) -> None:
        server, near = cast(_Server, self.server), self.request
        with suppress(OSError), socket.create_connection(server.far_end) as far:
            ends = {near, far}
            server.open |= ends
            back = threading.Thread(target=_carry, args=(far, near), daemon=True)
            back.start()
            _carry(near, far)
            back.join()
            server.open -= ends


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(65536):
            sink.sendall(said)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
