"""The ledger tells of every step of a job and of every line that it carries out, and in whose name."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cakewalk.ledger import actors, chain
from cakewalk.ledger.actors import Actor, acting
from cakewalk.ledger.models import Entry
from integrations.connectors.openai.simulator import Fault
from integrations.connectors.openai.simulator import Kind as FaultKind
from integrations.models import Integration
from provisioning import applying, reconciliation, requesting, sealing
from provisioning.actions import Kind
from provisioning.models import AccessRule, Account, Mark, PersonChange, ProvisioningJob
from provisioning.rules_file import import_rules
from tests.provisioning.world import World, command, held_job, staffed

pytestmark = pytest.mark.django_db(transaction=True)


def entries(about: ProvisioningJob | None = None) -> list[Entry]:
    """In their order; of one job and its lines."""
    told = [(entry, entry.told()) for entry in Entry.objects.order_by("seq")]
    of_job = [entry for entry, said in told if "job" in (said.get("facts") or {})]
    if about is None:
        return of_job
    return [entry for entry in of_job if entry.told()["facts"]["job"]["number"] == about.pk]


def verbs(about: ProvisioningJob | None = None) -> list[str]:
    return [entry.verb for entry in entries(about)]


def facts(verb: str) -> dict[str, Any]:
    entry = Entry.objects.filter(verb=verb).latest("seq")
    return dict(entry.told()["facts"])


def sums(job: ProvisioningJob) -> dict[str, Any]:
    return sealing.outcomes(ProvisioningJob.objects.get(pk=job.pk))


def test_a_sync_is_told_from_its_request_to_its_end_with_each_line_that_was_carried_out(world: World) -> None:
    emails = staffed(world, 5)
    world.sync()
    world.hire("ada@example.org", "staff")
    world.dismiss(emails[0])
    with acting(Actor(actors.Kind.COMMAND, "root")):
        document = world.sync()

    job = world.job(document)
    told = entries(job)
    of_job = [entry for entry in told if not entry.email]
    # The two are under way at once, each in its own order.
    joined, left = (
        [entry for entry in told if entry.email == email] for email in ("ada@example.org", emails[0])
    )
    assert told == [*of_job[:3], *sorted([*joined, *left], key=lambda entry: entry.seq), *of_job[3:]]
    assert [entry.verb for entry in of_job] == [
        "job.requested",
        "job.claimed",
        "job.planned",
        "job.swept",
        "job.ended",
    ]
    assert [entry.verb for entry in joined] == ["action.started", "action.done", "action.confirmed"]
    assert [entry.verb for entry in left] == ["action.started", "action.done", "action.confirmed"]
    assert {(entry.actor_kind, entry.actor, entry.integration) for entry in told} == {
        ("command", "root", world.integration.pk)
    }
    invite, removal = document["actions"]
    started = left[0].told()
    assert (started.get("before"), started.get("after")) == (removal["before"], removal["after"])
    assert started["facts"] | {"seq": 2, "kind": "remove", "situation": "leaver"} == started["facts"]
    assert started["facts"]["account"] == removal["account_id"]
    assert joined[1].told()["facts"]["request_id"] == invite["request_id"]
    plan, end = told[2].told()["facts"], told[-1].told()
    assert plan["plan"]["digest"] == job.digest == document["digest"]
    assert (plan["kinds"], plan["plan"]["lines"]) == ({"joiner": {"invite": 1}, "leaver": {"remove": 1}}, 2)
    assert plan["read"]["accounts"] == document["read"]["accounts"]
    assert end["after"] == {"state": "succeeded"}
    assert end["facts"]["counts"] == document["counts"]
    assert {name: end["facts"][name] for name in ("outcomes", "counts")} == sums(job)
    [*_, last] = chain.breaks(entry.as_row() for entry in Entry.objects.order_by("seq"))
    assert isinstance(last, chain.Link)


def test_a_sync_with_nothing_to_do_is_told_in_four_entries(world: World) -> None:
    staffed(world, 30)
    world.sync()
    assert verbs(world.job(world.sync())) == ["job.requested", "job.claimed", "job.planned", "job.ended"]


def test_who_approved_a_plan_and_why_stands_with_it_and_with_its_lines(world: World) -> None:
    job = held_job(world)
    world.approver("alice")
    world.approve(job.pk, reason="They left.")

    assert verbs(job)[3:6] == ["job.held", "job.approved", "job.claimed"]
    [approval] = Entry.objects.filter(verb="job.approved")
    assert (approval.actor_kind, approval.actor) == ("person", "alice")
    approved = approval.told()["facts"]
    assert (approved["reason"], approved["digest"]) == ("They left.", job.digest)
    assert [one["code"] for one in approved["overrides"]] == ["first_removals"]
    assert facts("action.started")["approved_by"] == "alice"
    assert facts("job.held")["counts"]["held"] == 1


def test_a_rejection_is_told_with_the_marks_that_it_makes(world: World) -> None:
    job = held_job(world)
    alice = world.approver("alice")
    day = timezone.localdate() + timedelta(days=7)
    requesting.reject(job, by=alice, reason="He stays.", keep_until=day)

    rejected, mark = Entry.objects.order_by("-seq")[:2][::-1]
    assert (rejected.verb, rejected.actor, mark.verb, mark.actor) == (
        "job.rejected",
        "alice",
        "row.added",
        "alice",
    )
    told = rejected.told()
    assert (told["after"], told["facts"]["rejected"]) == ({"state": "cancelled"}, "He stays.")
    assert told["facts"]["outcomes"] == sums(job)["outcomes"]
    assert (mark.email, mark.told()["after"]["until"]) == ("p0@example.org", day.isoformat())


def test_each_way_of_ending_a_plan_that_waits_is_told(world: World) -> None:
    job = held_job(world)
    world.approver("alice")
    world.hire("ada@example.org", "staff")
    world.dismiss("p1@example.org")
    newer = world.job(world.sync())
    assert verbs(job)[-1] == "job.superseded"
    newer.refresh_from_db()
    ProvisioningJob.objects.filter(pk=newer.pk).update(planned_at=timezone.now() - timedelta(days=9))
    requesting.end_expired_plans(timezone.now())
    assert verbs(newer)[-1] == "job.expired"
    last = world.job(world.sync())
    command("cancel", str(last.pk), "--by", "alice", "--reason", "Wrong file.")
    assert (verbs(last)[-1], facts("job.cancelled")["cancelled"]) == ("job.cancelled", "Wrong file.")
    for ended in (job, newer, last):
        assert entries(ended)[-1].told()["facts"]["outcomes"] == sums(ended)["outcomes"]


def test_what_is_overridden_one_by_one_is_told_one_by_one(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    world.dismiss(*staffed(world, 12)[:4])
    job = world.job(world.sync())
    alice, bob = world.approver("alice"), world.approver("bob")
    requesting.approve(job, by=alice, reason="New here.", only=["first_removals"], deliver=False)
    assert facts("job.overridden")["outcomes"] == sums(job)["outcomes"]
    requesting.approve(job, by=bob, reason="Four is right.", only=["removal_limit"], deliver=False)
    told = [(entry.verb, entry.actor) for entry in entries(job)[-2:]]
    assert told == [("job.overridden", "alice"), ("job.approved", "bob")]


def test_a_job_about_a_leaver_is_asked_for_by_their_source(world: World) -> None:
    emails = staffed(world, 3)
    world.sync()
    world.dismiss(emails[0])
    PersonChange.objects.note([world.integration], [world.person(emails[0]).pk], now=timezone.now())
    [job] = requesting.request_people_jobs(timezone.now())
    reconciliation.run(job.pk)

    told = entries(job)
    assert {(entry.actor_kind, entry.actor) for entry in told} == {("source", "hr")}
    assert (told[0].email, told[0].told()["facts"]["people"]) == (emails[0], [emails[0]])


def test_a_person_who_asks_is_named_in_all_that_the_worker_does(world: World) -> None:
    staffed(world, 1)
    alice = world.approver("alice")
    with acting(Actor(actors.Kind.PERSON, "alice", "192.0.2.7")):
        job = requesting.request_job(world.integration, by=alice, deliver=False)
    reconciliation.run(job.pk)
    asked, *work = entries(job)
    assert (asked.actor, asked.address) == ("alice", "192.0.2.7")
    assert {(entry.actor, entry.address) for entry in work} == {("alice", "")}


def test_a_job_that_changes_hands_is_told_with_its_workers(world: World) -> None:
    job = requesting.request_job(world.integration, deliver=False)
    long_ago = timezone.now() - timedelta(hours=1)
    assert job.claim(holder="box/17/a1b2", now=long_ago)
    requesting.release(job, by=world.approver("alice"), reason="Its box is gone.", deliver=False)
    reconciliation.run(job.pk)

    assert verbs(job)[:5] == ["job.requested", "job.claimed", "job.released", "job.claimed", "job.planned"]
    assert facts("job.released") | {"worker": "box/17/a1b2", "reason": "Its box is gone."} == facts(
        "job.released"
    )
    assert facts("job.claimed")["again"] is True


def test_a_lost_reply_is_told_as_a_question_and_then_as_what_was_seen(world: World) -> None:
    staffed(world, 1)
    world.hire("ada@example.org", "staff")
    world.simulator.inject(Fault(FaultKind.RESET_AFTER, method="POST", path="/organization/invites"))
    job = world.job(world.sync())
    told = [verb for verb in verbs(job) if verb.startswith("action")]
    assert told == ["action.started", "action.unanswered", "action.done", "action.confirmed"]


def test_an_answer_that_comes_after_the_job_was_cancelled_is_told_with_what_all_came_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed(world, 1)
    world.hire("ada@example.org", "staff")
    job = requesting.request_job(world.integration, deliver=False)

    def cancel() -> None:
        requesting.cancel(ProvisioningJob.objects.get(pk=job.pk), by=None, reason="Wrong file.")

    really = applying.CALLS[Kind.INVITE]

    def called(*args: Any) -> Any:
        receipt = really(*args)
        cancel()
        return receipt

    monkeypatch.setitem(applying.CALLS, Kind.INVITE, called)
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)
    reconciliation.run(job.pk)

    assert verbs(job)[3:] == ["action.started", "job.cancelled", "action.done", "job.answered"]
    assert facts("job.answered")["outcomes"] == sums(job)["outcomes"] != facts("job.cancelled")["outcomes"]


def test_rules_of_a_file_are_told_from_what_to_what(world: World) -> None:
    file = '[[rule]]\nname = "Search"\nrole = "reader"\nprojects = [{{ name = "Search", role = "{}" }}]\n'
    import_rules(world.integration, file.format("member").encode())
    import_rules(world.integration, file.format("member").encode())
    import_rules(world.integration, file.format("owner").encode())
    rule = AccessRule.objects.get(name="Search")
    changed, added = Entry.objects.about(rule)
    assert (
        added.told()["after"] | {"state": "draft", "grants": ["project Search as member"]}
        == added.told()["after"]
    )
    assert changed.told() == {
        "before": {"grants": ["project Search as member"]},
        "after": {"grants": ["project Search as owner"]},
    }


def test_a_mark_is_told_when_it_is_made_changed_and_taken_off(world: World) -> None:
    command("protect", "Acme", "eve@example.org", "--reason", "Break glass.")
    command("ignore", "Acme", "eve@example.org", "--reason", "A contractor.")
    command("unmark", "Acme", "eve@example.org")
    told = list(Entry.objects.filter(email="eve@example.org").order_by("seq"))
    assert [entry.verb for entry in told] == ["row.added", "row.changed", "row.deleted"]
    assert told[1].told()["after"] == {"kind": "ignored", "reason": "A contractor."}
    assert not Mark.objects.exists()


def test_a_link_by_hand_is_told_and_so_is_its_end(world: World) -> None:
    world.organization.add_member("a.lovelace@example.org")
    ada = world.hire("ada@example.org")
    world.preview()
    account = Account.objects.get(email="a.lovelace@example.org")
    account.link_by_hand(ada)
    account.link_by_hand(None)
    told = [(entry.verb, entry.told()["after"]) for entry in Entry.objects.about(account)]
    assert told == [
        ("account.unlinked", {"person": None, "match": ""}),
        ("account.linked", {"person": "ada@example.org", "match": "manual"}),
    ]
