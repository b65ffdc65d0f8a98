"""Calls over real HTTP: what is repeated, for how long, and whether a write arrived."""

import gzip
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from integrations.connectors import http
from integrations.connectors.base import OutcomeUnknown, RateLimited, ReadIncomplete, RemoteUnreachable
from integrations.connectors.http import Pace, Reply, Transport
from tests.openai.builders import ADMIN_KEY
from tests.openai.remote import Answer, Remote, refusal, self_signed

FINE = Answer(body={"fine": True})
DOWN = refusal(503, "Down.")
SLOW_DOWN = refusal(429, "Slow down.")


@pytest.fixture
def call(time):
    """A transport to a remote, on a clock of its own."""

    def connect(remote: Remote, progress: Callable[[str], None] = lambda _: None, **pace: Any) -> Transport:
        return Transport(remote.base_url, ADMIN_KEY, progress, time.pace(**pace))

    return connect


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# -- reads are repeated


def test_a_read_is_repeated_until_the_remote_is_well_again(call, time):
    with Remote(DOWN, Answer(reset=True), Answer(broken_off=True), FINE) as remote:
        transport = call(remote)
        reply = transport.read("/organization/users", {"limit": "100"})
    assert (reply.status, reply.body, transport.calls) == (200, b'{"fine": true}', 4)
    assert remote.targets == ["GET /organization/users?limit=100"] * 4
    assert [round(seconds, 1) for seconds in time.slept] == pytest.approx([0.45, 0.9, 1.8], rel=0.2)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_a_read_gives_up_when_the_remote_stays_ill(call, status):
    with Remote(refusal(status, "Ill.")) as remote:
        transport = call(remote)
        with pytest.raises(
            RemoteUnreachable, match=rf"answered with an error of its own \(status {status}\)\."
        ) as e:
            transport.read("/organization/users")
    assert (transport.calls, e.value.status) == (http.ATTEMPTS, status)


def test_a_remote_that_is_not_there_is_named(time):
    port = closed_port()
    transport = Transport(f"http://127.0.0.1:{port}/v1", ADMIN_KEY, lambda _: None, time.pace())
    with pytest.raises(RemoteUnreachable, match=rf"^No connection to 127.0.0.1:{port} could be made\.$"):
        transport.read("/organization/users")
    assert transport.calls == http.ATTEMPTS


def test_a_name_that_nobody_knows_is_said_to_be_unknown(time):
    transport = Transport("http://nowhere.invalid/v1", ADMIN_KEY, lambda _: None, time.pace(patience=0))
    with pytest.raises(RemoteUnreachable, match=r"^The name of nowhere\.invalid could not be found\.$"):
        transport.read("/organization/users")


def test_a_silent_remote_is_left(time):
    with Remote(Answer(silent_for=5)) as remote:
        pace = time.pace(silence=0.2, patience=0)
        transport = Transport(remote.base_url, ADMIN_KEY, lambda _: None, pace)
        with pytest.raises(RemoteUnreachable, match="said nothing for 0 seconds"):
            transport.read("/organization/users")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_remote_that_cannot_prove_its_name_is_told_nothing(call, tmp_path, method):
    with Remote(FINE, certificate=self_signed(tmp_path)) as remote:
        transport = call(remote)
        with pytest.raises(RemoteUnreachable, match=r"^The certificate of .* could not be verified\.$"):
            transport.read("/x") if method == "GET" else transport.write(method, "/x")
    assert (transport.calls, remote.asked) == (1, [])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_drips_is_left_at_its_deadline(method):
    """Each byte comes in time, so that no silence is ever long; only the answer as a whole is too slow."""
    with Remote(Answer(body=b"x" * 200, drip=0.05)) as remote:
        transport = Transport(remote.base_url, ADMIN_KEY, lambda _: None, Pace(answer=0.3, patience=0))
        expected = RemoteUnreachable if method == "GET" else OutcomeUnknown
        with pytest.raises(expected, match="did not end its answer in 0 seconds"):
            transport.read("/x") if method == "GET" else transport.write(method, "/x")


