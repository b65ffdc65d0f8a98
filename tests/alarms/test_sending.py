"""Messages on their way: signed, tried again, given up, sent once, and never with a secret."""

import base64
import hashlib
import hmac
import json
import logging
import smtplib
import socket
import ssl
import time
from datetime import timedelta
from pathlib import Path

import pytest
import standardwebhooks
import time_machine
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MailHandler
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from cakewalk.addresses import may_reach
from provisioning.alarms import posting, sending, watching
from provisioning.alarms.addresses import refuse
from provisioning.alarms.models import ATTEMPTS, LEASE, PAUSES, Alarm, Channel, Delivery
from tests.alarms.builders import email, said, slack, webhook
from tests.alarms.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
State = Delivery.State


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


def an_alarm(**values) -> Alarm:
    told = {
        "cause": "sync_failed",
        "subject": "integration 3",
        "code": "credential_rejected",
        "name": "Acme",
        "what": "sync failed (credential_rejected)",
        "detail": "The last job failed. OpenAI rejects the key.",
        "path": "/jobs/0b1c",
        "opened_at": timezone.now(),
    }
    return Alarm.objects.create(**told | values)


def tell(channel: Channel, alarm: Alarm | None = None, event: str = "opened") -> Delivery:
    return watching.tell(alarm or an_alarm(), event, [channel], now=timezone.now())[0]


def tick(after: timedelta) -> None:
    with time_machine.travel(timezone.now() + after, tick=False):
        sending.send_due()


def test_a_webhook_that_answers_500_twice_gets_the_same_message_again_and_its_own_library_verifies_it(
    receiver,
):
    channel = webhook(receiver)
    secret = channel.signing_secret.reveal()
    receiver.answers = [500, 500]
    row, waited = tell(channel), timedelta()
    for pause in (timedelta(), *PAUSES[:2]):
        waited += pause + timedelta(seconds=1)
        tick(waited)

    row.refresh_from_db()
    assert (row.state, row.attempts, row.answer_status, row.next_try_at) == (State.SENT, 3, 200, None)
    first, _second, third = receiver.received
    assert {one.body for one in receiver.received} == {first.body}
    assert {one.headers["webhook-id"] for one in receiver.received} == {row.message_id}
    with time_machine.travel(timezone.now() + waited, tick=False):
        document = standardwebhooks.Webhook(secret).verify(third.body, third.headers)
    assert document["type"] == "alarm.opened"
    assert document["data"]["title"] == "Acme: sync failed (credential_rejected)"
    assert document["data"]["url"] == "http://localhost:8000/jobs/0b1c"
    with (
        pytest.raises(standardwebhooks.WebhookVerificationError),
        time_machine.travel(timezone.now() + waited),
    ):
        standardwebhooks.Webhook(secret).verify(third.body + b" ", third.headers)


def test_the_signature_is_an_hmac_over_id_time_and_body(receiver):
    channel = webhook(receiver)
    tell(channel)
    sending.send_due()
    [got] = receiver.received
    key = base64.b64decode(channel.signing_secret.reveal().removeprefix("whsec_"))
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60
    assert len(key) == 32


def test_a_receiver_that_never_recovers_is_given_up_where_everybody_sees_it(receiver):
    receiver.answers, receiver.says = [503] * 20, "come\tback   later"
    row, waited = tell(webhook(receiver)), timedelta()
    for pause in (timedelta(), *PAUSES, timedelta(days=30)):
        waited += pause + timedelta(seconds=1)
        tick(waited)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.answer_status) == (State.GIVEN_UP, ATTEMPTS, 503)
    assert (row.answer, len(receiver.received)) == ("come back later", ATTEMPTS)


def test_a_process_killed_before_it_has_sent_leaves_a_message_that_another_one_sends(receiver):
    row = tell(webhook(receiver))
    assert row.claim(now=timezone.now())  # and here it is killed
    sending.send_due()
    assert receiver.received == []
    tick(LEASE + timedelta(seconds=1))
    row.refresh_from_db()
    assert (row.state, row.attempts, len(receiver.received)) == (State.SENT, 2, 1)


def test_two_processes_send_a_message_once(receiver):
    row = tell(webhook(receiver))
    same = Delivery.objects.get(pk=row.pk)
    assert (row.claim(now=timezone.now()), same.claim(now=timezone.now())) == (True, False)


def test_a_process_that_slept_through_its_lease_does_not_overwrite_what_came_after(receiver):
    row = tell(webhook(receiver))
    assert row.claim(now=timezone.now())
    tick(LEASE + timedelta(seconds=1))
    row.settle(ok=False, status=500, says="too late", now=timezone.now())
    kept = Delivery.objects.get(pk=row.pk)
    assert (kept.state, kept.answer_status, kept.answer, kept.next_try_at) == (State.SENT, 200, "ok", None)


def test_whose_every_attempt_was_interrupted_is_given_up(receiver):
    row = tell(webhook(receiver))
    Delivery.objects.filter(pk=row.pk).update(attempts=ATTEMPTS, leased_until=timezone.now())
    tick(timedelta(minutes=1))
    row.refresh_from_db()
    assert (row.state, row.answer, receiver.received) == (State.GIVEN_UP, "No attempt came to its end.", [])


