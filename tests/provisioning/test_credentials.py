"""The key itself: what a job learns of it, and what staff are told to do about it."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from directory.models import Person
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Credential
from provisioning import credentials
from provisioning.credentials import Owner
from provisioning.models import ProvisioningJob
from provisioning.standing import standing_of
from tests.provisioning.world import BOSS, World, brief, staffed

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
TODAY = date(2026, 6, 15)
ADMIN_KEYS = "/v1/organization/admin_api_keys"


def key(**known: Any) -> Credential:
    return Credential(entered_at=NOW - timedelta(days=1), **known)


def ada(**values: Any) -> Owner:
    return Owner("ada@openai.example", Person(email="ada@example.org", **values))


def told(problems: Iterable[credentials.Problem]) -> list[str]:
    return [problem.says for problem in problems]


# -- what staff must do


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (
            timedelta(days=-1),
            ["Its key expired on 14 Jun 2026. Enter another one with Replace credential."],
        ),
        (timedelta(0), ["Its key expired on 15 Jun 2026. Enter another one with Replace credential."]),
        (timedelta(days=14), ["Its key expires on 29 Jun 2026. Rotate it before that."]),
        (timedelta(days=14, seconds=1), []),
    ],
)
def test_a_key_that_expires_within_two_weeks_is_a_problem(left, says):
    assert told(credentials.problems(key(expires_at=NOW + left), None, now=NOW)) == says


@pytest.mark.parametrize(
    ("owner", "says"),
    [
        (None, None),
        (Owner("ada@openai.example", None), None),
        (ada(), None),
        (ada(active=False), "who is inactive in the directory. "),
        (ada(end_date=date(2026, 6, 30)), "who leaves on 30 Jun 2026. "),
        (ada(end_date=TODAY), "who leaves on 15 Jun 2026. "),
        (ada(end_date=date(2026, 6, 14)), "who left on 14 Jun 2026. "),
    ],
)
def test_an_owner_who_leaves_is_a_problem_that_rotating_does_not_solve(owner, says):
    sentences = told(credentials.problems(key(), owner, now=NOW))
    assert [says in sentence for sentence in sentences] == ([True] if says else [])
    assert all("Let another owner make a key" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({}, []),
        ({"made_at": NOW - timedelta(days=90)}, []),
        ({"made_at": NOW - timedelta(days=91)}, ["The key is 91 days old. Rotate it."]),
        (
            {"used_elsewhere_at": NOW},
            [
                "Used elsewhere: the key was used at 15 Jun 2026, 12:00 UTC, when no job was at work. If "
                "that was no test of the connection, somebody else has the key: rotate it."
            ],
        ),
        ({"unknown": "No."}, ["What is known of the key could not be renewed: No."]),
    ],
)
def test_what_nothing_stops_for_is_a_warning(known, says):
    assert told(credentials.warnings(key(**known), now=NOW)) == says


# -- a use that was none of ours


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("last_used_at", "is_elsewhere"),
    [
        (None, False),
        (NOW - 60 * MINUTE, False),
        (NOW - 55 * MINUTE, False),  # the remote may be late, or its clock may differ from ours
        (NOW - 54 * MINUTE, True),
        (NOW - 6 * MINUTE, True),
        (NOW - 5 * MINUTE, False),  # we are at work ourselves
        (NOW + MINUTE, False),
    ],
)
def test_a_use_between_our_last_work_and_the_present_one_is_somebody_elses(last_used_at, is_elsewhere):
    ours = NOW - 60 * MINUTE
    assert key().is_used_elsewhere(last_used_at, ours=ours, since=NOW) is is_elsewhere


@pytest.mark.parametrize("moment", ["entered_at", "checked_at"])
def test_entering_and_testing_a_key_is_a_use_of_ours(moment):
    credential = key()
    setattr(credential, moment, NOW - 30 * MINUTE)
    ours = NOW - 60 * MINUTE
    assert not credential.is_used_elsewhere(NOW - 30 * MINUTE, ours=ours, since=NOW)
    assert credential.is_used_elsewhere(NOW - 20 * MINUTE, ours=ours, since=NOW)


# -- what a job learns


def test_a_job_learns_of_the_key_once_an_hour(world: World) -> None:
    def asked() -> int:
        return [request.path for request in world.simulator.requests].count(ADMIN_KEYS)

    world.configure(keys_read_at=timezone.now())  # the other list that is asked for
    world.sync()
    known = Credential.objects.get()
    boss = world.organization.find_user(BOSS)
    assert (known.owner_id, known.owner_name, asked()) == (boss.id, boss.name, 1)
    world.sync()
    assert asked() == 1
    Credential.objects.update(facts_at=timezone.now() - timedelta(hours=1))
    world.sync()
    assert asked() == 2


def test_a_job_does_not_fail_because_openai_tells_nothing_of_the_key(world: World) -> None:
    world.simulator.inject(Fault(Kind.HTML, path="/organization/admin_api_keys", every=True))
    assert world.sync()["state"] == "succeeded"
    assert Credential.objects.get().facts_at is None


def test_a_restricted_key_carries_out_what_it_may(world: World) -> None:
    """Whose key it is cannot be known then, so that nobody who may own it loses anything."""
    boss = world.organization.find_user(BOSS)
    needed = [
        f"api.organization.{family}.{do}" for family in ("users", "invites") for do in ("read", "write")
    ]
    restricted = world.organization.create_admin_key("Restricted", boss.id, scopes=needed)
    world.integration.store_credential(restricted.value, now=timezone.now())
    world.organization.add_member("second@example.org", role="owner")
    world.hire("second@example.org", "owners")
    staffed(world, 3)
    world.hire("new@example.org", "staff")
    world.dismiss("second@example.org", "p0@example.org")
    assert brief(world.sync()) == [
        ("invite", "new@example.org", "done"),
        ("remove", "p0@example.org", "done"),
        ("remove", "second@example.org", "refused"),
    ]
    assert Credential.objects.get().unknown == "The key may not read the admin keys, so OpenAI does not tell."


def test_a_job_notices_that_the_key_was_used_elsewhere(world: World) -> None:
    world.sync()
    long_ago, lately = timezone.now() - timedelta(hours=2), timezone.now() - timedelta(hours=1)
    ProvisioningJob.objects.update(finished_at=long_ago)
    Credential.objects.update(entered_at=long_ago, facts_at=long_ago)
    world.organization.clock = lately.timestamp
    world.sync()
    used = Credential.objects.get().used_elsewhere_at
    assert used == lately.replace(microsecond=0)


def test_the_integration_asks_for_another_key_when_the_owner_of_the_present_one_leaves(world: World) -> None:
    world.organization.add_member("second@example.org", role="owner")
    world.hire("second@example.org", "owners")
    world.sync()
    assert standing_of(world.integration).problems == ()
    world.dismiss(BOSS)
    document = world.sync()
    assert [action["error"]["code"] for action in document["actions"]] == ["credential_owner"]
    told = [said for said in standing_of(world.integration).problems if said.startswith("Its key belongs")]
    assert told == [
        "Its key belongs to boss@example.org, who is inactive in the directory. While it does, that account "
        "is left alone. Let another owner make a key, and enter it with Replace credential: a key that is "
        "made by rotating belongs to the same person."
    ]


def test_whether_a_key_may_change_anything_shows_with_the_first_change(world: World) -> None:
    staffed(world, 1)
    world.sync()
    assert (Credential.objects.get().wrote_at, Credential.objects.get().write_refused) == (None, "")
    world.hire("new@example.org", "staff")
    world.sync()
    assert Credential.objects.get().wrote_at is not None


def test_a_key_that_may_only_read_is_known_as_such_after_the_first_refusal(world: World) -> None:
    staffed(world, 1)
    world.integration.store_credential(world.organization.read_only_key, now=timezone.now())
    world.hire("new@example.org", "staff")
    world.sync()
    known = Credential.objects.get()
    assert known.wrote_at is None
    assert known.write_refused.startswith("OpenAI does not permit this to the API key")
    world.integration.store_credential(world.organization.admin_key, now=timezone.now())
    world.sync()
    known = Credential.objects.get()
    assert (known.wrote_at is not None, known.write_refused) == (True, "")
