"""Projects and groups that a rule names, that are not there, and that it wants to be made."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations.connectors.base import Receipt
from integrations.connectors.errands import at_home
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator.faults import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, requesting
from provisioning.actions import Kind as Does
from provisioning.models import AccessRule, Action, RuleGrant
from provisioning.policy import Rule
from tests.provisioning.builders import (
    PLATFORM,
    SEARCH,
    gives,
    invite,
    lapsed,
    member,
    person,
    plan_of,
    planned,
    policy,
    rule,
)
from tests.provisioning.world import World, brief

ADA, GRACE = "ada@example.org", "grace@example.org"
PROJECTS, GROUPS = "/organization/projects", "/organization/groups"


@pytest.fixture
def builders(world: World) -> AccessRule:
    """A rule that gives a project and a group, neither of which is there. Ada is a joiner, Grace a member."""
    made = world.rule("Builders", group="building")
    for kind, name in (("project", "Search"), ("group", "platform")):
        RuleGrant.objects.create(rule=made, kind=kind, name=name, role="member", create=True)
    world.hire(ADA, "building")
    world.hire(GRACE, "building")
    world.organization.add_member(GRACE)
    return made


def posted(world: World, path: str) -> list[dict[str, Any]]:
    return [
        asked.body or {}
        for asked in world.simulator.requests
        if (asked.method, asked.path) == ("POST", f"/v1{path}")
    ]


def made_by(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (action["entitlement"]["kind"], action["entitlement"]["name"], action["state"])
        for action in document["actions"]
        if action["kind"] == "create"
    ]


def due_now(world: World) -> bool:
    return world.integration in Integration.objects.due(timezone.now())


def test_what_is_missing_is_made_first_and_given_by_the_next_sync(world: World, builders: AccessRule) -> None:
    document = world.sync()
    assert document["state"] == "succeeded"
    assert made_by(document) == [("group", "platform", "done"), ("project", "Search", "done")]
    assert [line for line in brief(document) if line[0] != "create"] == [("report", ADA, "done")]
    report = document["actions"][-1]
    assert report["situation"] == "joiner"
    assert report["detail"] == "Invited once the project 'Search' exists, which this job makes."
    group, project = document["actions"][:2]
    assert (project["situation"], project["rule"], project["email"]) == ("missing", "Builders", None)
    assert project["new_account_id"] == world.organization.find_project("Search").id
    assert group["new_account_id"] in world.organization.groups
    rows = Action.objects.filter(kind="create")
    assert all(row.confirmed_at for row in rows)
    assert all(row.corroboration for row in rows)
    assert due_now(world)

    [job] = requesting.request_due_jobs(timezone.now())
    requesting.cancel(job, by=None, reason="The test goes on by hand.")
    assert not due_now(world)
    document = world.sync()
    assert sorted(brief(document)) == [
        ("grant", GRACE, "done"),
        ("grant", GRACE, "done"),
        ("invite", ADA, "done"),
    ]
    [sent] = posted(world, "/organization/invites")
    assert sent["projects"] == [{"id": project["new_account_id"], "role": "member"}]
    assert world.sync()["actions"] == []
    assert not due_now(world)
    assert (posted(world, PROJECTS), posted(world, GROUPS)) == ([{"name": "Search"}], [{"name": "platform"}])


def test_a_job_about_one_person_makes_what_that_one_needs(world: World, builders: AccessRule) -> None:
    give = RuleGrant.objects.create(rule=world.rule("Others", group="others"), name="Voice", create=True)
    document = world.sync("--person", ADA)
    assert made_by(document) == [("group", "platform", "done"), ("project", "Search", "done")]
    assert due_now(world)
    assert brief(world.sync("--person", ADA)) == [("invite", ADA, "done")]
    assert made_by(world.sync()) == [("project", give.name, "done")]


def test_what_cannot_be_made_is_a_problem_of_the_rule_and_keeps_nobody_waiting(
    world: World, builders: AccessRule
) -> None:
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="POST", path=PROJECTS, every=True))
    document = world.sync()
    assert made_by(document) == [("group", "platform", "done"), ("project", "Search", "failed")]
    assert document["state"] == "partial"
    document = world.sync()
    assert ("invite", ADA, "done") in brief(document)
    assert [body["projects"] for body in posted(world, "/organization/invites")] == [[]]
    [problem] = [action for action in document["actions"] if action["situation"] == "rule_problem"]
    assert problem["rule"] == "Builders"
    why = "The project 'Search' could not be made, which is tried again after a day. OpenAI does not permit"
    assert problem["detail"].startswith(why)
    assert len(posted(world, PROJECTS)) == 1
    Action.objects.filter(kind="create").update(started_at=timezone.now() - timedelta(days=1, minutes=1))
    assert made_by(world.sync()) == [("project", "Search", "failed")]
    assert len(posted(world, PROJECTS)) == 2


@pytest.mark.parametrize("mode", ["observe", "extend"])
def test_making_something_is_giving(world: World, builders: AccessRule, mode: str) -> None:
    world.configure(mode=mode)
    document = world.sync()
    state = "skipped" if mode == "observe" else "done"
    assert {line[2] for line in made_by(document)} == {state}
    assert due_now(world) == (mode == "extend")
    assert ("report", ADA, "done") in brief(document)


def test_a_lost_reply_is_settled_by_looking_and_nothing_is_made_twice(
    world: World, builders: AccessRule
) -> None:
    for path in (PROJECTS, GROUPS):
        world.simulator.inject(Fault(Kind.RESET_AFTER, method="POST", path=path))
    document = world.sync()
    assert made_by(document) == [("group", "platform", "done"), ("project", "Search", "done")]
    assert document["actions"][1]["new_account_id"] == world.organization.find_project("Search").id
    world.sync()
    assert (len(posted(world, PROJECTS)), len(posted(world, GROUPS))) == (1, 1)


def test_what_somebody_has_made_meanwhile_is_not_made_again(world: World, builders: AccessRule) -> None:
    """A plan that was held until then."""
    world.approver()
    world.configure(over_limit=Integration.OverLimit.HOLD_ALL, removal_limit_count=0, removal_limit_percent=0)
    gone = world.organization.add_member("gone@example.org")
    world.hire("gone@example.org")
    document = world.sync()
    assert {line[2] for line in made_by(document)} == {"held"}
    world.organization.add_project("SEARCH")
    RuleGrant.objects.filter(rule=builders, kind="group").update(create=False)
    document = world.approve(document["job"])
    assert made_by(document) == [("group", "platform", "stale"), ("project", "Search", "skipped")]
    assert (posted(world, PROJECTS), posted(world, GROUPS)) == ([], [])
    assert gone.id not in world.organization.users


def test_what_a_job_has_just_made_and_is_not_listed_yet_is_not_made_again(
    world: World, builders: AccessRule
) -> None:
    world.sync()
    world.organization.groups.clear()
    world.organization.changed()
    document = world.sync()
    assert made_by(document) == []
    [problem] = [action for action in document["actions"] if action["situation"] == "rule_problem"]
    assert "has made the group 'platform', and it is not there. It is made again after" in problem["detail"]
    assert len(posted(world, GROUPS)) == 1


def test_what_was_made_and_is_renamed_is_not_made_again(world: World, builders: AccessRule) -> None:
    world.sync()
    world.organization.rename_group(next(iter(world.organization.groups)), "Platforms")
    Action.objects.filter(kind="create").update(started_at=timezone.now() - timedelta(days=9))
    document = world.sync()
    assert made_by(document) == []
    [problem] = [action for action in document["actions"] if action["situation"] == "rule_problem"]
    assert "has made, is named 'Platforms'. Write that into the rule." in problem["detail"]


def test_an_archived_project_is_not_made_anew(world: World, builders: AccessRule) -> None:
    world.organization.archive_project(world.organization.add_project("search").id)
    document = world.sync()
    assert made_by(document) == [("group", "platform", "done")]
    details = [action["detail"] for action in document["actions"] if action["situation"] == "rule_problem"]
    assert details == ["The project 'Search' is left alone: it is archived."]
    assert ("invite", ADA, "done") in brief(document)


def after_the_call(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Something happens when the first thing has been made, and nobody has written that down yet."""
    really, waiting = OpenAIConnector.create_entitlement, [then]

    def called(self: OpenAIConnector, kind: str, name: str) -> Receipt:
        receipt = really(self, kind, name)
        if waiting:
            at_home(waiting.pop())
        return receipt

    monkeypatch.setattr(OpenAIConnector, "create_entitlement", called)


