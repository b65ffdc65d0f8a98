"""Giving back what a job took: what is planned, who must agree, and what keeps it."""

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from integrations.connectors.base import Account, Grant
from integrations.models import Integration
from provisioning import history, requesting
from provisioning.actions import named
from provisioning.models import AccessRule, Mark, ProvisioningJob, RuleGrant
from provisioning.policy import Policy
from provisioning.requesting import Refused, request_restore
from provisioning.restoring import Loss, Restorer, losses
from tests.provisioning.builders import (
    ENGINEERING,
    PLATFORM,
    SEARCH,
    VOICE,
    gives,
    grant,
    invite,
    lapsed,
    mark,
    member,
    person,
    policy,
    rule,
    told,
)
from tests.provisioning.world import World, brief, command, staffed

ADA = "ada@x.org"


# -- the plan


def lost(*grants: Any, role: str | None = "reader", ended: bool = True, of: int | None = 1) -> Loss:
    return Loss("user-old", ADA, of, ended, role, grants)


def restored(
    loss: Loss, accounts: list[Account], *people: Any, by: Policy | None = None, there: Any = None
) -> list[Any]:
    entitlements = [SEARCH, VOICE, PLATFORM] if there is None else there
    restorer = Restorer.over(31, by or policy(), [loss], accounts, entitlements, people)
    return [action for chain in restorer.plan([loss]) for action in chain]


def test_who_was_removed_is_invited_with_the_former_role_and_projects():
    [action] = restored(lost(gives(SEARCH, "owner"), gives(VOICE)), [])
    assert told(action) == ("invite", "restored", ADA, "reader", None)
    assert action.grants == (grant(SEARCH, "owner"), grant(VOICE))
    assert action.person_id == 1
    assert action.after == {
        "role": "reader",
        "projects": [{"name": "Search", "role": "owner"}, {"name": "Voice", "role": "member"}],
    }


def test_a_former_owner_needs_no_projects():
    [action] = restored(lost(gives(SEARCH), role="owner"), [])
    assert (action.role, action.grants) == ("owner", ())


def test_groups_and_custom_roles_cannot_come_with_an_invite_and_are_said():
    actions = restored(lost(gives(PLATFORM), role="auditor"), [])
    assert [told(action) for action in actions if action.writes] == [
        ("invite", "restored", ADA, "reader", None)
    ]
    said = " ".join(action.detail for action in actions if not action.writes)
    assert "The role was auditor" in said
    assert "The group platform (member) cannot come back before the invite is accepted" in said


def test_after_the_invite_is_accepted_the_same_job_gives_back_the_rest():
    loss = lost(gives(SEARCH), gives(PLATFORM), role="owner")
    actions = restored(loss, [member(ADA, "reader", grant(SEARCH), id="user-new")])
    assert [told(action) for action in actions] == [
        ("change_role", "restored", ADA, "owner", None),
        ("grant", "restored", ADA, "member", "platform"),
    ]
    assert {action.account_id for action in actions} == {"user-new"}


def test_a_grant_that_was_lowered_is_raised_again():
    loss = lost(gives(SEARCH, "owner"), role=None, ended=False)
    [action] = restored(loss, [member(ADA, "reader", grant(SEARCH))])
    assert told(action) == ("change_grant", "restored", ADA, "owner", "Search")
    assert (action.before, action.after) == ({"role": "member"}, {"role": "owner"})


@pytest.mark.parametrize(
    "now",
    [
        member(ADA, "owner"),
        member(ADA, "reader", grant(SEARCH, "owner"), grant(VOICE)),
        invite(ADA, "reader", grant(SEARCH)),
    ],
)
def test_who_has_as_much_or_more_by_now_is_left_alone(now):
    assert restored(lost(gives(SEARCH)), [now]) == []


def test_nothing_is_ever_taken():
    loss = lost(gives(SEARCH), gives(PLATFORM))
    for there in ([], [member(ADA, "owner")], [invite(ADA, "owner", grant(VOICE))], [lapsed(ADA)]):
        assert not any(action.taking for action in restored(loss, there))