def test_no_all_clear_overtakes_its_alarm(receiver):
    receiver.answers = [500]
    channel, alarm = webhook(receiver), an_alarm()
    tell(channel, alarm)
    tick(timedelta())
    alarm.close(now=timezone.now())
    tell(channel, alarm, "closed")
    tick(timedelta(seconds=2))
    assert [json.loads(one.body)["type"] for one in receiver.received] == ["alarm.opened"]
    tick(timedelta(seconds=40))
    tick(timedelta(seconds=41))
    assert [json.loads(one.body)["type"] for one in receiver.received[1:]] == ["alarm.opened", "alarm.closed"]


def test_a_dead_channel_costs_the_others_one_attempt(receiver):
    with receiving() as dead:
        dead.answers = [500] * 9
        broken, works = webhook(dead, "Broken"), webhook(receiver, "Works")
        for place in range(3):
            alarm = an_alarm(subject=f"integration {place}")
            tell(broken, alarm)
            tell(works, alarm)
        sending.send_due()
        assert (len(dead.received), len(receiver.received)) == (1, 3)


def test_a_channel_that_was_switched_off_sends_nothing_later(receiver):
    channel = webhook(receiver)
    row = tell(channel)
    Channel.objects.update(enabled=False)
    sending.send_due()
    row.refresh_from_db()
    assert (row.state, row.answer, receiver.received) == (State.GIVEN_UP, "The channel was disabled.", [])


def test_slack_is_told_in_text_and_blocks_and_a_name_cannot_call_a_whole_channel(receiver):
    row = tell(slack(receiver), an_alarm(name="<!channel> & Sons"))
    sending.send_due()
    row.refresh_from_db()
    [got] = receiver.received
    document = json.loads(got.body)
    head, rest = (block["text"]["text"] for block in document["blocks"])
    assert head == ":rotating_light: *&lt;!channel&gt; &amp; Sons: sync failed (credential_rejected)*"
    assert rest.startswith(
        "The last job failed. OpenAI rejects the key.\n\nWhat to do: Paste a key that works."
    )
    assert "http://localhost:8000/jobs/0b1c" in rest
    assert document["text"] == f"{head}\n{rest}"
    assert (row.state, "webhook-signature" in got.headers) == (State.SENT, False)


def test_a_redirect_is_not_followed(receiver):
    with receiving() as elsewhere:
        receiver.answers, receiver.more = [302], {"Location": elsewhere.url}
        row = tell(webhook(receiver))
        sending.send_due()
        row.refresh_from_db()
        assert (row.state, row.answer_status, elsewhere.received) == (State.WAITING, 302, [])


def test_of_a_long_answer_only_the_beginning_is_read(receiver):
    receiver.says = "x" * 5_000_000
    row = tell(webhook(receiver))
    sending.send_due()
    row.refresh_from_db()
    assert (row.state, row.answer) == (State.SENT, "x" * posting.SHOWN)


# -- e-mail


def test_an_e_mail_says_what_it_is_about_first_and_its_all_clear_belongs_to_the_same_thread():
    alarm, channel = an_alarm(), email("ops@example.org", "chief@example.org")
    opened = tell(channel, alarm)
    sending.send_due()
    alarm.close(now=alarm.opened_at + timedelta(hours=2, minutes=5))
    tell(channel, alarm, "closed")
    sending.send_due()

    first, second = mail.outbox
    assert first.subject == "Acme: sync failed (credential_rejected)"
    assert first.to == ["ops@example.org", "chief@example.org"]
    assert first.body.split("\n\n")[:3] == [
        "The last job failed. OpenAI rejects the key.",
        "What to do: Paste a key that works.",
        "http://localhost:8000/jobs/0b1c",
    ]
    assert second.subject == "Acme: over after 2 h 5 min: sync failed (credential_rejected)"
    assert first.extra_headers["Message-ID"] == f"<{opened.message_id}@localhost>"
    assert first.extra_headers["References"] == second.extra_headers["References"]


