"""HTTP to a remote: connections, a pace by endpoint, patience with what passes, whether a write arrived.

The only module that knows `requests`. A 4xx is the vendor's word: it is returned for the connector to judge.
"""

import logging
import random
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from math import isfinite
from ssl import SSLCertVerificationError
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from cakewalk.addresses import is_loopback, may_reach
from cakewalk.health import counting
from cakewalk.logs.context import current, id_of_a_call
from integrations.connectors.base import (
    ConnectorError,
    OutcomeUnknown,
    RateLimited,
    ReadIncomplete,
    RemoteUnreachable,
)
from integrations.connectors.budget import Budgets, family
from integrations.connectors.errands import aside, at_home, slow_down
from integrations.connectors.width import MOST

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
ANSWER_BYTES = 16 * 1024 * 1024
MOST_ADDRESSES = 2
"""Of one name, where the first takes no connection: a machine may have the name in IPv6 alone."""
ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 86_400.0
RESET_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
RESET = "".join(rf"(?:(?P<{unit}>\d{{1,9}}(?:\.\d{{1,9}})?){unit})?" for unit in RESET_UNITS)
CALLED = "X-Client-Request-Id"
"""OpenAI keeps it with what it knows of the call, also where its answer is lost:
https://platform.openai.com/docs/api-reference/debugging-requests
"""
BREATH_SECONDS = 5.0
"""How often a wait reports progress, so that a job keeps its lease and can be cancelled."""


Query = Mapping[str, str | list[str]]
"""A list is sent as one parameter repeated."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to bear with a remote. Tests bring a clock of their own and do not sleep."""

    silence: float = 30.0
    """How long it may send nothing."""
    answer: float = 120.0
    """How long one answer may take in all, however steadily it drips."""
    patience: float = 300.0
    """How long one call may be repeated, and how long it may wait for its turn at a time."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Query | None = None
    body: Mapping[str, Any] | None = None

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def family(self) -> str:
        return family(self.method, self.path)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    """It may hold a key that was just made, and a report of an error prints the variables of every frame."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        """None for rubbish, which would be stored with the action that it answers."""
        told = self.headers.get("x-request-id", "")
        return told if re.fullmatch(r"[!-~]{1,200}", told) else None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no reply. `sent`: the request may have reached the remote."""

    sentence: str
    sent: bool = True
    passing: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """An outcome that is no answer: the error to raise, and the pause before another attempt, if any."""

    error: ConnectorError
    pause: float | None = None
    slow_down: bool = False


