"""Whole jobs against a simulated organization over real HTTP."""

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from directory.models import Group, Source
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, recovering, requesting
from provisioning.history import digest_of
from provisioning.models import Account, Action, Mark, ProvisioningJob
from tests.provisioning.world import BOSS, World, brief, command, held_job, staffed

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_joiner_is_invited_and_the_invite_is_confirmed_by_a_read(world: World) -> None:
    world.organization.add_project("Search")
    world.rule("Engineers build in Search", group="engineering", Search="member")
    world.hire("ada@example.org", "engineering")

    document = world.sync()

    [invite] = document["actions"]
    assert document["state"] == "succeeded"
    assert document["counts"] | {"planned": 1, "done": 1} == document["counts"]
    assert (invite["kind"], invite["state"], invite["rule"]) == (
        "invite",
        "done",
        "Engineers build in Search",
    )
    assert invite["after"] == {"role": "reader", "projects": [{"name": "Search", "role": "member"}]}
    assert invite["request_id"].startswith("req_")
    assert [pending.email for pending in world.organization.invites.values()] == ["ada@example.org"]
    assert world.job(document).actions.get().confirmed_at is not None


def test_the_second_sync_does_nothing_with_the_least_calls(world: World) -> None:
    world.organization.add_project("Search")
    world.rule("Staff build in Search", group="staff", Search="member")
    staffed(world, 150)
    assert world.sync()["counts"]["done"] == 150
    before = len(world.simulator.requests)

    document = world.sync()

    asked = [(request.method, request.path) for request in world.simulator.requests[before:]]
    search = world.organization.find_project("Search").id
    assert document["actions"] == []
    assert asked == [
        ("GET", "/v1/organization/invites"),
        ("GET", "/v1/organization/users"),
        ("GET", "/v1/organization/users"),
        ("GET", "/v1/organization/projects"),
        ("GET", f"/v1/organization/projects/{search}/users"),
        ("GET", f"/v1/organization/projects/{search}/users"),
    ]
    assert document["read"]["calls"] == 6


def test_a_leaver_is_removed_and_the_removal_is_confirmed(world: World) -> None:
    staffed(world, 5)
    world.sync()
    world.dismiss("p1@example.org")

    document = world.sync()

    assert brief(document) == [("remove", "p1@example.org", "done")]
    assert "p1@example.org" not in world.members()
    assert document["actions"][0]["before"] == {"state": "active", "role": "reader", "projects": []}
    assert world.job(document).actions.get().confirmed_at is not None
    assert Account.objects.get(email="p1@example.org").gone_at is not None


def test_a_mover_loses_and_gains_projects(world: World) -> None:
    for name in ("Search", "Voice"):
        world.organization.add_project(name)
    world.rule("Engineers", group="engineering", Search="member")
    world.rule("Sales", group="sales", Voice="owner")
    ada = world.hire("ada@example.org", "engineering")
    world.organization.add_member("ada@example.org")
    world.sync()
    ada.memberships.all().delete()
    ada.memberships.create(group=Group.objects.get(name="sales"))

    document = world.sync()

    assert brief(document) == [("grant", "ada@example.org", "done"), ("revoke", "ada@example.org", "done")]
    assert {action["situation"] for action in document["actions"]} == {"mover"}
    held = [
        (world.organization.projects[m.project_id].name, m.role)
        for m in world.organization.memberships.values()
    ]
    assert held == [("Voice", "owner")]


def test_a_change_made_in_the_remote_is_drift_and_is_put_right(world: World) -> None:
    staffed(world, 2)
    world.sync()
    intruder = world.organization.find_user("p0@example.org")
    world.organization.set_organization_role(intruder.id, "owner")

    document = world.sync()

    [action] = document["actions"]
    assert (action["kind"], action["situation"], action["state"]) == ("change_role", "drift", "done")
    assert (action["before"], action["after"]) == ({"role": "owner"}, {"role": "reader"})
    assert intruder.role == "reader"


