"""An approver decides against what is held: nothing of it is done, and the record says who decided so."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from provisioning import requesting
from provisioning.models import Mark, ProvisioningJob
from tests.provisioning.world import World, brief, command, held_job

State = ProvisioningJob.State


def test_what_is_rejected_is_not_done_and_the_record_says_by_whom_and_why(world: World) -> None:
    job, alice = held_job(world), world.approver()

    document, status = command("reject", str(job.pk), "--by", "alice", "--reason", "They are on leave.")

    assert (document["state"], status) == ("cancelled", 0)
    job.refresh_from_db()
    assert document["rejection"] == {
        "by": "alice",
        "at": job.rejected_at.isoformat(),
        "reason": "They are on leave.",
    }
    [line] = [action for action in document["actions"] if action["kind"] == "remove"]
    assert (line["state"], line["error"]) == (
        "skipped",
        {"code": "not_approved", "detail": "Rejected by alice: They are on leave."},
    )
    assert "p0@example.org" in world.members()
    with pytest.raises(requesting.Refused, match="Rejected by alice: They are on leave"):
        requesting.approve(job, by=alice, reason="After all.")


def test_the_next_sync_holds_the_same_again(world: World) -> None:
    job = held_job(world)
    requesting.reject(job, by=world.approver(), reason="Not yet.")

    again = world.sync()

    assert (again["state"], brief(again, kinds=["remove"])) == (
        "awaiting_approval",
        [("remove", "p0@example.org", "held")],
    )


def test_accounts_that_are_left_alone_until_a_day_are_asked_about_after_it(world: World) -> None:
    job = held_job(world)
    until = timezone.localdate() + timedelta(days=7)

    command(
        "reject",
        str(job.pk),
        "--by",
        world.approver().username,
        "--reason",
        "Leave.",
        "--keep-until",
        str(until),
    )

    mark = Mark.objects.get()
    assert (mark.email, mark.kind, mark.until) == ("p0@example.org", "ignored", until)
    assert mark.reason == f"Rejected in Job {job.pk}: Leave."
    assert brief(world.preview(), kinds=["remove"]) == []
    Mark.objects.update(until=timezone.localdate() - timedelta(days=1))
    assert brief(world.preview(), kinds=["remove"]) == [("remove", "p0@example.org", "held")]


def test_a_rejection_that_may_not_be_changes_nothing(world: World) -> None:
    job, alice = held_job(world), world.approver()
    olga = type(alice).objects.create_user("olga", is_staff=True)
    yesterday = timezone.localdate() - timedelta(days=1)

    refused: list[tuple[dict[str, Any], str]] = [
        ({"by": alice, "reason": " "}, "A rejection needs a reason."),
        ({"by": olga, "reason": "No."}, "olga may not reject."),
        ({"by": alice, "reason": "No.", "keep_until": yesterday}, f"{yesterday} is over."),
    ]
    for asked, why in refused:
        with pytest.raises(requesting.Refused, match=why):
            requesting.reject(job, **asked)
    with pytest.raises(CommandError, match="may not reject"):
        call_command("reject", str(job.pk), "--by", "olga", "--reason", "No.", stderr=StringIO())

    job.refresh_from_db()
    assert (job.state, job.rejected_at, Mark.objects.count()) == (State.AWAITING_APPROVAL, None, 0)
    assert job.actions.get(kind="remove").state == "held"


def test_of_two_approvers_the_first_one_decides(world: World) -> None:
    job, alice = held_job(world), world.approver()
    seen_by_the_other = ProvisioningJob.objects.get(pk=job.pk)
    requesting.approve(job, by=alice, reason="They left.", deliver=False)

    with pytest.raises(requesting.Refused, match="no longer awaits approval"):
        requesting.reject(seen_by_the_other, by=alice, reason="No.")

    job.refresh_from_db()
    assert (job.state, job.actions.get(kind="remove").state) == (State.QUEUED, "planned")


def test_a_job_tells_when_it_entered_which_phase_and_how_long_it_waited(world: World) -> None:
    job, alice = held_job(world), world.approver()
    world.approve(job.pk, by=alice.username)

    job.refresh_from_db()
    worked = ("applying", "verifying", "sweeping", "corroborating")
    names = [name for name, _ in job.phases if name != "listing keys"]  # once a day, and so only here
    assert names == ["reading", "planning", "checking", *worked, "awaiting_approval", "queued", *worked]
    moments = [at for _, at in job.phases]
    assert moments == sorted(moments)
