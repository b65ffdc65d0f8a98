"""Each family of endpoints at its own pace: learned from refusals and headers, and shared by all workers."""

import time as real_time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations.budgets import FamilyBudget, SharedBudgets
from integrations.connectors.base import RateLimited
from integrations.connectors.budget import FORGET_SECONDS, REFILL_SECONDS, Budgets, family
from integrations.connectors.http import Transport
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.connectors.openai.simulator.limits import RateLimit
from integrations.models import Integration
from tests.openai.builders import ADMIN_KEY
from tests.openai.remote import Answer, Remote, Time, refusal

FINE = Answer(body={"fine": True})
INVITES = "POST /organization/invites"
LATENCY = 0.1


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/organization/users", "GET /organization/users"),
        ("GET", "/organization/users/user_1", "GET /organization/users/*"),
        ("DELETE", "/organization/users/user_1", "DELETE /organization/users/*"),
        ("POST", "/organization/projects/proj_s/users", "POST /organization/projects/*/users"),
        ("GET", "/organization/projects/users/users/users", "GET /organization/projects/*/users/*"),
        ("GET", "/organization/admin_api_keys/key_1", "GET /organization/admin_api_keys/*"),
        ("POST", "/organization/projects/p/archive", "POST /organization/projects/*/archive"),
        ("GET", "/projects/proj_1/roles", "GET /projects/*/roles"),
    ],
)
def test_an_endpoint_is_one_family_whatever_it_is_asked_about(method: str, path: str, name: str) -> None:
    assert family(method, path) == name


class Endpoint:
    """Takes so many calls in each minute that begins with one, and refuses the others without a word."""

    def __init__(self, time: Time, limit: int) -> None:
        self.limit, self.answers = limit, Counter[bool]()
        self._time, self._began, self._taken = time, -1e9, 0

    def call(self) -> bool:
        self._time.now += LATENCY
        if self._time.now >= self._began + 60:
            self._began, self._taken = self._time.now, 0
        self._taken += 1
        self.answers[self._taken <= self.limit] += 1
        return self._taken <= self.limit


def called(endpoint: Endpoint, budgets: Budgets, time: Time, times: int) -> float:
    """So many calls one after the other, each until it is taken. Returns the seconds that they took."""
    began = time.now
    for _ in range(times):
        done = False
        while not done:
            while seconds := budgets.take(INVITES):
                time.now += seconds
            done = endpoint.call()
            budgets.answered(INVITES)
            if not done:
                time.now += budgets.exhaust(INVITES, None)
    return time.now - began


@pytest.mark.parametrize("limit", [1, 7, 10, 100])
def test_nearly_all_that_a_limit_allows_is_used_with_few_refusals(time: Time, limit: int) -> None:
    endpoint = Endpoint(time, limit)
    seconds = called(endpoint, Budgets(time.clock), time, limit * 30 + 1)
    assert 30 * 60 / seconds > 0.97
    assert endpoint.answers[False] <= 6


def test_what_is_not_limited_is_not_slowed(time: Time) -> None:
    endpoint = Endpoint(time, 1_000_000)
    assert called(endpoint, Budgets(time.clock), time, 5000) == pytest.approx(5000 * LATENCY)


def test_a_limit_that_is_raised_is_found_out_and_one_that_is_lifted_is_forgotten(time: Time) -> None:
    endpoint, budgets = Endpoint(time, 10), Budgets(time.clock)
    called(endpoint, budgets, time, 200)
    endpoint.limit = 40
    called(endpoint, budgets, time, 200)
    assert 500 / 40 * 60 / called(endpoint, budgets, time, 500) > 0.95
    endpoint.limit = 1_000_000
    called(endpoint, budgets, time, 1000)
    assert called(endpoint, budgets, time, 5000) == pytest.approx(5000 * LATENCY)


