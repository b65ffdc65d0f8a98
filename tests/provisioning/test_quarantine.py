"""An integration that goes wrong again and again is left in peace; one that works is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.connecting import Entry, save_and_enable
from integrations.connectors.base import ActionRejected, Receipt
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from integrations.pacing import wait_after
from provisioning import reconciliation, requesting, tasks
from provisioning.lessons import Lesson, lesson_of
from provisioning.models import ProvisioningJob
from provisioning.standing import standing_of
from tests.admin.builders import staff
from tests.provisioning.world import BOSS, World, command, staffed

pytestmark = pytest.mark.django_db(transaction=True)

HALF_HOUR = timedelta(minutes=30)
STOPPED = {"code": "unreachable", "detail": "No connection."}


# -- how long to wait


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, 30), (1, 30), (2, 60), (3, 120), (4, 240), (6, 960), (7, 1440), (8, 1440), (10_000, 1440)],
)
def test_each_failure_in_a_row_doubles_the_wait_to_daily_at_most(failures: int, minutes: int) -> None:
    assert wait_after(failures, HALF_HOUR) == timedelta(minutes=minutes)


def test_an_interval_of_a_minute_backs_off_to_daily_as_well() -> None:
    assert wait_after(100, timedelta(minutes=1)) == timedelta(days=1)


def test_an_interval_of_a_week_is_never_made_shorter() -> None:
    assert {wait_after(failures, timedelta(days=7)) for failures in range(20)} == {timedelta(days=7)}


@pytest.mark.parametrize(
    ("state", "error", "preview", "lesson"),
    [
        ("succeeded", None, False, Lesson.WORKS),
        ("succeeded", None, True, Lesson.WORKS),
        ("awaiting_approval", None, False, Lesson.WORKS),
        ("partial", None, False, Lesson.WORKS),
        ("refused", None, False, Lesson.WORKS),
        ("failed", None, False, Lesson.WORKS),
        ("failed", STOPPED, False, Lesson.FAILS),
        ("failed", {"code": "internal", "detail": "?"}, False, Lesson.FAILS),
        ("awaiting_approval", STOPPED, False, Lesson.FAILS),
        ("inconclusive", None, False, Lesson.FAILS),
        ("inconclusive", None, True, Lesson.NOTHING),
        ("failed", STOPPED, True, Lesson.NOTHING),
        ("partial", STOPPED, False, Lesson.NOTHING),
        ("failed", {"code": "not_enabled", "detail": "Disabled."}, False, Lesson.NOTHING),
        ("cancelled", None, False, Lesson.NOTHING),
        ("cancelled", {"code": "expired", "detail": "Too old."}, False, Lesson.NOTHING),
    ],
)
def test_what_the_end_of_a_job_says_about_its_integration(
    state: str, error: dict[str, str] | None, preview: bool, lesson: Lesson
) -> None:
    assert lesson_of(state, error, preview=preview) == lesson


# -- slowing down


@contextmanager
def outage(world: World, jobs: int) -> Iterator[None]:
    """So many jobs from now on do not get to see the list of invites. By the end, all of them have run."""
    faults = [Fault(Kind.HTML, path="/organization/invites", nth=place + 1) for place in range(jobs)]
    for fault in faults:
        world.simulator.inject(fault)
    yield
    assert all(fault in world.simulator.fired for fault in faults)


def next_sync_in(world: World) -> timedelta:
    """Rounded to the minute."""
    acme = Integration.objects.get(pk=world.integration.pk)
    assert acme.next_sync_at is not None
    return timedelta(minutes=round((acme.next_sync_at - timezone.now()).total_seconds() / 60))


def problems(world: World) -> str:
    return "\n".join(standing_of(world.integration).problems)


def run_what_is_due(world: World, at: timedelta = timedelta()) -> list[ProvisioningJob]:
    """As the clock does, so much later, with a worker at hand."""
    jobs = requesting.request_due_jobs(timezone.now() + at)
    for job in jobs:
        reconciliation.run(job.pk)
        job.refresh_from_db()
    return jobs


def test_jobs_that_fail_one_after_another_slow_the_schedule_and_say_so(world: World) -> None:
    with outage(world, jobs=4):
        waits = []
        for _ in range(4):
            assert world.sync()["state"] == "inconclusive"
            waits.append(next_sync_in(world))

        acme = Integration.objects.get()
        assert waits == [timedelta(minutes=minutes) for minutes in (30, 60, 120, 240)]
        assert "Slowed down: 4 jobs in a row failed, the next try is at " in problems(world)
        assert timezone.localtime(acme.next_sync_at).strftime("%Y, %H:%M") in problems(world)
        assert run_what_is_due(world, timedelta(minutes=200)) == []


def test_one_good_job_brings_back_the_interval(world: World) -> None:
    with outage(world, jobs=3):
        for _ in range(3):
            world.sync()

    [job] = run_what_is_due(world, timedelta(hours=3))

    acme = Integration.objects.get()
    assert (job.state, job.trigger) == ("succeeded", "schedule")
    assert (acme.failed_jobs, acme.slowed, next_sync_in(world)) == (0, False, HALF_HOUR)
    assert problems(world) == ""


def test_a_preview_that_succeeds_is_a_good_job_and_one_that_fails_puts_nothing_off(world: World) -> None:
    with outage(world, jobs=4):
        for _ in range(3):
            world.sync()
        planned = Integration.objects.get().next_sync_at
        assert world.preview()["state"] == "inconclusive"
        assert (Integration.objects.get().next_sync_at, Integration.objects.get().failed_jobs) == (planned, 3)

    assert world.preview()["state"] == "succeeded"

    assert (Integration.objects.get().failed_jobs, next_sync_in(world)) == (0, HALF_HOUR)


def test_a_job_on_demand_is_run_at_once_however_slow_the_schedule(world: World) -> None:
    with outage(world, jobs=4):
        for _ in range(5):
            world.sync()
    staffed(world, 3)
    world.sync()
    world.dismiss("p0@example.org")

    assert world.sync()["state"] == "succeeded"
    assert "p0@example.org" not in world.members()


def test_a_leaver_waits_for_no_longer_than_the_interval_after_an_outage(world: World) -> None:
    staffed(world, 3)
    world.sync()
    with outage(world, jobs=7):
        for _ in range(6):
            world.sync()
        world.dismiss("p0@example.org")

        requesting.directory_changed()

        assert next_sync_in(world) == HALF_HOUR
        assert run_what_is_due(world, timedelta(minutes=29)) == []
        [tried] = run_what_is_due(world, timedelta(minutes=31))
        assert (tried.state, tried.trigger) == ("inconclusive", "directory")
        assert next_sync_in(world) == HALF_HOUR  # the change still waits, and is not given up for a day

    [done] = run_what_is_due(world, timedelta(minutes=31))

    assert (done.state, done.trigger) == ("succeeded", "directory")
    assert "p0@example.org" not in world.members()


def test_changes_of_the_directory_make_no_storm_of_failing_jobs(world: World) -> None:
    world.simulator.inject(Fault(Kind.HTML, path="/organization/invites", every=True))
    for _ in range(3):
        world.sync()
    before = ProvisioningJob.objects.count()

    with time_machine.travel(timezone.now()) as clock:
        for _ in range(60):
            clock.shift(timedelta(minutes=1))
            requesting.directory_changed()
            run_what_is_due(world)

    assert ProvisioningJob.objects.count() - before == 2


def test_while_nothing_fails_a_change_of_the_directory_starts_a_job_at_once(world: World) -> None:
    requesting.directory_changed()
    [job] = run_what_is_due(world)
    assert (job.state, job.trigger) == ("succeeded", "directory")


def test_a_change_that_came_while_a_failing_job_ran_is_not_forgotten(world: World) -> None:
    with outage(world, jobs=5):
        for _ in range(4):
            world.sync()
        job = requesting.request_job(world.integration, deliver=False)
        requesting.directory_changed()

        reconciliation.run(job.pk)

        acme = Integration.objects.get()
        assert (acme.next_sync_trigger, next_sync_in(world)) == ("directory", HALF_HOUR)


def test_with_a_long_interval_a_leaver_waits_for_no_more_than_an_hour(world: World) -> None:
    command("configure", "Acme", "--set", "sync_every_minutes=10080")
    with outage(world, jobs=4):
        for _ in range(3):
            world.sync()
        requesting.directory_changed()
        assert next_sync_in(world) == timedelta(hours=1)
        [job] = run_what_is_due(world, timedelta(minutes=61))
        assert (job.trigger, next_sync_in(world)) == ("directory", timedelta(hours=1))
    assert "Slowed down" not in problems(world)  # it never was, for its own interval is slower than that


def test_an_action_that_openai_rejects_slows_nobody_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed(world, 2)
    world.hire("new@example.org", "staff")

    def rejected(*_: object) -> Receipt:
        raise ActionRejected("OpenAI refused this: No such domain.")

    monkeypatch.setattr(OpenAIConnector, "invite", rejected)

    for _ in range(3):
        assert world.sync()["state"] == "failed"

    assert Integration.objects.get().failed_jobs == 0


def test_a_key_that_may_only_read_slows_the_schedule(world: World) -> None:
    staffed(world, 2)
    world.hire("new@example.org", "staff")
    world.integration.store_credential(world.organization.read_only_key, now=timezone.now())

    for _ in range(3):
        document = world.sync()
        assert document["state"] == "failed"
        assert [action["error"]["code"] for action in document["actions"]] == ["permission_missing"]

    assert Integration.objects.get().failed_jobs == 3
    assert "Slowed down: 3 jobs in a row failed" in problems(world)


def test_a_refused_plan_slows_nobody_down(world: World) -> None:
    staffed(world, 20)
    world.sync()
    world.dismiss(*[f"p{place}@example.org" for place in range(20)])
    for _ in range(3):
        assert world.sync()["state"] == "refused"
    assert Integration.objects.get().failed_jobs == 0


# -- a rejected key


def revoke_key(world: World) -> str:
    """Returns another one that works."""
    keys = world.organization.admin_keys
    [old] = [key for key in keys.values() if key.value == world.organization.admin_key]
    fresh = world.organization.create_admin_key("Fresh", old.owner_id)
    world.organization.delete_admin_key(old.id)
    return fresh.value


def test_a_revoked_key_pauses_the_schedule_at_once_and_asks_for_another(world: World) -> None:
    revoke_key(world)

    document = world.sync()

    acme = Integration.objects.get()
    assert (document["state"], document["error"]["code"]) == ("failed", "credential_rejected")
    assert (acme.paused, acme.next_sync_at) == (True, None)
    assert "Paused since " in problems(world)
    assert "another key is entered with Replace credential" in problems(world)
    assert run_what_is_due(world, timedelta(days=2)) == []


def test_a_key_revoked_in_the_midst_of_a_job_pauses_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed(world, 2)
    world.sync()
    for name in ("new1@example.org", "new2@example.org"):
        world.hire(name, "staff")
    really = OpenAIConnector.invite

    def and_then_revoked(connector: OpenAIConnector, *invited: Any) -> Receipt:
        monkeypatch.setattr(OpenAIConnector, "invite", really)
        receipt = really(connector, *invited)
        revoke_key(world)
        return receipt

    monkeypatch.setattr(OpenAIConnector, "invite", and_then_revoked)

    document = world.sync()

    assert (document["state"], document["counts"]["done"]) == ("partial", 1)
    assert Integration.objects.get().paused


def test_one_401_among_good_answers_pauses_nothing(world: World) -> None:
    fault = Fault(Kind.UNAUTHORIZED, method="GET", path="/organization/users", nth=1)
    world.simulator.inject(fault)

    document = world.sync()

    acme = Integration.objects.get()
    assert fault in world.simulator.fired
    assert (document["state"], document["error"]["code"]) == ("failed", "credential_rejected")
    assert (acme.paused, acme.failed_jobs, next_sync_in(world)) == (False, 1, HALF_HOUR)
    assert world.sync()["state"] == "succeeded"


def test_a_401_and_then_silence_pauses_nothing(world: World) -> None:
    world.simulator.inject(Fault(Kind.UNAUTHORIZED, path="/organization/users", nth=1))
    for path in ("users", "invites"):
        away_now = Fault(Kind.SERVER_ERROR, path=f"/organization/{path}", nth=2, status=503)
        world.simulator.inject(away_now)

    assert world.sync()["error"]["code"] == "credential_rejected"

    assert len(world.simulator.fired) == 2
    assert not Integration.objects.get().paused


def test_a_key_that_works_ends_the_pause(world: World) -> None:
    fresh = revoke_key(world)
    world.sync()
    entry = Entry("openai", "Acme", world.simulator.base_url, fresh, Integration.objects.get())

    assert save_and_enable(entry, now=timezone.now()).works

    acme = Integration.objects.get()
    assert (acme.paused, acme.failed_jobs, next_sync_in(world)) == (False, 0, HALF_HOUR)
    assert problems(world) == "The last job failed. " + world_error(world)


def world_error(world: World) -> str:
    return str(ProvisioningJob.objects.latest("pk").error["detail"])


def test_the_command_connect_ends_the_pause(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRESH_KEY", revoke_key(world))
    world.sync()
    command("connect", "openai", "--name", "Acme", "--key-env", "FRESH_KEY")
    assert not Integration.objects.get().paused
    assert world.sync()["state"] == "succeeded"


def test_another_key_that_does_not_work_leaves_it_paused(world: World) -> None:
    revoke_key(world)
    world.sync()
    entry = Entry("openai", "Acme", world.simulator.base_url, None, Integration.objects.get())
    assert not save_and_enable(entry, now=timezone.now()).works
    assert Integration.objects.get().paused


def test_a_change_of_the_directory_during_the_pause_is_made_good_when_a_key_works(world: World) -> None:
    staffed(world, 3)
    world.sync()
    fresh = revoke_key(world)
    world.sync()
    world.dismiss("p0@example.org")
    requesting.directory_changed()
    assert Integration.objects.get().next_sync_at is None
    assert run_what_is_due(world, timedelta(days=1)) == []
    entry = Entry("openai", "Acme", world.simulator.base_url, fresh, Integration.objects.get())

    save_and_enable(entry, now=timezone.now())

    [job] = run_what_is_due(world)
    assert (job.state, job.trigger) == ("succeeded", "directory")
    assert "p0@example.org" not in world.members()


def test_a_key_entered_while_the_job_ran_is_not_paused_for_the_old_one(world: World) -> None:
    fresh = revoke_key(world)
    job = requesting.request_job(world.integration, deliver=False)
    stale = world.integration.connector(use="a test")

    def replaced_meanwhile(*_: object, **__: object) -> object:
        entry = Entry("openai", "Acme", world.simulator.base_url, fresh, Integration.objects.get())
        save_and_enable(entry, now=timezone.now())
        return stale

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Integration, "connector", replaced_meanwhile)
        reconciliation.run(job.pk)

    job.refresh_from_db()
    assert job.error is not None
    assert job.error["code"] == "credential_rejected"
    assert not Integration.objects.get().paused


def test_changed_settings_do_not_wake_a_paused_integration(world: World) -> None:
    revoke_key(world)
    world.sync()
    command("configure", "Acme", "--set", "sync_every_minutes=5")
    assert Integration.objects.get().next_sync_at is None


def test_a_job_on_demand_that_goes_well_ends_the_pause(world: World) -> None:
    """The key was right after all, or is so again: its owner had lost the role and has got it back."""
    boss = world.organization.find_user(BOSS)
    world.organization.add_member("other@example.org", "owner")
    boss.role = "reader"
    assert world.sync()["state"] == "failed"
    assert Integration.objects.get().paused
    boss.role = "owner"

    assert world.preview()["state"] == "succeeded"

    assert (Integration.objects.get().paused, next_sync_in(world)) == (False, HALF_HOUR)


def test_a_job_that_fails_before_the_clock_has_looked_up_keeps_its_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may be quicker than whoever queued the job, and what it learned is not written over."""
    revoke_key(world)
    monkeypatch.setattr(tasks.run_job, "delay", reconciliation.run)
    assert len(requesting.request_due_jobs(timezone.now() + HALF_HOUR)) == 1
    assert (Integration.objects.get().paused, Integration.objects.get().next_sync_at) == (True, None)