class Unshown(str):
    """A text that is sent as it is and looks empty in a report of an error.

    Such a report prints the variables of every frame, and those of requests and urllib3 hold the headers.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


class Transport:
    """Calls one remote with one credential. Errands may do so at once."""

    @sensitive_variables("secret")
    def __init__(
        self,
        base_url: str,
        secret: str,
        progress: Callable[[str], None],
        pace: Pace | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        self.calls = 0
        self.host = urlsplit(base_url).netloc
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._progress = progress
        self._pace = pace or Pace()
        self._budgets = budgets or Budgets(self._pace.clock)
        self._headers = _headers(secret)
        self._connections = _Connections()

    def read(self, path: str, query: Query | None = None) -> Reply:
        """Repeated through all that passes: no connection, a timeout, 429, 5xx."""
        return self._call(Request("GET", path, query=query))

    def read_ahead(self, path: str, query: Query | None = None) -> Callable[[], Reply]:
        """The same, already under way where its turn has come. What is returned waits for the answer."""
        request = Request("GET", path, query=query)
        under_way = None if self._seconds_to_wait(request) else aside(partial(self._send_ahead, request))
        return partial(self._call, request, under_way)

    def _send_ahead(self, request: Request) -> Reply | Fault:
        """Nobody may ever ask for the answer, so it is no longer under way when it is there."""
        try:
            return self._send(request)
        finally:
            self._budgets.answered(request.family)

    def write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Sent once; again only when it surely did not arrive, or was refused by a 429."""
        return self._call(Request(method, path, body=body))

    @contextmanager
    def in_a_hurry(self) -> Iterator[None]:
        """For somebody who waits at a form: one attempt each, and little patience with silence."""
        usual, self._pace = self._pace, replace(self._pace, silence=10.0, answer=20.0, patience=0.0)
        try:
            yield
        finally:
            self._pace = usual

    def redacted(self, text: str) -> str:
        return text.replace(self._secret, "…")

    def _call(self, request: Request, under_way: Future[Reply | Fault] | None = None) -> Reply:
        give_up_at = self._pace.clock() + self._pace.patience
        failures = 0
        while True:
            if under_way:
                judged, under_way = self._judged(request, under_way.result(), failures), None
            else:
                give_up_at += self._wait_for_turn(request)
                judged = self._attempt(request, failures)
            if isinstance(judged, Reply):
                return judged
            failures += not judged.slow_down
            self._wait_or_raise(judged, give_up_at, last=failures >= ATTEMPTS)
            at_home(partial(counting.count, "api_retries", _integration()))

    def _attempt(self, request: Request, failures: int) -> Reply | Trouble:
        """It counts as under way until its answer is understood: beyond a limit one call goes alone, and the
        next one would else go before anybody has learned from a refusal.
        """
        try:
            return self._judged(request, self._send(request), failures)
        finally:
            self._budgets.answered(request.family)

    def _judged(self, request: Request, outcome: Reply | Fault, failures: int) -> Reply | Trouble:
        at_home(partial(self._count, request, outcome))
        if isinstance(outcome, Fault):
            return self._judge_fault(request, outcome, failures)
        return self._judge_reply(request, outcome, failures) or outcome

    def _count(self, request: Request, outcome: Reply | Fault) -> None:
        status = str(outcome.status) if isinstance(outcome, Reply) else "none"
        counting.count("api_calls", _integration(), request.method, status)

    # -- sending

    @sensitive_variables("body")
    def _send(self, request: Request) -> Reply | Fault:
        """A fault is returned, not raised: a chained exception would carry the request's headers along."""
        own_id, began = id_of_a_call(), self._pace.clock()
        outcome = self._exchange(request, own_id)
        self._tell(request, outcome, own_id, self._pace.clock() - began)
        return outcome

    def _tell(self, request: Request, outcome: Reply | Fault, own_id: str, seconds: float) -> None:
        """Without the query, which may name people, and without what was sent and answered."""
        facts: dict[str, Any] = {"call": own_id, "seconds": round(seconds, 3), "host": self.host}
        well = isinstance(outcome, Reply) and outcome.ok
        if isinstance(outcome, Reply):
            facts |= {"status": outcome.status, "remote_request": outcome.request_id}
        else:
            facts["fault"] = outcome.sentence
        level = logging.DEBUG if well and not request.writes else logging.INFO
        log.log(level, "%s %s", request.method, request.path, extra={"facts": facts})

    @sensitive_variables("body")
    def _exchange(self, request: Request, own_id: str) -> Reply | Fault:
        deadline = self._pace.clock() + self._pace.answer
        try:
            timeout = (CONNECT_SECONDS, self._pace.silence)
            prepared = self._prepared(request, own_id)
            with self._connections.send(prepared, stream=True, timeout=timeout) as response:
                body = self._read_body(response, deadline)
                return (
                    body if isinstance(body, Fault) else Reply(response.status_code, response.headers, body)
                )
        except (requests.RequestException, urllib3_errors.HTTPError) as error:
            return self._fault(error)

    @cached_property
    def _blank(self) -> requests.PreparedRequest:
        """What all requests have in common, worked out once: most of them differ in their address alone."""
        return requests.Request("GET", self._base_url, self._headers).prepare()

    def _prepared(self, request: Request, own_id: str) -> requests.PreparedRequest:
        """Without a session: its cookies, and what it takes from the environment, are not wanted."""
        prepared = self._blank.copy()
        prepared.method, prepared.headers[CALLED] = request.method, own_id
        query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
        prepared.url = f"{str(self._blank.url).rstrip('/')}{request.path}{query}"
        if request.body is not None:
            prepared.prepare_body(None, None, json=request.body)
        return prepared

    @sensitive_variables("body", "chunk")
    def _read_body(self, response: requests.Response, deadline: float) -> bytes | Fault:
        body = bytearray()
        # read1 returns what has come; any other read would wait for a full block, past every deadline.
        while chunk := response.raw.read1(65536, decode_content=True):
            body += chunk
            if len(body) > ANSWER_BYTES:
                return Fault(f"{self.host} sent more than {ANSWER_BYTES:,} bytes.", passing=False)
            if self._pace.clock() > deadline:
                return Fault(f"{self.host} did not end its answer in {self._pace.answer:.0f} seconds.")
        return bytes(body)

    def _fault(self, error: Exception) -> Fault:
        inner = error.args[0] if error.args else None
        match inner.reason if isinstance(inner, urllib3_errors.MaxRetryError) else error:
            case urllib3_errors.NameResolutionError():
                return Fault(f"The name of {self.host} could not be found.", sent=False)
            case _NotPublic(ip=ip):
                where = f"{self.host} leads to {ip}, which is no public address."
                return Fault(f"{where} CONNECTOR_ALLOWED_HOSTS does not name it.", sent=False, passing=False)
            case urllib3_errors.NewConnectionError():
                return Fault(f"No connection to {self.host} could be made.", sent=False)
            case urllib3_errors.ConnectTimeoutError():
                seconds = f"{CONNECT_SECONDS:.0f} seconds"
                return Fault(f"{self.host} did not take a connection within {seconds}.", sent=False)
            case urllib3_errors.SSLError(args=(SSLCertVerificationError(), *_)):
                untrusted = f"The certificate of {self.host} could not be verified."
                return Fault(untrusted, sent=False, passing=False)
            case requests.ReadTimeout() | urllib3_errors.ReadTimeoutError():
                return Fault(f"{self.host} said nothing for {self._pace.silence:.0f} seconds.")
            case _:
                return Fault(f"{self.host} broke off the connection before its answer was complete.")

    # -- judging

    def _judge_fault(self, request: Request, fault: Fault, failures: int) -> Trouble:
        if request.writes and fault.sent:
            return Trouble(OutcomeUnknown(f"{fault.sentence} Whether the change was made is unknown."))
        return Trouble(RemoteUnreachable(fault.sentence), _backoff(failures) if fault.passing else None)

    def _judge_reply(self, request: Request, reply: Reply, failures: int) -> Trouble | None:
        if reply.ok:
            if (pause := _pause_after_the_last(reply.headers)) is not None:
                at_home(partial(self._budgets.exhaust, request.family, pause, taken=True))
            return None
        facts: dict[str, Any] = {"status": reply.status, "request_id": reply.request_id}
        advised = _advised_pause(reply.headers)
        if reply.status == 429:
            refusal = RateLimited(f"{self.host} asked to slow down.", **facts)
            at_home(slow_down())
            pause = at_home(partial(self._budgets.exhaust, request.family, advised or _reset(reply.headers)))
            return Trouble(refusal, pause, slow_down=True)
        if reply.status != 408 and 400 <= reply.status < 500:
            return None
        if request.writes:
            unsaid = (
                f"{self.host} answered with status {reply.status}. Whether the change was made is unknown."
            )
            return Trouble(OutcomeUnknown(unsaid, **facts))
        if reply.status < 400:
            redirect = f"{self.host} answered with a redirect (status {reply.status}), which is not followed."
            return Trouble(ReadIncomplete(redirect, **facts))
        broken = f"{self.host} answered with an error of its own (status {reply.status})."
        return Trouble(RemoteUnreachable(broken, **facts), max(_backoff(failures), advised or 0))

    # -- waiting

    def _wait_for_turn(self, request: Request) -> float:
        """What was refused to one call holds for all of its family, and for those of other workers. Returns
        the seconds waited: to let others go first, window after window, is no reason to give up.
        """
        began = self._pace.clock()
        while seconds := self._seconds_to_wait(request):
            if seconds > self._pace.patience:
                raise RateLimited(f"{self.host} asked to wait another {seconds:.0f} seconds.", status=429)
            self._wait_until(self._pace.clock() + seconds, f"{self.host} asked to slow down.")
        return self._pace.clock() - began

    def _seconds_to_wait(self, request: Request) -> float:
        """0.0: it goes now, and is counted."""
        return at_home(partial(self._take_turn, request))

    def _take_turn(self, request: Request) -> float:
        seconds = self._budgets.take(request.family)
        self.calls += not seconds
        return seconds

    def _wait_or_raise(self, trouble: Trouble, give_up_at: float, *, last: bool) -> None:
        if trouble.pause is None:
            raise trouble.error
        resume_at = self._pace.clock() + trouble.pause
        if last or resume_at > give_up_at:
            raise trouble.error
        self._wait_until(resume_at, str(trouble.error))

    def _wait_until(self, moment: float, why: str) -> None:
        seconds = max(moment - self._pace.clock(), 0.0)
        at_home(partial(counting.count, "api_waits", _integration(), by=seconds))
        while (left := moment - self._pace.clock()) > 0:
            at_home(partial(self._progress, f"{why} Trying again in {left:.0f} s."))
            self._pace.sleep(min(left, BREATH_SECONDS))


