"""What is open now, and whether a channel works."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from cakewalk.commands import BaseCommand
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from provisioning.alarms import messages, sending, watching
from provisioning.alarms.models import Alarm, Channel, Delivery
from provisioning.management.foreground import print_json, wrong_usage

NOT_SENT = 4


class Command(BaseCommand):
    help = "List the alarms that are open, or send a test through a channel."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--test", metavar="CHANNEL", help="send a test through the channel of this name")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["test"]:
            self._test(_channel_named(options["test"]), as_json=options["json"])
        else:
            self._list(as_json=options["json"])

    def _list(self, *, as_json: bool) -> None:
        alarms = Alarm.objects.open().select_related("integration").order_by("-opened_at")
        told = [watching.told_of(alarm) for alarm in alarms]
        if as_json:
            print_json({"alarms": [_document(one) for one in told]}, self.stdout)
            return
        for one in told:
            since = messages.lasted(timezone.now() - one.opened_at)
            self.stdout.write(f"{one.name}: {one.what}, for {since}. {one.url}")
        if not told:
            self.stdout.write("No alarm is open.")

    def _test(self, channel: Channel, *, as_json: bool) -> None:
        sent = sending.send_test(channel, now=timezone.now())
        record(Verb.CHANNEL_TESTED, channel, facts={"state": sent.state, "answer": sent.answer})
        document = {
            "channel": channel.name,
            "state": sent.state,
            "status": sent.answer_status,
            "answer": sent.answer,
            "message_id": sent.message_id,
        }
        if as_json:
            print_json(document, self.stdout)
        else:
            answer = " ".join(filter(None, (str(sent.answer_status or ""), sent.answer)))
            self.stdout.write(f"{channel.name}: {sent.get_state_display().lower()}. {answer}")
        if sent.state != Delivery.State.SENT:
            sys.exit(NOT_SENT)


def _channel_named(name: str) -> Channel:
    channels = Channel.objects.without_secrets()
    found = channels.filter(name__iexact=name).first()
    if found is None:
        known = ", ".join(channels.order_by("name").values_list("name", flat=True))
        raise wrong_usage(f"There is no channel named {name!r}. There are: {known or 'none yet'}.")
    return found


def _document(told: messages.Told) -> dict[str, Any]:
    return {
        "alarm": told.id,
        "title": f"{told.name}: {told.what}",
        "cause": told.cause,
        "code": told.code,
        "about": told.name,
        "integration": told.integration,
        "detail": told.detail,
        "advice": told.advice,
        "opened_at": told.opened_at.isoformat(),
        "url": told.url,
    }
