"""Whoever changes is looked at by a job of their own, at once, and again until it has come to something."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, requesting, tasks
from provisioning.models import PersonChange, ProvisioningJob
from tests.provisioning.world import BOSS, World, staffed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that workers would be woken for; nothing is sent."""
    names: list[str] = []
    for task in (tasks.run_job, tasks.run_people_job, tasks.start_due_syncs, tasks.start_people_jobs):
        monkeypatch.setattr(task, "delay", lambda name=task.name, **_: names.append(name.split(".")[-1]))
    return names


def changed(world: World, *emails: str) -> None:
    with transaction.atomic():
        requesting.people_changed([world.person(email).pk for email in emails])


def leave(world: World, *emails: str) -> None:
    world.dismiss(*emails)
    changed(world, *emails)


def run_next() -> ProvisioningJob:
    [job] = requesting.request_people_jobs(timezone.now())
    reconciliation.run(job.pk)
    job.refresh_from_db()
    return job


def waiting() -> list[str]:
    return list(PersonChange.objects.waiting().order_by("pk").values_list("person__email", flat=True))


def test_a_leaver_goes_while_a_sync_of_everyone_is_at_work(world: World, sent: list[str]) -> None:
    emails = staffed(world, 3)
    world.sync()
    requesting.request_job(world.integration).claim(holder="somebody", now=timezone.now())
    leave(world, emails[0])
    assert sent == ["run_job", "start_people_jobs"]
    job = run_next()
    assert (job.scope, job.trigger, job.state) == ("people", "directory", "succeeded")
    assert [person.email for person in job.people.all()] == [emails[0]]
    assert world.members() == {BOSS, *emails[1:]}


def test_the_task_has_a_queue_of_its_own() -> None:
    router = tasks.run_job.app.amqp.router
    queues = {
        task.name: router.route({}, task.name)["queue"].name for task in (tasks.run_job, tasks.run_people_job)
    }
    assert list(queues.values()) == ["celery", "people"]


def test_many_who_change_at_once_are_looked_at_by_one_job(world: World, sent: list[str]) -> None:
    emails = staffed(world, 4)
    world.sync()
    world.configure(removal_limit_count=10)
    for email in emails[:3]:
        leave(world, email)
    assert run_next().actions.filter(state="done").count() == 3


def test_who_changes_while_their_job_is_at_work_is_looked_at_by_the_next(
    world: World, sent: list[str]
) -> None:
    emails = staffed(world, 3)
    world.sync()
    leave(world, emails[0])
    [first] = requesting.request_people_jobs(timezone.now())
    leave(world, *emails[:2])
    assert requesting.request_people_jobs(timezone.now()) == []
    tasks.run_people_job(job_id=first.pk)
    second = ProvisioningJob.objects.latest("pk")
    assert [person.email for person in second.people.all()] == [emails[1]]
    assert sent[-1] == "run_people_job"


def test_the_first_moment_counts_and_is_kept_with_what_was_done(world: World, sent: list[str]) -> None:
    emails = staffed(world, 2)
    world.sync()
    leave(world, emails[0])
    first = PersonChange.objects.get().known_at
    changed(world, emails[0], emails[0])
    assert run_next().actions.get().known_at == first


def test_a_full_sync_that_is_first_tells_since_when_it_was_known(world: World, sent: list[str]) -> None:
    emails = staffed(world, 2)
    world.sync()
    leave(world, emails[0])
    [action] = world.job(world.sync()).actions.all()
    assert action.known_at == PersonChange.objects.get().known_at


def test_what_came_to_nothing_is_tried_again_after_a_while(world: World, sent: list[str]) -> None:
    emails = staffed(world, 2)
    world.sync()
    leave(world, emails[0])
    known_at = PersonChange.objects.get().known_at
    for tries, seconds in ((1, 15), (2, 30)):
        world.simulator.inject(Fault(Kind.FORBIDDEN, path="/organization/users*"))
        assert run_next().state == "failed"
        change = PersonChange.objects.waiting().get()
        assert (change.known_at, change.tries) == (known_at, tries)
        assert change.retry_at
        assert seconds - 5 <= (change.retry_at - timezone.now()).total_seconds() <= seconds
        assert requesting.request_people_jobs(timezone.now()) == []
        PersonChange.objects.waiting().update(retry_at=timezone.now())
    assert run_next().state == "succeeded"
    assert waiting() == []


