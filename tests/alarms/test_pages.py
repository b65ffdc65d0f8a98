"""Channels set up, tried and watched by staff, in the admin and at a terminal."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.models import Entry, Verification
from directory.models import Source
from provisioning.alarms.models import Alarm, Channel, Delivery
from tests.admin.builders import alarm, channel, integration, staff
from tests.alarms.builders import look, webhook
from tests.alarms.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
CHANNELS = (
    "admin:alarms_channel_changelist",
    "admin:alarms_delivery_changelist",
    "admin:alarms_alarm_changelist",
)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(staff("olga", "Operator"))
    return client


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


def add(client: Client, kind: str, **typed):
    given = {"name": "Ops", "enabled": "on", "remind_after_hours": "24", **typed}
    return client.post(f"{reverse('admin:alarms_channel_add')}?kind={kind}", given)


def text(answer) -> str:
    return str(answer.content.decode())


def everything_shown(client: Client) -> str:
    rows = [("channel", row.pk) for row in Channel.objects.all()]
    rows += [("delivery", row.pk) for row in Delivery.objects.all()]
    pages = [reverse(name) for name in CHANNELS]
    for name, pk in rows:
        pages += [reverse(f"admin:alarms_{name}_{page}", args=[pk]) for page in ("change", "history")]
    answers = [client.get(page) for page in pages]
    assert {answer.status_code for answer in answers} == {200}
    return "".join(map(text, answers))


def test_a_webhooks_signing_secret_is_shown_once_and_its_address_never(operator: Client, receiver: Receiver):
    made = add(operator, "webhook", new_address=receiver.url)
    ops = Channel.objects.get()
    secret = ops.signing_secret.reveal()
    assert (made.status_code, secret in text(made)) == (200, True)
    tried = operator.post(reverse("admin:alarms_channel_test", args=[ops.pk]), follow=True)
    assert "Sent. Ops answered: 200 ok" in text(tried)
    shown = everything_shown(operator)
    assert f"http://127.0.0.1:{receiver.port}/…" in shown
    told = " ".join(Entry.objects.values_list("body", flat=True))
    for hidden in (secret, "s3cret-path", "s3cret-query"):
        assert hidden not in shown + told

    kept = {"name": "Ops", "enabled": "on", "remind_after_hours": "5"}
    page = reverse("admin:alarms_channel_change", args=[ops.pk])
    assert operator.post(page, kept).status_code == 302
    ops = Channel.objects.get()
    assert (ops.signing_secret.reveal(), ops.address.reveal()) == (secret, receiver.url)
    changed = Entry.objects.get(verb="row.changed", actor="olga")
    assert json.loads(changed.body) == {
        "before": {"remind_after_hours": 24},
        "after": {"remind_after_hours": 5},
    }
    renewed = operator.post(page, {**kept, "renew_secret": "on"})
    new = Channel.objects.get().signing_secret.reveal()
    assert (new != secret, new in text(renewed)) == (True, True)


@pytest.mark.parametrize(
    ("kind", "typed", "said"),
    [
        ("webhook", {"new_address": "https://10.0.0.7/hook"}, "This is no public address."),
        ("slack", {"new_address": "http://hooks.slack.com/x"}, "The address must begin with https://"),
        ("slack", {}, "This field is required."),
        ("email", {"recipients": " , "}, "Write whom to tell."),
        ("email", {"recipients": "ops@example.org, ops"}, "ops is no e-mail address."),
        ("email", {"recipients": "ops@example.org", "name": "TAKEN"}, "already a channel named TAKEN."),
        (
            "email",
            {"recipients": "ops@example.org", "remind_after_hours": "9999"},
            "less than or equal to 720",
        ),
    ],
)
def test_what_cannot_be_a_channel_is_refused_where_it_was_typed(operator: Client, kind, typed, said):
    channel("taken")
    answer = add(operator, kind, **typed)
    assert (answer.status_code, Channel.objects.count()) == (200, 1)
    assert said in text(answer)
    assert typed.get("new_address", "s3cret") not in text(answer)


def test_an_e_mail_and_a_chat_are_channels_too(operator: Client):
    acme = integration()
    add(
        operator,
        "email",
        recipients="ops@example.org\nchief@example.org",
        causes=["held"],
        integrations=[acme.pk],
    )
    add(operator, "slack", name="Chat", new_address="https://hooks.slack.com/services/T0/B0/s3cret")
    mail, chat = Channel.objects.order_by("pk")
    assert (mail.people(), mail.causes, list(mail.integrations.all())) == (
        ["ops@example.org", "chief@example.org"],
        ["held"],
        [acme],
    )
    assert (chat.kind, chat.where, chat.address.reveal()[-6:]) == (
        "slack",
        "https://hooks.slack.com/…",
        "s3cret",
    )
    assert [
        json.loads(row.body)["after"]["integrations"]
        for row in Entry.objects.filter(verb="row.added").order_by("seq")
    ] == [
        ["Acme"],
        [],
    ]
    operator.post(reverse("admin:alarms_channel_delete", args=[chat.pk]), {"post": "yes"})
    gone = Entry.objects.get(verb="row.deleted")
    assert (gone.object_name, "s3cret" in gone.body) == ("Chat", False)
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend"):
        page = operator.get(reverse("admin:alarms_channel_change", args=[mail.pk]))
        assert "whoever runs Cakewalk sets EMAIL_URL first" in text(page)


def test_a_message_that_came_to_nothing_is_sent_again_under_the_same_id(operator: Client, receiver: Receiver):
    failed = alarm(integration(), "unreachable", webhook(receiver))
    row = failed.deliveries.get()
    Delivery.objects.update(state="given_up", next_try_at=None)
    assert "1 alarm message was taken by nobody" in text(operator.get(reverse("admin:index")))
    again = operator.post(reverse("admin:alarms_delivery_replay", args=[row.pk]), follow=True)
    replay = row.replayed_by.get()
    assert "Sent. Ops answered: 200 ok" in text(again)
    assert (replay.state, replay.message_id, replay.asked_by.username) == ("sent", row.message_id, "olga")
    assert (receiver.received[0].headers["webhook-id"], receiver.received[0].body.decode()) == (
        row.message_id,
        row.body,
    )
    assert Entry.objects.filter(verb="message.replayed", actor="olga").count() == 1
    assert "taken by nobody" not in text(operator.get(reverse("admin:index")))


def test_a_message_that_waits_for_its_next_attempt_is_tried_at_once(operator: Client, receiver: Receiver):
    row = alarm(integration(), "unreachable", webhook(receiver)).deliveries.get()
    Delivery.objects.update(next_try_at=timezone.now() + timedelta(hours=3))
    operator.post(reverse("admin:alarms_delivery_replay", args=[row.pk]))
    row.refresh_from_db()
    assert (row.state, row.attempts, Delivery.objects.count()) == ("sent", 2, 1)


def test_a_test_goes_out_through_a_channel_that_is_switched_off_and_is_not_repeated(
    operator: Client, receiver: Receiver
):
    ops = webhook(receiver, enabled=False)
    receiver.answers, receiver.says = [404], "no_service"
    answer = operator.post(reverse("admin:alarms_channel_test", args=[ops.pk]), follow=True)
    assert "Not sent. Ops: 404 no_service" in text(answer)
    assert Delivery.objects.get().state == "given_up"
    assert Entry.objects.filter(verb="channel.tested", actor="olga").count() == 1


def test_the_link_in_a_message_leads_to_the_alarm_after_signing_in(operator: Client):
    found = alarm(integration(), "unreachable", channel("Ops"))
    path = reverse("alarm", args=[found.public_id])
    assert Client().get(path)["Location"] == f"/admin/login/?next={path}"
    page = operator.get(path, follow=True)
    assert page.redirect_chain == [(reverse("admin:alarms_alarm_change", args=[found.pk]), 302)]
    assert "The organization could not be reached." in text(page)


def test_a_broken_ledger_is_told_with_its_end_and_home_names_what_only_alarms_know(operator: Client):
    Source.objects.create(name="okta", kind="scim", token_used_at=timezone.now() - timedelta(days=9))
    known = {"seconds": 1.0, "entries": 9, "seq": 9}
    breaks = [{"seq": 5, "fault": "altered", "detail": "Entry 5 is not what was written."}]
    Verification.objects.create(at=timezone.now(), breaks=breaks, **known)
    look()
    titles = {"Ledger: chain broken", "okta: gone quiet"}
    assert {one.title for one in Alarm.objects.open()} == titles
    assert operator.get(Alarm.objects.get(cause="ledger_broken").path).status_code == 200
    home = text(operator.get(reverse("admin:index")))
    assert [home.count(f">{title}<") for title in titles] == [1, 1]
    assert "Entry 5 is not what was written." in home
    Verification.objects.create(at=timezone.now(), **known)
    look()
    look(timedelta(minutes=11))
    assert not Alarm.objects.open().filter(cause="ledger_broken").exists()
    verbs = Entry.objects.filter(object_name="Ledger: chain broken").order_by("seq")
    assert list(verbs.values_list("verb", "actor_kind")) == [
        ("alarm.opened", "schedule"),
        ("alarm.closed", "schedule"),
    ]


# -- at a terminal


def run(*words: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("alarms", *words, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


def test_the_command_lists_what_is_open():
    assert run() == ("No alarm is open.\n", 0)
    found = alarm(integration(), "unreachable", channel("Ops"))
    assert run() == (
        "Acme: sync failed (unreachable), for less than a minute. http://localhost:8000/jobs/0\n",
        0,
    )
    [told] = json.loads(run("--json")[0])["alarms"]
    assert (told["alarm"], told["cause"], told["integration"]) == (
        str(found.public_id),
        "sync_failed",
        "Acme",
    )
    assert told["advice"].startswith("The organization could not be reached.")


def test_the_command_tries_a_channel(receiver: Receiver):
    webhook(receiver)
    receiver.answers = [200, 500]
    assert run("--test", "ops") == ("Ops: sent. 200 ok\n", 0)
    document, status = run("--test", "Ops", "--json")
    assert (json.loads(document)["state"], json.loads(document)["status"], status) == ("given_up", 500, 4)
    with pytest.raises(CommandError, match="There is no channel named 'Nobody'"):
        run("--test", "Nobody")
