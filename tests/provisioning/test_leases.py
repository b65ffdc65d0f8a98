"""Who holds a job, since when and until when; and a person who takes it from a worker that is no more."""

import os
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from provisioning import reconciliation, recovering, requesting
from provisioning.models import ProvisioningJob
from tests.provisioning.test_interruptions import during
from tests.provisioning.test_jobs import ended_process
from tests.provisioning.world import World, command, staffed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _told_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)


def held_by(world: World, holder: str, **ago: float) -> ProvisioningJob:
    """A running job that its worker took, or gave its last sign, so long ago."""
    job = requesting.request_job(world.integration, deliver=False)
    assert job.claim(holder=holder, now=timezone.now() - timedelta(**ago))
    return job


def test_a_worker_is_named_by_its_process_and_its_machine() -> None:
    assert re.fullmatch(rf"process {os.getpid()} on [^/ ]+", recovering.in_words(recovering.worker_name()))
    assert recovering.in_words("box pid:[4026531836]/17/a1b2") == "process 17 on box"
    assert recovering.in_words("of an older version") == "of an older version"


def test_a_running_job_says_who_holds_it_since_when_and_until_when(world: World) -> None:
    job = held_by(world, "box/17/a1b2", minutes=1)
    document = command("job", str(job.pk))[0]
    assert job.held_since
    assert document["lease"] == {
        "holder": "process 17 on box",
        "since": job.held_since.isoformat(),
        "expires_at": (job.held_since + timedelta(minutes=3)).isoformat(),
    }
    printed = StringIO()
    call_command("job", str(job.pk), stdout=printed)
    assert f"held by process 17 on box since {document['lease']['since']}, until" in printed.getvalue()


def test_a_job_that_changes_hands_says_since_when_the_new_worker_has_it(world: World) -> None:
    job = held_by(world, "box/17/a1b2", hours=2)
    first = job.started_at
    assert recovering.take_back(job, now=timezone.now())
    assert job.claim(holder="box/18/c3d4", now=timezone.now())
    assert job.held_since
    assert first
    assert (job.started_at, job.held_since > first + timedelta(hours=1)) == (first, True)


def test_a_job_that_no_worker_holds_shows_no_lease(world: World) -> None:
    assert world.sync()["lease"] is None
    job = held_by(world, "box/17/a1b2")
    assert job.give_back()
    job.refresh_from_db()
    assert (job.held_since, command("job", str(job.pk))[0]["lease"]) == (None, None)


def test_a_job_whose_worker_is_silent_past_its_lease_is_released_with_a_reason(world: World) -> None:
    world.approver()
    job = held_by(world, "box/17/a1b2", minutes=4)

    document, status = command("release", str(job.pk), "--by", "alice", "--reason", " That box is gone. ")

    [release] = document["releases"]
    assert (document["state"], document["lease"], status) == ("queued", None, 0)
    assert (release["from"], release["by"], release["reason"]) == (
        "process 17 on box",
        "alice",
        "That box is gone.",
    )
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.releases) == ("succeeded", [release])


def test_a_job_whose_worker_is_known_dead_is_released_within_its_lease(world: World) -> None:
    dead = recovering.worker_name().replace(f"/{os.getpid()}/", f"/{ended_process()}/")
    job, alice = held_by(world, dead), world.approver()
    requesting.release(job, by=alice, reason="Killed.", deliver=False)
    assert job.state == "queued"


@pytest.mark.parametrize("holder", ["another box/17/a1b2", "this process"])
def test_a_job_whose_worker_may_be_alive_is_not_released(world: World, holder: str) -> None:
    job = held_by(world, recovering.worker_name() if holder == "this process" else holder, minutes=2)
    world.approver()
    until = timezone.localtime(job.lease_expires_at).strftime("%H:%M:%S")

    with pytest.raises(CommandError) as refusal:
        call_command("release", str(job.pk), "--by", "alice", "--reason", "Hurry.")

    assert refusal.value.returncode == 2
    assert str(refusal.value).startswith(
        f"{job} is at work: {recovering.in_words(job.holder)} holds it until {until}"
    )
    job.refresh_from_db()
    assert (job.state, job.releases, job.holder != "") == ("running", [], True)


def test_a_job_that_no_worker_holds_cannot_be_released(world: World) -> None:
    alice, done = world.approver(), world.job(world.sync())
    with pytest.raises(requesting.Refused, match=f"{done} is succeeded; no worker holds it"):
        requesting.release(done, by=alice, reason="Hurry.")
    queued = requesting.request_job(world.integration, deliver=False)
    with pytest.raises(requesting.Refused, match="is queued; no worker holds it"):
        requesting.release(queued, by=alice, reason="Hurry.")


def test_a_release_needs_a_reason_and_somebody_who_may_run_jobs(world: World) -> None:
    job, alice = held_by(world, "box/17/a1b2", hours=1), world.approver()
    with pytest.raises(requesting.Refused, match="A release needs a reason"):
        requesting.release(job, by=alice, reason="  ")
    alice.is_superuser = False
    alice.save()
    alice = type(alice).objects.get(pk=alice.pk)
    with pytest.raises(requesting.Refused, match="alice may not release jobs"):
        requesting.release(job, by=alice, reason="Hurry.")


def test_a_worker_that_has_lost_its_job_writes_no_phase_over_that_of_the_next_one(world: World) -> None:
    old = held_by(world, "box/17/a1b2", hours=2)
    new = ProvisioningJob.objects.get(pk=old.pk)
    assert recovering.take_back(old, now=timezone.now())
    assert new.claim(holder="box/18/c3d4", now=timezone.now())
    new.enter("planning", now=timezone.now())
    old.enter("reading", now=timezone.now())
    new.refresh_from_db()
    assert (new.phase, [phase for phase, _ in new.phases]) == ("planning", ["planning"])


def test_a_worker_that_renews_its_lease_at_the_last_moment_keeps_its_job(world: World) -> None:
    job, alice = held_by(world, "box/17/a1b2", hours=1), world.approver()
    worker = ProvisioningJob.objects.get(pk=job.pk)
    assert worker.renew_lease(progress="Still here", now=timezone.now())
    with pytest.raises(requesting.Refused, match="no longer held as it was shown"):
        requesting.release(job, by=alice, reason="Silent.")
    job.refresh_from_db()
    assert (job.state, job.holder, job.releases) == ("running", "box/17/a1b2", [])


def test_the_old_worker_of_a_released_job_sends_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not dead, but slept for too long, between its last look and the call."""
    staffed(world, 3)
    world.dismiss("p0@example.org")
    alice = world.approver()
    job = requesting.request_job(world.integration, deliver=False)

    def released() -> None:
        past = timezone.now() - timedelta(minutes=1)
        ProvisioningJob.objects.filter(pk=job.pk).update(lease_expires_at=past)
        requesting.release(ProvisioningJob.objects.get(pk=job.pk), by=alice, reason="Silent.", deliver=False)

    during(monkeypatch, "fetch_account", released)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().state, world.writes()) == ("queued", "planned", [])

    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, [method for method, _ in world.writes()]) == ("succeeded", ["DELETE"])