def test_of_a_job_that_was_stopped_only_those_are_tried_again_who_still_wait(
    world: World, sent: list[str]
) -> None:
    emails = staffed(world, 6)
    world.sync()
    world.configure(removal_limit_count=10)
    leave(world, *emails[:2])
    second = world.organization.find_user(emails[1])
    world.simulator.inject(Fault(Kind.RESET_BEFORE, method="DELETE", path=f"/organization/users/{second.id}"))
    job = run_next()
    assert (job.state, waiting()) == ("partial", [emails[1]])


def test_a_new_change_does_not_wait_for_the_retry_of_an_old_one(world: World, sent: list[str]) -> None:
    emails = staffed(world, 2)
    world.sync()
    leave(world, emails[0])
    PersonChange.objects.update(retry_at=timezone.now() + timedelta(hours=1), tries=5)
    changed(world, emails[0])
    change = PersonChange.objects.get()
    assert (change.retry_at, change.tries) == (None, 0)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets nobody write meanwhile")
def test_a_change_that_is_not_committed_yet_is_taken_up_by_no_job(world: World, sent: list[str]) -> None:
    """It waits already for an earlier change. A job now would look at the directory too early."""
    emails = staffed(world, 2)
    world.sync()
    changed(world, emails[0])
    jobs: list[list[ProvisioningJob]] = []

    def elsewhere() -> None:
        jobs.append(requesting.request_people_jobs(timezone.now()))
        connection.close()

    with transaction.atomic():
        leave(world, emails[0])
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert jobs == [[]]
    assert run_next().actions.get().kind == "remove"


def test_who_is_given_nothing_and_has_nothing_needs_no_job(world: World, sent: list[str]) -> None:
    world.sync()
    world.hire("ada@example.org")
    changed(world, "ada@example.org")
    assert (requesting.request_people_jobs(timezone.now()), waiting()) == ([], [])


@pytest.mark.parametrize("settings", [{"enabled": False}, {"rejected_at": timezone.now()}])
def test_nothing_starts_where_nothing_may(world: World, sent: list[str], settings: dict) -> None:
    emails = staffed(world, 2)
    world.sync()
    leave(world, emails[0])
    world.configure(**settings)
    assert requesting.request_people_jobs(timezone.now()) == []


def test_very_many_are_left_to_a_sync_of_everyone(
    world: World, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requesting, "MOST_ONE_BY_ONE", 2)
    emails = staffed(world, 3)
    changed(world, *emails)
    world.integration.refresh_from_db()
    assert (waiting(), world.integration.next_sync_trigger) == ([], "directory")


def test_a_failure_asks_for_no_sync_of_everyone(world: World, sent: list[str]) -> None:
    emails = staffed(world, 2)
    world.sync()
    leave(world, emails[0])
    world.simulator.inject(Fault(Kind.FORBIDDEN, path="/organization/users*"))
    run_next()
    world.integration.refresh_from_db()
    assert (world.integration.failed_jobs, world.integration.next_sync_trigger) == (1, "schedule")


