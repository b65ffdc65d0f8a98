"""HTTP to where alarms are sent: one attempt, to the very address that was judged, and no way around it.

Beside the connectors' transport, which keeps a session with a key, the only module that makes HTTP calls.
"""

import logging
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from django.views.decorators.debug import sensitive_variables
from urllib3 import exceptions

from cakewalk.addresses import may_reach

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 10.0
ANSWER_SECONDS = 15.0
ANSWER_BYTES = 4096
MOST_ADDRESSES = 2
"""Of one name, where the first takes no connection: a machine may have the name in IPv6 alone."""
SHOWN = 200
"""Characters of an answer that are kept."""


def _no_paths(said: logging.LogRecord) -> bool:
    """At DEBUG urllib3 writes the path of each request, which of a webhook is the secret."""
    return said.levelno > logging.DEBUG


logging.getLogger("urllib3.connectionpool").addFilter(_no_paths)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt. `says`: the answer's beginning, or why there is none."""

    ok: bool
    status: int | None
    says: str


@sensitive_variables()
def post(url: str, body: bytes, headers: Mapping[str, str], allowed_hosts: Collection[str]) -> Answer:
    """Faults are told in words of ours: those of urllib3 hold the address, which may be a secret."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        addresses = _addresses(host, parts.port or (443 if parts.scheme == "https" else 80))
    except OSError:
        return Answer(False, None, f"The name of {host} could not be found.")
    if refused := [ip for ip in addresses if not may_reach(ip, host, allowed_hosts)]:
        where = f"{host} leads to {refused[0]}, which is no public address."
        return Answer(False, None, f"{where} WEBHOOK_ALLOWED_HOSTS does not name that host.")
    answer = Answer(False, None, f"The name of {host} leads nowhere.")
    for ip in addresses[:MOST_ADDRESSES]:
        try:
            return _post(url, ip, body, headers)
        except (exceptions.HTTPError, OSError, ValueError) as error:
            answer = Answer(False, None, _in_words(host, error))
            if not isinstance(error, exceptions.ConnectTimeoutError | exceptions.NewConnectionError):
                break
    return answer


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


@sensitive_variables()
def _post(url: str, ip: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """To the address and not to the name, which might lead elsewhere when it is asked for once more."""
    parts = urlsplit(url)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS)
    options: dict[str, Any] = {"port": parts.port, "timeout": timeout, "retries": False, "maxsize": 1}
    if parts.scheme == "https":
        pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
            ip, server_hostname=parts.hostname, assert_hostname=parts.hostname, **options
        )
    else:
        pool = urllib3.HTTPConnectionPool(ip, **options)
    sent = {"Host": parts.netloc, "User-Agent": "Cakewalk", "Content-Type": "application/json", **headers}
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    with pool:
        response = pool.urlopen("POST", path, body=body, headers=sent, redirect=False, preload_content=False)
        try:
            says = _beginning(response)
        finally:
            response.close()
    return Answer(200 <= response.status < 300, response.status, says)


def _beginning(response: urllib3.BaseHTTPResponse) -> str:
    """As much as is shown, and no longer than a little while, however steadily it drips."""
    until, read = time.monotonic() + ANSWER_SECONDS, bytearray()
    while len(read) < ANSWER_BYTES and time.monotonic() < until:
        chunk = response.read1(ANSWER_BYTES)
        if not chunk:
            break
        read += chunk
    text = read.decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:SHOWN]


def _in_words(host: str, error: Exception) -> str:
    match error:
        case exceptions.ConnectTimeoutError():
            return f"{host} did not take a connection within {CONNECT_SECONDS:.0f} seconds."
        case exceptions.NewConnectionError():
            return f"No connection to {host} could be made."
        case exceptions.SSLError():
            return f"The certificate of {host} could not be verified, or it speaks no TLS."
        case exceptions.ReadTimeoutError():
            return f"{host} said nothing for {SILENCE_SECONDS:.0f} seconds."
        case _:
            return f"{host} broke off the connection before its answer was complete."