def test_a_limit_that_is_lowered_costs_no_more_than_a_refusal_for_each_window(time: Time) -> None:
    endpoint, budgets = Endpoint(time, 40), Budgets(time.clock)
    called(endpoint, budgets, time, 400)
    endpoint.limit, endpoint.answers = 10, Counter()
    assert 20 * 60 / called(endpoint, budgets, time, 200) > 0.95
    assert endpoint.answers[False] <= 8


def test_what_others_use_up_is_not_taken_for_the_limit(time: Time) -> None:
    """Half of the first window was somebody else's."""
    endpoint, budgets = Endpoint(time, 20), Budgets(time.clock)
    for _ in range(10):
        endpoint.call()
    called(endpoint, budgets, time, 10)
    assert 10 * 60 / called(endpoint, budgets, time, 200) > 0.95


def test_what_goes_beyond_the_known_limit_goes_alone(time: Time) -> None:
    """Or each of those that went together would be refused, and none would tell where the limit is."""
    endpoint, budgets = Endpoint(time, 10), Budgets(time.clock)
    called(endpoint, budgets, time, 15)
    time.now += REFILL_SECONDS + 1
    assert [budgets.take(INVITES) for _ in range(10)] == [0] * 10
    assert 0 < budgets.take(INVITES) < 1
    for _ in range(10):
        budgets.answered(INVITES)
    assert budgets.take(INVITES) == 0
    assert 0 < budgets.take(INVITES) < 1


def test_a_window_that_others_have_used_up_makes_the_limit_doubtful(time: Time) -> None:
    endpoint, budgets = Endpoint(time, 10), Budgets(time.clock)
    called(endpoint, budgets, time, 45)
    time.now += REFILL_SECONDS + 1
    budgets.take(INVITES)
    budgets.answered(INVITES)
    time.now += budgets.exhaust(INVITES, None)
    endpoint.limit = 1_000_000
    assert called(endpoint, budgets, time, 100) == pytest.approx(100 * LATENCY)


def test_a_long_pause_says_nothing_of_how_many_calls_there_may_be_after_it(time: Time) -> None:
    budgets = Budgets(time.clock)
    for _ in range(3):
        assert [budgets.take(INVITES) for _ in range(6)] == [0] * 6
        time.now += budgets.exhaust(INVITES, 600.0)
    assert [budgets.take(INVITES) for _ in range(100)] == [0] * 100


def test_two_refusals_in_one_window_are_waited_for_as_long_as_the_longer_one_says(time: Time) -> None:
    """Both calls were under way when the first was refused."""
    budgets = Budgets(time.clock)
    assert [budgets.take(INVITES) for _ in range(12)] == [0] * 12
    assert [budgets.exhaust(INVITES, pause) for pause in (50.0, 1.0)] == [50, 50]
    assert budgets.take(INVITES) == 50


def test_what_was_learned_is_forgotten_in_time(time: Time) -> None:
    endpoint, budgets = Endpoint(time, 10), Budgets(time.clock)
    called(endpoint, budgets, time, 55)
    time.now += FORGET_SECONDS + 2 * REFILL_SECONDS
    endpoint.limit = 1_000_000
    assert called(endpoint, budgets, time, 100) == pytest.approx(100 * LATENCY)


# -- over HTTP


def test_only_the_family_that_refused_waits(time: Time) -> None:
    with Remote(refusal(429, "Slow down.", **{"retry-after": "400"}), FINE) as remote:
        transport = Transport(remote.base_url, ADMIN_KEY, lambda _: None, time.pace(patience=300))
        with pytest.raises(RateLimited, match=r"asked to slow down\.$"):
            transport.write("POST", "/organization/invites")
        assert transport.read("/organization/invites").ok
        assert transport.write("POST", "/organization/users/u").ok
        with pytest.raises(RateLimited, match=r"asked to wait another 400 seconds\.$"):
            transport.write("POST", "/organization/invites")
        assert time.slept == []
        time.now += 250
        assert transport.write("POST", "/organization/invites").ok
    assert time.waited == 150


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("20s", 20), ("6m0s", 360), ("1h2m3s", 3723), ("750ms", 0.75), ("1.5s", 1.5), ("soon", 0), ("", 0)],
)
def test_the_last_call_that_is_allowed_is_not_followed_by_a_refused_one(
    time: Time, reset: str, seconds: float
) -> None:
    told = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}
    with Remote(Answer(headers=told), FINE) as remote:
        transport = Transport(remote.base_url, ADMIN_KEY, lambda _: None, time.pace(patience=9999))
        for _ in range(2):
            transport.read("/organization/users")
    assert time.waited == seconds


