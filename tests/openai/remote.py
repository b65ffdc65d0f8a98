"""A web server that gives prepared answers, right or wrong, and remembers what it was asked."""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from integrations.connectors.http import Pace


@dataclass(frozen=True)
class Answer:
    """`body` is sent as JSON unless it is bytes. `drip` sends it byte by byte, so many seconds apart."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: float = 0
    silent_for: float = 0
    broken_off: bool = False
    reset: bool = False
    chunked: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def refusal(status: int, message: str, **headers: str) -> Answer:
    return Answer(status, {"error": {"message": message, "type": "t", "param": None, "code": None}}, headers)


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: Mapping[str, str]
    body: Any


class Remote:
    """Gives its answers one after another, the last one for ever."""

    def __init__(self, *answers: Answer, certificate: Path | None = None) -> None:
        self._certificate = certificate
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.connections = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def base_url(self) -> str:
        assert self._server is not None
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_port}/v1"

    @property
    def targets(self) -> list[str]:
        return [f"{asked.method} {asked.target.removeprefix('/v1')}" for asked in self.asked]

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"remote": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    remote: Remote
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.remote.connections += 1

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.loads(content) if content else None
        self.remote.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        answer = self.remote.next_answer()
        time.sleep(answer.silent_for)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        try:
            self._send(answer)
        except OSError:
            self.close_connection = True  # the client was told to give up

    do_GET = do_POST = do_DELETE = _answer

    def _send(self, answer: Answer) -> None:
        content = answer.content
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        if answer.chunked:
            self.send_header("transfer-encoding", "chunked")
            content = (
                b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _halves(content)) + b"0\r\n\r\n"
            )
        else:
            self.send_header("content-length", str(len(content) + answer.broken_off))
        self.end_headers()
        if answer.broken_off:
            self.close_connection = True
        if not answer.drip:
            self.wfile.write(content)
            return
        for place in range(len(content)):
            self.wfile.write(content[place : place + 1])
            time.sleep(answer.drip)

    def send_response(self, code: int, message: str | None = None) -> None:
        """Without the date and the name that the base class adds."""
        self.send_response_only(code, message)

    def log_message(self, *_: object) -> None:
        """Nothing: `asked` remembers."""


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "self-signed.pem"
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


def _halves(content: bytes) -> list[bytes]:
    middle = len(content) // 2
    return [part for part in (content[:middle], content[middle:]) if part]


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now

    @property
    def waited(self) -> float:
        return round(sum(self.slept), 3)

    def pace(self, **changes: Any) -> Pace:
        return Pace(sleep=self.sleep, clock=self.clock, **changes)
