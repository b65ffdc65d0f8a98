"""Each limit is overridden one at a time, on one job, by a person, with a reason."""

import importlib
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from cakewalk.models import User
from integrations.models import Integration
from provisioning import reconciliation, requesting
from provisioning.models import ProvisioningJob
from tests.provisioning.world import World, brief, command, staffed

pytestmark = pytest.mark.django_db(transaction=True)

BOTH = ["first_removals", "removal_limit"]


@pytest.fixture
def alice(world: World) -> User:
    return world.approver("alice")


@pytest.fixture
def twice_held(world: World) -> ProvisioningJob:
    """Four removals in the first sync, where three would be allowed later; the joiner is invited."""
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    emails = staffed(world, 12)
    world.hire("new@example.org", "staff")
    world.dismiss(*emails[:4])
    document = world.sync()
    assert [hold["code"] for hold in document["holds"]] == BOTH
    return world.job(document)


def override(job: ProvisioningJob, by: User, *codes: str, reason: str = "They left.") -> None:
    requesting.approve(job, by=by, reason=reason, digest=job.digest, only=codes, deliver=False)


def removed(world: World) -> int:
    return len([method for method, _ in world.writes() if method == "DELETE"])


def test_an_action_knows_all_that_hold_it(world: World, twice_held: ProvisioningJob) -> None:
    actions = command("job", str(twice_held.pk))[0]["actions"]
    assert {action["state"]: action["holds"] for action in actions} == {"done": [], "held": BOTH}