def test_a_refusal_may_say_by_that_header_when_more_is_allowed(time: Time) -> None:
    slow_down = refusal(429, "Slow down.", **{"x-ratelimit-reset-requests": "7s"})
    with Remote(slow_down, FINE) as remote:
        Transport(remote.base_url, ADMIN_KEY, lambda _: None, time.pace()).read("/organization/users")
    assert time.waited == 7


def test_a_refused_call_is_under_way_until_its_refusal_has_been_learned_from(time: Time) -> None:
    """Or the next one, which waits to go alone beyond the limit, would go before that."""
    when_learned = []

    class Watched(Budgets):
        def exhaust(self, family: str, pause: float | None, *, taken: bool = False) -> float:
            when_learned.append(self._under_way[family])
            return super().exhaust(family, pause, taken=taken)

    budgets = Watched(time.clock)
    with Remote(refusal(429, "Slow down.", **{"retry-after": "7"}), FINE) as remote:
        Transport(remote.base_url, ADMIN_KEY, lambda _: None, time.pace(), budgets).write("POST", "/invites")
    assert when_learned == [1]
    assert budgets._under_way["POST /invites"] == 0


@pytest.mark.parametrize(("window", "says_when"), [(60.0, True), (60.0, False), (10.0, True), (10.5, True)])
def test_invites_under_a_limit_use_what_it_allows_and_none_fails(
    time: Time, organization: Organization, window: float, says_when: bool
) -> None:
    """In ten windows and more: `Retry-After` is in whole seconds, which are many where windows are short."""
    limit = RateLimit(20, window, says_when=says_when, clock=time.clock)
    with Simulator(organization, rate_limit={"/organization/invites": limit}) as simulator:
        connector = OpenAIConnector(
            secret=organization.admin_key, base_url=simulator.base_url, pace=time.pace()
        )
        began = time.now
        for place in range(401):
            connector.invite(f"p{place}@example.org", "reader", [])
            time.now += LATENCY
    assert len(organization.invites) == 401
    assert 20 * window / (time.now - began) > 0.95
    assert sum(asked.status == 429 for asked in simulator.requests) <= 20


# -- shared


@pytest.fixture
def integration(db: None) -> Integration:
    return Integration.objects.create(kind="openai", name="Acme", base_url="https://api.openai.com/v1")


def turns(workers: list[Budgets], times: int) -> Iterator[Budgets]:
    return (workers[place % len(workers)] for place in range(times))


def test_two_workers_share_what_a_limit_allows(time: Time, integration: Integration) -> None:
    endpoint = Endpoint(time, 10)
    workers: list[Budgets] = [SharedBudgets(integration.pk, time.clock) for _ in range(2)]
    began = time.now
    for worker in turns(workers, 301):
        called(endpoint, worker, time, 1)
    assert 30 * 60 / (time.now - began) > 0.95
    assert endpoint.answers[False] <= 8


def test_two_connectors_with_one_budget_do_not_exceed_it_together(
    time: Time, integration: Integration, organization: Organization
) -> None:
    limit = RateLimit(20, 60.0, says_when=False, clock=time.clock)
    with Simulator(organization, rate_limit={"/organization/invites": limit}) as simulator:
        connectors = [
            OpenAIConnector(
                secret=organization.admin_key,
                base_url=simulator.base_url,
                budgets=SharedBudgets(integration.pk, time.clock),
                pace=time.pace(),
            )
            for _ in range(2)
        ]
        began = time.now
        for place in range(201):
            connectors[place % 2].invite(f"p{place}@example.org", "reader", [])
            time.now += LATENCY
    assert 10 * 60 / (time.now - began) > 0.95
    assert sum(asked.status == 429 for asked in simulator.requests) <= 5


