"""Each family of endpoints may have its own limit, and need not say when to come back."""

import pytest
import requests

from integrations.connectors.openai.simulator import RateLimit, Simulator, TokenBucket
from integrations.connectors.openai.simulator.refusals import TooManyRequests


@pytest.fixture
def statuses(organization):
    """What each of these paths is answered, in turn, under these limits."""

    def statuses(limits, *paths):
        headers = {"Authorization": f"Bearer {organization.admin_key}"}
        with Simulator(organization, rate_limit=limits) as simulator, requests.Session() as session:
            session.headers.update(headers)
            answers = [session.get(f"{simulator.base_url}{path}", timeout=5) for path in paths]
        return [(answer.status_code, answer.headers.get("retry-after")) for answer in answers]

    return statuses


def test_one_family_is_used_up_while_others_answer(statuses):
    limits = {"/organization/users": RateLimit(1), "/organization/groups": RateLimit(2, says_when=False)}
    users, groups = "/organization/users", "/organization/groups"
    answered = statuses(limits, users, groups, groups, users, groups, "/organization/invites")
    assert [status for status, _ in answered] == [200, 200, 200, 429, 429, 200]
    assert 50 <= int(answered[3][1]) <= 60
    assert answered[4][1] is None


def test_a_path_counts_for_the_closest_family_alone(organization, statuses):
    search = organization.add_project("Search")
    roles, users = f"/projects/{search.id}/roles", f"/organization/projects/{search.id}/users"
    limits = {
        "/organization/projects": RateLimit(1),
        "/organization/projects/*/users": RateLimit(2),
        "/projects/*/roles": RateLimit(1),
    }
    answered = statuses(limits, users, users, users, "/organization/projects", roles, roles)
    assert [status for status, _ in answered] == [200, 200, 429, 200, 200, 429]


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_limit_is_refilled_all_at_once_when_its_window_ends():
    clock = Clock()
    limit = RateLimit(2, window=10, clock=clock)
    answered: list[str | None] = []
    for clock.now in (0, 1, 9.5, 10, 11, 12):
        try:
            limit.take()
            answered.append(None)
        except TooManyRequests as refusal:
            answered.append(refusal.headers["retry-after"])
    assert answered == [None, None, "1", None, None, "8"]


def test_a_bucket_is_refilled_all_the_time_and_holds_no_more_than_a_burst():
    clock = Clock()
    bucket = TokenBucket(per_second=2, burst=3, clock=clock)
    answered: list[str | None] = []
    for clock.now in (10, 10, 10, 10, 10.5, 10.6, 11.0):
        try:
            bucket.take()
            answered.append(None)
        except TooManyRequests as refusal:
            answered.append(refusal.headers["retry-after"])
    assert answered == [None, None, None, "1", None, "1", None]
