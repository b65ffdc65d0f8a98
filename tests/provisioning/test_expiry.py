"""A plan has an age: one that waited too long for an approver must be made again."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from provisioning import reconciliation, requesting, tasks
from provisioning.models import Action, ProvisioningJob
from tests.provisioning.world import World, command, held_job

pytestmark = pytest.mark.django_db(transaction=True)


def planned_ago(job: ProvisioningJob, **span: float) -> None:
    then = timezone.now() - timedelta(**span)
    ProvisioningJob.objects.filter(pk=job.pk).update(planned_at=then)
    job.refresh_from_db()


def scheduled(world: World) -> ProvisioningJob:
    """The next job of the clock, run to its end."""
    world.configure(next_sync_at=timezone.now() - timedelta(minutes=1))
    requesting.end_expired_plans(timezone.now())
    [job] = requesting.request_due_jobs(timezone.now())
    reconciliation.run(job.pk)
    job.refresh_from_db()
    return job


def test_a_plan_that_waited_too_long_cannot_be_approved_and_the_answer_says_how_to_make_a_new_one(
    world: World,
) -> None:
    job, alice = held_job(world), world.approver()
    planned_ago(job, hours=73)

    with pytest.raises(requesting.Refused) as refusal:
        requesting.approve(job, by=alice, reason="They left.", digest=job.digest)

    assert str(refusal.value) == (
        "The plan waited longer than 72 hours and must be made again. Sync now makes a new one."
    )
    with pytest.raises(CommandError, match="Sync now makes a new one") as told:
        call_command("approve", str(job.pk), "--by", "alice", "--reason", "They left.")
    assert told.value.returncode == 2
    assert (job.actions.get().state, "p0@example.org" in world.members()) == ("held", True)


def test_a_plan_is_good_until_its_last_hour_and_the_integration_says_how_many_there_are(world: World) -> None:
    job = held_job(world)
    world.approver()
    world.configure(plan_valid_hours=2)
    planned_ago(job, minutes=119)
    requesting.end_expired_plans(timezone.now())
    assert world.approve(job.pk)["state"] == "succeeded"


def test_the_clock_ends_a_plan_that_waited_too_long_and_leaves_the_others(world: World) -> None:
    job = held_job(world)
    tasks.start_due_syncs()
    job.refresh_from_db()
    assert job.state == "awaiting_approval"

    planned_ago(job, hours=73)
    tasks.start_due_syncs()

    document = command("job", str(job.pk))[0]
    [action] = document["actions"]
    assert (document["state"], document["error"]["code"]) == ("cancelled", "expired")
    assert (action["state"], action["error"]) == ("skipped", document["error"])
    assert document["finished_at"] is not None
    job.refresh_from_db()
    assert job.cancel_reason == "The plan waited longer than 72 hours and must be made again."
    assert world.writes() == []


def test_the_next_scheduled_plan_asks_the_question_of_an_expired_one_anew(world: World) -> None:
    job = held_job(world)
    assert scheduled(world).state == "succeeded"  # the question is asked, and waits
    planned_ago(job, hours=73)

    asked = scheduled(world)

    job.refresh_from_db()
    assert (job.state, asked.state) == ("cancelled", "awaiting_approval")
    assert asked.actions.get().state == "held"


def test_a_plan_that_the_clock_has_not_ended_yet_is_no_place_to_leave_a_question(world: World) -> None:
    job = held_job(world)
    planned_ago(job, hours=73)
    again = requesting.request_job(world.integration, trigger=ProvisioningJob.Trigger.SCHEDULE, deliver=False)
    reconciliation.run(again.pk)
    again.refresh_from_db()
    job.refresh_from_db()
    assert (job.state, job.error["code"], again.state) == ("cancelled", "expired", "awaiting_approval")


def test_an_approval_in_time_is_carried_out_however_old_the_plan_then_is(world: World) -> None:
    job, alice = held_job(world), world.approver()
    planned_ago(job, hours=71)
    requesting.approve(job, by=alice, reason="They left.", deliver=False)
    planned_ago(job, hours=100)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().state) == ("succeeded", "done")


def test_a_plan_that_no_worker_carried_out_for_too_long_is_left_undone(world: World) -> None:
    """The machine was off for a week, or the worker was, after the approval or in the midst of a job."""
    job, alice = held_job(world), world.approver()
    requesting.approve(job, by=alice, reason="They left.", deliver=False)
    ProvisioningJob.objects.filter(pk=job.pk).update(approved_at=timezone.now() - timedelta(hours=73))
    reconciliation.run(job.pk)
    job.refresh_from_db()
    row = job.actions.get()
    assert (job.state, job.error["code"]) == ("cancelled", "expired")
    assert (row.state, row.error["code"], world.writes()) == ("skipped", "expired", [])


def test_what_was_sent_by_a_plan_that_is_left_undone_is_still_looked_for(world: World) -> None:
    job, alice = held_job(world), world.approver()
    requesting.approve(job, by=alice, reason="They left.", deliver=False)
    job.actions.update(state=Action.State.STARTED, started_at=timezone.now())
    world.organization.remove_user(world.organization.find_user("p0@example.org").id)
    ProvisioningJob.objects.filter(pk=job.pk).update(approved_at=timezone.now() - timedelta(hours=73))
    reconciliation.run(job.pk)
    row = job.actions.get()
    assert (row.state, row.confirmed_at is not None) == ("done", True)


def test_a_job_says_until_when_its_plan_waits(world: World) -> None:
    job = held_job(world)
    document = command("job", str(job.pk))[0]
    assert job.planned_at
    assert document["expires_at"] == (job.planned_at + timedelta(hours=72)).isoformat()
    world.approver()
    assert world.approve(job.pk)["expires_at"] is None