def test_the_next_worker_knows_what_the_last_one_learned(time: Time, integration: Integration) -> None:
    endpoint = Endpoint(time, 10)
    called(endpoint, SharedBudgets(integration.pk, time.clock), time, 25)
    endpoint.answers.clear()
    called(endpoint, SharedBudgets(integration.pk, time.clock), time, 10)
    assert endpoint.answers[False] == 0


def test_two_workers_who_take_the_last_call_at_once_do_not_both_get_it(
    time: Time, integration: Integration
) -> None:
    SharedBudgets(integration.pk, time.clock).exhaust(INVITES, 60.0)
    FamilyBudget.objects.update(room=1)
    one, other = FamilyBudget.objects.get(), FamilyBudget.objects.get()
    assert [row.replace(row.as_value()) for row in (one, other)] == [True, False]


def test_of_what_never_refused_the_database_is_asked_once(time: Time, integration: Integration) -> None:
    budgets = SharedBudgets(integration.pk, time.clock)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        for _ in range(500):
            budgets.take("GET /organization/users")
    assert len(asked) == 1


def test_limits_that_are_no_more_leave_no_row(time: Time, integration: Integration) -> None:
    SharedBudgets(integration.pk, time.clock).exhaust(INVITES, 60.0)
    time.now += FORGET_SECONDS + 61
    SharedBudgets(integration.pk, time.clock).take(INVITES)
    assert not FamilyBudget.objects.exists()


def test_a_limit_that_is_lifted_leaves_no_row(time: Time, integration: Integration) -> None:
    endpoint = Endpoint(time, 10)
    worker = SharedBudgets(integration.pk, time.clock)
    called(endpoint, worker, time, 25)
    endpoint.limit = 1_000_000
    called(endpoint, worker, time, 800)
    assert FamilyBudget.objects.get().limit is None
    time.now += REFILL_SECONDS + 1
    SharedBudgets(integration.pk, time.clock).take(INVITES)
    assert not FamilyBudget.objects.exists()


def test_an_integration_hands_its_shared_budgets_to_its_connector(
    integration: Integration, organization: Organization, time: Time
) -> None:
    """What one connector was refused, the next one waits for."""
    with Remote(refusal(429, "Slow down.", **{"retry-after": "3000"})) as remote:
        integration.base_url = remote.base_url
        integration.store_credential(ADMIN_KEY, now=integration.created_at)
        for _ in range(2):
            with pytest.raises(RateLimited, match="asked to"):
                integration.connector(use="a test").invite("ada@example.org", "reader", [])
        assert len(remote.asked) == 1


# -- somebody ahead


def invited_at_once(connector: OpenAIConnector) -> int:
    """How many invites go before one would have to wait, with a connector that has no patience."""
    done = 0
    with suppress(RateLimited):
        while connector.invite(f"{uuid4()}@example.org", "reader", []):
            done += 1
    return done


