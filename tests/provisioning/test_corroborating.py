"""What OpenAI's audit log confirms of a job, and whom it names for what others did."""

from typing import Any

import pytest
import time_machine
from django.utils import timezone

from integrations.connectors.base import Check
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Credential, Integration
from provisioning import corroborating, reconciliation, requesting
from provisioning.history import is_altered
from provisioning.models import Action, GroupGrant, GroupRule, RuleGrant
from tests.provisioning.world import World, brief, staffed

pytestmark = pytest.mark.django_db(transaction=True)

LOG = "/organization/audit_logs"
MEI = "mei@example.org"
BY_MEI = f"{MEI} in OpenAI's console"


@pytest.fixture
def mei(world: World) -> str:
    """Another owner, who has a place in the directory and OpenAI's console open."""
    world.hire(MEI, "owners")
    world.organization.add_member(MEI, "owner")
    world.sync()
    return MEI


def asked(world: World) -> int:
    """How often the log was asked for."""
    return sum(request.path == f"/v1{LOG}" for request in world.simulator.requests)


def told(document: dict[str, Any]) -> list[tuple[str, str, str | None, str | None]]:
    """Each action with the type of the event that confirms it, and with whoever caused it."""
    return [
        (
            action["kind"],
            action["email"],
            action["corroboration"] and action["corroboration"]["event"],
            action["caused_by"] and action["caused_by"]["actor"],
        )
        for action in document["actions"]
    ]


def types(world: World, document: dict[str, Any]) -> list[str]:
    """Of the events that confirm."""
    found = [action["corroboration"] for action in document["actions"] if action["corroboration"]]
    return [world.organization.events[one["event"]].type for one in found]


def test_everything_that_was_done_is_confirmed_by_its_event(world: World) -> None:
    search = world.organization.add_project("Search")
    emails = staffed(world, 6)
    world.configure(leaver_keys=Integration.LeaverKeys.REVOKE)
    world.organization.add_project_key(search.id, world.organization.find_user(emails[0]).id, "laptop")
    world.rule("Searchers", group="search", Search="member")
    world.hire("new@example.org", "staff")
    person = world.hire("p9@example.org", "staff", "search")
    world.organization.add_member(person.email)
    world.dismiss(emails[0])
    document = world.sync()
    assert document["state"] == "succeeded"
    assert types(world, document) == ["invite.sent", "user.added", "user.deleted", "api_key.deleted"]
    first = document["actions"][0]["corroboration"]
    assert first["actor"] == "an API key of boss@example.org"
    assert {event["event"] for event in [first]} <= set(world.organization.events)
    assert asked(world) == 1


def test_a_membership_of_a_group_is_confirmed_by_the_tenants_event(world: World) -> None:
    group = world.organization.add_group("Platform")
    [email] = staffed(world, 1)
    rule = world.rule("Platform", group="staff")
    RuleGrant.objects.create(rule=rule, kind="group", name="Platform", role="member")
    document = world.sync()
    assert brief(document) == [("grant", email, "done")]
    assert types(world, document) == ["tenant.group.member.added"]
    assert group.user_ids
    assert asked(world) == 2


def test_a_role_of_a_group_is_confirmed_too_and_drift_there_bears_a_name(world: World, mei: str) -> None:
    organization = world.organization
    search, group = organization.add_project("Search"), organization.add_group("platform")
    rule = GroupRule.objects.create(integration=world.integration, name="platform", state="active")
    GroupGrant.objects.create(rule=rule, name="Search", role="member")
    document = world.sync()
    assert (types(world, document), told(document)[0][0]) == (["role.assignment.created"], "grant")
    with organization.console(mei):
        organization.take_group_from_project(search.id, group.id)
        organization.add_group_to_project(search.id, group.id, "role-api-project-owner")
    document = world.sync()
    assert types(world, document) == ["role.assignment.created", "role.assignment.deleted"]
    assert [(kind, actor) for kind, _, _, actor in told(document)] == [("grant", BY_MEI), ("revoke", BY_MEI)]
    assert asked(world) == 2


