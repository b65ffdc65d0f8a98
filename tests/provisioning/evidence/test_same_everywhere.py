"""The same record makes the same files on every database: this runs on SQLite and on PostgreSQL."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.utils import timezone

from cakewalk.ledger.models import Head
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from directory.models import Revision
from provisioning.evidence.ordering import order
from tests.admin import builders
from tests.directory.builders import person
from tests.provisioning.evidence.packs import made

DIGEST = "7718986da8db9d7a4899156df18df39791c4f13fc245e8574ae6c5ef31a1b415"
"""Of all files but the two pages, whose words may change. It changes with the columns of a table."""

FIRST = 900_001
"""Rows have numbers of their own here, for a database goes on counting from one test to the next."""


def uuid(number: int) -> UUID:
    return UUID(int=number)


@pytest.mark.django_db
def test_the_same_record_makes_the_same_files_on_every_database() -> None:
    with time_machine.travel(datetime(2026, 10, 5, 9, tzinfo=UTC), tick=False):
        acme = builders.integration("Äcme & Söhne", enabled=False, pk=FIRST, public_id=uuid(1))
        Head.objects.update_or_create(pk=1, defaults={"installation": uuid(2)})
        record(Verb.ADDED, acme, after={"mode": "manage"})
        rule = builders.rule(acme, "Engineers", pk=FIRST)
        record(Verb.CHANGED, rule, before={"state": "active"}, after={"state": "draft"})
        now = timezone.now()
        for number, name in enumerate(("zoë", "Anna", "ännchen", "bob")):
            leaver = person(f"{name}@example.org", pk=FIRST + number, active=False)
            Revision.objects.create(person=leaver, at=now, by="hr", fields={"active": [True, False]})
            job = builders.job(acme, pk=FIRST + number, public_id=uuid(10 + number), read={"complete": True})
            took: dict[str, Any] = {
                "started_at": now,
                "finished_at": now,
                "confirmed_at": now + timedelta(hours=20 * number),
            }
            builders.action(
                job,
                pk=FIRST + number,
                person=leaver,
                email=leaver.email,
                known_at=now,
                request_id="r",
                **took,
            )
            builders.action(job, "report", pk=FIRST + 10 + number, email=leaver.email)
    with time_machine.travel(datetime(2026, 11, 2, tzinfo=UTC), tick=False):
        asked = order(acme, date(2026, 10, 1), date(2026, 10, 31), now=timezone.now(), sample=2)
        pack, built = made(asked)

    files = {name: found for name, found in pack.sums().items() if "/" in name}
    assert built.said["population"]["reconciles"]
    assert built.said["removal_after_departure"]["breaches"] == 2
    assert hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest() == DIGEST