class _NotPublic(urllib3_errors.NewConnectionError):
    def __init__(self, connection: HTTPConnection, ip: str) -> None:
        self.ip = ip
        super().__init__(connection, f"{connection.host} leads to {ip}.")


class _Judged(HTTPConnection):
    """To the very address that was judged: asked for once more, a name might lead elsewhere. The certificate
    is still that of the name.
    """

    def _new_conn(self) -> socket.socket:
        named = self._dns_host
        addresses = self._addresses()
        if refused := [ip for ip in addresses if not _may_reach(ip, self.host)]:
            raise _NotPublic(self, refused[0])
        failed: Exception = urllib3_errors.NewConnectionError(self, f"{named} leads nowhere.")
        for ip in addresses[:MOST_ADDRESSES]:
            try:
                self._dns_host = ip
                return super()._new_conn()
            except (urllib3_errors.NewConnectionError, urllib3_errors.ConnectTimeoutError) as error:
                failed = error
            finally:
                self._dns_host = named
        raise failed

    def _addresses(self) -> list[str]:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise urllib3_errors.NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        return list(dict.fromkeys(str(info[4][0]) for info in found))


class _JudgedSecurely(_Judged, HTTPSConnection):
    pass


class _PoolOfJudged(HTTPConnectionPool):
    ConnectionCls = _Judged


