"""An installation with many integrations, which differ in a number, on PostgreSQL with Redis.

A server that keeps its pages stands in for all organizations. Nothing is to be changed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.many_organizations import domain
from tests.stack.conftest import own_broker, own_database
from tests.stack.installation import ROOT, ThreeProcesses, eventually

SET_UP = """
import json, sys
from django.utils import timezone
from cakewalk.ledger.recording import together
from directory.bulk import insert
from directory.models import Group, Membership, Person, PersonEmail, Source
from integrations.models import Integration
from provisioning.models import AccessRule
from tests.bench.many_organizations import domain, key
made = json.loads({made!r})
source = Source.objects.create(name="hr", kind=Source.Kind.FILE)
now = timezone.now()
for number in range({integrations}):
    name = domain(number)
    emails = [f"m{{place}}@{{name}}" for place in range({members})]
    people = Person.objects.bulk_create(Person(email=email, source=source) for email in emails)
    PersonEmail.objects.bulk_create(
        PersonEmail(person=one, address=one.email, key=one.email) for one in people
    )
    owners, staff = (Group.objects.create(name=f"{{kind}} {{name}}") for kind in ("owners", "staff"))
    for group, some in ((owners, people[:1]), (staff, people[1:])):
        Membership.objects.bulk_create(Membership(person=one, group=group) for one in some)
    of = Integration.objects.create(kind="openai", name=name, base_url=made["base_url"], mode="manage")
    of.store_credential(key(made["admin_key"], number), now=now)
    Integration.objects.filter(pk=of.pk).update(enabled=True, keys_read_at=now, watched_since=now)
    for group, role in ((owners, "owner"), (staff, "reader")):
        AccessRule.objects.create(integration=of, name=role, group=group, role=role, state="active")
"""
# All other organizations were read as the first one was.
KNOWN_ACCOUNTS = """
WITH first AS (SELECT min(id) AS id, min(name) AS name FROM integrations_integration
               WHERE name = 'number0.example.org')
INSERT INTO provisioning_account ({columns})
SELECT {values} FROM provisioning_account seen
CROSS JOIN first JOIN integrations_integration own ON own.id <> first.id
JOIN directory_personemail known ON known.key = replace(seen.email, first.name, own.name)
WHERE seen.integration_id = first.id
"""
KNOWN_OWNERS = """
UPDATE integrations_credential SET facts_at = now(), owner_id = first.owner_id, events_asked_at = now()
FROM integrations_credential first JOIN integrations_integration own ON own.id = first.integration_id
WHERE own.name = 'number0.example.org'
"""


class Many(ThreeProcesses):
    """Only its workers run: the jobs that are measured are asked for by the part that measures."""

    def workers(self, number: int) -> "subprocess.Popen[str]":
        name = f"{number} workers"
        words = ("-m", "celery", "-A", "cakewalk", "worker", "-Q", "celery")
        began = datetime.now(UTC)
        self.launch(name, *words, "--concurrency", str(number))
        lives = "SELECT at FROM health_heartbeat WHERE part = 'worker'"
        eventually(lambda: [at for (at,) in self.rows(lives) if at > began], 60, f"The start of {name}")
        return self.processes[name]


@contextmanager
def many_integrations(number: int, members: int) -> Iterator[Many]:
    """All read once, so that nothing of them is new. Everybody in them is in one directory."""
    words = [sys.executable, "-m", "tests.bench.many_organizations", str(members)]
    with tempfile.TemporaryDirectory() as folder, own_database() as database, own_broker() as broker:
        server = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        here = Many(Path(folder), DATABASE_URL=database, CELERY_BROKER_URL=broker, PYTHONPATH=str(ROOT))
        try:
            assert server.stdout
            made = server.stdout.readline()
            code = SET_UP.format(made=made, integrations=number, members=members)
            here.run("shell", "--verbosity=0", "--command", code, seconds=300)
            here.run("sync", domain(0))
            with psycopg.connect(database) as connection:
                _all_were_read(connection)
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            yield here
        finally:
            here.stop()
            server.kill()
            server.wait()


def _all_were_read(connection: "psycopg.Connection[Any]") -> None:
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'provisioning_account'"
    )
    columns = [name for (name,) in rows if name != "id"]
    own = {"integration_id": "own.id", "person_id": "known.person_id", "email": "known.address"}
    values = [own.get(name, f'seen."{name}"') for name in columns]
    quoted = ", ".join(f'"{name}"' for name in columns)
    connection.execute(KNOWN_ACCOUNTS.format(columns=quoted, values=", ".join(values)))
    connection.execute(KNOWN_OWNERS)
