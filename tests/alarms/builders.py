"""Channels and looks at the clock."""

from datetime import datetime, timedelta
from typing import Any

import time_machine
from django.utils import timezone

from provisioning.alarms import sending, watching
from provisioning.alarms.models import Alarm, Channel, Delivery
from tests.alarms.receiver import Receiver


def webhook(to: Receiver | str, name: str = "Ops", **values: Any) -> Channel:
    made = Channel(name=name, kind=Channel.Kind.WEBHOOK, **values)
    made.send_to(to if isinstance(to, str) else to.url)
    made.renew_signing_secret()
    made.save()
    return made


def slack(to: Receiver | str, name: str = "Chat", **values: Any) -> Channel:
    made = Channel(name=name, kind=Channel.Kind.SLACK, **values)
    made.send_to(to if isinstance(to, str) else to.url)
    made.save()
    return made


def email(*people: str, name: str = "Mail", **values: Any) -> Channel:
    return Channel.objects.create(
        name=name, kind=Channel.Kind.EMAIL, recipients=", ".join(people or ("ops@example.org",)), **values
    )


def look(after: timedelta = timedelta(), *, send: bool = True) -> datetime:
    """As the clock does, so much later."""
    with time_machine.travel(timezone.now() + after, tick=False):
        now = timezone.now()
        watching.watch(now)
        if send:
            sending.send_due()
    return now


def alarms() -> list[tuple[str, str, bool]]:
    return [(alarm.cause, alarm.title, alarm.is_open) for alarm in Alarm.objects.order_by("pk")]


def said() -> list[tuple[str, str, str]]:
    """What was told, by whom and how it went."""
    rows = Delivery.objects.select_related("channel").order_by("pk")
    return [(row.channel.name, row.subject, row.state) for row in rows]
