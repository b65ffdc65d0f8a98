"""A job about some people beside one about everyone: neither undoes, doubles or outruns the other."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from provisioning import lanes, reconciliation, requesting
from provisioning.models import Account, Action, ProvisioningJob
from provisioning.rechecking import NotNow
from tests.provisioning.world import BOSS, World, brief, staffed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _told_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)


def sync_during_which(world: World, at: str, then: Callable[[], object]) -> ProvisioningJob:
    """A job about everyone during which, once, something happens when the worker says that it is so far."""
    job = requesting.request_job(world.integration, deliver=False)
    said: list[str] = []

    def say(progress: str) -> None:
        if progress == at and not said:
            said.append(progress)
            then()

    reconciliation.run(job.pk, say=say)
    assert said
    job.refresh_from_db()
    return job


def outcomes(job: ProvisioningJob) -> list[tuple[str, str, str]]:
    return list(job.actions.order_by("seq").values_list("kind", "email", "state"))


def test_nobody_is_invited_by_both(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire("ada@example.org", "staff")
    job = sync_during_which(world, "Action 1 of 1", lambda: world.sync("--person", "ada@example.org"))
    assert outcomes(job) == [("invite", "ada@example.org", "stale")]
    assert len(world.organization.invites) == 1


def test_what_the_one_takes_counts_against_the_limit_of_the_other(world: World) -> None:
    emails = staffed(world, 20)
    world.sync()
    world.dismiss(*emails[:3])

    def one_more() -> None:
        world.dismiss(emails[3])
        alone.append(world.sync("--person", emails[3]))

    alone: list[dict] = []
    sync_during_which(world, "Action 1 of 3", one_more)
    assert brief(alone[0]) == [("remove", emails[3], "held")]
    assert world.members() == {BOSS, *emails[3:]}


def test_a_read_that_began_before_the_other_changed_something_does_not_bring_it_back(world: World) -> None:
    emails = staffed(world, 3)
    world.sync()

    def meanwhile() -> None:
        world.dismiss(emails[0])
        world.sync("--person", emails[0])
        world.hire("ada@example.org", "staff")
        world.sync("--person", "ada@example.org")

    job = sync_during_which(world, "Read 4 users.", meanwhile)
    known = dict(Account.objects.values_list("email", "gone_at"))
    assert (known[emails[0]] is None, known["ada@example.org"]) == (False, None)
    assert (job.read["changes"]["number"], job.read["vanished"]) == (0, [])
    after = world.sync()
    assert (after["actions"], after["read"]["changes"]) == ([], 0)


def unseating(world: World, email: str, state: str) -> Action:
    job = ProvisioningJob.objects.create(
        integration=world.integration,
        requested_at=timezone.now(),
        started_at=timezone.now(),
        state=ProvisioningJob.State.RUNNING,
        scope=ProvisioningJob.Scope.EVERYONE if state == "planned" else ProvisioningJob.Scope.PEOPLE,
    )
    return Action.objects.create(
        job=job,
        seq=1,
        kind="remove",
        email=email,
        account_id=email,
        before={"role": "owner", "state": "active"},
        situation="leaver",
        taking=True,
        state=state,
        started_at=None if state == "planned" else timezone.now(),
    )


def test_an_owner_waits_while_the_other_may_be_unseating_one(world: World) -> None:
    """Each would have counted the other's owner among those who stay."""
    first, second = (unseating(world, f"{state}@example.org", state) for state in ("planned", "started"))
    looked_at = timezone.now()
    with pytest.raises(NotNow, match="another owner"):
        lanes.start(first, looked_at, owner_role="owner")
    second.settle(Action.State.DONE, now=timezone.now())
    with pytest.raises(NotNow, match="another owner"):
        lanes.start(first, looked_at, owner_role="owner")
    lanes.start(first, timezone.now(), owner_role="owner")
    first.refresh_from_db()
    assert first.state == "started"