def test_drift_of_a_role_in_a_project_bears_a_name(world: World, mei: str) -> None:
    search = world.organization.add_project("Search")
    editor = world.organization.add_role("Prompt editor", [], project_id=search.id)
    [email] = staffed(world, 1)
    rule = world.rule("Editors", group="staff", Search="member")
    RuleGrant.objects.create(rule=rule, kind="project role", name="Search: Prompt editor", role="holder")
    world.sync()
    with world.organization.console(mei):
        ada = world.organization.find_user(email)
        world.organization.unassign_role_in_project(search.id, ada.id, editor.id)
    [(kind, _, event, actor)] = told(world.sync())
    assert (kind, event is not None, actor) == ("grant", True, BY_MEI)


def test_a_job_that_has_nothing_to_ask_asks_nothing(world: World) -> None:
    staffed(world, 3)
    world.sync()
    world.sync()
    assert asked(world) == 0


def test_drift_bears_the_name_of_who_made_it_in_the_console(world: World, mei: str) -> None:
    search = world.organization.add_project("Search")
    [email] = staffed(world, 1)
    world.rule("Searchers", group="staff", Search="member")
    world.sync()
    ada = world.organization.find_user(email)
    with world.organization.console(mei):
        world.organization.take_project(search.id, ada.id)
        world.organization.set_organization_role(ada.id, "owner")
        world.organization.add_member("stranger@example.org")
    document = world.sync()
    causes = {(kind, email): actor for kind, email, _, actor in told(document)}
    assert causes == {
        ("change_role", email): BY_MEI,
        ("grant", email): BY_MEI,
        ("report", "stranger@example.org"): BY_MEI,
    }
    assert all(action["corroboration"] for action in document["actions"] if action["kind"] != "report")
    known = world.job(document).corroborated
    assert known is not None
    assert {(one["change"], one["actor"]) for one in known} == {
        ("appeared", BY_MEI),
        ("grants", BY_MEI),
        ("role", BY_MEI),
    }


def test_an_event_that_has_confirmed_something_confirms_nothing_else(world: World, mei: str) -> None:
    """The same thing is given twice in one second, as OpenAI counts."""
    [email] = staffed(world, 1)
    search = world.organization.add_project("Search")
    world.rule("Searchers", group="staff", Search="member")
    world.organization.clock = lambda: 1_900_000_000.0
    with time_machine.travel(1_900_000_000, tick=True):
        documents = [world.sync()]
        for _ in range(3):
            with world.organization.console(mei):
                world.organization.take_project(search.id, world.organization.find_user(email).id)
            documents.append(world.sync())
    rows = [told(document) for document in documents]
    assert [len(row) for row in rows] == [1] * 4
    assert len({event for [(_, _, event, _)] in rows}) == 4
    assert [actor for [(_, _, _, actor)] in rows] == [None, BY_MEI, BY_MEI, BY_MEI]


def test_who_was_removed_by_hand_is_invited_again_and_the_remover_is_named(world: World, mei: str) -> None:
    [email] = staffed(world, 1)
    world.sync()
    with world.organization.console(mei):
        world.organization.remove_user(world.organization.find_user(email).id)
    [(kind, _, event, actor)] = told(world.sync())
    assert (kind, event is not None, actor) == ("invite", True, BY_MEI)


def test_what_stays_as_it_is_keeps_its_name_without_another_question(world: World, mei: str) -> None:
    world.configure(mode=Integration.Mode.OBSERVE)
    with world.organization.console(mei):
        world.organization.add_member("stranger@example.org")
    for _ in range(3):
        assert told(world.sync()) == [("report", "stranger@example.org", None, BY_MEI)]
    assert asked(world) == 1


def test_what_a_preview_saw_first_is_explained_by_the_next_sync(world: World, mei: str) -> None:
    with world.organization.console(mei):
        world.organization.add_member("stranger@example.org")
    assert told(world.preview()) == [("report", "stranger@example.org", None, None)]
    assert told(world.sync()) == [("report", "stranger@example.org", None, BY_MEI)]


