"""How much of what a limit allows is used when a large plan is carried out, and what calls side by side gain.

The simulated organization counts: a bucket allows its burst, and so many calls a second from then on.
"""

import csv
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tqdm import tqdm

from integrations.connectors.openai.simulator import Organization, Simulator, TokenBucket
from tests.bench.company import RULES
from tests.bench.installation import Installation, databases, installation
from tests.bench.result import Plot, Result, Table

CHANGES = 1_000
UNLIMITED = 300
STAFF = 200
PER_SECOND = 20.0
BURST = 40.0
LATENCY = 0.03
LONG_LATENCY = 0.05
LEAST = 0.95
"""The limit: the share of the calls that the bucket allowed in the time that they took."""

CAREFREE = ("first_removals=allow", "removal_limit_count=100000", "vanished_percent=100")
ONE_AT_A_TIME = """
from django.core.management import call_command
from integrations.connectors import errands
errands.MOST = 1
call_command("sync", "Acme", "--json")
"""


class Counted(TokenBucket):
    """`allowed` and `refused`: when. After `halved_after` calls it allows half as many from then on."""

    def __init__(self, per_second: float, burst: float, halved_after: int | None = None) -> None:
        super().__init__(per_second, burst)
        self.allowed: list[float] = []
        self.refused: list[float] = []
        self._halved_after = halved_after

    def take(self) -> None:
        now = time.monotonic()
        self.refused.append(now)
        super().take()
        self.refused.pop()
        self.allowed.append(now)
        if len(self.allowed) == self._halved_after:
            self.per_second, self.burst = self.per_second / 2, self.burst / 2


@dataclass
class Company:
    """Who is in the directory, and the organization that is kept in step with it."""

    here: Installation
    organization: Organization
    people: list[str] = field(default_factory=lambda: [f"staff{n}@example.org" for n in range(STAFF)])
    port: int = 0

    def connect(self) -> None:
        self.import_people()
        for email in self.people:
            self.organization.add_member(email)
        (self.here.folder / "rules.toml").write_text(RULES)
        with self.serving({}, 0.0) as simulator:
            words = ("connect", "openai", "--name", "Acme", "--key-stdin", "--mode", "manage")
            self.here.run(*words, "--base-url", simulator.base_url, stdin=self.organization.admin_key)
        settings = [word for setting in CAREFREE for word in ("--set", setting)]
        self.here.run("configure", "Acme", *settings)
        self.here.run("import_rules", str(self.here.folder / "rules.toml"), "--integration", "Acme")

    def import_people(self) -> None:
        with (self.here.folder / "people.csv").open("w", newline="", encoding="utf-8") as opened:
            lines = csv.writer(opened)
            lines.writerow(("email", "active", "groups"))
            lines.writerow(("boss@example.org", "yes", "owners"))
            lines.writerows((email, "yes", "staff") for email in self.people)
        self.here.run("import_people", str(self.here.folder / "people.csv"), "--replace", "--allow-drop")

    @contextmanager
    def serving(self, limits: dict[str, TokenBucket], latency: float) -> Iterator[Simulator]:
        with Simulator(self.organization, port=self.port, latency=latency, rate_limit=limits) as simulator:
            self.port = int(simulator.base_url.rpartition(":")[2].partition("/")[0])
            yield simulator

    def synced(
        self, path: str, bucket: Counted, latency: float, number: int, *, one_at_a_time: bool = False
    ) -> None:
        """Raises where anything else happened than that so many actions were done."""
        self.import_people()
        sync = ("shell", "--verbosity=0", f"--command={ONE_AT_A_TIME}") if one_at_a_time else None
        with self.serving({path: bucket}, latency):
            counts = json.loads(self.here.run(*(sync or ("sync", "Acme", "--json"))).printed)["counts"]
        if (counts["done"], counts["failed"]) != (number, 0):
            raise SystemExit(f"Of {number} actions, these were done: {counts}")

    def hire(self, number: int) -> None:
        first = len(self.people)
        self.people += [f"new{n}@example.org" for n in range(first, first + number)]