def test_a_preview_changes_nothing_and_shows_what_a_sync_then_does(world: World) -> None:
    staffed(world, 3)
    world.hire("new@example.org", "staff")
    world.dismiss("p0@example.org")

    preview = world.preview()

    assert world.writes() == []
    assert brief(preview) == [
        ("invite", "new@example.org", "planned"),
        ("remove", "p0@example.org", "planned"),
    ]
    done = world.sync()
    assert done["digest"] == preview["digest"]
    assert brief(done) == [("invite", "new@example.org", "done"), ("remove", "p0@example.org", "done")]


def test_a_drift_seen_by_a_preview_is_still_drift_for_the_sync(world: World) -> None:
    staffed(world, 2)
    world.sync()
    world.organization.find_user("p0@example.org").role = "owner"
    world.preview()
    assert [action["situation"] for action in world.sync()["actions"]] == ["drift"]


def test_observe_reports_and_extend_only_gives(world: World) -> None:
    staffed(world, 3)
    world.hire("new@example.org", "staff")
    world.dismiss("p0@example.org")
    world.configure(mode=Integration.Mode.OBSERVE)
    observed = world.sync()
    assert (observed["state"], brief(observed)) == (
        "succeeded",
        [("invite", "new@example.org", "skipped"), ("remove", "p0@example.org", "skipped")],
    )
    assert world.writes() == []

    world.configure(mode=Integration.Mode.EXTEND)
    extended = world.sync()
    assert brief(extended) == [("invite", "new@example.org", "done"), ("remove", "p0@example.org", "skipped")]
    assert extended["actions"][1]["error"]["code"] == "mode"
    assert "p0@example.org" in world.members()


def test_a_proposed_rule_is_planned_and_shown_and_never_applied(world: World) -> None:
    world.organization.add_project("Search")
    staffed(world, 2)
    world.rule("Maybe", group="staff", state="proposed", Search="member")

    document = world.sync()

    assert brief(document) == [("grant", "p0@example.org", "skipped"), ("grant", "p1@example.org", "skipped")]
    assert {action["error"]["code"] for action in document["actions"]} == {"proposed"}
    assert document["counts"]["planned"] == 0
    assert world.writes() == []


def test_a_proposed_rule_does_not_make_its_project_managed(world: World) -> None:
    world.organization.add_project("Search")
    staffed(world, 1)
    world.organization.add_member("guest@example.org")
    world.organization.add_to_project("Search", "p0@example.org")
    world.rule("Nobody yet", group="empty", state="proposed", Search="member")
    document = world.sync()
    assert brief(document, kinds=["revoke"]) == [("revoke", "p0@example.org", "skipped")]
    assert world.writes() == []


