"""Look for trouble, and write down what is to be told of it. Whatever is interrupted, the next look goes on.

An alarm and its messages are one transaction, and sending comes afterwards: docs/alarms.md.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Prefetch
from django.urls import reverse
from django.utils import translation
from django.utils.timezone import localtime

from cakewalk import links
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from integrations.models import Integration
from provisioning.alarms import causes, finding, messages, wording
from provisioning.alarms.models import Alarm, AlarmQuerySet, Channel, Delivery
from provisioning.models import ProvisioningJob

Event = Delivery.Event


def watch(now: datetime) -> None:
    _settle(finding.find(now), Alarm.objects.open(), now)
    Delivery.objects.forget_old(now)


def watch_one(integration: Integration, now: datetime) -> None:
    """At the end of a job, however many other integrations there are: those are looked at by the clock."""
    _settle(finding.find_of(integration, now), Alarm.objects.open().filter(integration=integration), now)


def may_tell_of(job: ProvisioningJob) -> bool:
    """Whether its end is trouble, or may be the end of some."""
    well = job.state in (*ProvisioningJob.LIVE, ProvisioningJob.State.SUCCEEDED)
    return not well or Alarm.objects.open().filter(integration=job.integration_id).exists()


def _settle(found: Sequence[causes.Finding], among: AlarmQuerySet, now: datetime) -> None:
    """`among`: the open alarms, among which are all that the findings may be about."""
    decision = causes.decide(found, _open(among, now), now=now)
    for one in decision.opens:
        _open_one(one, now)
    for known, one in decision.stays:
        Alarm.objects.open().filter(pk=known.id).update(gone_since=None, detail=one.detail, path=one.path)
    going = [known.id for known in decision.goes]
    Alarm.objects.open().filter(pk__in=going, gone_since=None).update(gone_since=now)
    for alarm in Alarm.objects.open().filter(pk__in=[known.id for known in decision.closes]):
        _close_one(alarm, now)
    _tell_on(among, now)


def _open(among: AlarmQuerySet, now: datetime) -> list[causes.Open]:
    closed = Alarm.objects.filter(closed_at__gt=now - causes.LATELY)
    lately = Counter(closed.values_list("cause", "subject"))
    return [
        causes.Open(
            alarm.pk,
            causes.Key(alarm.cause, alarm.subject),
            alarm.gone_since,
            alarm.detail,
            alarm.path,
            lately[alarm.cause, alarm.subject],
        )
        for alarm in among.all()
    ]


def _open_one(found: causes.Finding, now: datetime) -> None:
    """Unless another process was first, which the database tells."""
    try:
        with together():
            alarm = Alarm.objects.create(
                cause=found.cause,
                subject=found.subject,
                code=found.code[:50],
                name=found.name[:200],
                what=found.what[:200],
                detail=found.detail,
                path=found.path,
                integration_id=found.integration,
                opened_at=now,
            )
            channels = Channel.objects.enabled()
            takers = [channel for channel in channels if channel.takes(found.cause, found.integration)]
            tell(alarm, Event.OPENED, takers, now=now)
            record(Verb.ALARM_OPENED, alarm, facts={"cause": alarm.cause, "code": alarm.code})
    except IntegrityError:
        if not Alarm.objects.open().filter(cause=found.cause, subject=found.subject).exists():
            raise


def _close_one(alarm: Alarm, now: datetime) -> None:
    """Told by those channels that told of the alarm."""
    with together():
        if alarm.close(now=now):
            told = Channel.objects.without_secrets().filter(enabled=True, deliveries__alarm=alarm)
            tell(alarm, Event.CLOSED, told.distinct().order_by("pk"), now=now)
            record(Verb.ALARM_CLOSED, alarm, facts={"cause": alarm.cause, "opened_at": alarm.opened_at})


def _tell_on(among: AlarmQuerySet, now: datetime) -> None:
    """Remind, and tell what is open to channels that have not heard of it: new ones, or such as take more."""
    channels = list(Channel.objects.enabled())
    told = Delivery.objects.filter(replays=None).only("alarm", "channel", "event", "made_at")
    alarms = among.filter(gone_since=None) if channels else among.none()
    for alarm in alarms.select_related("integration").prefetch_related(Prefetch("deliveries", told)):
        for channel in channels:
            if channel.takes(alarm.cause, alarm.integration_id):
                _tell_on_by(channel, alarm, now)


def _tell_on_by(channel: Channel, alarm: Alarm, now: datetime) -> None:
    told = [one for one in alarm.deliveries.all() if one.channel_id == channel.pk]
    reminders = sum(one.event == Event.REMINDER for one in told)
    last = max((one.made_at for one in told), default=None)
    if last is None:
        _tell_once(alarm, Event.OPENED, channel, now, number=1)
    elif causes.is_reminder_due(last, reminders, every=channel.remind_after, now=now):
        _tell_once(alarm, Event.REMINDER, channel, now, number=reminders + 1)


def _tell_once(alarm: Alarm, event: str, channel: Channel, now: datetime, *, number: int) -> None:
    """Unless another process was first."""
    with suppress(IntegrityError), transaction.atomic():
        tell(alarm, event, [channel], now=now, number=number)


# -- what is said


def tell(
    alarm: Alarm, event: str, channels: Iterable[Channel], *, now: datetime, number: int = 1
) -> list[Delivery]:
    """Write down a message for each channel, in the running transaction."""
    told = told_of(alarm)
    return Delivery.objects.bulk_create(
        delivery(channel, told, event, now=now, alarm=alarm, number=number) for channel in channels
    )


def delivery(channel: Channel, told: messages.Told, event: str, *, now: datetime, **more: Any) -> Delivery:
    return Delivery(
        message_id=f"msg_{uuid.uuid4().hex}",
        channel=channel,
        event=event,
        subject=messages.subject(told, event, now=now),
        body=_body(channel, told, event, now=now),
        made_at=now,
        next_try_at=now,
        **more,
    )


def _body(channel: Channel, told: messages.Told, event: str, *, now: datetime) -> str:
    match channel.kind:
        case Channel.Kind.WEBHOOK:
            return messages.webhook(told, event, now=now)
        case Channel.Kind.SLACK:
            return messages.slack(told, event, now=now)
        case _:
            return messages.text(told, event)


def told_of(alarm: Alarm) -> messages.Told:
    of = alarm.integration
    with translation.override("en"):
        advice = wording.advice(alarm.cause, alarm.code)
    return messages.Told(
        id=str(alarm.public_id),
        cause=alarm.cause,
        code=alarm.code,
        name=alarm.name,
        what=alarm.what,
        detail=alarm.detail,
        advice=advice,
        url=links.absolute(alarm.path),
        alarm_url=links.absolute(reverse("alarm", args=[alarm.public_id])),
        integration=of.name if of else None,
        opened_at=localtime(alarm.opened_at),
        closed_at=localtime(alarm.closed_at) if alarm.closed_at else None,
        unwatched=bool(alarm.closed_at and of and not of.enabled and alarm.cause != Alarm.Cause.HELD),
    )


def a_test(channel: Channel, *, now: datetime) -> messages.Told:
    with translation.override("en"):
        advice = wording.advice("test", "test")
    page = links.absolute(reverse("admin:alarms_channel_change", args=[channel.pk]))
    return messages.Told(
        id="test",
        cause="test",
        code="test",
        name="Cakewalk",
        what=f"test of the channel {channel.name}",
        detail="This channel works: alarms arrive here.",
        advice=advice,
        url=page,
        alarm_url=page,
        integration=None,
        opened_at=localtime(now),
    )
