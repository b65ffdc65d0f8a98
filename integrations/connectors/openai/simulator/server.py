"""Serves a simulated organization over real HTTP, in OpenAI's words, with the faults it is told to have."""

import json
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from integrations.connectors.openai.simulator import endpoints
from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.faults import Fault, Faults, Kind, instead_of_answer, spoil
from integrations.connectors.openai.simulator.limits import Limit, Limits, RateLimit
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import Refused

LARGEST_BODY = 1_000_000
HTML_PAGE = b"<!DOCTYPE html><html><body><h1>Just a moment</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived. `status` is None where the connection was reset instead of answered."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: Any
    status: int | None
    headers: Mapping[str, str]


@dataclass(slots=True)
class Reply:
    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def befell(self, kind: Kind) -> Fault | None:
        return next((fault for fault in self.faults if fault.kind is kind), None)


class Simulator:
    """The organization at `base_url`. Use it as a context manager, or with start() and stop().

    `latency`: seconds added to every answer. `rate_limit`: requests answered in a minute, or a limit for
    each of several families of endpoints (see `Limits`).
    """

    def __init__(
        self,
        organization: Organization,
        *,
        port: int = 0,
        faults: Iterable[Fault] = (),
        latency: float = 0.0,
        rate_limit: int | Mapping[str, Limit] | None = None,
    ) -> None:
        self.organization = organization
        self.requests: list[Recorded] = []
        self._port = port
        self._latency = latency
        self._faults = Faults(faults)
        if isinstance(rate_limit, int):
            rate_limit = {"": RateLimit(rate_limit)}
        self._limits = Limits(rate_limit or {})
        self._lock = threading.RLock()
        self._server: _Server | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def announcement(self) -> dict[str, str]:
        """What a client needs to know."""
        organization = self.organization
        return {
            "base_url": self.base_url,
            "admin_key": organization.admin_key,
            "project_key": organization.project_key,
        }

    @property
    def fired(self) -> list[Fault]:
        return self._faults.fired

    def inject(self, fault: Fault) -> None:
        with self._lock:
            self._faults.inject(fault)

    def start(self) -> Self:
        """Raises OSError where the port is taken. A stopped simulator starts again on its former port."""
        try:
            self._server = _Server(self, self._port)
        except OSError as error:
            raise OSError(f"port {self._port} cannot be used ({error.strerror})") from error
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Closes open connections too, so that no client goes on talking to a stopped simulator."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reply_to(self, asked: Asked, headers: Mapping[str, str]) -> Reply:
        with self._lock:
            faults = self._faults.due(asked)
        self._delay(faults)
        with self._lock:
            reply = self._reply(asked, faults)
            self._record(asked, headers, reply)
        return reply

    def _delay(self, faults: Iterable[Fault]) -> None:
        seconds = self._latency + sum(fault.seconds for fault in faults if fault.kind is Kind.LATENCY)
        if seconds:
            time.sleep(seconds)

    def _reply(self, asked: Asked, faults: list[Fault]) -> Reply:
        reply = self._before_effect(asked, faults) or self._effect(asked)
        reply.faults = faults
        for fault in faults if reply.status == 200 else ():
            spoil(fault, reply.body, asked)
        if reply.befell(Kind.SERVER_ERROR_AFTER):
            reply.status, reply.body = 500, error_body(500, "The server had an error.", None, None)
        return reply

    def _before_effect(self, asked: Asked, faults: Iterable[Fault]) -> Reply | None:
        for fault in faults:
            if fault.kind is Kind.RESET_BEFORE:
                return Reply(0, {})
            if instead := instead_of_answer(fault, asked):
                body = error_body(instead.status, instead.message, None, instead.code)
                return Reply(instead.status, body, dict(instead.headers))
        return None

    def _effect(self, asked: Asked) -> Reply:
        try:
            self._limits.take(asked.path)
            return Reply(200, endpoints.answer(self.organization, asked))
        except Refused as refusal:
            body = error_body(refusal.status, refusal.message, refusal.param, refusal.code)
            return Reply(refusal.status, body, dict(refusal.headers))

    def _record(self, asked: Asked, headers: Mapping[str, str], reply: Reply) -> None:
        is_reset = reply.befell(Kind.RESET_BEFORE) or reply.befell(Kind.RESET_AFTER)
        kept = {name.lower(): value for name, value in headers.items() if name.lower() != "authorization"}
        try:
            body = json.loads(asked.content) if asked.content else None
        except ValueError:
            body = asked.content.decode(errors="replace")
        query = {name: list(values) for name, values in asked.query.items()}
        status = None if is_reset else reply.status
        self.requests.append(Recorded(asked.method, asked.path, query, body, status, kept))