class _SecurePoolOfJudged(HTTPSConnectionPool):
    ConnectionCls = _JudgedSecurely


class _Connections(HTTPAdapter):
    """Kept open, as many as there are calls at once; for any thread."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=MOST)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PoolOfJudged, "https": _SecurePoolOfJudged}


def _may_reach(ip: str, host: str) -> bool:
    local = not settings.HTTPS and is_loopback(ip)
    return local or may_reach(ip, host, settings.CONNECTOR_ALLOWED_HOSTS)


def _integration() -> str:
    """Whose job this is done for; empty where it is for none, as when a key is tried."""
    return str(current().get("integration", ""))


@sensitive_variables("secret")
def _headers(secret: str) -> dict[str, str]:
    return {
        "Authorization": Unshown(f"Bearer {secret}"),
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "Cakewalk",
    }


def _backoff(failures: int) -> float:
    jitter = random.uniform(0.75, 1)  # noqa: S311 - jitter needs no secrecy
    return float(min(0.5 * 2**failures, 30) * jitter)


def _advised_pause(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms`, or `Retry-After` in seconds or as a date; half a second at least, a day at most."""
    seconds = _number(headers.get("retry-after-ms"), 0.001)
    if seconds is None:
        seconds = _number(headers.get("retry-after"), 1.0)
    if seconds is None:
        seconds = _seconds_until(headers.get("retry-after"), headers.get("date"))
    return None if seconds is None else min(max(seconds, 0.5), LONGEST_PAUSE_SECONDS)


def _pause_after_the_last(headers: Mapping[str, str]) -> float | None:
    """Until more is allowed, where an answer says that it was the last one until then."""
    return _reset(headers) if headers.get("x-ratelimit-remaining-requests") == "0" else None


def _reset(headers: Mapping[str, str]) -> float | None:
    """`x-ratelimit-reset-requests`, which OpenAI writes as `6m0s`, `1.5s` or `20ms`."""
    told = re.fullmatch(RESET, headers.get("x-ratelimit-reset-requests", "").strip())
    if not told or not told[0]:
        return None
    seconds = sum(float(told[name] or 0) * unit for name, unit in RESET_UNITS.items())
    return min(max(seconds, 0.5), LONGEST_PAUSE_SECONDS)


def _number(text: str | None, unit: float) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number * unit if isfinite(number) else None


def _seconds_until(date: str | None, now: str | None) -> float | None:
    """Measured by the remote's own clock where it shows one, since ours may differ."""
    try:
        until = parsedate_to_datetime(date or "")
        since = parsedate_to_datetime(now) if now else datetime.now(UTC)
        return (until - since).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