def test_too_many_removals_wait_for_an_approver_who_applies_just_that_plan(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    world.hire("new@example.org", "staff")
    for place in range(20):
        world.hire(f"busy{place}@example.org")
    world.sync("--person", "new@example.org")
    world.dismiss(*emails[:4])
    world.approver()

    document, status = command("sync", "Acme")

    assert (document["state"], status) == ("awaiting_approval", 3)
    assert document["holds"] == [
        {"code": "removal_limit", "detail": "4 of 12 accounts would lose access, the limit is 3"}
    ]
    assert {state for _, _, state in brief(document)} == {"held"}
    assert world.members() >= set(emails)

    approved = world.approve(document["job"])
    assert (approved["state"], approved["digest"]) == ("succeeded", document["digest"])
    assert {state for _, _, state in brief(approved)} == {"done"}
    assert not world.members() & set(emails[:4])
    job = world.job(document)
    assert (job.approved_by.username, job.approval_reason) == ("alice", "They left.")


def test_takings_of_one_day_count_together_whatever_the_number_of_syncs(world: World) -> None:
    emails = staffed(world, 20)
    for place in range(20):
        world.hire(f"busy{place}@example.org")
    world.sync()
    world.dismiss(*emails[:2])
    assert world.sync()["counts"]["done"] == 2
    world.dismiss(*emails[2:4])
    document = world.sync()
    assert document["holds"] == [
        {
            "code": "removal_limit",
            "detail": "2 of 19 accounts would lose access, 2 lost some in the last 24 hours, the limit is 3",
        }
    ]


def test_takings_that_a_person_approved_do_not_count_against_the_next_ones(world: World) -> None:
    emails = staffed(world, 10)
    for place in range(20):
        world.hire(f"busy{place}@example.org")
    world.sync()
    world.approver()
    world.dismiss(*emails[:4])
    assert world.approve(world.sync()["job"])["counts"]["done"] == 4
    world.dismiss(emails[4])
    assert brief(world.sync()) == [("remove", emails[4], "done")]


def test_the_requester_may_not_approve_while_there_is_another_approver(world: World) -> None:
    job = held_job(world)
    asker, other = world.approver("alice"), world.approver("bob")
    ProvisioningJob.objects.filter(pk=job.pk).update(requested_by=asker)
    job.refresh_from_db()
    with pytest.raises(requesting.Refused, match="another approver"):
        requesting.approve(job, by=asker, reason="Mine.")
    requesting.approve(job, by=other, reason="Looked at it.", deliver=False)
    job.refresh_from_db()
    assert job.state == "queued"


def test_an_approval_leaves_the_time_of_the_request_and_is_delivered_anew_only_when_it_is_lost(
    world: World,
) -> None:
    job, alice = held_job(world), world.approver()
    yesterday = timezone.now() - timedelta(days=1)
    ProvisioningJob.objects.filter(pk=job.pk).update(requested_at=yesterday)
    requesting.approve(job, by=alice, reason="They left.", deliver=False)
    job.refresh_from_db()
    assert job.requested_at == yesterday
    seconds_ago = timezone.now() - timedelta(seconds=30)
    assert not ProvisioningJob.objects.undelivered(older_than=seconds_ago).exists()
    assert ProvisioningJob.objects.undelivered(older_than=timezone.now()).get() == job


def test_a_plan_that_was_altered_cannot_be_approved(world: World) -> None:
    job, alice = held_job(world), world.approver()
    job.actions.update(email="p5@example.org", account_id=world.organization.find_user("p5@example.org").id)
    with pytest.raises(requesting.Refused, match="not the one that was shown"):
        requesting.approve(job, by=alice, reason="Fine.")
    assert "p5@example.org" in world.members()


def test_an_approval_names_the_plan_that_was_looked_at(world: World) -> None:
    job, alice = held_job(world), world.approver()
    with pytest.raises(requesting.Refused, match="not the one that was shown"):
        requesting.approve(job, by=alice, reason="Fine.", digest="0" * 64)
    assert digest_of(job) == job.digest


def test_an_approved_removal_turns_stale_when_its_subject_changed(world: World) -> None:
    job = held_job(world)
    world.approver()
    world.organization.find_user("p0@example.org").role = "owner"
    document = world.approve(job.pk)
    assert brief(document) == [("remove", "p0@example.org", "stale")]
    assert "p0@example.org" in world.members()


def test_a_protection_set_after_the_plan_was_made_still_protects(world: World) -> None:
    job = held_job(world)
    world.approver()
    command("protect", "Acme", "P0@example.org", "--reason", "On leave")
    document = world.approve(job.pk)
    assert brief(document) == [("remove", "p0@example.org", "refused")]
    assert document["actions"][0]["error"]["code"] == "protected"
    assert "p0@example.org" in world.members()


def test_a_removal_that_somebody_did_by_hand_is_skipped(world: World) -> None:
    job = held_job(world)
    world.approver()
    world.organization.remove_user(world.organization.find_user("p0@example.org").id)
    document = world.approve(job.pk)
    assert brief(document) == [("remove", "p0@example.org", "skipped")]
    assert document["actions"][0]["error"]["code"] == "already_so"


def test_a_newer_plan_takes_the_place_of_one_that_waits(world: World) -> None:
    job = held_job(world)
    world.approver()
    newer = world.sync()
    job.refresh_from_db()
    assert (job.state, newer["state"]) == ("cancelled", "awaiting_approval")
    with pytest.raises(requesting.Refused, match=f"Replaced by the newer plan of job {newer['job']}"):
        requesting.approve(job, by=world.approver("bob"), reason="Late.")


def test_a_scheduled_plan_leaves_the_same_question_where_it_waits(world: World) -> None:
    job = held_job(world)
    again = requesting.request_job(world.integration, trigger=ProvisioningJob.Trigger.SCHEDULE, deliver=False)
    reconciliation.run(again.pk)
    again.refresh_from_db()
    job.refresh_from_db()
    assert (job.state, again.state) == ("awaiting_approval", "succeeded")
    assert again.actions.get().error["detail"] == f"Waits for approval in job {job.pk}."


def test_nobody_removes_the_owner_of_the_key(world: World) -> None:
    world.organization.add_member("second@example.org", "owner")
    world.hire("second@example.org", "owners")
    world.dismiss(BOSS)
    document, status = command("sync", "Acme")
    assert brief(document) == [("remove", BOSS, "refused")]
    assert document["actions"][0]["error"]["code"] == "credential_owner"
    assert (document["state"], status, BOSS in world.members()) == ("partial", 6, True)


def test_an_empty_directory_refuses_the_job(world: World) -> None:
    world.dismiss(BOSS)
    document, status = command("sync", "Acme")
    assert (document["state"], document["refusal"]["code"], status) == ("refused", "directory_empty", 3)
    assert world.writes() == []


def test_a_directory_that_shrank_past_its_guard_refuses_the_job(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    world.dismiss(*emails[:5])
    document, status = command("sync", "Acme")
    assert (document["state"], document["refusal"]["code"], status) == ("refused", "source_shrunk", 3)
    assert world.writes() == []

    Source.objects.get(name="hr").allow_drop(now=timezone.now())
    assert world.sync()["holds"][0]["code"] == "removal_limit"


@pytest.mark.parametrize(
    "kind",
    [Kind.HTML, Kind.TRUNCATED, Kind.EMPTY_WITH_MORE, Kind.REPEATED_CURSOR, Kind.DUPLICATE_ROW, Kind.EMPTY],
)
def test_a_read_that_is_not_proven_complete_changes_nothing(world: World, kind: Kind) -> None:
    staffed(world, 120)
    world.sync()
    world.dismiss("p1@example.org")
    world.simulator.inject(Fault(kind, path="/organization/users", every=True))
    document, status = command("sync", "Acme")
    assert (document["state"], status) == ("inconclusive", 5)
    assert document["refusal"]["code"] == "read_incomplete"
    assert kind in {fault.kind for fault in world.simulator.fired}
    assert world.writes() == []


@pytest.mark.parametrize("kind", [Kind.MISSING_ROW, Kind.ENDS_EARLY])
def test_a_list_that_leaves_out_members_is_disproved_by_asking_for_them(world: World, kind: Kind) -> None:
    staffed(world, 120)
    world.sync()
    world.simulator.inject(Fault(kind, path="/organization/users", email="p50@example.org"))
    document = world.sync()
    assert document["state"] == "inconclusive"
    assert "still a member" in document["refusal"]["detail"]
    assert [fault.kind for fault in world.simulator.fired] == [kind]
    assert world.writes() == []


def test_members_that_vanished_in_numbers_hold_everything_until_a_person_agrees(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    for email in emails[:5]:
        world.organization.remove_user(world.organization.find_user(email).id)
    document = world.sync()
    assert [hold["code"] for hold in document["holds"]] == ["accounts_vanished"]
    assert {state for _, _, state in brief(document)} == {"held"}
    assert [hold["code"] for hold in world.sync()["holds"]] == ["accounts_vanished"]

    world.approver()
    latest = world.integration.jobs.latest("pk")
    assert world.approve(latest.pk)["state"] == "succeeded"
    assert len(world.organization.invites) == 5
    assert world.sync()["actions"] == []


def test_a_lost_reply_to_a_write_is_settled_by_looking(world: World) -> None:
    world.hire("ada@example.org", "staff")
    world.rule("Staff", group="staff")
    world.simulator.inject(Fault(Kind.RESET_AFTER, method="POST", path="/organization/invites"))
    document = world.sync()
    assert brief(document) == [("invite", "ada@example.org", "done")]
    assert document["state"] == "succeeded"
    assert len(world.organization.invites) == 1
    assert [method for method, _ in world.writes()] == ["POST"]


def test_a_write_that_never_arrived_is_failed_and_done_by_the_next_sync(world: World) -> None:
    world.hire("ada@example.org", "staff")
    world.rule("Staff", group="staff")
    world.simulator.inject(Fault(Kind.RESET_BEFORE, method="POST", path="/organization/invites"))
    document, status = command("sync", "Acme")
    assert (brief(document), status) == ([("invite", "ada@example.org", "failed")], 4)
    assert document["actions"][0]["error"]["code"] == "outcome_unknown"
    assert brief(world.sync()) == [("invite", "ada@example.org", "done")]
    assert len(world.organization.invites) == 1


def test_a_revoked_key_fails_the_job_and_says_so(world: World) -> None:
    world.organization.admin_keys.clear()
    document, status = command("sync", "Acme")
    assert (document["state"], document["error"]["code"], status) == ("failed", "credential_rejected", 4)


def test_an_action_that_openai_refuses_fails_alone(world: World) -> None:
    emails = staffed(world, 3)
    world.sync()
    world.dismiss(*emails[:2])
    gone = world.organization.find_user(emails[0])
    world.simulator.inject(
        Fault(Kind.FORBIDDEN, method="DELETE", path=f"/organization/users/{gone.id}", every=True)
    )
    document, status = command("sync", "Acme")
    assert brief(document) == [("remove", emails[0], "failed"), ("remove", emails[1], "done")]
    assert (document["state"], status) == ("partial", 6)


def test_one_live_job_per_integration_is_the_databases_word(world: World) -> None:
    first = requesting.request_job(world.integration, deliver=False)
    with pytest.raises(requesting.AlreadyRunning) as busy:
        requesting.request_job(world.integration, deliver=False)
    assert busy.value.job == first
    with pytest.raises(IntegrityError):
        ProvisioningJob.objects.create(integration=world.integration, requested_at=timezone.now())


def test_a_job_is_run_once_however_often_it_is_delivered(world: World) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    job = requesting.request_job(world.integration, deliver=False)
    for _ in range(3):
        reconciliation.run(job.pk)
    assert [method for method, _ in world.writes()] == ["POST"]


def test_a_disabled_integration_is_neither_asked_nor_run(world: World) -> None:
    job = requesting.request_job(world.integration, deliver=False)
    world.integration.disable()
    with pytest.raises(requesting.NotEnabled):
        requesting.request_job(world.integration, deliver=False)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error["code"], world.simulator.requests) == ("failed", "not_enabled", [])


def test_a_person_job_concerns_that_person_only(world: World) -> None:
    staffed(world, 3)
    for name in ("new@example.org", "other@example.org"):
        world.hire(name, "staff")
    assert brief(world.sync("--person", "NEW@example.org")) == [("invite", "new@example.org", "done")]


def test_marks_are_set_and_taken_off_by_command(world: World) -> None:
    staffed(world, 3)
    command("ignore", "Acme", "p0@example.org", "--reason", "A contractor", "--until", "2999-01-01")
    world.dismiss("p0@example.org")
    assert brief(world.sync()) == [("report", "p0@example.org", "done")]
    command("unmark", "Acme", "p0@example.org")
    assert Mark.objects.count() == 0
    assert brief(world.sync()) == [("remove", "p0@example.org", "done")]


def test_a_mark_ends_with_its_last_day(world: World) -> None:
    staffed(world, 3)
    command("protect", "Acme", "p0@example.org", "--reason", "Was on leave", "--until", "2020-01-01")
    world.dismiss("p0@example.org")
    assert brief(world.sync()) == [("remove", "p0@example.org", "done")]


def test_a_worker_that_died_after_the_call_repeats_nothing(world: World) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    job = crashed_while_inviting(world, "new@example.org", done=True)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().state) == ("succeeded", Action.State.DONE)
    assert world.writes() == []


def test_a_worker_that_died_before_the_call_loses_nothing(world: World) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    job = crashed_while_inviting(world, "new@example.org", done=False)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().state) == ("succeeded", Action.State.DONE)
    assert [pending.email for pending in world.organization.invites.values()] == ["new@example.org"]


