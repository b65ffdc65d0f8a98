"""Workers that die, sleep and wake up; jobs that end early. Nothing is done twice, nothing stays open."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.connectors.errands import at_home
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, requesting
from provisioning.models import Action, ProvisioningJob
from tests.provisioning.world import World, brief, held_job, staffed

pytestmark = pytest.mark.django_db(transaction=True)

OPEN = (Action.State.PLANNED, Action.State.HELD, Action.State.STARTED)


@pytest.fixture(autouse=True)
def _told_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)


def joiners(world: World, number: int) -> None:
    staffed(world, 1)
    for place in range(number):
        world.hire(f"new{place}@example.org", "staff")


def invited(world: World) -> list[str]:
    return [invite.email for invite in world.organization.invites.values()]


def during(monkeypatch: pytest.MonkeyPatch, call: str, then: Callable[[], object]) -> None:
    """Something happens while a worker is in the midst of its first such call to the remote."""
    really = getattr(OpenAIConnector, call)
    waiting = [then]

    def called(self: OpenAIConnector, *args: object) -> object:
        if waiting:
            at_home(waiting.pop())
        return really(self, *args)

    monkeypatch.setattr(OpenAIConnector, call, called)


def lose(job: ProvisioningJob) -> None:
    """The job's worker has been silent for too long, and the job is queued again."""
    ProvisioningJob.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() - timedelta(hours=1))
    assert ProvisioningJob.objects.get(pk=job.pk).requeue()


def test_a_worker_that_wakes_up_after_its_job_was_taken_over_sends_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept between renewing its lease and the call, while it looked at the subject once more."""
    staffed(world, 3)
    world.dismiss("p0@example.org")
    job = requesting.request_job(world.integration, deliver=False)

    def taken_over() -> None:
        lose(job)
        reconciliation.run(job.pk)

    during(monkeypatch, "fetch_account", taken_over)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().state) == ("succeeded", "done")
    assert [method for method, _ in world.writes()] == ["DELETE"]


def test_a_cancelled_job_sends_nothing_more_even_between_the_last_look_and_the_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed(world, 3)
    world.dismiss("p0@example.org")
    job = requesting.request_job(world.integration, deliver=False)
    during(monkeypatch, "fetch_account", lambda: requesting.cancel(job, by=None, reason="Enough."))
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().state, world.writes()) == ("cancelled", "skipped", [])


def test_a_worker_that_wakes_up_does_not_end_a_job_that_another_has_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    joiners(world, 2)
    job = requesting.request_job(world.integration, deliver=False)

    def taken_over() -> None:
        lose(job)
        reconciliation.run(job.pk)

    during(monkeypatch, "fetch_accounts", taken_over)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.count(), len(world.writes())) == ("succeeded", 2, 2)


def test_a_call_in_the_air_when_its_job_is_cancelled_is_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    joiners(world, 2)
    job = requesting.request_job(world.integration, deliver=False)
    during(monkeypatch, "invite", lambda: requesting.cancel(job, by=None, reason="Enough."))
    reconciliation.run(job.pk)
    assert [row.state for row in job.actions.order_by("seq")] == ["done", "skipped"]
    assert invited(world) == ["new0@example.org"]


def test_a_question_left_open_by_a_cancelled_job_is_closed_by_the_next_full_look(world: World) -> None:
    joiners(world, 1)
    job = world.job(world.preview())
    job.actions.update(state=Action.State.STARTED, started_at=timezone.now())
    ProvisioningJob.objects.filter(pk=job.pk).update(preview=False, state="cancelled")
    world.sync()
    row = job.actions.get()
    assert (row.state, row.error["code"]) == ("failed", "outcome_unknown")


def test_nothing_stays_open_in_a_job_that_failed_before_it_applied(world: World) -> None:
    job, alice = held_job(world), world.approver()
    requesting.approve(job, by=alice, reason="They left.", deliver=False)
    world.integration.disable()
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().state) == ("failed", "skipped")


def test_nothing_stays_open_in_a_job_that_an_error_of_ours_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    joiners(world, 2)
    job = requesting.request_job(world.integration, deliver=False)

    def broken() -> None:
        raise ZeroDivisionError

    during(monkeypatch, "invite", broken)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error["code"]) == ("failed", "internal")
    assert [row.state for row in job.actions.order_by("seq")] == ["failed", "skipped"]
    assert brief(world.sync()) == [
        ("invite", "new0@example.org", "done"),
        ("invite", "new1@example.org", "done"),
    ]


def test_a_revoked_key_leaves_no_question_open(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    emails = staffed(world, 3)
    world.hire("new@example.org", "staff")
    world.dismiss(emails[0])
    world.simulator.inject(Fault(Kind.UNAUTHORIZED, method="POST", every=True))
    document = world.sync()
    assert (document["state"], document["error"]["code"]) == ("failed", "credential_rejected")
    assert not world.job(document).actions.filter(state__in=OPEN).exists()


def test_a_resumed_job_whose_remote_is_away_ends_with_nothing_open_and_the_next_sync_does_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    joiners(world, 2)
    job = world.job(world.preview())
    first, _ = job.actions.order_by("seq")
    first.state = Action.State.STARTED
    first.save()
    ProvisioningJob.objects.filter(pk=job.pk).update(
        preview=False, state="queued", applied_at=timezone.now(), finished_at=None
    )
    with monkeypatch.context() as patched:
        patched.setattr("integrations.connectors.http._backoff", lambda _: 0.0)
        world.simulator.inject(Fault(Kind.SERVER_ERROR, method="GET", nth=1))
        for nth in range(2, 20):
            world.simulator.inject(Fault(Kind.SERVER_ERROR, method="GET", nth=nth))
        reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error["code"]) == ("failed", "unreachable")
    assert [row.state for row in job.actions.order_by("seq")] == ["failed", "skipped"]
    world.simulator.requests.clear()


def test_the_first_trouble_is_the_one_that_is_told(world: World, one_at_a_time: None) -> None:
    joiners(world, 3)
    world.simulator.inject(Fault(Kind.UNAUTHORIZED, method="POST", nth=2))
    world.simulator.inject(Fault(Kind.UNAUTHORIZED, method="GET", path="/organization/invites/*", every=True))
    document = world.sync()
    assert (document["state"], document["error"]["code"]) == ("partial", "credential_rejected")
    assert [state for _, _, state in brief(document)] == ["done", "failed", "skipped"]


def test_an_unknown_taking_still_counts_in_its_day(world: World) -> None:
    emails = staffed(world, 20)
    world.sync()
    world.dismiss(*emails[:3])
    world.simulator.inject(Fault(Kind.RESET_AFTER, method="DELETE", every=True))
    world.simulator.inject(Fault(Kind.UNAUTHORIZED, method="GET", path="/organization/users", nth=2))
    assert {state for _, _, state in brief(world.sync())} == {"failed"}
    world.dismiss(emails[3])
    assert [hold["code"] for hold in world.sync()["holds"]] == ["removal_limit"]
