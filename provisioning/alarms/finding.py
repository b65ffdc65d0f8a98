"""What is wrong now, of all that operators should hear of: asked in a constant number of queries."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime

from cakewalk.health.models import Heartbeat
from cakewalk.ledger.models import Verification
from cakewalk.sealed import Column
from cakewalk.secrets_health import Unreadable, unreadable
from directory.models import LdapServer, Pull, Source
from integrations.models import Credential, Integration
from provisioning import credentials
from provisioning.alarms.causes import Cause, Finding
from provisioning.idleness import STARTS_WITHIN, is_idle
from provisioning.models import ProvisioningJob
from provisioning.standing import SettledAt, Standing, Trouble, standings

State = ProvisioningJob.State

SECRETS_LOOKED_AT = 200
"""The newest of each kind, each minute. `rekey --check` reads all."""
OF_A_KEY: Mapping[str, str] = {
    "credential_missing": "no credential",
    "credential_unreadable": "credential cannot be decrypted",
    "key_expired": "key expired",
    "key_expires": "key expires soon",
    "key_owner_leaves": "key of somebody who leaves",
    "key_old": "key is old",
    "key_used_elsewhere": "key used elsewhere",
    "rotation_stopped": "key rotation stopped half-way",
}
OF_A_JOB: Mapping[str, str] = {
    State.FAILED: "failed",
    State.REFUSED: "refused",
    State.INCONCLUSIVE: "inconclusive",
    State.PARTIAL: "done in part",
}


def find(now: datetime) -> list[Finding]:
    with translation.override("en"):
        of_integrations = _of_integrations(standings(), now)
        return [*of_integrations, *_of_sources(now), *_of_the_ledger(), *_of_secrets(), *_of_parts(now)]


def find_of(integration: Integration, now: datetime) -> list[Finding]:
    """The same of one integration alone."""
    with translation.override("en"):
        return list(_of_integrations(standings([integration]), now))


# -- clock and workers


def _of_parts(now: datetime) -> Iterator[Finding]:
    """Told by whichever lives. One that was never there is not missed."""
    for silent in Heartbeat.objects.silent(now):
        part, name = silent.part, str(silent)
        detail = f"Nothing was heard from it since {_at(silent.at)}."
        yield Finding(Cause.PART_SILENT, part, "part_silent", name, "silent", detail, reverse("admin:index"))


# -- integrations


def _of_integrations(how: Iterable[Standing], now: datetime) -> Iterator[Finding]:
    for standing in how:
        yield from (_held(standing, job) for job in standing.awaiting)
        if standing.integration.enabled:
            for trouble in (*standing.troubles, *_warnings(standing, now)):
                if finding := _of_trouble(standing, trouble):
                    yield finding


def _warnings(standing: Standing, now: datetime) -> Iterator[Trouble]:
    if standing.credential:
        for warning in credentials.warnings(standing.credential, now=now):
            yield Trouble(warning.code, warning.says, SettledAt.CREDENTIAL)


def _of_trouble(standing: Standing, trouble: Trouble) -> Finding | None:
    """None for what follows from another trouble, or is not for alarms: rules that name what is not there."""
    of = standing.integration
    if trouble.job:
        return _job(standing, trouble, trouble.job)
    integration = reverse("admin:integrations_integration_change", args=[of.pk])
    key = reverse("integrations:credential", args=[of.pk])
    match trouble.code:
        case "paused":
            cause, what, path = Cause.PAUSED, "paused, its key is rejected", key
        case "no_sync":
            cause, what, path = Cause.NO_SYNC, "no complete sync in time", integration
        case code if code in OF_A_KEY:
            cause, what, path = Cause.CREDENTIAL, OF_A_KEY[code], integration
        case _:
            return None
    subject = f"integration {of.pk}" + (f" {trouble.code}" if cause == Cause.CREDENTIAL else "")
    return Finding(cause, subject, trouble.code, of.name, what, trouble.says, path, of.pk)


def _job(standing: Standing, trouble: Trouble, job: ProvisioningJob) -> Finding:
    """A job that went wrong. The next one that does so for the same integration is the same cause."""
    of = standing.integration
    cause = Cause.SYNC_PARTIAL if job.state == State.PARTIAL else Cause.SYNC_FAILED
    code = str((job.error or job.refusal or {}).get("code", ""))
    said = f"{'preview' if job.preview else 'sync'} {OF_A_JOB[job.state]}"
    what = f"{said} ({code})" if code else said
    detail = f"{job}. {trouble.says}"
    path = reverse("job", args=[job.public_id])
    return Finding(cause, f"integration {of.pk}", code, of.name, what, detail, path, of.pk)


def _held(standing: Standing, job: ProvisioningJob) -> Finding:
    of = standing.integration
    codes = ", ".join(hold["code"] for hold in job.remaining_holds())
    held = int(getattr(job, "held", 0))
    waits = f"{held} {'action waits' if held == 1 else 'actions wait'} for an approver."
    until = job.plan_expires_at()
    expires = f"The plan expires at {_at(until)}." if until else ""
    why = [f"{hold['detail'].rstrip('.')}." for hold in job.remaining_holds()]
    what = f"job {job.pk} awaits approval" + (f" ({codes})" if codes else "")
    path = reverse("job", args=[job.public_id])
    detail = " ".join(filter(None, (waits, *why, expires)))
    code = job.remaining_holds()[0]["code"] if codes else ""
    return Finding(Cause.HELD, f"job {job.pk}", code, of.name, what[:200], detail, path, of.pk)


# -- the ledger


def _of_the_ledger() -> Iterator[Finding]:
    """What the newest verification found, whoever asked for it."""
    last = Verification.objects.order_by("-at", "-pk").first()
    if last and not last.is_intact:
        first, number = last.breaks[0]["detail"], len(last.breaks)
        more = f" There are {number - 1} more breaks." if number > 1 else ""
        detail = f"Found at {_at(last.at)}: {first}{more}"
        path = reverse("admin:ledger_entry_changelist")
        yield Finding(Cause.LEDGER_BROKEN, "ledger", "ledger_broken", "Ledger", "chain broken", detail, path)


# -- secrets


def _of_secrets() -> Iterator[Finding]:
    """One for each column. A credential that cannot be read is told as its integration's."""
    found: dict[Column, list[Unreadable]] = {}
    for one in unreadable(of_each=SECRETS_LOOKED_AT):
        if one.column.model is not Credential:
            found.setdefault(one.column, []).append(one)
    for column, rows in found.items():
        named = "; ".join(one.column.name_of(one.row) for one in rows[:5])
        more = f"; and {len(rows) - 5} more" if len(rows) > 5 else ""
        what = f"{len(rows)} {'secret' if len(rows) == 1 else 'secrets'} cannot be decrypted"
        detail = f"No key of FERNET_KEYS opens {column} of: {named}{more}."
        subject = f"secrets {column}"[:100]
        name = str(capfirst(column.model._meta.verbose_name))
        yield Finding(
            Cause.CREDENTIAL, subject, "secret_unreadable", name, what, detail, reverse("admin:index")
        )


