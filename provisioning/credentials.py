"""The key that an integration works with: what the remote tells of it, and what staff must do about it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F, Max
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from directory.models import Person
from integrations.connectors.base import CredentialFacts
from integrations.models import Credential, Integration, Rotation
from provisioning.models import Account, Action, ProvisioningJob

FACTS_HOLD = timedelta(hours=1)
EXPIRES_SOON = timedelta(days=14)
OLD = timedelta(days=90)


def are_old(credential: Credential, *, now: datetime) -> bool:
    """Whether what is known of the credential should be asked for again."""
    return credential.facts_at is None or now - credential.facts_at >= FACTS_HOLD


def learn(credential: Credential, told: CredentialFacts, *, now: datetime) -> None:
    """Keep what a job was told, and notice a use of the key that was none of ours."""
    jobs = ProvisioningJob.objects.filter(integration=credential.integration_id)
    present = jobs.filter(state=ProvisioningJob.State.RUNNING).first()
    ours = jobs.aggregate(last=Max("finished_at"))["last"] or credential.entered_at
    since = present.started_at if present and present.started_at else now
    if credential.is_used_elsewhere(told.last_used_at, ours=ours, since=since):
        credential.learn(told, now=now, used_elsewhere_at=told.last_used_at)
    else:
        credential.learn(told, now=now)


def learn_to_write(job: ProvisioningJob, *, now: datetime) -> None:
    """Whether a key may change anything is told nowhere: it shows when something is changed, or refused.

    A job that began before the key was entered may have worked with another one.
    """
    if job.preview or job.applied_at is None:
        return
    sent = job.lines.writing()
    refused = sent.filter(state=Action.State.FAILED, error__code="permission_missing").first()
    same = Credential.objects.filter(integration=job.integration_id, entered_at__lte=job.started_at)
    if sent.filter(state=Action.State.DONE).exists():
        same.update(wrote_at=now, write_refused="")
    if refused:
        same.update(write_refused=(refused.error or {}).get("detail", ""))


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose key it is: their account in the remote, and who that is in the directory."""

    email: str | None
    person: Person | None


def owners(integrations: Iterable[Integration]) -> dict[int, Owner]:
    """By integration, where an account is known that owns its credential."""
    theirs = Account.objects.filter(
        integration__in=integrations, remote_id=F("integration__credential__owner_id")
    ).select_related("person")
    return {account.integration_id: Owner(account.email, account.person) for account in theirs}


class Problem(NamedTuple):
    """A code, for what is told once of each, and a sentence."""

    code: str
    says: str


def problems(credential: Credential, owner: Owner | None, *, now: datetime) -> Iterator[Problem]:
    """What stops the integration soon, or keeps a leaver's access, unless somebody acts."""
    if credential.expires_at and credential.expires_at <= now:
        said = _("Its key expired on %(day)s. Enter another one with Replace credential.")
        yield Problem("key_expired", said % {"day": _day(credential.expires_at)})
    elif credential.expires_at and credential.expires_at - now <= EXPIRES_SOON:
        said = _("Its key expires on %(day)s. Rotate it before that.")
        yield Problem("key_expires", said % {"day": _day(credential.expires_at)})
    if owner and owner.person and (leaves := _leaves(owner.person, now)):
        remedy = _(
            "While it does, that account is left alone. Let another owner make a key, and enter it with "
            "Replace credential: a key that is made by rotating belongs to the same person."
        )
        yield Problem("key_owner_leaves", f"{leaves} {remedy}")


def rotation_problem(rotation: Rotation, *, now: datetime) -> str:
    """Of a rotation that is not finished; nothing while a process is at it."""
    if rotation.held_until and rotation.held_until > now:
        return ""
    stopped = _("The rotation of its key stopped half-way. %(state)s.") % {
        "state": rotation.get_state_display()
    }
    then = _("Rotate key goes on with it.")
    if at := rotation.goes_on_at():
        then = _("Cakewalk goes on with it by itself, from %(when)s on; Rotate key does so at once.")
        then %= {"when": _time(at)}
    return " ".join(filter(None, (stopped, rotation.detail, then)))


def warnings(credential: Credential, *, now: datetime) -> Iterator[Problem]:
    """What staff should know of the key, and what nothing stops for."""
    if credential.made_at and now - credential.made_at > OLD:
        days = (now - credential.made_at).days
        said = ngettext(
            "The key is %(days)d day old. Rotate it.", "The key is %(days)d days old. Rotate it.", days
        )
        yield Problem("key_old", said % {"days": days})
    if credential.used_elsewhere_at:
        said = _(
            "Used elsewhere: the key was used at %(when)s, when no job was at work. If that was no test of "
            "the connection, somebody else has the key: rotate it."
        )
        yield Problem("key_used_elsewhere", said % {"when": _time(credential.used_elsewhere_at)})
    if credential.unknown:
        said = _("What is known of the key could not be renewed: %(why)s")
        yield Problem("key_unknown", said % {"why": credential.unknown})


def _leaves(person: Person, now: datetime) -> str:
    """That the key's owner goes, as a sentence; empty of one who stays."""
    said = {"person": person, "day": date_format(person.end_date) if person.end_date else ""}
    if not person.active:
        return _("Its key belongs to %(person)s, who is inactive in the directory.") % said
    if person.end_date and person.end_date < person.day_at(now):
        return _("Its key belongs to %(person)s, who left on %(day)s.") % said
    return _("Its key belongs to %(person)s, who leaves on %(day)s.") % said if person.end_date else ""


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment))


def _time(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
