"""What happened to users of other products, replayed here. docs/safety.md says which is which test."""

import inspect
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import timezone

from directory.models import Membership, Person, Source
from integrations.connectors.openai.simulator import Fault, Kind, Organization, Simulator
from integrations.connectors.openai.simulator.organization import Organization as Company
from integrations.connectors.openai.simulator.refusals import Refused
from provisioning import requesting, tasks
from provisioning.models import ProvisioningJob
from tests.provisioning.world import BOSS, World, brief, command, staffed

ROOT = Path(__file__).parents[2]
ADA = "ada@example.org"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience without waiting."""
    monkeypatch.setattr("integrations.connectors.http._backoff", lambda _: 0.0)


def staff(world: World, *emails: str) -> None:
    """Members, as the rules want them."""
    world.rule("Staff", group="staff")
    for email in emails:
        world.hire(email, "staff")
        world.organization.add_member(email)


def pending(world: World) -> list[str]:
    now = world.organization.now
    return [invite.email for invite in world.organization.invites.values() if invite.status(now) == "pending"]


# -- empty, partial or failed reads


def test_an_organization_that_is_away_loses_nobody(world: World, quick: None) -> None:
    staffed(world, 5)
    world.sync()
    world.dismiss("p0@example.org")
    world.simulator.inject(Fault(Kind.SERVER_ERROR, every=True))
    document, status = command("sync", "Acme")
    assert (document["state"], status, document["actions"]) == ("inconclusive", 5, [])
    assert len(world.simulator.fired) >= 5
    assert world.writes() == []


def test_the_key_of_another_organization_invites_and_removes_nobody_unasked(world: World) -> None:
    """Corrected credentials may lead to a place where everybody is missing."""
    staffed(world, 8)
    world.sync()
    elsewhere = Organization(owner="other@example.net")
    elsewhere.add_member("p0@example.org")
    with Simulator(elsewhere) as simulator:
        world.configure(base_url=simulator.base_url)
        world.integration.store_credential(elsewhere.admin_key, now=timezone.now())
        world.integration.enable(now=timezone.now())
        document = world.sync()
        assert [hold["code"] for hold in document["holds"]] == ["accounts_vanished"]
        assert {state for kind, _, state in brief(document) if kind != "report"} == {"held"}
        assert [asked.method for asked in simulator.requests if asked.method != "GET"] == []


def test_a_project_with_many_members_is_read_to_its_end(world: World) -> None:
    """Beyond one page of holders, nobody is given the project anew and nobody is passed over."""
    world.organization.add_project("Search")
    world.rule("Staff", group="staff", Search="member")
    for number in range(230):
        email = f"p{number}@example.org"
        world.hire(email, "staff")
        world.organization.add_member(email)
        if number != 229:
            world.organization.add_to_project("Search", email)
    assert brief(world.sync()) == [("grant", "p229@example.org", "done")]


def test_a_rule_may_name_the_last_of_many_projects(world: World) -> None:
    for number in range(120):
        world.organization.add_project(f"Project {number}")
    world.rule("Staff", group="staff", **{"Project 119": "member"})
    world.hire(ADA, "staff")
    world.organization.add_member(ADA)
    assert brief(world.sync()) == [("grant", ADA, "done")]


def test_rows_that_move_between_two_pages_are_noticed(world: World) -> None:
    """An unstable order repeats some and leaves out others."""
    staffed(world, 120)
    world.sync()
    world.dismiss("p3@example.org")
    world.simulator.inject(Fault(Kind.DUPLICATE_ROW, path="/organization/users", nth=2))
    world.simulator.inject(
        Fault(Kind.MISSING_ROW, path="/organization/users", nth=2, email="p110@example.org")
    )
    document = world.sync()
    assert (document["state"], len(world.simulator.fired), world.writes()) == ("inconclusive", 2, [])


def test_an_intended_mass_departure_needs_two_words_and_is_then_carried_out(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    world.dismiss(*emails)
    assert world.sync()["refusal"]["code"] == "source_shrunk"
    Source.objects.get().allow_drop(now=timezone.now())
    held = world.sync()
    assert held["state"] == "awaiting_approval"
    world.approver()
    assert world.approve(held["job"])["state"] == "succeeded"
    assert world.members() == {BOSS}


# -- leavers, and people who come back


def test_somebody_whose_group_no_rule_names_any_more_is_removed(world: World) -> None:
    staff(world, ADA)
    Membership.objects.filter(person__email=ADA).delete()
    assert brief(world.sync()) == [("remove", ADA, "done")]
    assert world.members() == {BOSS}


def test_who_is_missing_from_the_newest_file_is_removed(world: World, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    world.rule("Staff", group="staff")
    file.write_text(f"email,groups\n{ADA},staff\ngrace@example.org,staff\n")
    command("import_people", str(file))
    for email in (ADA, "grace@example.org"):
        world.organization.add_member(email)
    file.write_text(f"email,groups\n{ADA},staff\n")
    command("import_people", str(file), "--replace", "--allow-drop")
    assert ("remove", "grace@example.org", "done") in brief(world.sync())
    assert world.members() == {BOSS, ADA}


def test_a_removal_that_openai_only_says_it_did_is_not_told_as_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff(world, ADA)
    world.dismiss(ADA)
    monkeypatch.setattr(Company, "remove_user", lambda *_: None)
    document, status = command("sync", "Acme")
    assert (document["state"], status) == ("partial", 6)
    assert document["actions"][0]["error"]["code"] == "not_confirmed"
    assert ADA in world.members()
    monkeypatch.undo()
    assert brief(world.sync()) == [("remove", ADA, "done")]


def test_somebody_suspended_is_not_let_in(world: World) -> None:
    world.rule("Everyone")
    person = world.hire(ADA, "staff")
    world.dismiss(ADA)
    assert (person.email, world.sync()["actions"], pending(world)) == (ADA, [], [])


def test_who_was_shut_out_by_hand_stays_out_where_a_person_says_so(world: World) -> None:
    """Without a word the directory is the truth, and they are invited again."""
    staff(world, ADA)
    world.sync()
    world.organization.remove_user(world.organization.find_user(ADA).id)
    command("ignore", "Acme", ADA, "--reason", "Shut out by security")
    assert [kind for kind, _, _ in brief(world.sync())] == ["report"]
    assert pending(world) == []
    command("unmark", "Acme", ADA)
    world.sync()
    assert pending(world) == [ADA]


def test_a_person_entered_anew_keeps_their_account_and_their_rights(world: World) -> None:
    world.organization.add_project("Search")
    world.rule("Staff", group="staff", Search="member")
    world.hire(ADA, "staff")
    world.organization.add_member(ADA)
    world.organization.add_to_project("Search", ADA)
    world.sync()
    Person.objects.get(email=ADA).delete()
    world.hire(ADA, "staff")
    assert [world.sync()["actions"] for _ in range(3)] == [[], [], []]
    assert world.writes() == []


def test_somebody_who_left_and_is_hired_again_gets_in_again(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire(ADA, "staff")
    world.sync()
    world.organization.accept_invite(ADA)
    world.sync()
    world.dismiss(ADA)
    assert brief(world.sync()) == [("remove", ADA, "done")]
    Person.objects.filter(email=ADA).update(active=True)
    assert brief(world.sync()) == [("invite", ADA, "done")]
    world.organization.accept_invite(ADA)
    assert (world.sync()["actions"], world.members()) == ([], {BOSS, ADA})


def test_a_new_address_removes_nobody(world: World) -> None:
    staff(world, ADA)
    world.sync()
    person = Person.objects.get(email=ADA)
    person.email = "ada.byron@example.org"
    person.save()
    person.claim_addresses([])
    assert [world.sync()["actions"] for _ in range(2)] == [[], []]
    assert world.members() == {BOSS, ADA}


# -- invites


def test_an_invite_that_was_accepted_without_a_membership_is_sent_again(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire(ADA, "staff")
    world.sync()
    [invite] = world.organization.invites.values()
    invite.accepted_at = world.organization.now
    assert brief(world.sync()) == [("invite", ADA, "done")]
    assert pending(world) == [ADA]


def test_a_lapsed_invite_makes_way_for_exactly_one_new_one(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire(ADA, "staff")
    world.sync()
    world.let_invites_lapse()
    assert [kind for kind, _, _ in brief(world.sync())] == ["withdraw_invite", "invite"]
    assert (pending(world), len(world.organization.invites)) == ([ADA], 1)
    assert world.sync()["actions"] == []


# -- runs, queues and locks


def test_a_hundred_changes_of_the_directory_queue_one_job(world: World) -> None:
    for _ in range(100):
        requesting.directory_changed()
        requesting.request_due_jobs(timezone.now())
    assert ProvisioningJob.objects.count() == 1
    command("sync", "Acme")


def test_a_clock_that_strikes_twice_starts_one_job(world: World) -> None:
    requesting.directory_changed()
    now = timezone.now()
    started = [*requesting.request_due_jobs(now), *requesting.request_due_jobs(now)]
    assert len(started) == 1
    command("sync", "Acme")
    assert requesting.request_due_jobs(now) == []


def test_one_bad_record_stops_nobody_else(world: World) -> None:
    """An account without an address, one with an unknown role, and an address that OpenAI refuses."""
    world.rule("Staff", group="staff")
    for email in ("not an address", ADA, "grace@example.org"):
        world.hire(email, "staff")
    world.organization.add_member(None)
    world.organization.add_member("odd@example.org", "galactic_emperor")
    document = world.sync()
    assert document["state"] == "partial"
    assert ("invite", "not an address", "failed") in brief(document)
    assert sorted(pending(world)) == [ADA, "grace@example.org"]


# -- silence and false green


def test_invites_that_openai_refuses_for_want_of_seats_are_never_told_as_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_seats(*_: object) -> None:
        raise Refused("Your organization has reached its seat limit.")

    world.rule("Staff", group="staff")
    for number in range(3):
        world.hire(f"new{number}@example.org", "staff")
    monkeypatch.setattr(Company, "invite_person", no_seats)
    document, status = command("sync", "Acme")
    assert (document["state"], status) == ("failed", 4)
    assert (document["counts"]["done"], document["counts"]["failed"]) == (0, 3)
    assert "seat limit" in document["actions"][0]["error"]["detail"]
    monkeypatch.undo()
    assert world.sync()["counts"]["done"] == 3


# -- secrets


def test_a_task_is_told_numbers_and_nothing_that_could_be_secret() -> None:
    ours = {name: task for name, task in tasks.run_job.app.tasks.items() if not name.startswith("celery.")}
    assert len(ours) >= 3
    for task in ours.values():
        for told in inspect.signature(task.run).parameters.values():
            assert told.annotation in (int, float, float | None), (task.name, told)


def test_the_password_of_the_broker_is_in_no_log() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        broker = f"redis://:the-brokers-password@127.0.0.1:{taken.getsockname()[1]}/0"
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "cakewalk", "worker", "--pool", "solo"],
            cwd=ROOT,
            env=os.environ | {"CELERY_BROKER_URL": broker, "DATABASE_URL": "sqlite://:memory:"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = ""
        for line in worker.stdout or ():
            said += line
            if "Cannot connect" in line:
                break
        worker.kill()
        worker.wait()
    assert "Cannot connect to redis://" in said
    assert "the-brokers-password" not in said
