"""Send what is written down: claimed by a lease, tried again with growing pauses, given up in the end."""

import logging
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from cakewalk.encryption import DecryptionError
from cakewalk.opening import opened
from provisioning.alarms import signing, watching
from provisioning.alarms.models import Channel, Delivery
from provisioning.alarms.posting import Answer, post

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Messages that one run looks at. A channel that fails is left alone for the rest of the run."""
NOWHERE = "django.core.mail.backends.dummy.EmailBackend"


def send_due() -> None:
    """The channels share the time: whoever does not answer costs the others one attempt's wait."""
    now = timezone.now()
    Delivery.objects.give_up_hopeless(now)
    silent: set[int] = set()
    for row in list(Delivery.objects.due(now).order_by("attempts", "pk")[:AT_ONCE]):
        if row.channel_id not in silent and not send(row):
            silent.add(row.channel_id)


def send(row: Delivery, *, again: bool = True) -> bool:
    """One attempt, unless another process is at it. False when it came to nothing. `again`: others follow."""
    if not row.claim(now=timezone.now()):
        return True
    answer = _attempt(row)
    row.settle(ok=answer.ok, status=answer.status, says=answer.says, now=timezone.now(), again=again)
    return answer.ok


def send_test(channel: Channel, *, by: object = None, now: datetime) -> Delivery:
    """At once and only once: somebody looks on."""
    told = watching.a_test(channel, now=now)
    row = watching.delivery(channel, told, Delivery.Event.TEST, now=now, asked_by=by)
    row.save()
    send(row, again=False)
    return row


def _attempt(row: Delivery) -> Answer:
    try:
        channel = Channel.objects.get(pk=row.channel_id)
        return _by_mail(channel, row) if channel.kind == Channel.Kind.EMAIL else _by_post(channel, row)
    except DecryptionError as error:
        return Answer(False, None, str(error))
    except Exception as error:
        # A defect of ours. Its text may hold anything, so only its name is kept where people can read it.
        log.exception("A message could not be sent.")
        return Answer(False, None, f"An error in Cakewalk itself: {type(error).__name__}.")


@sensitive_variables()
def _by_post(channel: Channel, row: Delivery) -> Answer:
    use = f"Delivery of the message {row.message_id}"
    address, signing_secret = opened(channel.address, channel.signing_secret, of=channel, use=use)
    headers = {}
    if channel.kind == Channel.Kind.WEBHOOK:
        moment = int(timezone.now().timestamp())
        headers = signing.headers(signing_secret, row.message_id, moment, row.body)
    return post(address, row.body.encode(), headers, settings.WEBHOOK_ALLOWED_HOSTS)


def _by_mail(channel: Channel, row: Delivery) -> Answer:
    if settings.EMAIL_BACKEND == NOWHERE:
        return Answer(False, None, "No e-mail can be sent: EMAIL_URL is not set.")
    message = EmailMessage(row.subject, row.body, to=channel.people(), headers=_heads(row))
    try:
        message.send()
    except OSError as error:  # smtplib's errors too
        return Answer(False, None, _refusal(error))
    return Answer(True, None, "The mail server took it.")


def _heads(row: Delivery) -> dict[str, str]:
    """The same id whenever it is sent again; what belongs to one alarm is one thread."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    heads = {"Message-ID": f"<{row.message_id}@{domain}>", "Auto-Submitted": "auto-generated"}
    if row.alarm_id:
        heads["References"] = f"<alarm-{row.alarm_id}@{domain}>"
    return heads


def _refusal(error: OSError) -> str:
    code = getattr(error, "smtp_code", "")
    said = getattr(error, "smtp_error", b"")
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    told = f" {code} {text}".rstrip()
    return f"The mail server did not take it ({type(error).__name__}).{told}"[:300]