def test_an_open_invite_that_says_less_is_reported_and_not_replaced():
    [action] = restored(lost(gives(SEARCH)), [invite(ADA)])
    assert not action.writes
    assert "What it lacks can come back when the invite is accepted" in action.detail


def test_a_lapsed_invite_makes_way_for_the_new_one():
    withdraw, again = restored(lost(), [lapsed(ADA)])
    assert [withdraw.kind, again.kind] == ["withdraw_invite", "invite"]
    assert withdraw.account_id == f"invite-{ADA}"


def test_the_account_is_found_under_another_address_of_its_person():
    ada = person("ada@new.org", ADA, id=1)
    [action] = restored(lost(gives(SEARCH)), [member("ada@new.org")], ada)
    assert told(action) == ("grant", "restored", "ada@new.org", "member", "Search")


@pytest.mark.parametrize(
    ("now", "by", "says"),
    [
        ([], policy(marks=mark("protected", ADA)), "Marked protected: agreed"),
        ([], policy(managed_domains=frozenset({"y.org"})), "outside the managed domains"),
        ([member(ADA, managed_elsewhere=True)], policy(), "SCIM"),
        ([member(ADA, "auditor")], policy(), "The role was reader, and now it is auditor"),
    ],
)
def test_what_stands_in_the_way_is_said(now, by, says):
    [action] = restored(lost(gives(SEARCH)) if now != [member(ADA, "auditor")] else lost(), now, by=by)
    assert not action.writes
    assert says in action.detail


def test_a_member_who_lost_a_grant_and_is_gone_since_is_not_invited():
    [action] = restored(lost(gives(SEARCH), role=None, ended=False), [])
    assert not action.writes
    assert "ended it since" in action.detail


def test_a_project_that_is_no_longer_there_is_said_once():
    actions = restored(lost(gives(SEARCH)), [], there=[VOICE])
    assert [action.detail for action in actions if not action.writes] == [
        "There is no project named 'Search'."
    ]
    assert [action.grants for action in actions if action.writes] == [()]


@pytest.mark.parametrize(
    ("who", "by", "says"),
    [
        (person(ADA, id=1), policy(rule("reader", gives(SEARCH))), ""),
        (person(ADA, id=1), policy(rule("reader")), ""),  # no rule names the project, so none manages it
        (person(ADA, id=1), policy(rule("reader", gives(SEARCH), group=ENGINEERING)), "No access rule gives"),
        (person(ADA, id=1, active=False), policy(rule("reader", gives(SEARCH))), "No access rule gives"),
        (
            person(ADA, id=1),
            policy(rule("reader"), rule("reader", gives(SEARCH), group=ENGINEERING)),
            "It is more than",
        ),
        (person(ADA, id=1, active=False), policy(marks=mark("ignored", ADA)), "Marked ignored"),
    ],
)
def test_the_plan_tells_what_the_next_sync_makes_of_it(who, by, says):
    [action] = restored(lost(gives(SEARCH)), [], who, by=by)
    told_of = action.detail.removeprefix("As it was before job 31.").strip()
    assert told_of.startswith(says)
    assert bool(told_of) == bool(says)


def test_what_was_written_down_names_every_kind_of_grant() -> None:
    """As `actions.named` writes it, custom roles in projects too."""
    kinds = ("project", "group", "role", "project role")
    grants = [Grant(kind, f"id of {kind}", "member") for kind in kinds]
    before = {"state": "active", "role": "reader", **named(grants, {})}
    row = SimpleNamespace(
        kind="remove",
        email=ADA,
        account_id="user-1",
        person_id=1,
        entitlement=None,
        holder=None,
        before=before,
    )
    [found] = losses([row])
    assert {(grant.kind, grant.name) for grant in found.grants} == {(kind, f"id of {kind}") for kind in kinds}
    assert (found.role, found.ended) == ("reader", True)


# -- the job