# -- sources


def _of_sources(now: datetime) -> Iterator[Finding]:
    last = {pull.source_id: pull for pull in Pull.objects.newest_of_each()}
    for pull in last.values():
        if pull.outcome != Pull.Outcome.DONE:
            what = f"pull {pull.get_outcome_display().lower()}"
            yield _quiet(pull.source, "pull_failed", what, pull.detail)
    for server in LdapServer.objects.defer("password").filter(next_pull_at__isnull=False):
        newest = last.get(server.source_id)
        if newest and newest.outcome == Pull.Outcome.DONE and _is_late(server, newest, now):
            detail = f"The last pull ended at {_at(newest.finished_at)}, and no other one has since then."
            yield _quiet(newest.source, "no_pull", "not pulled in time", detail)
    for source in Source.objects.filter(kind=Source.Kind.SCIM):
        used, hours = source.token_used_at, source.quiet_after_hours
        if used and hours and now - used > timedelta(hours=hours):
            detail = f"Its client sent its last request at {_at(used)}, more than {hours} hours ago."
            yield _quiet(source, "no_request", "gone quiet", detail)


def _is_late(server: LdapServer, pull: Pull, now: datetime) -> bool:
    interval = timedelta(minutes=server.pull_every_minutes)
    took = pull.finished_at - pull.began_at + STARTS_WITHIN
    return is_idle(since=pull.finished_at, interval=interval, took=took, now=now)


def _quiet(source: Source, code: str, what: str, detail: str) -> Finding:
    path = reverse("admin:directory_source_change", args=[source.pk])
    return Finding(Cause.SOURCE_QUIET, f"source {source.pk}", code, source.name, what, detail, path)


def _at(moment: datetime) -> str:
    return date_format(localtime(moment), "DATETIME_FORMAT")