def test_who_leaves_while_they_are_invited_is_looked_at_again(
    world: World, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invite is under way, so that nothing seems to be there for a job of their own."""
    world.rule("Staff", group="staff")
    world.hire("ada@example.org", "staff")
    invite = OpenAIConnector.invite

    def meanwhile(*given):
        leave(world, "ada@example.org")
        assert requesting.request_people_jobs(timezone.now()) == []
        return invite(*given)

    monkeypatch.setattr(OpenAIConnector, "invite", meanwhile)
    world.sync()
    assert list(run_next().actions.values_list("kind", "state")) == [("withdraw_invite", "done")]


# -- the close look


def asked_by(world: World, job: Callable[[], ProvisioningJob]) -> tuple[ProvisioningJob, list[str]]:
    """The job, and whatever it has asked for."""
    before = len(world.simulator.requests)
    ended = job()
    return ended, [f"{asked.method} {asked.path}" for asked in world.simulator.requests[before:]]


def test_a_leaver_is_looked_at_without_reading_everybody(world: World, sent: list[str]) -> None:
    world.organization.add_project("Search")
    emails = staffed(world, 3)
    world.rule("Searchers", group="staff", Search="member")
    world.sync()
    leaver = world.organization.find_user(emails[0])
    leave(world, emails[0])
    job, asked = asked_by(world, run_next)
    [removal] = job.actions.all()
    path = f"/v1/organization/users/{leaver.id}"
    assert asked[:4] == [f"GET {path}", f"GET {path}", f"DELETE {path}", f"GET {path}"]
    assert (job.read["whole"], removal.state, removal.confirmed_at is None) == (False, "done", False)
    assert removal.before["projects"] == [{"name": "Search", "role": "member"}]
    after = world.sync()
    assert (after["actions"], after["read"]["changes"], world.members()) == ([], 0, {BOSS, *emails[1:]})


def test_an_open_invite_is_withdrawn_and_one_that_was_accepted_is_found(
    world: World, sent: list[str]
) -> None:
    world.rule("Staff", group="staff")
    for name in ("ada", "bob"):
        world.hire(f"{name}@example.org", "staff")
    world.sync()
    leave(world, "ada@example.org")
    job = run_next()
    assert list(job.actions.values_list("kind", "state")) == [("withdraw_invite", "done")]
    assert job.read["whole"] is False
    world.organization.accept_invite("bob@example.org")
    leave(world, "bob@example.org")
    job = run_next()
    assert list(job.actions.values_list("kind", "state")) == [("remove", "done")]
    assert job.read["whole"] is True


def test_an_account_that_may_be_anothers_is_told_by_a_complete_read(world: World, sent: list[str]) -> None:
    emails = staffed(world, 3)
    world.sync()
    renamed = world.person(emails[0])
    renamed.email = "ada@example.org"
    renamed.save()
    renamed.claim_addresses([])
    world.person(emails[1]).claim_addresses([emails[0]])
    leave(world, "ada@example.org")
    job = run_next()
    assert (job.read["whole"], list(job.actions.values_list("kind", "situation"))) == (
        True,
        [("report", "ambiguous")],
    )
    assert world.members() == {BOSS, *emails}


def test_an_owner_since_the_last_read_is_counted_among_the_owners(world: World, sent: list[str]) -> None:
    world.configure(minimum_owners=2)
    emails = staffed(world, 3)
    world.sync()
    for email in emails[:2]:
        world.organization.set_organization_role(world.organization.find_user(email).id, "owner")
    leave(world, emails[0])
    [removal] = run_next().actions.all()
    assert (removal.before["role"], removal.state, removal.error["code"]) == (
        "owner",
        "refused",
        "last_owner",
    )


def test_leavers_go_before_all_who_need_a_complete_read(world: World, sent: list[str]) -> None:
    emails = staffed(world, 3)
    world.sync()
    world.hire("ada@example.org", "staff")
    changed(world, "ada@example.org")
    leave(world, emails[0])
    first, second = run_next(), run_next()
    assert [job.actions.get().kind for job in (first, second)] == ["remove", "invite"]
    assert [job.read["whole"] for job in (first, second)] == [False, True]


def test_where_a_complete_read_takes_long_only_leavers_have_jobs_of_their_own(
    world: World, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requesting, "FEW_CALLS", 1)
    emails = staffed(world, 3)
    world.sync()
    world.hire("ada@example.org", "staff")
    changed(world, "ada@example.org")
    leave(world, emails[0])
    assert run_next().actions.get().kind == "remove"
    assert requesting.request_people_jobs(timezone.now()) == []
    world.integration.refresh_from_db()
    assert (waiting(), world.integration.next_sync_trigger, sent[-1]) == ([], "directory", "start_due_syncs")


def test_the_integrations_page_tells_how_soon_leavers_are_out(
    world: World, sent: list[str], client: Client
) -> None:
    emails = staffed(world, 4)
    world.sync()
    page = f"/admin/integrations/integration/{world.integration.pk}/change/"
    client.force_login(world.approver())
    assert "Leavers in 90 days" not in client.get(page).content.decode()
    leave(world, *emails[:3])
    job = run_next()
    for place, seconds in enumerate((2, 4, 60), start=1):
        known_at = F("confirmed_at") - timedelta(seconds=seconds)
        job.actions.filter(seq=place).update(known_at=known_at)
    html = client.get(page).content.decode()
    figures = {"Seen to be gone": "3", "Median": "4.0 s", "95 of 100 within": "54 s", "Slowest": "1 min 0 s"}
    figures["Later than 24 h"] = "None"
    assert [name for name, said in figures.items() if f"<dt>{name}</dt><dd>{said}</dd>" not in html] == []
    shown = client.get(f"/admin/provisioning/provisioningjob/{job.pk}/change/").content.decode()
    assert "seen after 2.0 s" in shown


# -- beside a sync of everyone


def test_a_job_that_no_worker_was_told_of_is_sent_to_the_queue_for_people(
    world: World, sent: list[str]
) -> None:
    emails = staffed(world, 2)
    world.sync()
    leave(world, emails[0])
    requesting.request_people_jobs(timezone.now())
    sent.clear()
    tasks.pick_up_lost_jobs(undelivered_after=0)
    assert sent == ["run_people_job"]


def test_a_sync_of_everyone_lets_the_jobs_of_people_go_first(
    world: World, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, ahead = Integration.connector, []

    def noted(integration, progress, somebody_ahead, **use):
        ahead.append(somebody_ahead)
        return connector(integration, progress, somebody_ahead, **use)

    emails = staffed(world, 2)
    monkeypatch.setattr(Integration, "connector", noted)
    world.sync()
    [waits_for_people] = ahead
    assert not waits_for_people()
    leave(world, emails[0])
    [job] = requesting.request_people_jobs(timezone.now())
    assert waits_for_people()
    reconciliation.run(job.pk)
    assert (ahead[1:], waits_for_people()) == ([None], False)


def test_what_a_leaver_left_behind_waits_while_others_do(world: World, sent: list[str]) -> None:
    emails = staffed(world, 3)
    world.sync()
    leave(world, emails[0])
    [first] = requesting.request_people_jobs(timezone.now())
    leave(world, emails[1])
    reconciliation.run(first.pk)
    first.refresh_from_db()
    second = run_next()
    assert first.swept is None
    assert len(second.swept["accounts"]) == 2


def test_a_leaver_costs_four_calls_and_as_many_queries_in_a_large_company_as_in_a_small_one(
    world: World, sent: list[str]
) -> None:
    def cost_of(leaver: str) -> tuple[int, int]:
        leave(world, leaver)
        [job] = requesting.request_people_jobs(timezone.now())
        changed(world, emails[-1])  # who waits, so that nothing is swept yet
        asked = len(world.simulator.requests)
        with CaptureQueriesContext(connection) as queries:
            reconciliation.run(job.pk)
        assert job.actions.get(state="done").email == leaver
        PersonChange.objects.waiting().delete()
        return len(world.simulator.requests) - asked, len(queries)

    emails = staffed(world, 12)
    world.sync()
    world.configure(removal_limit_count=100)
    cost_of(emails[0])
    small = cost_of(emails[1])
    more = [f"more{place}@example.org" for place in range(200)]
    world.hire_all(more, "staff")
    for email in more:
        world.organization.add_member(email)
    world.sync()
    assert cost_of(emails[2]) == small
    assert small[0] == 4  # to look, to look again just before, to remove, and to see that it is gone
