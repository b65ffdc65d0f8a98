"""What an integration's page shows above its settings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations import in_words
from integrations.catalog import connector_class
from integrations.models import Integration
from integrations.permitting import May
from provisioning import census, credentials, pictures, wording
from provisioning.delays import Subject, departures
from provisioning.lateness import Departure, main_cause
from provisioning.models import AccessRule
from provisioning.promptness import promptness
from provisioning.standing import SettledAt, Standing, Trouble

LAST_JOBS = 5
LATE_SHOWN = 5
RULES_SHOWN = 8

ACCOUNTS = (
    ("active", gettext_lazy("Active"), {"state__exact": "active"}),
    ("invited", gettext_lazy("Invited"), {"state__exact": "invited"}),
    ("expired", gettext_lazy("Invite expired"), {"state__exact": "expired"}),
    ("matched", gettext_lazy("Matched to a person"), {"situation": "matched"}),
    ("orphan", gettext_lazy("Nobody's (orphans)"), {"situation": "orphan"}),
    ("ambiguous", gettext_lazy("Ambiguous"), {"situation": "ambiguous"}),
    ("protected", gettext_lazy("Protected"), {"situation": "protected"}),
    ("ignored", gettext_lazy("Ignored"), {"situation": "ignored"}),
    ("managed_elsewhere", gettext_lazy("Managed elsewhere"), {"managed_elsewhere__exact": "1"}),
)
"""By what accounts are counted, and what of the list of accounts shows the same ones."""
ALWAYS = ("active", "matched")
"""Told even when there are none."""


def what_it_shows(standing: Standing, may: May, *, now: datetime) -> dict[str, Any]:
    integration, key = standing.integration, standing.credential
    sees_jobs = may("provisioning.view_provisioningjob")
    jobs = integration.jobs.select_related("requested_by", "integration").order_by("-pk")
    return {
        "now": now,
        "standing": standing,
        "troubles": [_trouble(standing, trouble, may) for trouble in standing.troubles],
        "key_warnings": [warning.says for warning in credentials.warnings(key, now=now)] if key else [],
        "rotation": standing.rotation,
        "card": connector_class(integration.kind).card,
        "last_jobs": list(jobs[:LAST_JOBS]) if sees_jobs else [],
        **(_leavers(integration, now=now) if sees_jobs else {}),
        "elsewhere": census.changed_elsewhere(integration) if sees_jobs else [],
        "change_names": wording.CHANGES,
        "accounts_chart": pictures.accounts([integration], now=now) if sees_jobs else None,
        "accounts": list(_accounts(integration)) if may("provisioning.view_account") else [],
        "rules": _rules(integration) if may("provisioning.view_accessrule") else None,
        "means": in_words.mode(integration.mode),
        "other_modes": _other_modes(integration),
        "schedule": in_words.schedule(integration),
        "limits": list(in_words.limits(integration, standing.accounts)),
    }


@dataclass(frozen=True, slots=True)
class LateLeaver:
    who: str
    url: str
    why: str
    took: timedelta
    is_open: bool


def _leavers(integration: Integration, *, now: datetime) -> dict[str, Any]:
    """How soon they were out; and why some were late, or are there still."""
    found = promptness(integration, now=now)
    told = [*found.overdue[:LATE_SHOWN], *found.breaches][:LATE_SHOWN] if found else []
    went = departures(integration.pk, told, now=now)
    return {"leavers": found, "late_leavers": list(map(_late, told, went))}


def _late(subject: Subject, went: Departure) -> LateLeaver:
    url = reverse("admin:provisioning_action_change", args=[subject.action]) if subject.action else ""
    return LateLeaver(subject.email, url, wording.late(main_cause(went)), went.took, subject.gone_at is None)


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be said, and where it is settled."""

    says: str
    url: str = ""
    button: str = ""


def _trouble(standing: Standing, trouble: Trouble, may: May) -> Place:
    integration = standing.integration
    match trouble.settled_at:
        case SettledAt.CREDENTIAL if may("integrations.enter_credential"):
            url = reverse("integrations:credential", args=[integration.pk])
            return Place(trouble.says, url, _("Replace credential"))
        case SettledAt.JOB if trouble.job and may("provisioning.view_provisioningjob"):
            url = reverse("admin:provisioning_provisioningjob_change", args=[trouble.job.pk])
            return Place(trouble.says, url, _("Open the job"))
        case SettledAt.RULES if may("provisioning.view_accessrule"):
            return Place(trouble.says, _list("accessrule", integration), _("Open the rules"))
    return Place(trouble.says)


def _accounts(integration: Integration) -> Iterable[dict[str, Any]]:
    counted = census.census(integration)
    for name, title, query in ACCOUNTS:
        if counted.get(name) or name in ALWAYS:
            url = _list("account", integration, **query)
            yield {"title": title, "number": counted.get(name, 0), "url": url}


def _rules(integration: Integration) -> dict[str, Any]:
    """By state, and the first of them: active ones before proposed ones before drafts. They are few."""
    found = list(integration.rules.select_related("group").order_by("name"))
    states = list(_STATES)
    return {
        "shown": sorted(found, key=lambda rule: states.index(rule.state))[:RULES_SHOWN],
        "number": len(found),
        "url": _list("accessrule", integration),
        "states": [
            {
                "title": title,
                "number": sum(rule.state == state for rule in found),
                "url": _list("accessrule", integration, state__exact=state),
            }
            for state, title in _STATES.items()
        ],
    }


_STATES: dict[str, Any] = {
    AccessRule.State.ACTIVE: gettext_lazy("Active"),
    AccessRule.State.PROPOSED: gettext_lazy("Proposed"),
    AccessRule.State.DRAFT: gettext_lazy("Draft"),
}


def _other_modes(integration: Integration) -> list[dict[str, Any]]:
    modes = list(Integration.Mode)
    here = modes.index(Integration.Mode(integration.mode))
    return [
        {"name": mode.value, "raises": place > here, "means": in_words.mode(mode)}
        for place, mode in enumerate(modes)
        if place != here
    ]


def _list(model: str, integration: Integration, **query: str) -> str:
    address = reverse(f"admin:provisioning_{model}_changelist")
    return f"{address}?{urlencode({'integration__id__exact': integration.pk, **query})}"
