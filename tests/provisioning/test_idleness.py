"""Nothing happening is suspicious: silence, a stopped clock, reads that look nothing like the last ones."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.templatetags.cakewalk import TONES
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, requesting
from provisioning.idleness import is_forgotten, is_idle
from provisioning.models import ProvisioningJob
from provisioning.plausibility import doubts
from provisioning.standing import standing_of
from tests.admin.builders import staff
from tests.provisioning.world import World, command, staffed

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
IDLE = "No sync has read everything for more than twice its interval (every 30 minutes)."


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON) as traveller:
        yield traveller


@pytest.fixture
def acme(clock: time_machine.Traveller, world: World) -> World:
    """Enabled at noon."""
    return world


def problems(world: World) -> list[str]:
    return list(standing_of(world.integration).problems)


def at(clock: time_machine.Traveller, minutes: int) -> None:
    clock.move_to(NOON + timedelta(minutes=minutes))


def run_what_is_due() -> None:
    """As the clock does, with a worker at hand."""
    for job in requesting.request_due_jobs(timezone.now()):
        reconciliation.run(job.pk)


def without_the_clock(world: World) -> None:
    """So that only what jobs did or did not do is judged."""
    Integration.objects.filter(pk=world.integration.pk).update(next_sync_at=NOON + timedelta(days=30))


# -- no sync within twice the interval


@pytest.mark.parametrize(
    ("minutes", "took", "idle"),
    [(59, 0, False), (60, 0, False), (61, 0, True), (61, 5, False), (66, 5, True)],
)
def test_idle_is_more_than_twice_the_interval_and_the_time_that_a_sync_takes(
    minutes: int, took: int, idle: bool
) -> None:
    since, now = NOON, NOON + timedelta(minutes=minutes)
    assert is_idle(since=since, interval=HALF_HOUR, took=timedelta(minutes=took), now=now) is idle


def test_staff_may_say_after_how_long_silence_is_trouble(acme: World, clock: time_machine.Traveller) -> None:
    without_the_clock(acme)
    acme.configure(silence_minutes=240)
    at(clock, 240)
    assert problems(acme) == []
    at(clock, 241)
    assert problems(acme) == [
        "No sync has read everything for more than 240 minutes. There has been none yet."
    ]


def test_what_was_due_five_minutes_ago_is_forgotten() -> None:
    assert is_forgotten(NOON, now=NOON + timedelta(minutes=5, seconds=1))
    assert not is_forgotten(NOON, now=NOON + timedelta(minutes=5))
    assert not is_forgotten(NOON, now=NOON - timedelta(hours=1))
    assert not is_forgotten(None, now=NOON)


def test_an_integration_that_never_synced_is_told_of_after_twice_the_interval(
    acme: World, clock: time_machine.Traveller
) -> None:
    without_the_clock(acme)
    at(clock, 60)
    assert problems(acme) == []
    at(clock, 61)
    assert problems(acme) == [f"{IDLE} There has been none yet."]
    assert (standing_of(acme.integration).label, standing_of(acme.integration).tone) == (
        "Needs attention",
        "danger",
    )


def test_a_schedule_that_is_kept_is_never_idle(acme: World, clock: time_machine.Traveller) -> None:
    found = []
    for minute in range(0, 240, 3):
        at(clock, minute)
        run_what_is_due()
        found += problems(acme)
    assert found == []
    assert ProvisioningJob.objects.count() == 7


def test_previews_alone_are_idleness(acme: World, clock: time_machine.Traveller) -> None:
    without_the_clock(acme)
    for minute in (10, 40, 61):
        at(clock, minute)
        acme.preview()
    assert problems(acme) == [f"{IDLE} There has been none yet."]


def test_syncs_of_one_person_alone_are_idleness(acme: World, clock: time_machine.Traveller) -> None:
    without_the_clock(acme)
    acme.hire("ada@example.org")
    at(clock, 61)
    acme.sync("--person", "ada@example.org")
    assert problems(acme) == [f"{IDLE} There has been none yet."]


def test_syncs_that_are_not_read_to_the_end_are_idleness(acme: World, clock: time_machine.Traveller) -> None:
    acme.sync()
    without_the_clock(acme)
    fault = Fault(Kind.HTML, path="/organization/users", every=True)
    acme.simulator.inject(fault)
    at(clock, 61)
    acme.sync()
    without_the_clock(acme)
    assert fault in acme.simulator.fired
    assert f"{IDLE} The last one ended at 3 Jun 2026, 12:00 UTC." in problems(acme)


def test_a_sync_that_waits_for_an_approver_has_read_everything(
    acme: World, clock: time_machine.Traveller
) -> None:
    acme.configure(first_removals=Integration.FirstRemovals.HOLD)
    acme.dismiss(*staffed(acme, 6)[:1])
    without_the_clock(acme)
    at(clock, 50)
    assert acme.sync()["state"] == "awaiting_approval"
    at(clock, 80)
    assert problems(acme) == []


def test_one_that_is_disabled_is_not_expected_to_work(acme: World, clock: time_machine.Traveller) -> None:
    acme.integration.disable()
    at(clock, 60 * 24)
    assert problems(acme) == []


def test_time_counts_anew_from_enabling_and_from_another_interval(
    acme: World, clock: time_machine.Traveller
) -> None:
    acme.sync()
    acme.integration.disable()
    at(clock, 60 * 24)
    acme.integration.enable(now=timezone.now())
    assert problems(acme) == []
    command("configure", "Acme", "--set", "sync_every_minutes=600")
    at(clock, 60 * 24 + 600)
    command("configure", "Acme", "--set", "sync_every_minutes=30")
    assert problems(acme) == []


# -- the clock, or the workers, stand still


def test_a_sync_that_was_due_and_has_not_begun_says_that_the_clock_may_stand_still(
    acme: World, clock: time_machine.Traveller
) -> None:
    at(clock, 35)
    assert problems(acme) == []
    at(clock, 36)
    assert problems(acme) == [
        "A sync was due at 3 Jun 2026, 12:30 UTC and has not begun. Is the clock (Celery beat) running?"
    ]


def test_a_job_that_no_worker_takes_says_so(acme: World, clock: time_machine.Traveller) -> None:
    job = requesting.request_job(acme.integration, deliver=False)
    at(clock, 6)
    assert problems(acme) == [
        f"{job} has waited for a worker since 3 Jun 2026, 12:00 UTC. Is a worker running?"
    ]


def test_a_job_whose_worker_fell_silent_and_that_nobody_took_over_says_so(
    acme: World, clock: time_machine.Traveller
) -> None:
    job = requesting.request_job(acme.integration, deliver=False)
    assert job.claim(holder="elsewhere/1/a", now=timezone.now())
    at(clock, 7)
    assert problems(acme) == []
    at(clock, 9)
    [told] = problems(acme)
    assert told.startswith(f"The worker of {job} has been silent since before 3 Jun 2026, 12:03")


def test_a_long_job_at_work_is_no_stopped_clock(acme: World, clock: time_machine.Traveller) -> None:
    job = requesting.request_job(acme.integration, deliver=False)
    assert job.claim(holder="here/1/a", now=timezone.now())
    at(clock, 50)
    assert job.renew_lease(progress="Read 5,000 users.", now=timezone.now())
    assert problems(acme) == []


# -- reads unlike the ones before


def a_read(*lists: tuple[str, int], seconds: float = 0.1, pages: int = 1) -> dict[str, Any]:
    listings = [{"name": name, "items": items} for name, items in lists]
    return {"listings": listings, "seconds": seconds, "pages": pages}


def users(items: int, **more: Any) -> dict[str, Any]:
    return a_read(("users", items), **more)


@pytest.mark.parametrize(
    ("items", "before"), [(2, [3]), (0, [19]), (10, [20]), (50, [99, 100]), (200, [100])]
)
def test_a_small_list_or_a_small_change_raises_no_doubt(items: int, before: list[int]) -> None:
    assert doubts(users(items), [users(earlier) for earlier in before]) == []


def test_a_list_of_less_than_half_is_doubted() -> None:
    assert doubts(users(9), [users(20)]) == ["The list of users had 9 items; the last complete read had 20."]
    assert doubts(users(9), [users(40), users(20), users(90)]) == [
        "The list of users had 9 items; the last 3 complete reads had at least 20."
    ]


def test_a_shrunk_list_is_told_once_and_is_then_what_is_usual() -> None:
    assert doubts(users(9), [users(9), users(100), users(100)]) == []


def test_a_first_read_and_a_list_that_was_not_asked_for_before_raise_no_doubt() -> None:
    assert doubts(users(1), []) == []
    assert doubts(a_read(("users", 50), ("projects", 1)), [users(50)]) == []
    assert doubts(users(50), [a_read(("users", 50), ("users in the project Search", 500))]) == []


def test_a_read_ten_times_as_fast_as_ever_of_late_is_doubted() -> None:
    usual = [users(500, seconds=30.0, pages=10), users(500, seconds=20.0, pages=10)]
    assert doubts(users(500, seconds=1.0, pages=10), usual) == [
        "A page took 0.100 s to read, and 2.000 s or more in the last complete reads."
    ]
    assert doubts(users(500, seconds=2.1, pages=10), usual) == []


def test_quick_reads_tell_nothing_by_being_quicker_still() -> None:
    assert doubts(users(5, seconds=0.01), [users(5, seconds=0.9), users(5, seconds=4.9)]) == []


def test_a_read_that_lacks_half_of_the_invites_is_flagged_on_its_job(world: World, browsing: Client) -> None:
    for place in range(30):
        world.organization.add_invite(f"guest{place}@example.org")
    assert world.sync()["read"]["doubts"] == []
    for invite in list(world.organization.invites.values())[:20]:
        world.organization.withdraw_invite(invite.id)

    document = world.sync()

    told = "The list of invites had 10 items; the last complete read had 30."
    assert (document["read"]["complete"], document["read"]["doubts"]) == (True, [told])
    page = reverse("admin:provisioning_provisioningjob_change", args=[document["job"]])
    html = browsing.get(page).content.decode()
    assert "Not like the reads before it" in html
    assert told in html
    assert world.sync()["read"]["doubts"] == []


# -- never green


@pytest.fixture
def browsing(db: None) -> Client:
    client = Client()
    client.force_login(staff("chief", is_superuser=True))
    return client


def test_what_was_done_in_part_is_shown_nowhere_as_well(world: World, browsing: Client) -> None:
    for name in ("new1@example.org", "new2@example.org"):
        world.hire(name, "staff")
    world.rule("Staff", group="staff")
    fault = Fault(Kind.FORBIDDEN, method="POST", path="/organization/invites", nth=2)
    world.simulator.inject(fault)
    assert world.sync()["state"] == "partial"
    assert fault in world.simulator.fired

    def told() -> tuple[str, str]:
        standing = standing_of(world.integration)
        return standing.label, standing.tone

    assert told() == ("Needs attention", "danger")
    assert "The last job did only a part of its plan." in problems(world)
    html = browsing.get(reverse("admin:index")).content.decode()
    assert 'cw-label--warning">Partial</span>' in html
    assert "cw-label--success" not in html
    # A preview that goes well does no more of the plan.
    assert world.preview()["state"] == "succeeded"
    assert told() == ("Needs attention", "danger")
    assert "The last sync did only a part of its plan." in problems(world)
    assert world.sync()["state"] == "succeeded"
    assert told() == ("Managing", "success")


def test_only_what_went_well_is_green() -> None:
    green = {state for state in ProvisioningJob.State.values if TONES.get(state) == "success"}
    assert green == {"succeeded"}
