"""What somebody leaves behind: found after the removal, revoked or reported, and settled."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.connectors.openai.simulator import Fault, Kind
from integrations.connectors.openai.simulator.records import Project, User
from integrations.models import Integration
from provisioning import sweeping
from provisioning.history import digest_of, is_altered
from provisioning.models import Action
from tests.provisioning.world import World, brief, staffed

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = "/organization/projects/*/api_keys"
REVOKE = Integration.LeaverKeys.REVOKE


@pytest.fixture
def leaver(world: World) -> User:
    """Somebody who is about to leave, with a key in two projects that are not theirs any more."""
    emails = staffed(world, 6)
    gone = world.organization.find_user(emails[0])
    for name in ("Search", "Voice"):
        project = world.organization.add_project(name)
        world.organization.add_project_key(project.id, gone.id, f"laptop in {name}")
        world.organization.add_project_key(
            project.id, world.organization.find_user(emails[1]).id, "somebody else's"
        )
    world.dismiss(emails[0])
    return gone


def left_behind(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (action["kind"], action["entitlement"]["name"] if action["entitlement"] else "", action["state"])
        for action in document["actions"]
        if action["situation"] == "left_behind"
    ]


def names(world: World) -> set[str]:
    """Of all project keys, but for the one that every simulated organization has."""
    first = world.organization.project_key
    return {key.name for key in world.organization.project_keys.values() if key.value != first}


def test_the_keys_of_a_leaver_are_revoked_and_seen_to_be_gone(world: World, leaver: User) -> None:
    world.configure(leaver_keys=REVOKE)
    document = world.sync()
    assert document["state"] == "succeeded"
    assert brief(document, kinds=["remove"]) == [("remove", leaver.email, "done")]
    assert left_behind(document) == [
        ("revoke_key", "laptop in Search", "done"),
        ("revoke_key", "laptop in Voice", "done"),
    ]
    assert names(world) == {"somebody else's"}
    rows = Action.objects.filter(kind="revoke_key")
    assert all(row.confirmed_at for row in rows)
    assert {row.account_id for row in rows} == {leaver.id}


def test_an_admin_key_of_a_leaver_is_revoked_and_the_one_in_use_is_not(world: World, leaver: User) -> None:
    """Rows of another kind in that list are no admin keys, though they say that they are the leaver's."""
    world.configure(leaver_keys=REVOKE)
    theirs = world.organization.create_admin_key("Reporting of p0", leaver.id)
    world.organization.behaviour.keys_of_lost_owners = "working"
    world.organization.behaviour.mislabels_project_keys = True
    document = world.sync()
    assert ("revoke_key", "Reporting of p0", "done") in left_behind(document)
    assert document["state"] == "succeeded"
    assert [path for method, path in world.writes() if "admin_api_keys" in path] == [
        f"/v1/organization/admin_api_keys/{theirs.id}"
    ]
    assert world.sync()["state"] == "succeeded"


def test_the_removal_does_not_wait_for_the_sweep(world: World, leaver: User) -> None:
    world.configure(leaver_keys=REVOKE)
    world.sync()
    asked = [(request.method, request.path) for request in world.simulator.requests]
    removal = asked.index(("DELETE", f"/v1/organization/users/{leaver.id}"))
    assert not [path for _, path in asked[:removal] if path.endswith("/api_keys")]


def test_where_keys_are_only_reported_they_stay(world: World, leaver: User) -> None:
    document = world.sync()
    assert document["state"] == "succeeded"
    assert left_behind(document) == [
        ("report", "laptop in Search", "done"),
        ("report", "laptop in Voice", "done"),
    ]
    [first, _] = [action for action in document["actions"] if action["situation"] == "left_behind"]
    assert (
        first["detail"] == "A project key for the project Search, never used. "
        "It is left as it is: this integration reports the keys of leavers."
    )
    assert names(world) == {"laptop in Search", "laptop in Voice", "somebody else's"}


def test_what_was_swept_is_not_looked_for_again(world: World, leaver: User) -> None:
    world.sync()
    before = len(world.simulator.requests)
    assert world.sync()["actions"] == []
    assert not [asked.path for asked in world.simulator.requests[before:] if "api_keys" in asked.path]


def test_what_many_leave_behind_takes_no_more_queries_than_what_one_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = []

    def counted(*given: Any, sweep: Any = sweeping.sweep) -> Any:
        with CaptureQueriesContext(connection) as asked:
            trouble = sweep(*given)
        # What is asked by the clock, as of the lease and of budgets, may come between.
        queries.append(sum('FROM "provisioning_' in query["sql"] for query in asked))
        return trouble

    monkeypatch.setattr(sweeping, "sweep", counted)
    world.configure(leaver_keys=REVOKE, first_removals="allow", removal_limit_count=100)
    emails = staffed(world, 60)
    for leaving in (emails[:1], emails[1:6]):
        world.dismiss(*leaving)
        assert world.sync()["state"] == "succeeded"
    assert world.integration.accounts.filter(swept_at=None).exclude(gone_at=None).count() == 0
    assert queries[0] == queries[1]


def test_a_job_that_removes_nobody_looks_for_no_keys(world: World) -> None:
    staffed(world, 3)
    world.configure(keys_read_at=timezone.now())  # by a sync of the same day
    world.sync()
    assert not [asked.path for asked in world.simulator.requests if asked.path.endswith("/api_keys")]