def stop() -> None:
    raise KeyboardInterrupt


def test_a_worker_that_is_stopped_before_it_heard_has_made_it_once(
    world: World, builders: AccessRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_call(monkeypatch, stop)
    job = requesting.request_job(world.integration, deliver=False)
    with pytest.raises(KeyboardInterrupt):
        reconciliation.run(job.pk)
    assert job.actions.get(kind="create", entitlement__kind="group").state == "started"
    reconciliation.run(job.pk)
    group = job.actions.get(kind="create", entitlement__kind="group")
    assert (group.state, group.new_account_id in world.organization.groups) == ("done", True)
    assert (len(posted(world, PROJECTS)), len(posted(world, GROUPS))) == (1, 1)


def test_two_jobs_side_by_side_make_it_once(
    world: World, builders: AccessRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the list of groups is late, so that the second one sees nothing of what the first has made."""
    late = Fault(Kind.MISSING_ROW, method="GET", path=GROUPS, every=True)
    beside: list[dict[str, Any]] = []

    def another() -> None:
        world.simulator.inject(late)
        beside.append(world.sync("--person", ADA))

    after_the_call(monkeypatch, another)
    made = made_by(world.sync())
    assert made_by(beside[0]) == [("group", "platform", "stale"), ("project", "Search", "done")]
    assert [state for _, _, state in made][1] in ("skipped", "stale")
    assert (len(posted(world, PROJECTS)), len(posted(world, GROUPS))) == (1, 1)


# -- decided without a remote


def wants(*grants: Any, **more: Any) -> Rule:
    return rule("reader", *grants, **more)


def test_two_rules_that_name_it_are_one_action_though_only_one_wants_it_made():
    first, second = wants(gives(SEARCH, create=True), name="A"), wants(gives(SEARCH), name="B")
    [action] = planned([], [], policy(first, second, entitlements=()))
    assert (action.kind, action.rule, action.taking) == (Does.CREATE, "A, B", False)


def test_only_what_an_invite_brings_is_waited_for():
    for grants in ([gives(PLATFORM, create=True)], [gives(SEARCH, "viewer", create=True)]):
        by = policy(wants(*grants), entitlements=())
        assert [line[0] for line in plan_of([person("ada@x.org")], [], by)] == ["create", "invite"]
    owners = policy(rule("owner", gives(SEARCH, create=True)), entitlements=())
    assert [line[0] for line in plan_of([person("ada@x.org")], [], owners)] == ["create", "invite"]


@pytest.mark.parametrize("there", [invite("ada@x.org", "owner"), lapsed("ada@x.org")])
def test_an_invite_that_would_be_replaced_waits_too(there):
    by = policy(wants(gives(SEARCH, create=True)), entitlements=())
    _, report = planned([person("ada@x.org")], [there], by)
    assert (report.kind, report.account_id) == (Does.REPORT, there.id)
    assert report.detail.startswith("The invite is replaced once the project 'Search' exists")


def test_members_and_good_invites_just_go_on():
    by = policy(wants(gives(SEARCH, create=True)), entitlements=())
    for there in (member("ada@x.org"), invite("ada@x.org")):
        assert [line[0] for line in plan_of([person("ada@x.org")], [there], by)] == ["create"]