def error_body(status: int, message: str, param: str | None, code: str | None) -> Json:
    kind = {429: "requests", 401: "invalid_request_error"}.get(status)
    kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, simulator: Simulator, port: int) -> None:
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Closes at once: the polite goodbye of the base class would turn a reset into an end of file."""
        self._open.discard(request)
        self.close_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was quicker

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle of an answer is no news; anything else is a bug."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _answer(self) -> None:
        url = urlsplit(self.path)
        length = self.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY or "transfer-encoding" in self.headers:
            self.send_error(400, f"Send a body of at most {LARGEST_BODY} bytes, with its content-length.")
            return
        content = self.rfile.read(int(length))
        if len(content) < int(length):  # whoever sends it is gone, and has asked for nothing
            self.close_connection = True
            return
        asked = Asked(
            method=self.command,
            path=url.path,
            query=parse_qs(url.query, keep_blank_values=True),
            content=content,
            secret=self._bearer(),
        )
        self._deliver(self.server.simulator.reply_to(asked, dict(self.headers)))

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _answer

    def _bearer(self) -> str | None:
        scheme, _, secret = (self.headers.get("authorization") or "").partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else None

    def _deliver(self, reply: Reply) -> None:
        if reply.befell(Kind.RESET_BEFORE) or reply.befell(Kind.RESET_AFTER):
            self._reset()
        elif reply.befell(Kind.HTML):
            self._send_bytes(200, HTML_PAGE, {"content-type": "text/html"})
        elif reply.befell(Kind.TRUNCATED):
            content = json.dumps(reply.body).encode()
            self._send_bytes(reply.status, content[: len(content) // 2], reply.headers)
        else:
            drip = reply.befell(Kind.DRIP)
            self._send(reply.status, reply.body, reply.headers, drip.seconds if drip else 0)

    def _reset(self) -> None:
        """Closing with nothing left to linger for sends a reset, as a broken network would."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _send(self, status: int, body: Json, headers: Mapping[str, str], seconds: float = 0) -> None:
        self._send_bytes(status, json.dumps(body).encode(), headers, seconds)

    def _send_bytes(
        self, status: int, content: bytes, headers: Mapping[str, str], seconds: float = 0
    ) -> None:
        self.send_response(status)
        for name, value in ({"content-type": "application/json"} | dict(headers)).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.send_header("x-request-id", f"req_{secrets.token_hex(16)}")
        self.send_header("openai-version", "2020-10-01")
        self.send_header("x-cakewalk-simulated", "true")
        self.end_headers()
        if not seconds:
            self.wfile.write(content)
        for start in range(0, len(content) if seconds else 0, max(1, len(content) // 10)):
            self.wfile.flush()
            time.sleep(seconds / 10)
            self.wfile.write(content[start : start + max(1, len(content) // 10)])

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Requests that are no HTTP are refused in OpenAI's form as well."""
        self.close_connection = True
        self._send(code, error_body(code, message or "Bad request.", None, None), {})

    def log_message(self, *_: object) -> None:
        """Nothing: what was asked is in `Simulator.requests`."""
