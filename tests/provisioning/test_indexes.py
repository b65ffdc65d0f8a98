"""A sync of one integration asks PostgreSQL by indexes, however much it keeps of others."""

import re
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.models import Integration
from provisioning.models import Account, Action, ProvisioningJob
from tests.provisioning.world import World, staffed

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL tells its plans"),
]

OTHERS, ACCOUNTS, JOBS, ACTIONS = 100, 200, 30, 7
"""How much there is of others: 20,000 accounts, 3,000 jobs, 21,000 actions."""
MANY = ("provisioning_account", "provisioning_action", "provisioning_provisioningjob")


def fill(now: datetime) -> None:
    others = Integration.objects.bulk_create(
        Integration(kind="openai", name=f"Other {number}") for number in range(OTHERS)
    )
    held: dict[str, object] = {"role": "reader", "state": "active", "first_seen_at": now, "last_seen_at": now}
    Account.objects.bulk_create(
        Account(integration=other, remote_id=f"user-{n}", email=f"p{n}@{other.pk}.example", **held)
        for other in others
        for n in range(ACCOUNTS)
    )
    done: dict[str, object] = {
        "state": "succeeded",
        "requested_at": now,
        "planned_at": now,
        "finished_at": now,
    }
    jobs = ProvisioningJob.objects.bulk_create(
        ProvisioningJob(integration=other, trigger="schedule", **done)
        for other in others
        for _ in range(JOBS)
    )
    Action.objects.bulk_create(
        Action(
            job=job,
            seq=seq,
            kind="remove",
            situation="leaver",
            state="done",
            email=f"p{seq}@x",
            finished_at=now,
        )
        for job in jobs
        for seq in range(ACTIONS)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def walks(sql: str) -> Iterator[str]:
    """The large tables that PostgreSQL goes through from end to end for it."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    yield from (found for found in re.findall(r"Seq Scan on (\w+)", plan) if found in MANY)


def test_no_query_of_a_sync_goes_through_what_is_kept_of_others(world: World) -> None:
    emails = staffed(world, 30)
    world.sync()
    world.sync()
    fill(timezone.now())
    world.dismiss(emails[0])
    with CaptureQueriesContext(connection) as asked:
        assert world.sync()["counts"]["done"] == 1
    questions = {query["sql"] for query in asked.captured_queries if query["sql"].startswith("SELECT")}
    assert {sql: found for sql in questions if (found := [*walks(sql)])} == {}