def test_an_answer_that_never_ends_is_left(call, monkeypatch):
    monkeypatch.setattr(http, "ANSWER_BYTES", 100_000)
    with Remote(Answer(body=gzip.compress(b"x" * 5_000_000), headers={"content-encoding": "gzip"})) as remote:
        transport = call(remote)
        with pytest.raises(RemoteUnreachable, match=r"sent more than 100,000 bytes\."):
            transport.read("/organization/users")
    assert transport.calls == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(body={"fine": True}, chunked=True), id="in chunks"),
        pytest.param(
            Answer(body=gzip.compress(b'{"fine": true}'), headers={"content-encoding": "gzip"}),
            id="compressed",
        ),
        pytest.param(Answer(status=201, body={"fine": True}), id="created"),
    ],
)
def test_every_right_answer_is_taken_on_one_connection(call, answer):
    with Remote(answer) as remote:
        transport = call(remote)
        bodies = {transport.read("/organization/users").body for _ in range(3)}
    assert (bodies, remote.connections) == ({b'{"fine": true}'}, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_the_word_of_the_vendor_is_handed_on(call, status):
    with Remote(refusal(status, "No.", x_request_id="req_1")) as remote:
        transport = call(remote)
        read, written = (
            transport.read("/organization/users"),
            transport.write("DELETE", "/organization/users/u"),
        )
    assert (read.status, read.request_id, written.status, transport.calls) == (status, "req_1", status, 2)


# -- the pace


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.75"}, 0.75),
        ({"retry-after": "0"}, 0.5),
        ({"retry-after": "-3"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "nan"}, 60),
        ({"retry-after": "soon"}, 60),
        ({}, 60),
        (
            {"retry-after": "Mon, 24 Nov 2025 10:00:30 GMT", "date": "Mon, 24 Nov 2025 10:00:10 GMT"},
            20,
        ),
        ({"retry-after": "Mon, 24 Nov 2025 10:00:30 GMT"}, 0.5),
        ({"retry-after": "Mon, 24 Nov o-25 10:00:30 +99999999999"}, 60),
        ({"retry-after": "Mon, 24 Nov 99999 10:00:30 GMT"}, 60),
        ({"retry-after": "Mon, 24 Nov 2025 10:00:30 GMT", "date": "nonsense"}, 60),
    ],
)
def test_a_429_is_waited_for_as_long_as_it_says(call, time, headers, seconds):
    with Remote(refusal(429, "Slow down.", **headers), FINE) as remote:
        assert call(remote).read("/organization/users").ok
    assert time.waited == seconds


def test_a_date_is_measured_by_our_clock_where_the_remote_shows_none(call, time):
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    with Remote(refusal(429, "Slow down.", **{"retry-after": moment}), FINE) as remote:
        assert call(remote).read("/organization/users").ok
    assert 35 < time.waited <= 40


def test_a_503_may_ask_for_a_longer_pause_too(call, time):
    with Remote(refusal(503, "Down.", **{"retry-after": "20"}), FINE) as remote:
        assert call(remote).read("/organization/users").ok
    assert time.waited == 20


def test_every_wait_reports_progress_every_few_seconds(call, time):
    told: list[str] = []
    with Remote(refusal(429, "Slow down.", **{"retry-after": "12"}), FINE) as remote:
        call(remote, told.append).read("/organization/users")
        host = remote.base_url.removeprefix("http://").removesuffix("/v1")
    assert time.slept == [5, 5, 2]
    assert told == [f"{host} asked to slow down. Trying again in {left} s." for left in (12, 7, 2)]


def test_a_wait_ends_at_once_when_the_job_is_cancelled(call, time):
    class Cancelled(Exception):
        pass

    def cancel(_: str) -> None:
        raise Cancelled

    with Remote(SLOW_DOWN) as remote, pytest.raises(Cancelled):
        call(remote, cancel).read("/organization/users")
    assert (time.slept, len(remote.asked)) == ([], 1)


def test_patience_with_429_ends(call, time):
    with Remote(SLOW_DOWN) as remote:
        transport = call(remote, patience=300)
        with pytest.raises(RateLimited, match=r"asked to slow down\."):
            transport.read("/organization/users")
    assert (time.waited, transport.calls) == (300, 6)


def test_a_pause_beyond_all_patience_is_not_begun_and_holds_for_the_next_call(call, time):
    with Remote(refusal(429, "Slow down.", **{"retry-after": "3600"}), FINE) as remote:
        transport = call(remote, patience=300)
        with pytest.raises(RateLimited, match=r"asked to slow down\."):
            transport.read("/organization/users")
        with pytest.raises(RateLimited, match=r"asked to wait another 3600 seconds\."):
            transport.read("/organization/users")
        assert (time.slept, transport.calls) == ([], 1)
        time.now += 3400
        assert transport.read("/organization/users").ok
    assert time.waited == 200


