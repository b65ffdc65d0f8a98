"""Between a plan and its deeds the world goes on: what changed since is noticed before each action."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from directory.models import Group, Membership, Person
from integrations.connectors.base import CredentialFacts
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, requesting
from provisioning.models import AccessRule, Action, ProvisioningJob
from tests.provisioning.world import BOSS, World, brief, command, held_job, staffed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _told_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)


def told(document: dict) -> list[tuple[str, str, str, str | None]]:
    """What became of each action, and the code of why."""
    return [
        (kind, email, state, (action["error"] or {}).get("code"))
        for (kind, email, state), action in zip(brief(document), document["actions"], strict=True)
    ]


def run_with(world: World, at: str, then: Callable[[], object]) -> ProvisioningJob:
    """A sync during which something happens when the worker says that it is so far."""
    job = requesting.request_job(world.integration, deliver=False)

    def say(progress: str) -> None:
        if progress == at:
            then()

    reconciliation.run(job.pk, say=say)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("mode", [Integration.Mode.OBSERVE, Integration.Mode.EXTEND])
def test_an_approval_does_no_more_than_the_mode_allows_by_now(world: World, mode: str) -> None:
    job = held_job(world)
    world.approver()
    world.configure(mode=mode)
    assert told(world.approve(job.pk)) == [("remove", "p0@example.org", "skipped", "mode")]
    assert "p0@example.org" in world.members()


def test_a_plan_of_a_disabled_integration_cannot_be_approved(world: World) -> None:
    job, alice = held_job(world), world.approver()
    world.integration.disable()
    job.refresh_from_db()
    with pytest.raises(requesting.Refused, match="not enabled"):
        requesting.approve(job, by=alice, reason="Fine.")
    assert job.actions.get().state == "held"


def test_a_job_stops_before_the_next_action_when_its_integration_is_disabled(world: World) -> None:
    staffed(world, 1)
    for place in range(3):
        world.hire(f"new{place}@example.org", "staff")
    job = run_with(world, "Action 2 of 3", world.integration.disable)
    assert list(job.actions.order_by("seq").values_list("state", flat=True)) == ["done", "skipped", "skipped"]
    assert (job.state, len(world.writes())) == ("partial", 1)


def test_a_mode_lowered_while_the_organization_is_read_is_the_one_that_counts(world: World) -> None:
    staffed(world, 3)
    world.dismiss("p0@example.org")
    job = run_with(world, "Read 4 users.", lambda: world.configure(mode=Integration.Mode.OBSERVE))
    assert (job.mode, job.actions.get().state, world.writes()) == ("observe", "skipped", [])


def test_somebody_who_came_back_before_the_approval_is_not_removed(world: World) -> None:
    job = held_job(world)
    world.approver()
    Person.objects.filter(email="p0@example.org").update(active=True)
    assert told(world.approve(job.pk)) == [("remove", "p0@example.org", "stale", "stale")]
    assert "p0@example.org" in world.members()


def test_somebody_entered_anew_before_the_approval_is_not_removed(world: World) -> None:
    job = held_job(world)
    world.approver()
    Person.objects.get(email="p0@example.org").delete()
    world.hire("p0@example.org", "staff")
    assert told(world.approve(job.pk)) == [("remove", "p0@example.org", "stale", "stale")]


def test_an_orphan_that_has_become_somebodys_is_not_removed(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD, orphans=Integration.Orphans.REMOVE)
    staffed(world, 3)
    world.organization.add_member("guest@example.org")
    document = world.sync()
    assert brief(document) == [("remove", "guest@example.org", "held")]
    world.hire("guest@example.org", "staff")
    world.approver()
    assert told(world.approve(document["job"])) == [("remove", "guest@example.org", "stale", "stale")]


def test_a_rule_that_gives_again_keeps_what_an_older_plan_would_take(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    world.organization.add_project("Search")
    staffed(world, 3)
    world.rule("Searchers", group="searchers", Search="member")
    world.organization.add_to_project("Search", "p0@example.org")
    world.organization.set_organization_role(world.organization.find_user("p1@example.org").id, "owner")
    document = world.sync()
    assert {(kind, state) for kind, _, state in brief(document)} == {
        ("revoke", "held"),
        ("change_role", "held"),
    }
    AccessRule.objects.filter(name="Staff").update(role="owner")
    world.rule("Staff searches", group="staff", Search="member")
    world.approver()
    assert {state for _, _, state in brief(world.approve(document["job"]))} == {"stale"}


def test_nobody_is_invited_who_left_since_the_plan_was_made(world: World) -> None:
    world.rule("Staff", group="staff")
    for place in range(2):
        world.hire(f"new{place}@example.org", "staff")
    job = run_with(world, "Action 2 of 2", lambda: world.dismiss("new1@example.org"))
    assert [row.state for row in job.actions.order_by("seq")] == ["done", "stale"]
    assert [invite.email for invite in world.organization.invites.values()] == ["new0@example.org"]


def test_nobody_is_invited_by_an_older_plan_who_has_joined_since(world: World) -> None:
    world.configure(over_limit=Integration.OverLimit.HOLD_ALL)
    emails = staffed(world, 6)
    world.hire("new@example.org", "staff")
    world.hire("late@example.org", "staff")
    world.dismiss(*emails[:4])
    document = world.sync()
    assert {state for _, _, state in brief(document)} == {"held"}
    world.organization.add_member("NEW@example.org")
    world.approver()
    invites = [line for line in told(world.approve(document["job"])) if line[0] == "invite"]
    assert invites == [
        ("invite", "late@example.org", "done", None),
        ("invite", "new@example.org", "skipped", "already_so"),
    ]
    assert [path for method, path in world.writes() if method == "POST"] == ["/v1/organization/invites"]


def owners(world: World, *emails: str) -> None:
    for email in emails:
        world.organization.add_member(email, "owner")
        world.hire(email, "owners")


def test_the_minimum_of_owners_is_counted_again_before_one_goes(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD, minimum_owners=2)
    owners(world, "one@example.org", "two@example.org")
    world.dismiss("one@example.org")
    document = world.sync()
    assert brief(document) == [("remove", "one@example.org", "held")]
    world.organization.set_organization_role(world.organization.find_user("two@example.org").id, "reader")
    world.approver()
    assert told(world.approve(document["job"])) == [("remove", "one@example.org", "refused", "last_owner")]
    assert "one@example.org" in world.members()


def test_an_owner_goes_when_enough_others_are_still_there(world: World) -> None:
    world.configure(minimum_owners=2)
    owners(world, "one@example.org", "two@example.org")
    world.dismiss("one@example.org")
    assert brief(world.sync()) == [("remove", "one@example.org", "done")]


def test_the_owner_of_a_key_that_was_entered_since_the_plan_is_not_removed(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    owners(world, "one@example.org", "two@example.org")
    world.dismiss("one@example.org")
    document = world.sync()
    one = world.organization.find_user("one@example.org")
    theirs = world.organization.create_admin_key("Theirs", one.id).value
    world.integration.store_credential(theirs, now=timezone.now())
    world.approver()
    assert told(world.approve(document["job"])) == [
        ("remove", "one@example.org", "refused", "credential_owner")
    ]
    assert one.id in world.organization.users


def test_the_key_of_a_reader_protects_its_owner_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    staffed(world, 3)
    reader = world.organization.find_user("p0@example.org")
    facts = CredentialFacts(id="key-1", owner_id=reader.id)
    monkeypatch.setattr(OpenAIConnector, "fetch_credential_facts", lambda _: facts)
    world.dismiss("p0@example.org")
    assert told(world.sync()) == [("remove", "p0@example.org", "refused", "credential_owner")]


def with_alias(world: World, email: str, alias: str, *groups: str) -> None:
    world.hire(email, *groups).claim_addresses([alias])


def test_a_mark_on_one_address_of_a_person_protects_their_account_under_another(world: World) -> None:
    staffed(world, 3)
    with_alias(world, "ada@example.org", "countess@example.org", "staff")
    world.organization.add_member("countess@example.org")
    world.sync()
    command("protect", "Acme", "ada@example.org", "--reason", "On leave")
    world.dismiss("ada@example.org")
    assert told(world.sync()) == [("report", "countess@example.org", "done", None)]


def test_a_mark_set_after_the_plan_protects_the_account_under_another_address(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    staffed(world, 3)
    with_alias(world, "ada@example.org", "countess@example.org", "staff")
    world.organization.add_member("countess@example.org")
    world.dismiss("ada@example.org")
    document = world.sync()
    command("protect", "Acme", "ada@example.org", "--reason", "On leave")
    world.approver()
    assert told(world.approve(document["job"])) == [
        ("remove", "countess@example.org", "refused", "protected")
    ]


def test_an_invite_under_an_alias_can_be_replaced_by_a_smaller_one(world: World) -> None:
    world.organization.add_project("Search")
    staffed(world, 3)
    world.rule("Searchers", group="searchers", Search="member")
    with_alias(world, "ada@example.org", "countess@example.org", "staff")
    world.organization.add_invite("countess@example.org", projects={"Search": "member"})
    assert told(world.sync()) == [
        ("withdraw_invite", "countess@example.org", "done", None),
        ("invite", "ada@example.org", "done", None),
    ]
    assert world.sync()["actions"] == []


def test_a_lost_reply_to_a_withdrawal_is_not_taken_for_done_when_the_invite_was_accepted(
    world: World,
) -> None:
    staffed(world, 3)
    world.hire("new@example.org", "staff")
    world.sync()
    world.dismiss("new@example.org")
    world.simulator.inject(Fault(Kind.RESET_BEFORE, method="DELETE", path="/organization/invites/*"))

    def accept() -> None:
        if world.organization._pending_invite("new@example.org"):
            world.organization.accept_invite("new@example.org")

    job = run_with(world, "Looking again, 1 of 1", accept)
    assert (job.state, job.actions.get().state) == ("failed", "failed")
    assert brief(world.sync()) == [("remove", "new@example.org", "done")]


def test_a_lost_invite_is_not_taken_for_done_by_an_invite_with_another_role(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire("new@example.org", "staff")
    world.simulator.inject(Fault(Kind.RESET_BEFORE, method="POST", path="/organization/invites"))
    job = run_with(
        world, "Looking again, 1 of 1", lambda: world.organization.add_invite("new@example.org", "owner")
    )
    assert job.actions.get().state == Action.State.FAILED
    assert brief(world.sync()) == [
        ("withdraw_invite", "new@example.org", "done"),
        ("invite", "new@example.org", "done"),
    ]


def test_rules_that_change_while_the_organization_is_read_are_read_again(world: World) -> None:
    """People move to a new group with a rule of its own, between the reading of rules and of people."""
    emails = staffed(world, 3)
    world.sync()

    def move() -> None:
        if not AccessRule.objects.filter(name="Builders").exists():
            world.rule("Builders", group="builders")
            builders = Group.objects.get(name="builders")
            Membership.objects.filter(person__email__in=emails).update(group=builders)

    job = run_with(world, "Read 4 users.", move)
    assert (job.state, job.actions.count()) == ("succeeded", 0)
    assert world.members() == {BOSS, *emails}


def test_an_invite_whose_list_leaves_out_its_projects_is_not_sent_again(world: World) -> None:
    """OpenAI's published examples show invites without the projects they carry."""
    world.organization.add_project("Search")
    world.rule("Staff", group="staff", Search="member")
    world.hire("new@example.org", "staff")
    world.sync()
    [invite] = world.organization.invites.values()
    invite.projects.clear()
    world.organization.changed()
    for _ in range(3):
        assert world.sync()["actions"] == []