def crashed_while_inviting(world: World, email: str, *, done: bool) -> ProvisioningJob:
    """A job whose worker was killed between writing `started` and writing the outcome."""
    job = world.job(world.preview())
    job.actions.update(state=Action.State.STARTED, started_at=timezone.now())
    if done:
        world.organization.add_invite(email)
    long_ago = timezone.now() - timedelta(hours=1)
    ProvisioningJob.objects.filter(pk=job.pk).update(
        preview=False,
        state="running",
        holder="a worker that is no more",
        lease_expires_at=long_ago,
        applied_at=long_ago,
        finished_at=None,
    )
    [abandoned] = recovering.lost_jobs(now=timezone.now(), undelivered_after=timedelta(minutes=1))
    return abandoned


def test_an_interrupted_job_is_given_back_and_the_next_sync_ends_it_first(world: World) -> None:
    staffed(world, 1)
    for place in range(3):
        world.hire(f"new{place}@example.org", "staff")
    job = requesting.request_job(world.integration, deliver=False)

    def interrupt(progress: str) -> None:
        if progress == "Action 2 of 3":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconciliation.run(job.pk, say=interrupt)
    job.refresh_from_db()
    assert (job.state, job.holder) == ("queued", "")
    assert world.sync()["actions"] == []
    job.refresh_from_db()
    assert job.state == "succeeded"
    assert len(world.writes()) == 3