@pytest.mark.parametrize("asked_for", ["9" * 300, "1e300", "-1e300", "99999999"])
def test_a_pause_without_measure_is_said_in_one_line(call, asked_for):
    with Remote(refusal(429, "Slow down.", **{"retry-after": asked_for}), FINE) as remote:
        transport = call(remote)
        if asked_for.startswith("-"):
            assert transport.read("/x").ok
            return
        for sentence in (r"asked to slow down\.$", r"asked to wait another 86400 seconds\.$"):
            with pytest.raises(RateLimited, match=sentence):
                transport.read("/x")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("req_0123456789abcdef", "req_0123456789abcdef"),
        ("0f3c-77/a:b.c+d=", "0f3c-77/a:b.c+d="),
        ("", None),
        ("r" * 201, None),
        ("req 1", None),
        ("req\x071", None),
        ("réq", None),
    ],
)
def test_of_a_request_id_only_a_sensible_one_is_kept(call, sent, kept):
    """It goes into the record of the job, where rubbish would be the end of it."""
    with Remote(Answer(headers={"x-request-id": sent})) as remote:
        assert call(remote).read("/organization/users").request_id == kept


def test_a_form_is_answered_after_one_attempt(call, time):
    with Remote(DOWN) as remote:
        transport = call(remote)
        with transport.in_a_hurry(), pytest.raises(RemoteUnreachable):
            transport.read("/organization/users")
        assert (transport.calls, time.slept) == (1, [])
        with pytest.raises(RemoteUnreachable):
            transport.read("/organization/users")
    assert transport.calls == 1 + http.ATTEMPTS


# -- writes are sent once


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(reset=True), id="a lost reply"),
        pytest.param(Answer(broken_off=True), id="half a reply"),
        pytest.param(Answer(body=b"xxxx", headers={"content-encoding": "gzip"}), id="a garbled reply"),
        pytest.param(refusal(408, "Late."), id="408"),
        pytest.param(refusal(500, "Ill."), id="500"),
        pytest.param(DOWN, id="503"),
        pytest.param(Answer(status=307, headers={"location": "https://example.org/"}), id="a redirect"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_write_whose_outcome_is_unknown_is_never_repeated(call, time, method, answer):
    with Remote(answer, FINE) as remote:
        transport = call(remote)
        with pytest.raises(OutcomeUnknown, match=r"Whether the change was made is unknown\.$"):
            transport.write(method, "/organization/users/u")
    assert (transport.calls, len(remote.asked), time.slept) == (1, 1, [])


def test_a_write_into_silence_has_an_unknown_outcome(time):
    with Remote(Answer(silent_for=5)) as remote:
        transport = Transport(remote.base_url, ADMIN_KEY, lambda _: None, time.pace(silence=0.2))
        with pytest.raises(OutcomeUnknown):
            transport.write("DELETE", "/organization/users/u")
    assert len(remote.asked) == 1


def test_a_write_that_surely_did_not_arrive_is_repeated_and_then_known_as_not_done(time):
    transport = Transport(f"http://127.0.0.1:{closed_port()}/v1", ADMIN_KEY, lambda _: None, time.pace())
    with pytest.raises(RemoteUnreachable, match=r"^No connection to"):
        transport.write("DELETE", "/organization/users/u")
    assert transport.calls == http.ATTEMPTS


def test_a_write_refused_by_a_429_is_repeated(call, time):
    with Remote(refusal(429, "Slow down.", **{"retry-after": "3"}), FINE) as remote:
        assert call(remote).write("POST", "/organization/users/u", {"role": "owner"}).ok
    assert (time.waited, [asked.body for asked in remote.asked]) == (3, [{"role": "owner"}] * 2)


# -- what never leaves


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(call, status):
    with (
        Remote(FINE) as elsewhere,
        Remote(Answer(status, headers={"location": elsewhere.base_url})) as remote,
    ):
        with pytest.raises(
            ReadIncomplete, match=rf"with a redirect \(status {status}\), which is not followed"
        ):
            call(remote).read("/organization/users")
        assert (len(remote.asked), elsewhere.asked) == (1, [])


def test_cookies_are_not_kept(call):
    with Remote(Answer(headers={"set-cookie": "session=1"})) as remote:
        transport = call(remote)
        transport.read("/organization/users")
        transport.read("/organization/users")
    assert [asked.headers.get("Cookie") for asked in remote.asked] == [None, None]


def test_the_environment_lends_neither_proxy_nor_password(call, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Remote(FINE) as remote:
        assert isinstance(call(remote).read("/organization/users"), Reply)
    assert remote.asked[0].headers["Authorization"] == f"Bearer {ADMIN_KEY}"