def test_a_plan_that_was_altered_after_its_approval_is_not_applied(world: World) -> None:
    job, alice = held_job(world), world.approver()
    requesting.approve(job, by=alice, reason="They left.", deliver=False)
    job.actions.update(email="p5@example.org", account_id=world.organization.find_user("p5@example.org").id)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error["code"], world.writes()) == ("failed", "plan_altered", [])


def test_nothing_is_approved_while_another_job_is_under_way_and_the_question_stays(world: World) -> None:
    job, alice = held_job(world), world.approver()
    running = requesting.request_job(world.integration, preview=True, deliver=False)
    with pytest.raises(requesting.AlreadyRunning) as busy:
        requesting.approve(job, by=alice, reason="They left.")
    job.refresh_from_db()
    assert (busy.value.job, job.state, job.actions.get().state) == (running, "awaiting_approval", "held")
    reconciliation.run(running.pk)
    assert brief(world.approve(job.pk)) == [("remove", "p0@example.org", "done")]


def test_two_approvals_of_one_plan_apply_it_once(world: World) -> None:
    job, alice, bob = held_job(world), world.approver("alice"), world.approver("bob")
    stale_page = ProvisioningJob.objects.get(pk=job.pk)
    requesting.approve(job, by=alice, reason="They left.", deliver=False)
    with pytest.raises(requesting.Refused, match="no longer awaits approval"):
        requesting.approve(stale_page, by=bob, reason="They left.", deliver=False)
    reconciliation.run(job.pk)
    assert len(world.writes()) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets nobody write meanwhile")
def test_a_directory_that_changes_while_it_is_read_is_seen_as_it_was(world: World) -> None:
    """Someone entered with their groups between two queries would be active and in no group: a leaver."""
    staffed(world, 2)
    world.organization.add_member("ada@example.org")
    world.sync()

    def enter() -> None:
        world.hire("ada@example.org", "staff")
        connection.close()

    def after_memberships(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if (
            'FROM "directory_membership"' in sql
            and not Person.objects.filter(email="ada@example.org").exists()
        ):
            elsewhere = threading.Thread(target=enter)
            elsewhere.start()
            elsewhere.join()
        return result

    with connection.execute_wrapper(after_memberships):
        document = world.sync()
    assert [action["situation"] for action in document["actions"]] == ["orphan"]
    assert world.sync()["actions"] == []