class Mailbox(MailHandler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list = []

    def handle_message(self, message) -> None:
        self.messages.append(message)


def test_an_e_mail_is_handed_to_a_real_mail_server_and_a_dead_one_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    row = tell(email())
    smtp = {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "EMAIL_HOST": "127.0.0.1"}
    with override_settings(**smtp, EMAIL_PORT=port, DEFAULT_FROM_EMAIL="Cakewalk <cakewalk@example.org>"):
        sending.send_due()
        server.stop()
        dead = tell(email(name="Later"), an_alarm(subject="integration 4"))
        sending.send_due()
    [got] = mailbox.messages
    assert (got["Subject"], got["From"]) == (row.subject, "Cakewalk <cakewalk@example.org>")
    dead.refresh_from_db()
    assert (dead.state, dead.attempts, dead.answer[:36]) == (
        State.WAITING,
        1,
        "The mail server did not take it (Con",
    )


def test_without_a_mail_server_the_message_says_so():
    row = tell(email())
    with override_settings(EMAIL_BACKEND=sending.NOWHERE):
        sending.send_due()
    row.refresh_from_db()
    assert row.answer == "No e-mail can be sent: EMAIL_URL is not set."


def test_what_a_mail_server_says_is_kept():
    error = smtplib.SMTPSenderRefused(550, b"no such sender", "cakewalk@localhost")
    assert (
        sending._refusal(error) == "The mail server did not take it (SMTPSenderRefused). 550 no such sender"
    )


# -- where a message may go


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", None),
        ("https://ops.example.org:8443/hook?token=x", None),
        ("http://127.0.0.1:9000/hook", None),
        ("http://[::1]:9000/hook", None),
        ("https://localhost/hook", None),
        ("http://ops.example.org/hook", "must begin with https://"),
        ("http://mattermost.corp.example/hook", "must begin with https://"),
        ("https://10.1.2.3/hook", "no public address"),
        ("https://169.254.169.254/latest/meta-data", "no public address"),
        ("https://[::ffff:10.1.2.3]/hook", "no public address"),
        ("http://127.0.0.2/hook", "must begin with https://"),
        ("https://127.0.0.2/hook", "no public address"),
        ("https://me:secret@ops.example.org/", "Leave the user name"),
        ("https://ops.example.org/#x", "from the # on"),
        ("https://ops.example.org/a b", "whole address"),
        ("ftp://ops.example.org/", "whole address"),
        ("https://", "whole address"),
        ("https://x:port/", "whole address"),
    ],
)
def test_what_may_be_entered_as_an_address(address, refused):
    said = refuse(address, ["localhost", "127.0.0.1", "[::1]", "mattermost.corp.example"])
    assert (refused or "") in (said or "")
    assert bool(said) is bool(refused)


@pytest.mark.parametrize(
    ("ip", "host", "may"),
    [
        ("93.184.216.34", "example.org", True),
        ("10.1.2.3", "example.org", False),
        ("127.0.0.1", "example.org", False),
        ("fe80::1%eth0", "example.org", False),
        ("::ffff:10.1.2.3", "example.org", False),
        ("224.0.0.1", "example.org", False),
        ("10.1.2.3", "Mattermost.corp.example", True),
    ],
)
def test_a_name_that_leads_into_the_internal_net_is_reached_only_where_it_is_allowed(ip, host, may):
    assert may_reach(ip, host, ["mattermost.corp.example"]) is may


def test_what_a_name_leads_to_is_judged_when_it_is_sent(receiver):
    """`localhost` stands for any name that an attacker lets lead to this machine."""
    row = tell(webhook(f"http://localhost:{receiver.port}/hook"))
    with override_settings(WEBHOOK_ALLOWED_HOSTS=[]):
        sending.send_due()
    row.refresh_from_db()
    assert receiver.received == []
    assert row.answer.startswith("localhost leads to ")
    assert row.answer.endswith("WEBHOOK_ALLOWED_HOSTS does not name that host.")


# -- secrets


@pytest.mark.parametrize("fault", ["refused", "no such name", "bug", "no key"])
def test_no_row_and_no_log_shows_an_address_or_a_signing_secret(
    receiver: Receiver, monkeypatch, caplog, fault
):
    address = {
        "refused": "http://127.0.0.1:9/s3cret-path",
        "no such name": "https://no.such.invalid/s3cret-path",
    }
    caplog.set_level(logging.DEBUG)
    channel = webhook(address.get(fault, receiver.url))
    secret = channel.signing_secret.reveal()
    if fault == "bug":
        monkeypatch.setattr(sending, "post", None)
    if fault == "no key":
        settings = override_settings(FERNET_KEYS=["A" * 43 + "="])
        settings.enable()
    row = tell(channel)
    sending.send_due()
    if fault == "no key":
        settings.disable()
    row.refresh_from_db()
    assert (row.state, row.attempts, bool(row.answer)) == (State.WAITING, 1, True)
    shown = " ".join([row.answer, row.body, caplog.text, *map(str, Channel.objects.values_list().get())])
    assert "s3cret" not in shown
    assert secret not in shown
    assert said() == [("Ops", "Acme: sync failed (credential_rejected)", "waiting")]


# -- over TLS


def a_certificate(name: str, folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Signed by itself, and a server's context that shows it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), timezone.now()
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem, secret = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return pem, context


@pytest.mark.parametrize(
    ("name", "trusted", "says"),
    [
        ("localhost", True, "ok"),
        ("localhost", False, "The certificate of localhost could not be verified, or it speaks no TLS."),
        (
            "other.example.org",
            True,
            "The certificate of localhost could not be verified, or it speaks no TLS.",
        ),
    ],
)
def test_over_tls_the_certificate_must_be_that_of_the_name(tmp_path, monkeypatch, name, trusted, says):
    pem, context = a_certificate(name, tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with receiving(context) as receiver:
        row = tell(webhook(f"https://localhost:{receiver.port}/hook"))
        sending.send_due()
        row.refresh_from_db()
        assert (row.answer, len(receiver.received)) == (says, int(says == "ok"))
        if receiver.received:
            assert receiver.received[0].headers["Host"] == f"localhost:{receiver.port}"
