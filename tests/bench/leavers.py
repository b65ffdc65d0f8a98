"""How long leavers keep access: from a SCIM client's `active: false` to a removal that a read has confirmed.

Measured on a whole installation (PostgreSQL, Redis, web server, workers, clock) and a simulated organization,
first with nothing else to do and then while a sync of everyone is at work.
"""

import csv
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import requests

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.bench.company import RULES
from tests.bench.result import Result, Table
from tests.machine import Services
from tests.stack.conftest import own_broker, own_database
from tests.stack.installation import ThreeProcesses, eventually

MEMBERS = 50_000
LEAVERS = 200
"""At once: as fast as the SCIM client is answered."""
ONE_BY_ONE = 30
"""A second apart, as on a busy day."""
IN_PROPORTION = 6
"""So many times the leavers come from the SCIM client. If a fifth left at once, the guard of its source would
refuse, and all measurements together are no fifth.
"""
OWNER = "chief@example.org"
MEDIAN_SECONDS, MOST_SECONDS = 5.0, 30.0
"""The limits: for half of the leavers, and for 95 of 100."""

SCHEMAS = "urn:ietf:params:scim:schemas:core:2.0"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"

HEAD = ("leavers", "number", "median", "95 % within", "slowest", "median beside that without load")

CONFIRMED = """
SELECT email, confirmed_at FROM provisioning_action WHERE kind = 'remove' AND confirmed_at IS NOT NULL
"""
SYNCING = "SELECT 1 FROM provisioning_provisioningjob WHERE scope = 'everyone' AND state = 'running'"


class WithWorkerForPeople(ThreeProcesses):
    def launch_worker(self) -> None:
        super().launch_worker()
        words = ("-m", "celery", "-A", "cakewalk", "worker", "-Q", "people", "--concurrency", "1")
        self.launch("worker for people", *words)


@dataclass(frozen=True)
class Company:
    """An installation with its SCIM client, and the organization that it keeps in step."""

    installation: WithWorkerForPeople
    organization: Organization
    session: requests.Session

    def scim(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.session.request(method, f"{self.installation.url}/scim/v2{path}", json=body, timeout=60)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def hire(self, emails: Sequence[str]) -> dict[str, str]:
        """Their SCIM ids. They are members of the organization already."""
        ids: dict[str, str] = {}
        for start in range(0, len(emails), 100):
            some = emails[start : start + 100]
            posts = [
                {"method": "POST", "path": "/Users", "bulkId": email, "data": _user(email)} for email in some
            ]
            done = self.scim("POST", "/Bulk", {"schemas": [BULK], "Operations": posts})["Operations"]
            ids |= {one["bulkId"]: one["location"].rpartition("/")[2] for one in done}
        for email in emails:
            self.organization.add_member(email)
        members = [{"value": id} for id in ids.values()]
        self.scim(
            "POST", "/Groups", {"schemas": [f"{SCHEMAS}:Group"], "displayName": "staff", "members": members}
        )
        return ids

    def leave(self, ids: dict[str, str], *, every: float = 0.0) -> list[float]:
        """Seconds from each request to the confirmed removal. `every`: so many seconds one of them leaves."""
        off = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"active": False}}]}
        asked_at, began = {}, time.monotonic()
        for place, (email, id) in enumerate(ids.items()):
            time.sleep(max(began + place * every - time.monotonic(), 0.0))
            asked_at[email] = datetime.now(UTC)
            self.scim("PATCH", f"/Users/{id}", off)
        confirmed = eventually(lambda: self._confirmed(ids), 600, "The removal of every leaver")
        return [(confirmed[email] - asked_at[email]).total_seconds() for email in ids]

    def _confirmed(self, ids: dict[str, str]) -> dict[str, datetime] | None:
        found = {email: at for email, at in self.installation.rows(CONFIRMED) if email in ids}
        return found if len(found) == len(ids) else None

    @contextmanager
    def syncing(self) -> Iterator[None]:
        """One sync of everyone after the other, for as long as this lasts."""
        over = threading.Event()

        def sync() -> None:
            while not over.is_set():
                self.installation.run("sync", "Acme", seconds=900)

        thread = threading.Thread(target=sync)
        thread.start()
        try:
            eventually(lambda: self.installation.rows(SYNCING), 60, "A sync of everyone")
            yield
        finally:
            over.set()
            thread.join()