def mistaken(world: World, *left: str) -> tuple[dict[str, Any], str]:
    """A sync that removed p0, who is a member of Search and of the group platform, and demoted nobody."""
    emails = staffed(world, 6)
    p0 = world.organization.find_user(emails[0])
    world.organization.give_project(world.organization.add_project("Search").id, p0, "owner")
    world.organization.add_to_group(world.organization.add_group("platform").id, p0.id)
    staff = AccessRule.objects.get(name="Staff")
    RuleGrant.objects.create(rule=staff, name="Search", role="owner")
    RuleGrant.objects.create(rule=staff, kind="group", name="platform", role="member")
    world.dismiss(*(left or emails[:1]))
    document = world.sync()
    assert ("remove", emails[0], "done") in brief(document)
    return document, emails[0]


def restore(number: int, *more: str, by: str = "alice") -> tuple[dict[str, Any], int]:
    return command("restore", str(number), "--by", by, "--reason", "A wrong file.", *more)


def test_a_restore_waits_for_an_approver_and_then_invites_with_everything_an_invite_carries(world: World):
    world.approver()
    document, email = mistaken(world)
    plan, status = restore(document["job"])
    assert (plan["state"], status, plan["restores"]) == ("awaiting_approval", 3, document["job"])
    assert [hold["code"] for hold in plan["holds"]] == ["restore"]
    assert ("invite", email, "held") in brief(plan)
    assert world.organization.invites == {}
    assert any("group platform" in (action["detail"] or "") for action in plan["actions"])

    done = world.approve(plan["job"], reason="They did not leave.")
    assert done["state"] == "succeeded"
    [asked] = world.organization.invites.values()
    assert (asked.email, asked.role, list(asked.projects.values())) == (email, "reader", ["owner"])


def test_restored_once_more_after_acceptance_the_group_comes_back(world: World):
    world.approver()
    document, email = mistaken(world)
    world.approve(restore(document["job"])[0]["job"])
    [asked] = world.organization.invites.values()
    world.organization.accept_invite(asked.email)
    again, _ = restore(document["job"])
    assert brief(again) == [("grant", email, "held")]
    assert world.approve(again["job"])["state"] == "succeeded"
    [group] = world.organization.groups.values()
    assert world.organization.find_user(email).id in group.user_ids
    nothing, status = restore(document["job"])
    assert (nothing["actions"], nothing["state"], status) == ([], "succeeded", 0)


def test_the_next_sync_takes_again_what_no_rule_gives(world: World):
    world.approver()
    document, email = mistaken(world)
    plan, _ = restore(document["job"])
    [asked] = [action for action in plan["actions"] if action["kind"] == "invite"]
    assert "the next sync takes it away again" in asked["detail"]
    world.approve(plan["job"])
    assert ("withdraw_invite", email, "done") in brief(world.sync())


def test_until_the_day_that_was_named_syncs_leave_it_alone(world: World):
    world.approver()
    document, email = mistaken(world)
    day = timezone.localdate() + timedelta(days=7)
    plan, _ = restore(document["job"], "--keep-until", day.isoformat())
    [asked] = [action for action in plan["actions"] if action["kind"] == "invite"]
    assert "Marked ignored" in asked["detail"]
    assert world.approve(plan["job"])["state"] == "succeeded"
    after = world.sync()
    assert [(a["situation"], a["kind"]) for a in after["actions"] if a["email"] == email] == [
        ("ignored", "report")
    ]
    [kept] = Mark.objects.all()
    assert (kept.email, kept.kind, kept.until, str(kept.made_by)) == (email, "ignored", day, "alice")
    assert kept.reason == f"Restored from Job {document['job']}: A wrong file."


def test_an_empty_directory_does_not_stand_in_the_way(world: World):
    """A wrong file is when a restore is needed most."""
    world.approver()
    document, email = mistaken(world)
    world.dismiss(*[f"p{place}@example.org" for place in range(6)], "boss@example.org")
    assert world.sync()["state"] == "refused"
    plan, _ = restore(document["job"])
    assert ("invite", email, "held") in brief(plan)