def test_a_job_about_one_person_does_not_wait_and_the_next_sync_looks_after_it(world: World) -> None:
    emails = staffed(world, 6)
    world.sync()
    world.dismiss(emails[0])
    document = world.sync("--person", emails[0])
    assert (brief(document), asked(world)) == ([("remove", emails[0], "done")], 0)
    world.sync()
    assert asked(world) == 1
    assert world.job(document).actions.get().corroboration["actor"] == "an API key of boss@example.org"


def test_an_event_that_comes_late_is_looked_for_once_more_and_then_no_longer(world: World) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    events = world.organization.events
    document = world.sync()
    late, world.organization.events = events, {}
    Action.objects.update(corroboration=None)
    world.sync()
    assert (asked(world), world.job(document).actions.get().corroboration) == (2, None)
    world.organization.events = late
    world.sync()
    assert asked(world) == 2


def test_where_the_log_is_off_it_is_said_once_and_not_asked_for_again_for_a_day(world: World) -> None:
    world.organization.behaviour.audit_logging = False
    staffed(world, 1)
    for place in range(3):
        world.hire(f"new{place}@example.org", "staff")
        assert world.sync()["state"] == "succeeded"
    assert asked(world) == 1
    [lack] = credential(world).lacks
    assert lack["name"] == Check.EVENTS
    assert "Audit logging is not enabled" in lack["detail"]


def test_a_log_that_was_switched_on_is_found_a_day_later_and_nothing_is_said_any_more(world: World) -> None:
    world.organization.behaviour.audit_logging = False
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    world.sync()
    world.organization.behaviour.audit_logging = True
    Credential.objects.update(events_asked_at=timezone.now() - Credential.EVENTS_ASKED_EVERY)
    world.hire("newer@example.org", "staff")
    [(_, _, event, _)] = told(world.sync())
    assert event is not None
    assert credential(world).lacks == []


def credential(world: World) -> Credential:
    return Credential.objects.get(integration=world.integration)


@pytest.mark.parametrize(
    "kind", [Kind.HTML, Kind.SERVER_ERROR, Kind.RATE_LIMITED, Kind.RESET_BEFORE, Kind.UNAUTHORIZED]
)
def test_a_log_that_cannot_be_read_now_leaves_the_job_as_it_is(world: World, kind: Kind) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    world.simulator.inject(Fault(kind, path=LOG, every=True))
    document = world.sync()
    assert (document["state"], document["error"], told(document)[0][2]) == ("succeeded", None, None)
    assert asked(world) == 1


def test_an_error_of_ours_leaves_the_job_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(corroborating, "confirmations", broken)
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    assert world.sync()["state"] == "succeeded"


class Killed(BaseException):
    """As when the process is killed: nothing that comes after is done."""


def test_a_worker_killed_while_it_asks_leaves_the_job_to_the_next_which_repeats_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    job = requesting.request_job(world.integration, deliver=False)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(OpenAIConnector, "fetch_events", killed)
        with pytest.raises(Killed):
            reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.phase, job.actions.get().state) == ("queued", "corroborating", "done")
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, len(world.writes())) == ("succeeded", 1)
    assert job.actions.get().corroboration is not None


def test_a_job_that_is_cancelled_while_it_asks_writes_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    job = requesting.request_job(world.integration, deliver=False)
    really = OpenAIConnector.fetch_events

    def cancelled(self: OpenAIConnector, *args: Any) -> Any:
        requesting.cancel(job, by=None, reason="Enough.")
        return really(self, *args)

    monkeypatch.setattr(OpenAIConnector, "fetch_events", cancelled)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.actions.get().corroboration) == ("cancelled", None)


def test_it_is_no_part_of_the_plan(world: World, mei: str) -> None:
    [email] = staffed(world, 1)
    world.sync()
    with world.organization.console(mei):
        world.organization.set_organization_role(world.organization.find_user(email).id, "owner")
    job = world.job(world.sync())
    assert job.actions.get().caused_by is not None
    assert not is_altered(job)
