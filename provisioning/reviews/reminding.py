"""E-mails to reviewers who have something to decide: when a review is opened, before it is due, and after."""

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Count
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from cakewalk import links
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from directory.time_zones import today
from provisioning.reviews.models import Campaign, Item, Reminder

log = logging.getLogger(__name__)

TRIED_AGAIN_AFTER = timedelta(minutes=5)
"""Longer than a mail server may take. What was killed in between is sent again, under the same id, so that
who got it already sees it once.
"""

Kind = Reminder.Kind


def is_off() -> bool:
    """No mail server is named, so that nobody is reminded; pages say so."""
    return str(settings.EMAIL_BACKEND).endswith(".dummy.EmailBackend")


def kind_on(campaign: Campaign, day: date) -> Kind:
    """Only the newest: after days without a clock nobody is told thrice."""
    if day > campaign.due_on:
        return Kind.OVERDUE
    if day == campaign.due_on:
        return Kind.DUE
    soon = campaign.due_on - timedelta(days=campaign.remind_days)
    return Kind.SOON if day >= soon else Kind.OPENED


def send_due(now: datetime) -> None:
    if is_off():
        return
    for campaign in Campaign.objects.open().order_by("pk"):
        kind = kind_on(campaign, today())
        for reviewer, number in _whom(campaign, kind):
            _remind(campaign, reviewer, kind, number, now=now)


def _whom(campaign: Campaign, kind: Kind) -> Iterable[tuple[User, int]]:
    """Those who still have lines to decide, with how many, and have not been sent this one."""
    waiting = campaign.items.undecided().order_by().values_list("reviewer")
    numbers = dict(waiting.annotate(number=Count("pk")))
    sent = campaign.reminders.filter(kind=kind, sent_at__isnull=False).values_list("reviewer", flat=True)
    reviewers = User.objects.filter(pk__in=numbers.keys() - set(sent), is_active=True).exclude(email="")
    return [(user, numbers[user.pk]) for user in reviewers.order_by("pk")]


def _remind(campaign: Campaign, reviewer: User, kind: Kind, number: int, *, now: datetime) -> None:
    """Written down, sent, written down."""
    reminder = _claim(campaign, reviewer, kind, now=now)
    if reminder is None:
        return
    try:
        message(campaign, reviewer, kind, number).send()
    except (SMTPException, OSError) as error:
        log.warning("A reminder could not be sent: %s", type(error).__name__)
        reminder.error = f"The mail server did not take it: {type(error).__name__}."
        reminder.save(update_fields=["error"])
        return
    with together():
        reminder.sent_at, reminder.error = now, ""
        reminder.save(update_fields=["sent_at", "error"])
        facts = {"reviewer": reviewer.get_username(), "which": str(kind), "lines": number}
        record(Verb.REVIEW_REMINDED, campaign, facts=facts)


def _claim(campaign: Campaign, reviewer: User, kind: Kind, *, now: datetime) -> Reminder | None:
    with transaction.atomic():
        rows = Reminder.objects.select_for_update()
        asked = {"campaign": campaign, "reviewer": reviewer, "kind": kind}
        reminder, is_new = rows.get_or_create(**asked, defaults={"claimed_at": now})
        if is_new:
            return reminder
        if reminder.sent_at or reminder.claimed_at > now - TRIED_AGAIN_AFTER:
            return None
        reminder.claimed_at = now
        reminder.save(update_fields=["claimed_at"])
    return reminder


def message(campaign: Campaign, reviewer: User, kind: Kind, number: int) -> EmailMessage:
    """In the reviewer's language, as far as they have chosen one."""
    with override(reviewer.language or settings.LANGUAGE_CODE):
        subject, body = _subject(campaign, kind, number), _body(campaign, kind, number)
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip("> ")
    headers = {"Message-ID": f"<review-{campaign.public_id}-{reviewer.pk}-{kind}@{host}>"}
    return EmailMessage(subject, body, to=[reviewer.email], headers=headers)


def _subject(campaign: Campaign, kind: Kind, number: int) -> str:
    lines = ngettext("%(number)d line to review", "%(number)d lines to review", number) % {"number": number}
    when = {
        Kind.OPENED: _("until %(day)s"),
        Kind.SOON: _("until %(day)s"),
        Kind.DUE: _("today"),
        Kind.OVERDUE: _("overdue since %(day)s"),
    }[kind] % {"day": date_format(campaign.due_on)}
    return f"{lines} {when}: {campaign.name}"


def _body(campaign: Campaign, kind: Kind, number: int) -> str:
    asked = ngettext(
        "You are asked to decide on %(number)d line of the access review %(review)s of %(integration)s: "
        "keep or revoke.",
        "You are asked to decide on %(number)d lines of the access review %(review)s of %(integration)s: "
        "keep or revoke.",
        number,
    ) % {"number": number, "review": campaign.name, "integration": campaign.integration}
    silence = _("What nobody decides keeps its access, and is told as undecided.")
    last = _("The last day is %(day)s.") if kind != Kind.OVERDUE else _("The last day was %(day)s.")
    link = links.absolute(reverse("reviews:review", args=[campaign.public_id]))
    return "\n\n".join([f"{asked} {last % {'day': date_format(campaign.due_on)}}", link, silence, ""])


def lines_waiting(user: User) -> list[tuple[Campaign, int]]:
    """Open reviews in which somebody has lines to decide, the next one due first."""
    # Not in one question with the reviews: SQLite would copy a review's row beside each of its lines.
    waiting = Item.objects.of(user).undecided().order_by().values_list("campaign")
    numbers = dict(waiting.annotate(number=Count("pk")))
    found = Campaign.objects.open().filter(pk__in=numbers).select_related("integration")
    return [(one, numbers[one.pk]) for one in found.order_by("due_on", "pk")]