def test_a_plan_of_which_one_hold_remains_still_waits_and_nothing_is_applied(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    override(twice_held, alice, "first_removals", reason=" Looked at the first ones. ")

    document = command("job", str(twice_held.pk))[0]
    assert (document["state"], document["counts"]["held"], removed(world)) == ("awaiting_approval", 4, 0)
    [decided] = document["overrides"]
    assert (decided["code"], decided["by"], decided["reason"]) == (
        "first_removals",
        "alice",
        "Looked at the first ones.",
    )
    assert {action["error"]["code"] for action in document["actions"] if action["state"] == "held"} == {
        "removal_limit"
    }
    reconciliation.run(twice_held.pk)
    assert (ProvisioningJob.objects.get(pk=twice_held.pk).approved_at, removed(world)) == (None, 0)


def test_the_last_override_carries_the_plan_out_and_the_job_tells_who_decided_what(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    override(twice_held, alice, "first_removals")
    override(twice_held, world.approver("bob"), "removal_limit", reason="Four is right.")
    reconciliation.run(twice_held.pk)

    document = command("job", str(twice_held.pk))[0]
    assert (document["state"], document["counts"]["done"], removed(world)) == ("succeeded", 5, 4)
    assert [(one["code"], one["by"], one["reason"]) for one in document["overrides"]] == [
        ("first_removals", "alice", "They left."),
        ("removal_limit", "bob", "Four is right."),
    ]
    assert [hold["code"] for hold in document["holds"]] == BOTH
    twice_held.refresh_from_db()
    assert (twice_held.approved_by.username, twice_held.approval_reason) == ("bob", "Four is right.")


def test_the_command_approves_the_whole_plan_by_itself(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    document = world.approve(twice_held.pk)
    assert (document["state"], removed(world)) == ("succeeded", 4)
    assert [one["code"] for one in document["overrides"]] == BOTH


def test_the_command_overrides_only_what_it_names(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    words = ["approve", str(twice_held.pk), "--by", "alice", "--reason", "They left."]
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(*words, "--only", "removal_limit", stdout=out, stderr=err)
    assert (ended.value.code, removed(world)) == (3, 0)
    assert "Nothing is applied yet. Still held: first_removals: 4 of 13 accounts" in err.getvalue()

    document, status = command(*words, "--only", "first_removals")
    assert (document["state"], status, removed(world)) == ("succeeded", 0, 4)


def test_the_command_overrides_several_that_it_names(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    only = [word for code in BOTH for word in ("--only", code)]
    words = ["approve", str(twice_held.pk), "--by", "alice", "--reason", "They left.", *only]
    assert command(*words)[0]["state"] == "succeeded"


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        ([], "Choose what is to be overridden: first_removals, removal_limit."),
        (["last_owner"], "'last_owner' does not hold Job {}. What does: first_removals, removal_limit."),
        (["removal_limit", "first_removals"], "alice has overridden first_removals already."),
    ],
)
def test_what_holds_nothing_and_what_is_overridden_already_are_not_overridden(
    world: World, alice: User, twice_held: ProvisioningJob, only: list[str], sentence: str
) -> None:
    override(twice_held, alice, "first_removals")
    with pytest.raises(requesting.Refused) as refusal:
        override(twice_held, alice, *only)
    twice_held.refresh_from_db()
    assert str(refusal.value) == sentence.format(twice_held.pk)
    assert (twice_held.state, len(twice_held.overrides)) == ("awaiting_approval", 1)


def test_two_approvers_who_looked_at_the_same_time_do_not_undo_each_other(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    as_bob_saw_it = ProvisioningJob.objects.get(pk=twice_held.pk)
    override(twice_held, alice, "first_removals")
    override(as_bob_saw_it, world.approver("bob"), "removal_limit")
    assert as_bob_saw_it.state == "queued"
    assert [one["by"] for one in as_bob_saw_it.overrides] == ["alice", "bob"]


def test_each_override_names_the_plan_and_who_asked_for_the_job_overrides_nothing(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    world.approver("bob")
    ProvisioningJob.objects.filter(pk=twice_held.pk).update(requested_by=alice)
    twice_held.refresh_from_db()
    with pytest.raises(requesting.Refused, match="another approver"):
        override(twice_held, alice, "first_removals")
    with pytest.raises(requesting.Refused, match="not the one that was shown"):
        requesting.approve(
            twice_held, by=User.objects.get(username="bob"), reason="Do.", digest="0" * 64, only=BOTH
        )
    with pytest.raises(CommandError, match="needs a reason"):
        call_command("approve", str(twice_held.pk), "--by", "bob", "--reason", " ", "--only", BOTH[0])
    twice_held.refresh_from_db()
    assert twice_held.overrides == []


def test_overrides_stay_while_scheduled_plans_ask_the_same(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    override(twice_held, alice, "first_removals")
    again = requesting.request_job(world.integration, trigger=ProvisioningJob.Trigger.SCHEDULE, deliver=False)
    reconciliation.run(again.pk)
    twice_held.refresh_from_db()
    assert (twice_held.state, len(twice_held.overrides)) == ("awaiting_approval", 1)
    override(twice_held, alice, "removal_limit")
    reconciliation.run(twice_held.pk)
    assert removed(world) == 4


def test_a_limit_that_is_exceeded_only_now_is_a_new_question(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    """The very same removals, but one limit more than the approver would be asked to override."""
    fewer = [hold for hold in twice_held.holds if hold["code"] == "first_removals"]
    ProvisioningJob.objects.filter(pk=twice_held.pk).update(holds=fewer)
    again = requesting.request_job(world.integration, trigger=ProvisioningJob.Trigger.SCHEDULE, deliver=False)
    reconciliation.run(again.pk)
    again.refresh_from_db()
    twice_held.refresh_from_db()
    assert (twice_held.state, again.state) == ("cancelled", "awaiting_approval")
    assert [hold["code"] for hold in again.holds] == BOTH


def test_what_gives_waits_only_for_what_holds_everything(world: World, alice: User) -> None:
    """Members vanished in numbers, which holds all; and removals over the limit, which holds takings."""
    emails = staffed(world, 24)
    world.sync()
    for email in emails[:6]:
        world.organization.remove_user(world.organization.find_user(email).id)
    world.dismiss(*emails[6:10])
    job = world.job(world.sync())
    codes = {hold["code"] for hold in job.holds}
    assert codes == {"accounts_vanished", "removal_limit"}
    assert {tuple(row.holds) for row in job.actions.filter(kind="invite")} == {("accounts_vanished",)}
    assert {tuple(row.holds) for row in job.actions.filter(kind="remove")} == {
        ("accounts_vanished", "removal_limit")
    }

    override(job, alice, "accounts_vanished")
    told: dict[str, Any] = {kind: job.actions.filter(kind=kind)[0].error for kind in ("invite", "remove")}
    assert (told["invite"]["code"], told["remove"]["code"]) == ("awaiting_approval", "removal_limit")
    assert {state for _, _, state in brief(command("job", str(job.pk))[0])} == {"held"}
    override(job, alice, "removal_limit")
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, len(world.organization.invites)) == ("succeeded", 6)


def test_a_partly_overridden_plan_that_is_cancelled_does_nothing(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    override(twice_held, alice, "first_removals")
    said = requesting.cancel(twice_held, by=alice, reason="They come back.")
    assert said == "1 of 5 actions was done before and stays done; 4 are skipped."
    assert removed(world) == 0


def test_a_plan_that_waited_before_there_were_overrides_waits_for_all_that_holds_it(
    world: World, alice: User, twice_held: ProvisioningJob
) -> None:
    twice_held.actions.update(holds=[])
    migration = importlib.import_module("provisioning.migrations.0005_overrides")
    migration.hold_for_everything(apps, connection.schema_editor())
    assert {tuple(row.holds) for row in twice_held.actions.filter(state="held")} == {tuple(BOTH)}
    assert {tuple(row.holds) for row in twice_held.actions.exclude(state="held")} == {()}
