"""Many syncs under random faults and interruptions: nobody entitled ever loses, and all ends well."""

import contextlib
import random

import pytest
from django.utils import timezone

from directory.models import Person, Source
from integrations.connectors.openai.simulator import Fault, Kind, Simulator
from provisioning import reconciliation, requesting
from provisioning.models import Action, ProvisioningJob
from tests.effort import seeds
from tests.provisioning.world import BOSS, World, staffed

pytestmark = pytest.mark.django_db(transaction=True)

READS = [
    "/organization/users",
    "/organization/invites",
    "/organization/projects",
    "/organization/projects/*/users",
]
OF_A_READ = [
    Kind.EMPTY,
    Kind.EMPTY_WITH_MORE,
    Kind.ENDS_EARLY,
    Kind.REPEATED_CURSOR,
    Kind.DUPLICATE_ROW,
    Kind.MISSING_ROW,
    Kind.UNKNOWN_ROLE,
    Kind.NULL_EMAIL,
    Kind.NESTED_USER,
    Kind.HTML,
    Kind.TRUNCATED,
    Kind.SERVER_ERROR,
    Kind.UNAUTHORIZED,
    Kind.FORBIDDEN,
]
OF_A_WRITE = [
    Kind.RESET_BEFORE,
    Kind.RESET_AFTER,
    Kind.SERVER_ERROR,
    Kind.SERVER_ERROR_AFTER,
    Kind.HTML,
    Kind.TRUNCATED,
    Kind.FORBIDDEN,
    Kind.UNAUTHORIZED,
]


class Chaos:
    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.choose = random.Random(seed)
        self.number = 0

    def disturb(self) -> None:
        """One read or write goes wrong, at the first or a later time."""
        nth = self.choose.randint(1, 3)
        if self.choose.random() < 0.6:
            kind, path = self.choose.choice(OF_A_READ), self.choose.choice(READS)
            self.world.simulator.inject(Fault(kind, method="GET", path=path, nth=nth))
        else:
            kind, method = self.choose.choice(OF_A_WRITE), self.choose.choice(["POST", "DELETE"])
            self.world.simulator.inject(Fault(kind, method=method, nth=nth))

    def live(self) -> None:
        """Somebody comes, goes, comes back, changes groups, or accepts an invite."""
        people = list(Person.objects.exclude(email=BOSS).order_by("pk"))
        person = self.choose.choice(people)
        match self.choose.randint(0, 4):
            case 0:
                self.number += 1
                self.world.hire(
                    f"new{self.number}@example.org", *self.choose.sample(["staff", "searchers"], 1)
                )
            case 1 | 2:
                Person.objects.filter(pk=person.pk).update(active=not person.active)
            case _:
                for invite in list(self.world.organization.invites.values()):
                    if invite.status(self.world.organization.now) == "pending":
                        self.world.organization.accept_invite(invite.email)

    def sync(self, *, may_die: bool) -> ProvisioningJob:
        live = self.world.integration.jobs.live().first()
        job = live or requesting.request_job(self.world.integration, deliver=False)
        left = self.choose.randint(1, 12) if may_die and self.choose.random() < 0.3 else 0
        says = iter(range(left - 1, -1, -1))

        def die(_: str) -> None:
            if next(says, None) == 0:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            reconciliation.run(job.pk, say=die)
        job.refresh_from_db()
        return job

    def entitled(self) -> set[str]:
        return set(Person.objects.filter(active=True).values_list("email", flat=True))


@pytest.mark.parametrize("seed", seeds(1))
def test_whatever_goes_wrong_nobody_entitled_loses_and_nobody_is_left_over(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("integrations.connectors.http._backoff", lambda _: 0.0)
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)
    world.configure(removal_limit_count=1000, vanished_percent=100)
    world.organization.add_project("Search")
    world.rule("Searchers", group="searchers", Search="member")
    staffed(world, 8)
    chaos = Chaos(world, seed)
    for _ in range(25):
        for _ in range(chaos.choose.randint(0, 2)):
            chaos.live()
        if chaos.choose.random() < 0.7:
            chaos.disturb()
        safe = world.members() & chaos.entitled()
        job = chaos.sync(may_die=True)
        assert safe <= world.members()
        if job.state not in ProvisioningJob.LIVE:
            still_open = job.actions.filter(state__in=(Action.State.PLANNED, Action.State.STARTED))
            assert not still_open.exists()
    with Simulator(world.organization) as calm:
        world.configure(base_url=calm.base_url)
        Source.objects.get().allow_drop(now=timezone.now())
        for _ in range(3):
            job = chaos.sync(may_die=False)
        assert (job.state, job.actions.count()) == ("succeeded", 0)
    invites = world.organization.invites.values()
    invited = [invite.email for invite in invites if invite.status(world.organization.now) == "pending"]
    assert sorted([*world.members(), *invited]) == sorted(chaos.entitled())