def _user(email: str) -> dict[str, Any]:
    return {"schemas": [f"{SCHEMAS}:User"], "userName": email, "active": True}


@contextmanager
def company(members: int, from_scim: Sequence[str]) -> Iterator[tuple[Company, dict[str, str]]]:
    organization = Organization(owner=OWNER)
    with tempfile.TemporaryDirectory() as folder, own_database() as database, own_broker() as broker:
        installation = WithWorkerForPeople(Path(folder), DATABASE_URL=database, CELERY_BROKER_URL=broker)
        with Simulator(organization) as simulator:
            try:
                installation.start()
                made = Company(installation, organization, _client(installation))
                ids = made.hire(from_scim)
                _employ(made, members - len(from_scim), simulator)
                yield made, ids
            finally:
                installation.stop()


def _client(installation: WithWorkerForPeople) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {installation.run('scim_source', 'okta').strip()}"
    session.headers["Content-Type"] = "application/scim+json"
    return session


def _employ(made: Company, others: int, simulator: Simulator) -> None:
    """All the others from a file, and a first sync that finds everybody where they should be."""
    here, emails = made.installation, [f"person{number}@example.org" for number in range(others)]
    with (here.folder / "people.csv").open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("email", "groups"))
        writer.writerow((OWNER, "owners"))
        writer.writerows((email, "staff") for email in emails)
    for email in emails:
        made.organization.add_member(email)
    here.run("import_people", "people.csv", "--source", "hr", seconds=300)
    connect = ("connect", "openai", "--name", "Acme", "--base-url", simulator.base_url, "--key-stdin")
    here.run(*connect, stdin=made.organization.admin_key)
    (here.folder / "rules.toml").write_text(RULES)
    here.run("import_rules", "rules.toml")
    settings = ("mode=manage", "first_removals=allow", f"removal_limit_count={2 * (LEAVERS + ONE_BY_ONE)}")
    here.run("configure", "Acme", *(word for one in settings for word in ("--set", one)), seconds=300)
    here.run("sync", "Acme", seconds=900)
    here.settled()


def _most(seconds: Sequence[float]) -> float:
    """What 95 of 100 stay within."""
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def measure() -> Result:
    if missing := Services.from_environment().missing():
        return Result([], missed=[f"The time of leavers was not measured: PostgreSQL with Redis {missing}"])
    emails = [f"p{number}@example.org" for number in range(IN_PROPORTION * 2 * (LEAVERS + ONE_BY_ONE))]
    with company(MEMBERS, emails) as (made, ids):
        leaving = iter(ids.items())

        def leave(number: int, *, every: float = 0.0) -> list[float]:
            return made.leave(dict(islice(leaving, number)), every=every)

        alone = leave(ONE_BY_ONE, every=1.0), leave(LEAVERS)
        with made.syncing():
            beside = leave(ONE_BY_ONE, every=1.0), leave(LEAVERS)
    one_by_one, at_once = "one a second", f"{LEAVERS} at once"
    while_synced = f"while these {MEMBERS:,} accounts are synced"
    seconds = {
        f"{one_by_one}, {MEMBERS:,} accounts, nothing else to do": (alone[0], alone[0]),
        f"{one_by_one}, {while_synced}": (beside[0], alone[0]),
        f"{at_once}, nothing else to do": (alone[1], alone[0]),
        f"{at_once}, {while_synced}": (beside[1], alone[1]),
    }
    missed = [sentence for what, (took, _) in seconds.items() for sentence in _late(what, took)]
    return Result([Table(HEAD, [_row(what, *took) for what, took in seconds.items()])], missed=missed)


def _late(what: str, seconds: Sequence[float]) -> Iterator[str]:
    if statistics.median(seconds) > MEDIAN_SECONDS:
        yield f"Leavers {what}: half took more than {MEDIAN_SECONDS:.0f} s."
    if _most(seconds) > MOST_SECONDS:
        yield f"Leavers {what}: 5 % took more than {MOST_SECONDS:.0f} s."


def _row(what: str, seconds: Sequence[float], first: Sequence[float]) -> tuple[str, ...]:
    median, times = statistics.median(seconds), statistics.median(seconds) / statistics.median(first)
    took = (f"{median:.1f} s", f"{_most(seconds):.1f} s", f"{max(seconds):.1f} s")
    return (what, str(len(seconds)), *took, f"{times:.1f} times")