@pytest.mark.parametrize(
    ("limit", "windows_before", "ahead", "sync_others_refused"),
    [
        pytest.param(10, 2, True, (5, 5, 0), id="half for who is ahead"),
        pytest.param(60, 2, True, (30, 30, 0), id="half of more for who is ahead"),
        pytest.param(7, 2, True, (4, 3, 0), id="the lesser half for who is ahead"),
        pytest.param(10, 1, True, (5, 5, 1), id="who is ahead tries whether there is more"),
        pytest.param(10, 2, False, (10, 0, 0), id="all while nobody is ahead"),
        pytest.param(60, 2, False, (59, 1, 0), id="one for who may come"),
        pytest.param(150, 2, False, (147, 3, 0), id="one in fifty for who may come"),
        pytest.param(60, 1, False, (60, 0, 1), id="all while it tries whether there is more"),
    ],
)
def test_in_each_window_there_is_room_for_those_ahead(
    time: Time,
    integration: Integration,
    organization: Organization,
    limit: int,
    windows_before: int,
    ahead: bool,
    sync_others_refused: tuple[int, int, int],
) -> None:
    taken = RateLimit(limit, 60.0, clock=time.clock)

    def connector(somebody_ahead: Callable[[], bool] | None) -> OpenAIConnector:
        budgets = SharedBudgets(integration.pk, time.clock, somebody_ahead)
        return OpenAIConnector(
            secret=organization.admin_key,
            base_url=simulator.base_url,
            budgets=budgets,
            pace=time.pace(patience=0),
        )

    with Simulator(organization, rate_limit={"/organization/invites": taken}) as simulator:
        for _ in range(windows_before):
            assert invited_at_once(connector(None)) == limit
            time.now += 61
        simulator.requests.clear()
        sync, others = invited_at_once(connector(lambda: ahead)), invited_at_once(connector(None))
        refused = sum(asked.status == 429 for asked in simulator.requests)
        assert (sync, others, refused) == sync_others_refused


@pytest.mark.parametrize("limit", [10, 50])
def test_what_is_left_for_who_may_come_costs_little(time: Time, integration: Integration, limit: int) -> None:
    budgets = SharedBudgets(integration.pk, time.clock, lambda: False)
    assert 10 * 60 / called(Endpoint(time, limit), budgets, time, 10 * limit + 1) > 0.95


def test_once_nobody_is_ahead_any_more_the_rest_of_the_window_is_used(
    time: Time, integration: Integration
) -> None:
    ahead = [True]
    endpoint, others = Endpoint(time, 10), SharedBudgets(integration.pk, time.clock)
    sync = SharedBudgets(integration.pk, time.clock, lambda: ahead[0])
    called(endpoint, others, time, 11)
    time.now += 61
    assert called(endpoint, sync, time, 5) < 1
    assert 0 < sync.take(INVITES) <= 5
    ahead[0] = False
    time.now += 5
    assert called(endpoint, sync, time, 5) < 1


def test_who_is_ahead_is_asked_once_a_second_and_only_where_there_is_a_limit(
    time: Time, integration: Integration
) -> None:
    asked: list[float] = []

    def somebody_ahead() -> bool:
        asked.append(time.now)
        return False

    budgets = SharedBudgets(integration.pk, time.clock, somebody_ahead)
    for _ in range(100):
        budgets.take("GET /organization/users")
    assert asked == []
    called(Endpoint(time, 100), budgets, time, 101)
    asked.clear()
    began = time.now
    called(Endpoint(time, 1000), budgets, time, 90)
    assert 8 <= len(asked) <= time.now - began + 1


def test_letting_others_go_first_for_long_is_no_reason_to_give_up(time: Time) -> None:
    class Busy(Budgets):
        turns = 10

        def take(self, family: str) -> float:
            self.turns -= 1
            return 60.0 if self.turns >= 0 else 0.0

    with Remote(FINE) as remote:
        pace = time.pace(patience=300)
        transport = Transport(remote.base_url, ADMIN_KEY, lambda _: None, pace, Busy(time.clock))
        assert transport.read("/organization/users").ok
    assert time.waited == 600


def test_an_integration_tells_its_connector_who_is_ahead(
    integration: Integration, organization: Organization, simulator: Simulator
) -> None:
    class Waits(Exception):
        pass

    def wait(_: str) -> None:
        raise Waits

    half_used = {"limit": 10, "refill": 60, "used": 5, "room": 5, "confirmed": 1, "keeps": 0}
    integration.base_url = simulator.base_url
    integration.store_credential(organization.admin_key, now=integration.created_at)
    integration.budgets.create(family=INVITES, ends_at=real_time.time() + 50, **half_used)
    with pytest.raises(Waits):
        integration.connector(wait, lambda: True, use="a test").invite("ada@example.org", "reader", [])
    assert integration.connector(wait, use="a test").invite("ada@example.org", "reader", [])
