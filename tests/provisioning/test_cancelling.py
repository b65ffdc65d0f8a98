"""Cancel works in every state, and says what was already done."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from provisioning import applying, drafting, reconciliation, requesting, wording
from provisioning.actions import Kind
from provisioning.models import Action, ProvisioningJob
from tests.provisioning.test_interruptions import OPEN, invited, joiners
from tests.provisioning.world import World, brief, command, held_job, staffed

pytestmark = pytest.mark.django_db(transaction=True)

State = ProvisioningJob.State


@pytest.fixture(autouse=True)
def _told_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)


def cancel(job: ProvisioningJob) -> str:
    return requesting.cancel(ProvisioningJob.objects.get(pk=job.pk), by=None, reason="Wrong file.")


def cancelled_at(world: World, progress: str) -> tuple[ProvisioningJob, str]:
    """A sync that somebody cancels when its worker says that it is so far, and what they were told."""
    job = requesting.request_job(world.integration, deliver=False)
    told: list[str] = []

    def say(so_far: str) -> None:
        if so_far == progress and not told:
            told.append(cancel(job))

    reconciliation.run(job.pk, say=say)
    job.refresh_from_db()
    [said] = told
    return job, said


def before(
    monkeypatch: pytest.MonkeyPatch, step: str, then: Callable[[], object], *, of: Any = reconciliation
) -> None:
    """Something happens just before a step of the whole story."""
    really = getattr(of, step)

    def called(*args: Any, **named: Any) -> Any:
        then()
        return really(*args, **named)

    monkeypatch.setattr(of, step, called)


def test_a_queued_job_is_cancelled_before_anything_is_planned(world: World) -> None:
    joiners(world, 2)
    job = requesting.request_job(world.integration, deliver=False)
    assert cancel(job) == "No plan had been made yet: nothing was changed."
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.started_at, world.simulator.requests) == ("cancelled", None, [])


def test_a_job_is_cancelled_while_it_reads(world: World) -> None:
    joiners(world, 2)
    job, said = cancelled_at(world, "Read 2 users.")
    assert said == "No plan had been made yet: nothing was changed."
    assert (job.state, job.actions.count(), world.writes()) == ("cancelled", 0, [])


@pytest.mark.parametrize(("of", "step"), [(reconciliation, "match"), (drafting, "limits")])
def test_a_job_is_cancelled_while_it_plans_and_checks(
    world: World, monkeypatch: pytest.MonkeyPatch, of: Any, step: str
) -> None:
    joiners(world, 2)
    job = requesting.request_job(world.integration, deliver=False)
    told: list[str] = []
    before(monkeypatch, step, lambda: told.append(cancel(job)), of=of)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert told == ["No plan had been made yet: nothing was changed."]
    assert (job.state, job.planned_at, job.actions.count(), world.writes()) == ("cancelled", None, 0, [])


def test_a_job_is_cancelled_between_two_actions_and_says_how_many_were_done(
    world: World, one_at_a_time: None
) -> None:
    joiners(world, 12)
    job, said = cancelled_at(world, "Action 4 of 12")
    assert said == "3 of 12 actions were done before and stay done; 9 are skipped."
    assert (job.state, len(invited(world))) == ("cancelled", 3)
    assert {row.error["code"] for row in job.actions.filter(state="skipped")} == {"cancelled"}
    assert not job.actions.filter(finished_at=None).exists()
    assert len([line for line in brief(world.sync()) if line[2] == "done"]) == 9
    assert len(invited(world)) == 12


def test_a_job_is_cancelled_before_its_first_action(world: World) -> None:
    joiners(world, 2)
    assert cancelled_at(world, "Action 1 of 2")[1] == "Nothing was done before; 2 actions are skipped."
    assert world.writes() == []


def test_an_action_under_way_is_named_and_its_outcome_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    joiners(world, 2)
    job = requesting.request_job(world.integration, deliver=False)
    told: list[str] = []
    invite = applying.CALLS[Kind.INVITE]

    def called(row: Action, connector: Any) -> Any:
        told.append(cancel(job))
        return invite(row, connector)

    monkeypatch.setitem(applying.CALLS, Kind.INVITE, called)
    reconciliation.run(job.pk)
    assert told == [
        "Nothing was done before; 1 action is skipped; 1 is under way: its outcome is written down when the "
        "reply comes, or found by the next sync."
    ]
    assert [row.state for row in job.actions.order_by("seq")] == ["done", "skipped"]


def test_a_job_is_cancelled_while_it_verifies(world: World) -> None:
    joiners(world, 2)
    job, said = cancelled_at(world, "Looking again, 1 of 2")
    assert said == "2 of 2 actions were done before and stay done."
    assert (job.state, len(invited(world))) == ("cancelled", 2)
    assert world.sync()["actions"] == []


def test_a_job_that_waits_is_cancelled_with_what_it_gave_before(world: World) -> None:
    world.configure(first_removals="hold")
    emails = staffed(world, 6)
    world.hire("new@example.org", "staff")
    world.dismiss(emails[0])
    job = world.job(world.sync())
    assert cancel(job) == "1 of 2 actions was done before and stays done; 1 is skipped."
    assert (emails[0] in world.members(), invited(world)) == (True, ["new@example.org"])


def test_a_preview_that_is_cancelled_says_that_it_changed_nothing(world: World) -> None:
    job = requesting.request_job(world.integration, preview=True, deliver=False)
    assert cancel(job) == "It was a preview: nothing was changed."


@pytest.mark.parametrize("state", sorted({*State} - {State.QUEUED, State.RUNNING, State.AWAITING_APPROVAL}))
def test_a_job_that_has_ended_stays_as_it_ended_and_the_refusal_says_what_it_did(
    world: World, state: str
) -> None:
    joiners(world, 2)
    job = world.job(world.sync())
    ProvisioningJob.objects.filter(pk=job.pk).update(state=state)
    job.refresh_from_db()
    with pytest.raises(requesting.Refused) as refusal:
        cancel(job)
    assert str(refusal.value) == (
        f"{job} has already ended: it is {job.get_state_display().lower()}. "
        "2 of 2 actions were done before and stay done."
    )
    job.refresh_from_db()
    assert (job.state, job.cancel_reason) == (state, "")


def test_the_command_says_what_was_done_and_prints_the_job(world: World) -> None:
    job = held_job(world)
    world.approver()
    out, err = StringIO(), StringIO()
    words = ("cancel", str(job.pk), "--by", "alice", "--reason", "They come back.")
    call_command(*words, stdout=out, stderr=err)
    assert f"{job} is cancelled. Nothing was done before; 1 action is skipped." in err.getvalue()
    assert out.getvalue().startswith(f"Job {job.pk}, sync of Acme: cancelled")
    with pytest.raises(CommandError, match="has already ended: it is cancelled") as refusal:
        call_command(*words, stdout=out, stderr=err)
    assert refusal.value.returncode == 2


def test_who_may_not_run_jobs_may_not_cancel_them(world: World) -> None:
    job, alice = held_job(world), world.approver()
    type(alice).objects.update(is_superuser=False)
    with pytest.raises(CommandError, match="alice may not cancel jobs"):
        command("cancel", str(job.pk), "--by", "alice", "--reason", "No.")
    job.refresh_from_db()
    assert job.state == "awaiting_approval"


def test_nothing_stays_open_in_a_cancelled_job(world: World) -> None:
    joiners(world, 3)
    job, _ = cancelled_at(world, "Action 2 of 3")
    assert not job.actions.filter(state__in=OPEN).exists()
    assert job.finished_at
    assert job.finished_at <= timezone.now()


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((12, 3, 9, 0), "3 of 12 actions were done before and stay done; 9 are skipped."),
        ((2, 1, 1, 0), "1 of 2 actions was done before and stays done; 1 is skipped."),
        ((1, 1, 0, 0), "1 of 1 action was done before and stays done."),
        ((1, 0, 1, 0), "Nothing was done before; 1 action is skipped."),
    ],
)
def test_what_was_done_in_words(numbers: tuple[int, int, int, int], sentence: str) -> None:
    planned, done, skipped, under_way = numbers
    said = wording.left_off(planned=planned, done=done, skipped=skipped, under_way=under_way)
    assert said == sentence
