"""Connect a remote: try a credential on it, keep it encrypted, and enable the integration only when it works.

The form and the `connect` command both come through here.
"""

import copy
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from cakewalk.encryption import DecryptionError
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import differences
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.words import called
from integrations.catalog import connector_class
from integrations.connectors.base import Check, CheckReport, Checks, ended
from integrations.models import CredentialMissing, Integration


@dataclass(frozen=True, slots=True)
class Entry:
    """What staff entered. `integration`: the one to change; without a `secret` its stored one is used.
    `by`: whose doing it is, where somebody is known.
    """

    kind: str
    name: str
    base_url: str
    secret: str | None = field(repr=False)
    integration: Integration | None = None
    mode: str | None = None
    by: User | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `problems`: one plain sentence by the field it belongs to, none when it went well."""

    problems: Mapping[str, str]
    report: CheckReport | None = None
    integration: Integration | None = None

    @property
    def works(self) -> bool:
        return not self.problems


ENTERED = ("name", "kind", "base_url", "mode")

Trying = Generator[str | Check, None, Outcome]
"""A connection test under way, as `base.Checks`, with what came of it at the end."""


def trying(entry: Entry) -> Trying:
    """Try the credential on the live remote, one answer after the other. Nothing is stored."""
    problems = _problems(entry)
    if problems:
        return Outcome(problems)
    report = yield from _checks(entry)
    _record_test(entry, report)
    return Outcome(_told_by(report), report)


def _record_test(entry: Entry, report: CheckReport) -> None:
    """What was answered to each check, whether or not anything is stored after that."""
    answers = {check.name: check.answer for check in report.checks}
    key = "as entered" if entry.secret else "the stored one"
    facts = {"key": key, "works": report.works, "answers": answers}
    record(Verb.CREDENTIAL_TESTED, entry.integration, name=entry.name, facts=facts)


def test_connection(entry: Entry) -> Outcome:
    return ended(trying(entry))


def save_and_enable(entry: Entry, *, now: datetime) -> Outcome:
    """Store and enable what works on the live remote; store nothing that does not."""
    return store_tried(entry, test_connection(entry), now=now)


def store_tried(entry: Entry, tried: Outcome, *, enables: bool = True, now: datetime) -> Outcome:
    """What the test of this entry found to work; what it did not is only said again. `enables`: or else what
    is not enabled stays so.
    """
    if not tried.works or tried.report is None:
        return tried
    return _store(entry, tried.report, enables=enables, now=now)


def prepare(entry: Entry, *, now: datetime) -> Outcome:
    """Store a new integration for somebody else to enter its key."""
    problems = problems_before_the_key(entry)
    return Outcome(problems) if problems else _store(entry, None, now=now)


def save_only(entry: Entry, *, now: datetime) -> Outcome:
    """Store without trying. An enabled integration that gets an untried key is disabled until it is tried."""
    problems = _problems(entry)
    return Outcome(problems) if problems else _store(entry, None, now=now)


def problems_before_the_key(entry: Entry) -> dict[str, str]:
    """What is wrong already where somebody else is still to enter the key."""
    return {name: problem for name, problem in _problems(entry).items() if name != "secret"}


def _problems(entry: Entry) -> dict[str, str]:
    """What can be refused before any call."""
    connector = connector_class(entry.kind)
    found = {
        "name": _name_problem(entry),
        "base_url": connector.refuse_base_url(entry.base_url),
        "secret": connector.refuse_secret(entry.secret) if entry.secret else _stored_secret_problem(entry),
    }
    problems = {name: called(problem) for name, problem in found.items() if problem}
    return _invalid_fields(entry) | problems


def _name_problem(entry: Entry) -> str | None:
    if not entry.name:
        return _("Give the integration a name.")
    others = Integration.objects.filter(name__iexact=entry.name)
    if entry.integration:
        others = others.exclude(pk=entry.integration.pk)
    return _taken(entry) if others.exists() else None


def _taken(entry: Entry) -> str:
    return _("There is already an integration named %(name)s.") % {"name": entry.name}


def _stored_secret_problem(entry: Entry) -> str | None:
    label = called(connector_class(entry.kind).card.secret_label)
    if entry.integration is None:
        return _("Paste the %(label)s.") % {"label": label}
    if entry.base_url != entry.integration.base_url:
        # Or else whoever may change the address could have the stored secret sent to a host of theirs.
        return _(
            "The API address has changed, so paste the %(label)s again: a stored one is never sent elsewhere."
        ) % {"label": label}
    try:
        entry.integration.stored_secret()
    except CredentialMissing:
        return _("Paste the %(label)s.") % {"label": label}
    except DecryptionError as error:
        return str(error)
    return None


def _invalid_fields(entry: Entry) -> dict[str, str]:
    try:
        _entered(entry, entry.integration).full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        return {name: " ".join(messages) for name, messages in error.message_dict.items()}
    return {}


def _entered(entry: Entry, current: Integration | None) -> Integration:
    """The integration as it would be stored; the one at hand stays as it is."""
    integration = copy.copy(current) if current else Integration(kind=entry.kind)
    integration.name, integration.base_url = entry.name, entry.base_url
    if entry.mode:
        integration.mode = entry.mode
    return integration


@sensitive_variables("secret")
def _checks(entry: Entry) -> Checks:
    secret = entry.secret
    if not secret and entry.integration:
        secret = entry.integration.opened_secret(use="Test of the connection")
    return connector_class(entry.kind)(secret=secret or "", base_url=entry.base_url).checks()


def _told_by(report: CheckReport) -> dict[str, str]:
    """The report's problem, beside the field that can mend it."""
    if report.problem is None:
        return {}
    unreachable = any(check.answer == Check.UNREACHABLE for check in report.checks)
    return {"base_url" if unreachable else "secret": report.problem}


def _store(entry: Entry, report: CheckReport | None, *, enables: bool = True, now: datetime) -> Outcome:
    try:
        with together():
            before = _as_it_is_now(entry.integration)
            integration = _entered(entry, before)
            integration.save()
            _record_entered(before, integration)
            if entry.secret:
                integration.store_credential(entry.secret, by=entry.by, now=now)
            if report:
                integration.record_check(report, now=now)
                if enables or integration.enabled:
                    integration.enable(now=now)
                if before and integration.goes_further_than(before):
                    integration.schedule_next_sync(now=now)  # so that there is time to read its preview
            elif entry.secret and integration.enabled:
                integration.disable()
    except IntegrityError:
        return Outcome({"name": _taken(entry)}, report)
    return Outcome({}, report, integration)


def _record_entered(before: Integration | None, integration: Integration) -> None:
    was, became = ({name: getattr(row, name) for name in ENTERED if row} for row in (before, integration))
    if before is None:
        record(Verb.ADDED, integration, after=became)
    elif was != became:
        old, new = differences(was, became)
        record(Verb.CHANGED, integration, before=old, after=new)


def _as_it_is_now(integration: Integration | None) -> Integration | None:
    """Trying a key takes its time; a setting that was changed meanwhile is not put back."""
    return Integration.objects.select_for_update().get(pk=integration.pk) if integration else None