def measure() -> Result:
    with installation(databases()[-1]) as here:
        company = Company(here, Organization(owner="boss@example.org"))
        company.connect()
        runs = [
            ("1,000 joiners", lambda: joiners(company, Counted(PER_SECOND, BURST))),
            ("1,000 leavers", lambda: leavers(company, Counted(2 * PER_SECOND, 2 * BURST))),
            ("1,000 joiners, the limit halved midway", lambda: joiners(company, halved())),
        ]
        rows, plots, missed = list[Sequence[str]](), dict[str, list[tuple[float, float]]](), list[str]()
        for what, run in tqdm(runs, "apply", leave=False, disable=None):
            bucket, calls, allowed = run()
            seconds, share = calls[-1] - calls[0], len(calls) / allowed
            used = (f"{len(calls):,}", f"{allowed:,.0f}", f"{share:.1%}", f"{len(bucket.refused):,}")
            rows.append((what, f"{seconds:.0f} s", *used))
            plots[what] = [(at - calls[0], float(place)) for place, at in enumerate(calls, start=1)][::20]
            if share < LEAST:
                missed.append(f"{what} use {share:.1%} of the calls that the limit allows.")
        beside = side_by_side(company)
    head = ("what", "took", "calls", "allowed in that time", "used", "refused")
    title = f"With {LATENCY * 1000:.0f} ms a call, and no failed action"
    plot = Plot("apply", "Calls under a limit", "seconds", "calls", plots)
    return Result([Table(head, rows, title), beside], [plot], missed)


Run = tuple[Counted, list[float], float]
"""The bucket, when it allowed the calls of the actions, and how many it would have allowed in that time."""


def joiners(company: Company, bucket: Counted) -> Run:
    company.hire(CHANGES)
    company.synced("/organization/invites", bucket, LATENCY, CHANGES)
    calls = bucket.allowed[1 : CHANGES + 1]  # the first one reads the list, and so do those after the last
    return bucket, calls, _allowed(bucket, calls)


def halved() -> Counted:
    return Counted(PER_SECOND, BURST, halved_after=1 + CHANGES // 2)


def leavers(company: Company, bucket: Counted) -> Run:
    """Members, of whom each is looked at once more before the removal: two calls for each."""
    there = [f"leaver{n}@example.org" for n in range(CHANGES)]
    for email in there:
        company.organization.add_member(email)
    company.people += there
    company.synced("", Counted(1e9, 1e9), 0.0, 0)
    company.people = [email for email in company.people if not email.startswith("leaver")]
    company.synced("/organization/users/*", bucket, LATENCY, CHANGES)
    return bucket, bucket.allowed, _allowed(bucket, bucket.allowed)


def _allowed(bucket: Counted, calls: Sequence[float]) -> float:
    seconds = calls[-1] - calls[0]
    if bucket._halved_after is None:
        return bucket.burst + bucket.per_second * seconds
    fast = calls[bucket._halved_after - 2] - calls[0]
    return 2 * bucket.burst + bucket.per_second * (2 * fast + seconds - fast)


def side_by_side(company: Company) -> Table:
    rates = []
    for one_at_a_time in (True, False):
        bucket = Counted(1e9, 1e9)
        company.hire(UNLIMITED)
        company.synced("/organization/invites", bucket, LONG_LATENCY, UNLIMITED, one_at_a_time=one_at_a_time)
        calls = bucket.allowed[1 : UNLIMITED + 1]
        rates.append(UNLIMITED / (calls[-1] - calls[0]))
    rows = [
        (what, f"{rate:.0f}", f"{rate / rates[0]:.1f} times")
        for what, rate in zip(("one at a time", "as many as the remote takes"), rates, strict=True)
    ]
    head = ("actions at once", "joiners in a second", "beside one at a time")
    return Table(head, rows, f"Without a limit, with {LONG_LATENCY * 1000:.0f} ms a call")
