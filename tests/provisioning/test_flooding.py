"""A thousand integrations at once, and no worker for an hour: nothing is asked for or sent twice."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cakewalk.celery import app
from cakewalk.health import beating
from cakewalk.health.beating import Clock
from cakewalk.health.flooding import waiting_in
from integrations.models import Integration
from provisioning import requesting, tasks
from provisioning.models import ProvisioningJob

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = (tasks.run_job, tasks.run_people_job)


@pytest.fixture(autouse=True)
def empty_queues() -> Iterator[None]:
    purge("celery", "people")  # of what other tests of this process have sent
    yield
    purge("celery", "people")


def purge(*queues: str) -> None:
    with app.connection_or_acquire() as broker:
        for queue in queues:
            app.amqp.queues[queue].bind(broker.default_channel).declare()
            broker.default_channel.queue_purge(queue)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often a worker was told of each job. Nobody takes the messages, which stay in their queue."""
    told: Counter[int] = Counter()
    for task in JOBS:

        def note(*, job_id: int, task=task, send=task.apply_async) -> None:
            told[job_id] += 1
            send(kwargs={"job_id": job_id})

        monkeypatch.setattr(task, "delay", note)
    return told


def integrations(number: int, *, due: bool) -> None:
    now = timezone.now()
    at = now - timedelta(minutes=1) if due else now + timedelta(hours=1)
    known = Integration.objects.count()
    Integration.objects.bulk_create(
        Integration(kind="openai", name=f"Number {known + place}", enabled=True, next_sync_at=at)
        for place in range(number)
    )


def test_an_outage_of_an_hour_sends_no_job_twice_and_asks_for_each_once(sent: Counter[int]) -> None:
    integrations(1000, due=True)
    now = timezone.now()
    for tick in range(20):
        with time_machine.travel(now + tick * timedelta(minutes=3), tick=False):
            tasks.start_due_syncs()
            tasks.pick_up_lost_jobs()
    assert ProvisioningJob.objects.count() == requesting.MOST_WAITING
    assert (len(sent), set(sent.values())) == (requesting.MOST_WAITING, {1})
    assert waiting_in("celery") == requesting.MOST_WAITING


def test_all_who_are_due_have_their_turn_and_who_waited_longest_is_first(
    sent: Counter[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requesting, "MOST_WAITING", 3)
    integrations(7, due=True)
    last = Integration.objects.order_by("pk").last()
    assert last
    Integration.objects.filter(pk=last.pk).update(next_sync_at=timezone.now() - timedelta(hours=1))
    turns = []
    while jobs := requesting.request_due_jobs(timezone.now()):
        turns.append([job.integration_id for job in jobs])
        ProvisioningJob.objects.update(state=ProvisioningJob.State.SUCCEEDED)
    assert turns[0][0] == last.pk
    assert [len(turn) for turn in turns] == [3, 3, 1]
    assert len({pk for turn in turns for pk in turn}) == 7


@pytest.fixture
def clock() -> Clock:
    made = Clock(app=app, lazy=True)
    made.setup_schedule()
    return made


def let_it_tick(clock: Clock) -> None:
    """With all that it has to say, as every minute."""
    for entry in clock.schedule.values():
        clock.apply_entry(entry, producer=clock.producer)


def test_a_lost_message_is_sent_again_when_nothing_waits_but_what_the_clock_has_just_said(
    sent: Counter[int], clock: Clock
) -> None:
    integrations(2, due=True)
    now = timezone.now()
    [first, second] = requesting.request_due_jobs(now)
    purge("celery")
    second.claim(holder="a worker", now=now)
    let_it_tick(clock)
    assert waiting_in("celery") > 5
    with time_machine.travel(now + 2 * tasks.UNDELIVERED_AFTER, tick=False):
        tasks.pick_up_lost_jobs()
        tasks.pick_up_lost_jobs()
    assert sent == {first.pk: 2, second.pk: 1}


def test_while_no_worker_comes_few_jobs_are_sent_again_only_a_few_times(
    sent: Counter[int], clock: Clock
) -> None:
    integrations(2, due=True)
    now = timezone.now()
    requesting.request_due_jobs(now)
    for minutes in range(1, 50):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            let_it_tick(clock)
            tasks.pick_up_lost_jobs()
    assert set(sent.values()) == {2}


def test_a_queue_that_is_always_long_hides_a_lost_message_for_no_longer_than_an_hour(
    sent: Counter[int], clock: Clock
) -> None:
    integrations(1, due=True)
    now = timezone.now()
    [job] = requesting.request_due_jobs(now)
    let_it_tick(clock)
    let_it_tick(clock)
    for minutes in (1, 59, 61, 62, 119, 122):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            tasks.pick_up_lost_jobs()
    assert sent == {job.pk: 3}


def test_the_clock_adds_no_tick_to_a_flooded_queue(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(beating, "MOST_WAITING", 5)
    entry = clock.schedule["start due syncs"]
    for _ in range(9):
        clock.apply_entry(entry, producer=clock.producer)
    assert waiting_in("celery") == 5
    assert entry.options["expires"] == 600


@pytest.mark.parametrize(
    "tick", [tasks.start_due_syncs, tasks.start_people_jobs, tasks.pick_up_lost_jobs, tasks.tally]
)
def test_a_tick_asks_as_much_of_a_thousand_integrations_as_of_ten(tick, sent: Counter[int]) -> None:
    def number() -> int:
        tick()
        with CaptureQueriesContext(connection) as asked, time_machine.travel(timezone.now(), tick=False):
            tick()
        return len(asked)

    integrations(10, due=False)
    few = number()
    integrations(990, due=False)
    assert number() == few