# -- where staff see it


@pytest.fixture
def browsing(db: None) -> Client:
    client = Client()
    client.force_login(staff("chief", is_superuser=True))
    return client


def test_home_the_page_and_the_list_say_that_it_is_paused(world: World, browsing: Client) -> None:
    revoke_key(world)
    world.sync()
    pages = {
        name: browsing.get(reverse(f"admin:{name}", args=args)).content.decode()
        for name, args in (
            ("index", []),
            ("integrations_integration_change", [world.integration.pk]),
            ("integrations_integration_changelist", []),
        )
    }
    assert [name for name, html in pages.items() if "Needs attention" not in html] == []
    assert [name for name, html in pages.items() if "Paused" not in html] == []
    assert "its key is rejected" in pages["index"]
    assert "its key is rejected" in pages["integrations_integration_change"]


def test_configure_tells_programs_how_the_schedule_stands(world: World) -> None:
    with outage(world, jobs=2):
        for _ in range(2):
            world.sync()
        acme = Integration.objects.get()
        document, _ = command("configure", "Acme")
        assert acme.next_sync_at is not None
        assert document["schedule"] == {
            "next_sync_at": acme.next_sync_at.isoformat(),
            "failed_jobs": 2,
            "slowed": True,
            "paused_since": None,
        }
