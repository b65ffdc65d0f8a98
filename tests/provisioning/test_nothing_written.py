"""A sync that finds everything as it was writes about itself, and about nobody."""

import re
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from provisioning import reconciliation, requesting
from provisioning.models import Account, Entitlement
from tests.provisioning.world import BOSS, World, staffed

pytestmark = pytest.mark.django_db(transaction=True)

KEPT = re.compile(
    r'^(?:INSERT INTO|UPDATE|DELETE FROM) "(directory_\w+|provisioning_(?:account|entitlement|key)\w*)"'
)
"""What is kept of people, of accounts and of what can be held."""

LEASE = 'SET "lease_expires_at"'


def give_projects(world: World) -> None:
    for number in range(3):
        world.organization.add_project(f"Project {number}")
        world.rule(f"Rule {number}", group=f"team {number}", **{f"Project {number}": "member"})


def staff(world: World, numbers: range) -> None:
    """They are where they should be: each in one of three projects."""
    for team in range(3):
        emails = [f"p{number}@example.org" for number in numbers if number % 3 == team]
        world.hire_all(emails, f"team {team}")
        for email in emails:
            user = world.organization.add_member(email)
            world.organization.add_to_project(f"Project {team}", user.id)


def queries_of_a_sync(world: World) -> list[str]:
    """But for those that renew its lease, every few seconds."""
    with CaptureQueriesContext(connection) as asked:
        document = world.sync()
    assert (document["state"], document["actions"]) == ("succeeded", [])
    return [query["sql"] for query in asked.captured_queries if LEASE not in query["sql"]]


def test_no_row_is_written_where_nothing_changed(world: World) -> None:
    give_projects(world)
    staff(world, range(30))
    world.sync()
    assert [found[1] for sql in queries_of_a_sync(world) if (found := KEPT.match(sql))] == []


def test_a_sync_without_a_change_asks_so_much_and_no_more(world: World) -> None:
    staffed(world, 10)
    for _ in range(3):
        world.sync()
    job = requesting.request_job(world.integration, deliver=False)
    with CaptureQueriesContext(connection) as asked:
        reconciliation.run(job.pk)
    statements = [query["sql"] for query in asked.captured_queries if LEASE not in query["sql"]]
    said = Counter(sql.split()[0] for sql in statements)
    # Django does not tell of what is read through a cursor that PostgreSQL keeps.
    selects = 46 if connection.vendor == "postgresql" else 52
    expected = {"SELECT": selects, "INSERT": 5, "UPDATE": 11, "DELETE": 0, "SAVEPOINT": 0}
    assert {verb: said[verb] for verb in expected} == expected


def test_a_tenfold_company_takes_no_more_queries(world: World) -> None:
    give_projects(world)
    counted = []
    for numbers in (range(300), range(300, 3_000)):
        staff(world, numbers)
        for _ in range(3):  # until no sync is left that has seen anybody come
            world.sync()
        counted.append(queries_of_a_sync(world))
    few, many = counted
    assert Counter(map(kind_of, many)) == Counter(map(kind_of, few))


def kind_of(sql: str) -> str:
    return re.sub(r"'[^']*'|\d+", "?", sql)


def test_what_was_seen_again_is_known_without_a_row_of_its_own(world: World) -> None:
    staffed(world, 3)
    give_projects(world)
    world.sync()
    before = dict(Account.objects.values_list("pk", "last_seen_at"))
    between = timezone.now()
    world.sync()
    assert dict(Account.objects.values_list("pk", "last_seen_at")) == before
    assert all(row.seen_at > between for row in Account.objects.select_related("integration"))
    assert all(row.seen_at > between for row in Entitlement.objects.select_related("integration"))
    assert Account.objects.seen_since(between).count() == len(before)


def test_what_a_read_misses_was_last_seen_by_the_read_before(world: World) -> None:
    emails = staffed(world, 8)
    world.sync()
    between = timezone.now()
    world.sync()
    after = timezone.now()
    for email in emails[:5]:
        user = world.organization.user_by_email(email)
        assert user
        world.organization.remove_user(user.id)
    assert [hold["code"] for hold in world.sync()["holds"]] == ["accounts_vanished"]
    missing = Account.objects.present().filter(missing_since__isnull=False).select_related("integration")
    assert {row.email for row in missing} == set(emails[:5])
    assert all(between < row.seen_at < after for row in missing)
    assert set(Account.objects.seen_since(after).values_list("email", flat=True)) == {BOSS, *emails[5:]}


def test_what_is_seen_again_is_missing_no_more(world: World) -> None:
    emails = staffed(world, 8)
    world.sync()
    users = world.organization.users
    away = {id: user for id, user in users.items() if user.email in emails[:5]}
    for id in away:
        del users[id]
    world.organization.changed()
    world.sync()
    assert Account.objects.exclude(missing_since=None).count() == 5
    users.update(away)
    world.organization.changed()
    world.sync()
    assert not Account.objects.exclude(missing_since=None).exists()
    assert not Account.objects.exclude(gone_at=None).exists()
