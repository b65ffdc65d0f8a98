"""Real jobs that fail, wait and recover in a small company: each cause is told once, and its end too."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from directory.models import Pull, Source
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Credential, Integration
from provisioning import requesting, tasks
from provisioning.alarms import sending, watching
from provisioning.alarms.causes import CALM
from provisioning.alarms.models import KEPT, Alarm, Delivery
from provisioning.alarms.tasks import look_for_trouble_of
from provisioning.models import ProvisioningJob
from tests.admin.builders import ldap_server
from tests.alarms.builders import alarms, email, look, said, slack, webhook
from tests.alarms.receiver import Receiver, receiving
from tests.provisioning.world import World, held_job

pytestmark = pytest.mark.django_db
LATER = CALM + timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def told(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["data"]["title"] for one in receiver.received]


def test_a_failing_sync_is_told_once_however_often_it_fails_and_its_end_too(world: World, receiver: Receiver):
    webhook(receiver)
    email(name="Approvers", causes=["held"])
    for place in (1, 2):
        world.simulator.inject(Fault(Kind.HTML, path="/organization/invites", nth=place))
    first, _ = world.sync(), look()
    world.sync()
    look()
    assert told(receiver) == ["Acme: sync inconclusive (read_incomplete)"]
    alarm = Alarm.objects.get()
    assert alarm.path == f"/jobs/{ProvisioningJob.objects.latest('pk').public_id}"  # the newest of them

    assert (first["state"], world.sync()["state"]) == ("inconclusive", "succeeded")
    look()
    assert alarms() == [
        ("sync_failed", "Acme: sync inconclusive (read_incomplete)", True)
    ]  # it may come back
    look(LATER)
    look(2 * LATER)
    assert alarms() == [("sync_failed", "Acme: sync inconclusive (read_incomplete)", False)]
    assert told(receiver)[1:] == ["Acme: over after less than a minute: sync inconclusive (read_incomplete)"]
    assert {channel for channel, _, _ in said()} == {"Ops"}


def test_a_rejected_key_is_one_alarm_although_the_job_fails_and_no_sync_comes_any_more(world: World):
    email()
    world.simulator.inject(Fault(Kind.UNAUTHORIZED, every=True))
    assert world.sync()["state"] == "failed"
    look()
    look(10 * HOUR)
    assert alarms() == [("paused", "Acme: paused, its key is rejected", True)]
    assert said() == [("Mail", "Acme: paused, its key is rejected", "sent")]


def test_each_job_that_waits_for_an_approver_is_told_and_that_it_was_decided_at_once(world: World):
    slack("https://chat.example.org/x", enabled=False)
    job = held_job(world)
    world.approver()
    look()
    look()
    waits = f"Acme: job {job.pk} awaits approval (first_removals)"
    assert alarms() == [("held", waits, True)]
    assert Alarm.objects.get().detail.startswith("1 action waits for an approver. ")
    assert world.approve(job.pk)["state"] == "succeeded"
    look()
    assert alarms() == [("held", waits, False)]
    assert said() == []  # no channel that is enabled


def test_silence_is_told_when_nothing_else_tells_why(world: World):
    world.sync()
    Integration.objects.update(next_sync_at=None)
    look(HOUR - timedelta(minutes=5))
    assert alarms() == []
    look(HOUR + timedelta(minutes=5))
    assert alarms() == [("no_sync", "Acme: no complete sync in time", True)]


def test_a_key_that_expires_is_old_and_is_used_elsewhere_is_three_alarms(world: World):
    now = timezone.now()
    Credential.objects.update(
        expires_at=now + timedelta(days=3), made_at=now - timedelta(days=100), used_elsewhere_at=now
    )
    look()
    assert {title for _, title, _ in alarms()} == {
        "Acme: key expires soon",
        "Acme: key is old",
        "Acme: key used elsewhere",
    }


def test_an_integration_that_is_not_enabled_alarms_nobody(world: World):
    Credential.objects.all().delete()
    world.integration.disable()
    look()
    assert alarms() == []
    world.integration.enable(now=timezone.now())
    look()
    assert alarms() == [("credential", "Acme: no credential", True)]
    email(name="All-clear", remind_after_hours=0)
    look()
    world.integration.disable()
    look()
    look(LATER)
    assert mail.outbox[-1].subject.startswith("Acme: over after ")
    assert "Acme is disabled, and not looked at any more." in mail.outbox[-1].body


def test_a_source_that_went_quiet_or_whose_pulls_fail_or_stop_is_told(world: World):
    world.configure(sync_every_minutes=600)
    now = timezone.now()
    Source.objects.create(name="okta", kind="scim", token_used_at=now - 71 * HOUR)
    Source.objects.create(name="new", kind="scim")
    Source.objects.create(name="rare", kind="scim", token_used_at=now - 999 * HOUR, quiet_after_hours=0)
    for name, outcome in (("failing", "inconclusive"), ("stopped", "done")):
        server = ldap_server(name, next_pull_at=now)
        server.source.pulls.all().delete()
        times = {"began_at": now - timedelta(minutes=119), "finished_at": now - timedelta(minutes=119)}
        Pull.objects.create(source=server.source, outcome=outcome, detail="It broke off.", **times)
    look()
    assert alarms() == [("source_quiet", "failing: pull inconclusive", True)]
    look(2 * HOUR)
    assert {title for _, title, _ in alarms()} == {
        "failing: pull inconclusive",
        "stopped: not pulled in time",
        "okta: gone quiet",
    }


def test_channels_hear_only_of_what_they_chose(world: World):
    other = Integration.objects.create(kind="openai", name="Other")
    of_other, of_acme = email(name="Other"), email(name="Acme's")
    of_other.integrations.add(other)
    of_acme.integrations.add(world.integration)
    email(name="Keys", causes=["credential"])
    email(name="Syncs", causes=["sync_failed", "no_sync"])
    Credential.objects.all().delete()
    Source.objects.create(name="okta", kind="scim", token_used_at=timezone.now() - 100 * HOUR)
    look()
    assert {(channel, subject) for channel, subject, _ in said()} == {
        ("Acme's", "Acme: no credential"),
        ("Keys", "Acme: no credential"),
        ("Acme's", "okta: gone quiet"),
        ("Other", "okta: gone quiet"),
    }


def test_a_channel_that_comes_later_is_told_of_what_is_open_already(world: World):
    Credential.objects.all().delete()
    look()
    email()
    look(timedelta(minutes=1))
    look(timedelta(minutes=2))
    assert said() == [("Mail", "Acme: no credential", "sent")]


def test_reminders_come_while_it_lasts_each_after_twice_as_long(world: World):
    email(remind_after_hours=2)
    email(name="Quiet", remind_after_hours=0)
    Credential.objects.all().delete()
    now = look()
    for hours in (1, 2, 3, 5, 6, 7, 13, 14):
        watching.watch(now + hours * HOUR)
        watching.watch(now + hours * HOUR)
    assert list(Delivery.objects.filter(event="reminder").values_list("channel__name", "subject")) == [
        ("Mail", "Acme: still open after 2 h: no credential"),
        ("Mail", "Acme: still open after 6 h: no credential"),
        ("Mail", "Acme: still open after 14 h: no credential"),
    ]


def test_a_cause_that_flaps_is_told_once_and_that_it_ended_when_it_stays_away(world: World):
    world.configure(sync_every_minutes=600)
    email()
    kept = Credential.objects.get()
    for minutes in range(0, 60, 5):
        if minutes % 10:
            kept.save(force_insert=True)
        else:
            Credential.objects.all().delete()
        look(timedelta(minutes=minutes))
    look(timedelta(minutes=66))
    assert [subject for _, subject, _ in said()] == [
        "Acme: no credential",
        "Acme: over after 55 min: no credential",
    ]


def test_killed_between_the_alarm_and_its_messages_neither_is_written(world: World, monkeypatch):
    email()
    Credential.objects.all().delete()
    with monkeypatch.context() as patched:
        patched.setattr(watching, "tell", _killed)
        with pytest.raises(KeyboardInterrupt):
            look()
    assert (Alarm.objects.count(), Delivery.objects.count()) == (0, 0)
    look(send=False)
    assert said() == [("Mail", "Acme: no credential", "waiting")]  # and here it is killed again
    sending.send_due()
    assert said() == [("Mail", "Acme: no credential", "sent")]


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_two_looks_at_once_open_one_alarm(world: World, monkeypatch):
    email()
    Credential.objects.all().delete()
    # As the other process has not written it yet.
    monkeypatch.setattr(watching, "_open", lambda among, now: [])
    look()
    look()
    assert said() == [("Mail", "Acme: no credential", "sent")]


def test_the_database_itself_keeps_one_cause_from_being_open_twice(world: World):
    alarm = {"cause": "held", "subject": "job 1", "name": "Acme", "what": "x", "opened_at": timezone.now()}
    Alarm.objects.create(**alarm, closed_at=timezone.now())
    Alarm.objects.create(**alarm)
    with pytest.raises(IntegrityError):
        Alarm.objects.create(**alarm)


def test_deliveries_are_forgotten_when_their_alarm_is_long_over(world: World):
    email()
    Credential.objects.all().delete()
    now = look()
    first = Delivery.objects.get()
    watching.watch(now + KEPT + HOUR)
    assert Delivery.objects.contains(first)
    Alarm.objects.update(closed_at=now)
    watching.watch(now + KEPT + HOUR)
    assert not Delivery.objects.contains(first)


def test_a_look_asks_the_same_number_of_questions_however_much_there_is(world: World):
    def number() -> int:
        look()
        with CaptureQueriesContext(
            connection,
        ) as asked:
            watching.watch(timezone.now())
        return len(asked)

    email()
    Credential.objects.all().delete()
    before = number()
    for place in range(5):
        made = Integration.objects.create(kind="openai", name=f"More {place}")
        made.enable(now=timezone.now())
        email(name=f"Mail {place}")
    assert (number(), Alarm.objects.count()) == (before, 6)


def test_the_end_of_a_job_looks_at_its_own_integration_and_at_no_other(world: World):
    def number() -> int:
        with CaptureQueriesContext(connection) as asked:
            watching.watch_one(world.integration, timezone.now())
        return len(asked)

    email()
    world.simulator.inject(Fault(Kind.HTML, path="/organization/invites", nth=1))
    world.sync()
    number()
    before = number()
    for place in range(5):
        Integration.objects.create(kind="openai", name=f"More {place}").enable(now=timezone.now())
    assert number() == before
    assert [title for _, title, _ in alarms()] == ["Acme: sync inconclusive (read_incomplete)"]
    look()  # the others have no credential
    assert Alarm.objects.open().count() == 6
    watching.watch_one(world.integration, timezone.now() + 10 * HOUR)
    assert Alarm.objects.open().filter(gone_since=None).count() == 6


def test_only_a_job_that_ends_in_trouble_or_may_end_some_lets_somebody_look(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    looked: list[int] = []
    monkeypatch.setattr(look_for_trouble_of, "delay", lambda *, integration_id: looked.append(integration_id))
    monkeypatch.setattr(requesting, "wake", lambda task, **ids: task.delay(**ids))

    def carry_out() -> str:
        job = requesting.request_job(world.integration, deliver=False)
        tasks.run_job(job_id=job.pk)
        job.refresh_from_db()
        return str(job.state)

    assert (carry_out(), looked) == ("succeeded", [])
    world.simulator.inject(Fault(Kind.HTML, path="/organization/invites", nth=1))
    assert (carry_out(), len(looked)) == ("inconclusive", 1)
    look()
    assert (carry_out(), len(looked)) == ("succeeded", 2)  # an alarm is open, which may be over