def test_a_restore_says_nothing_of_the_directory_to_the_next_sync(world: World):
    """A source that shrank is still compared with the last sync, not with the restore in between."""
    world.approver()
    document, _ = mistaken(world)
    before = history.sources_before(world.integration)
    world.dismiss(*[f"p{place}@example.org" for place in range(6)])
    assert world.approve(restore(document["job"])[0]["job"])["state"] == "succeeded"
    assert history.sources_before(world.integration) == before
    assert world.sync()["refusal"]["code"] == "source_shrunk"


def test_a_sync_and_a_restore_leave_each_others_question_standing(world: World):
    world.approver()
    document, _ = mistaken(world)
    first, _ = restore(document["job"])
    world.sync()
    assert world.job(first).state == "awaiting_approval"
    second, _ = restore(document["job"])
    assert world.job(first).cancel_reason == f"Replaced by the newer plan of job {second['job']}."
    assert world.job(second).state == "awaiting_approval"


def test_who_came_back_meanwhile_is_not_invited_twice(world: World):
    world.approver()
    document, email = mistaken(world)
    plan, _ = restore(document["job"])
    world.organization.add_member(email)
    done = world.approve(plan["job"])
    assert [(a["state"], a["error"]["code"]) for a in done["actions"] if a["kind"] == "invite"] == [
        ("skipped", "already_so")
    ]


def test_who_is_protected_since_is_not_restored(world: World):
    world.approver()
    document, email = mistaken(world)
    plan, _ = restore(document["job"])
    Mark.objects.create(
        integration=world.integration, email=email, key=email, kind="protected", reason="Under inquiry."
    )
    done = world.approve(plan["job"])
    assert [(a["state"], a["error"]["code"]) for a in done["actions"] if a["kind"] == "invite"] == [
        ("refused", "protected")
    ]


def test_an_integration_that_only_observes_restores_nobody(world: World):
    world.approver()
    document, email = mistaken(world)
    world.configure(mode=Integration.Mode.OBSERVE)
    plan, _ = restore(document["job"])
    assert ("invite", email, "skipped") in brief(plan)
    world.configure(mode=Integration.Mode.EXTEND)
    assert ("invite", email, "held") in brief(restore(document["job"])[0])


# -- who may ask for it


def test_what_cannot_be_restored_is_refused_with_the_reason(world: World):
    alice = world.approver()
    document, _ = mistaken(world)
    job = world.job(document)
    later = world.job(world.sync())
    nobody = type(alice).objects.create_user("nina", "nina@example.org", "x" * 16)
    for asked, who, reason, keep_until, says in [
        (later, alice, "Because.", None, "took nothing from anybody"),
        (job, alice, " ", None, "needs a reason"),
        (job, nobody, "Because.", None, "nina may not restore"),
        (job, alice, "Because.", date(2020, 1, 1), "2020-01-01 is over"),
    ]:
        with pytest.raises(Refused, match=says):
            request_restore(asked, by=who, reason=reason, keep_until=keep_until)
    assert not ProvisioningJob.objects.exclude(restores=None).exists()
    assert not Mark.objects.exists()


def test_a_job_at_work_is_not_restored(world: World):
    alice = world.approver()
    document, _ = mistaken(world)
    job = world.job(document)
    ProvisioningJob.objects.filter(pk=job.pk).update(state="running")
    job.refresh_from_db()
    with pytest.raises(Refused, match="is running"):
        request_restore(job, by=alice, reason="Because.")


def test_no_mark_is_left_when_another_job_is_in_the_way(world: World):
    alice = world.approver()
    document, _ = mistaken(world)
    requesting.request_job(world.integration, deliver=False)
    with pytest.raises(requesting.AlreadyRunning):
        request_restore(world.job(document), by=alice, reason="Because.", keep_until=timezone.localdate())
    assert not Mark.objects.exists()