def test_a_sync_takes_over_from_a_worker_that_died(world: World) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    dead = requesting.request_job(world.integration, deliver=False)
    long_ago = timezone.now() - timedelta(hours=1)
    assert dead.claim(holder="a worker that is no more", now=long_ago)
    assert world.sync()["actions"] == []
    dead.refresh_from_db()
    assert (dead.state, len(world.writes())) == ("succeeded", 1)


def test_a_job_that_is_cancelled_midway_stops_before_the_next_action(world: World) -> None:
    staffed(world, 1)
    for place in range(3):
        world.hire(f"new{place}@example.org", "staff")
    job = requesting.request_job(world.integration, deliver=False)
    reached = []

    def cancel_after_the_first(progress: str) -> None:
        reached.append(progress)
        if progress == "Action 2 of 3":
            requesting.cancel(ProvisioningJob.objects.get(pk=job.pk), by=None, reason="Enough.")

    reconciliation.run(job.pk, say=cancel_after_the_first)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert sorted(job.actions.values_list("state", flat=True)) == ["done", "skipped", "skipped"]
    assert len(world.writes()) == 1


def test_jobs_and_job_print_what_sync_printed(world: World) -> None:
    staffed(world, 2)
    document = world.sync()
    assert command("job", str(document["job"])) == (document, 0)
    [listed] = command("jobs", "--integration", "acme")[0]["jobs"]
    assert listed == {name: value for name, value in document.items() if name not in ("actions", "people")}
    assert command("jobs", "--since", "2999-01-01")[0] == {"jobs": []}


def ended_process() -> int:
    """The number of a process that is no more."""
    child = subprocess.Popen(["true"])  # noqa: S607
    child.wait()
    return child.pid


@pytest.mark.parametrize(
    ("holder", "found"),
    [
        (lambda own: own.replace(f"/{os.getpid()}/", f"/{ended_process()}/"), True),
        (lambda own: own, False),
        (lambda own: f"another machine/{ended_process()}/aa", False),
        (lambda own: "no name of ours", False),
    ],
    ids=["ended", "at work", "on another machine", "unknown"],
)
def test_a_dead_worker_of_this_machine_is_known_before_its_lease_runs_out(
    world: World, holder: Callable[[str], str], found: bool
) -> None:
    job = requesting.request_job(world.integration, deliver=False)
    assert job.claim(holder=holder(recovering.worker_name()), now=timezone.now())
    lost = recovering.lost_jobs(now=timezone.now(), undelivered_after=timedelta(minutes=1))
    assert lost == ([job] if found else [])