def test_an_organization_that_forbids_it_gives_its_reason_once_and_there_is_no_loop(
    world: World, leaver: User
) -> None:
    world.configure(leaver_keys=REVOKE)
    world.simulator.inject(Fault(Kind.FORBIDDEN, method="DELETE", path=f"{KEYS}/*", every=True))
    document = world.sync()
    assert document["state"] == "partial"
    assert {state for _, _, state in left_behind(document)} == {"failed"}
    assert {action["error"]["code"] for action in document["actions"] if action["state"] == "failed"} == {
        "permission_missing"
    }
    assert world.sync()["actions"] == []


def test_lists_that_cannot_be_read_now_are_read_by_the_next_job(world: World, leaver: User) -> None:
    world.configure(leaver_keys=REVOKE)
    world.simulator.inject(Fault(Kind.HTML, path=KEYS))
    document = world.sync()
    assert (document["state"], document["error"]["code"]) == ("partial", "not_swept")
    assert brief(document) == [("remove", leaver.email, "done")]
    second = world.sync()
    assert second["state"] == "succeeded"
    assert {(kind, state) for kind, _, state in left_behind(second)} == {("revoke_key", "done")}
    assert names(world) == {"somebody else's"}


def test_a_key_that_may_not_read_keys_says_so_and_the_rest_goes_on(world: World, leaver: User) -> None:
    world.simulator.inject(Fault(Kind.FORBIDDEN, path=KEYS, every=True))
    document = world.sync()
    assert document["state"] == "succeeded"
    [report] = [action for action in document["actions"] if action["situation"] == "left_behind"]
    assert report["detail"].startswith("The keys of projects could not be looked for.")
    assert world.sync()["actions"] == []


def test_service_accounts_in_a_project_without_a_person_are_told(world: World, leaver: User) -> None:
    organization = world.organization
    lonely: Project = organization.add_project("Lonely")
    organization.add_service_account(lonely.id, "robot")
    organization.give_project(lonely.id, leaver, "owner")
    attended = organization.find_project("Search")
    organization.add_service_account(attended.id, "other robot")
    organization.give_project(attended.id, organization.find_user("p1@example.org"), "member")
    document = world.sync()
    told = [action["detail"] for action in document["actions"] if action["situation"] == "left_behind"]
    assert [line for line in told if "service accounts" in line] == [
        "In the project Lonely nobody is left but owners of the organization and service accounts: robot."
    ]


def test_who_came_back_before_the_revocation_keeps_their_keys(world: World, leaver: User) -> None:
    """The sweep could not be done at once, and meanwhile the person is entitled again."""
    world.configure(leaver_keys=REVOKE)
    world.simulator.inject(Fault(Kind.HTML, path=KEYS))
    world.sync()
    world.hire_again(leaver.email or "")
    document = world.sync()
    assert {(kind, state) for kind, _, state in left_behind(document)} == {("revoke_key", "stale")}
    assert names(world) == {"laptop in Search", "laptop in Voice", "somebody else's"}


@pytest.mark.parametrize("mode", [Integration.Mode.OBSERVE, Integration.Mode.EXTEND])
def test_what_the_mode_forbids_by_now_is_told_once_and_done_when_it_is_raised_again(
    world: World, leaver: User, mode: str
) -> None:
    world.configure(leaver_keys=REVOKE)
    world.simulator.inject(Fault(Kind.HTML, path=KEYS))
    world.sync()
    world.configure(mode=mode)
    first, second = world.sync(), world.sync()
    assert {(kind, state) for kind, _, state in left_behind(first)} == {("revoke_key", "skipped")}
    assert {action["error"]["code"] for action in first["actions"]} == {"mode"}
    assert (left_behind(second), len(names(world))) == ([], 3)
    world.configure(mode=Integration.Mode.MANAGE)
    assert {(kind, state) for kind, _, state in left_behind(world.sync())} == {("revoke_key", "done")}
    assert names(world) == {"somebody else's"}
    assert left_behind(world.sync()) == []


def test_who_came_back_and_left_again_is_looked_after_again(world: World, leaver: User) -> None:
    """OpenAI may give the same account the same id again."""
    world.configure(leaver_keys=REVOKE)
    world.sync()
    world.hire_again(leaver.email or "")
    world.organization.users[leaver.id] = leaver
    world.organization.changed()
    world.sync()
    world.organization.add_project_key(world.organization.find_project("Search").id, leaver.id, "new laptop")
    world.dismiss(leaver.email or "")
    assert left_behind(world.sync()) == [("revoke_key", "new laptop", "done")]


def test_a_lost_reply_to_a_revocation_is_settled_by_looking(world: World, leaver: User) -> None:
    world.configure(leaver_keys=REVOKE)
    world.simulator.inject(Fault(Kind.RESET_AFTER, method="DELETE", path=f"{KEYS}/*"))
    document = world.sync()
    assert document["state"] == "succeeded"
    assert {state for _, _, state in left_behind(document)} == {"done"}
    deletions = [asked.path for asked in world.simulator.requests if asked.method == "DELETE"]
    assert len(deletions) == len(set(deletions)) == 3


def test_the_sweep_has_a_digest_of_its_own_and_leaves_that_of_the_plan(world: World, leaver: User) -> None:
    job = world.job(world.sync())
    assert (digest_of(job), is_altered(job)) == (job.digest, False)
    job.actions.filter(situation="left_behind").update(email="somebody.else@example.org")
    assert is_altered(job)
    assert job.swept["accounts"] == [leaver.id]
    assert [listing["name"] for listing in job.swept["listings"]][:2] == [
        "projects",
        "keys of the project Default project",
    ]
