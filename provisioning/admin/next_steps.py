"""Where on the pages the advice about a refusal, a hold or an error leads whoever looks."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.permitting import May
from provisioning.advice import ADVICE, Place
from provisioning.models import ProvisioningJob


class NextStep(NamedTuple):
    sentence: str | Promise
    link: str | Promise
    url: str


LINKS: Mapping[Place, tuple[str | Promise, str, str]] = {
    Place.RULES: (_("Access rules"), "provisioning_accessrule_changelist", "integration__id__exact={}"),
    Place.MARKS: (_("Protected and ignored"), "provisioning_mark_changelist", ""),
    Place.SOURCES: (_("Sources"), "directory_source_changelist", ""),
    Place.ACCOUNTS: (_("Accounts"), "provisioning_account_changelist", "integration__id__exact={}"),
    Place.KEYS: (_("Keys"), "provisioning_key_changelist", ""),
    Place.WAITING: (
        _("Jobs that wait"),
        "provisioning_provisioningjob_changelist",
        "state__exact=awaiting_approval",
    ),
    Place.NEWER: (_("Jobs"), "provisioning_provisioningjob_changelist", "integration__id__exact={}"),
}


def next_step(code: str, job: ProvisioningJob, may: May) -> NextStep | None:
    """None for a code that this version knows nothing of."""
    advice = ADVICE.get(code)
    if advice is None:
        return None
    link, url = _link(advice.place, job, may)
    return NextStep(advice.sentence, link, url)


def _link(place: Place, job: ProvisioningJob, may: May) -> tuple[str | Promise, str]:
    match place:
        case Place.HELD:
            return _("Held lines"), "?show=held#plan"
        case Place.PLAN:
            return _("The whole plan"), "?#plan"
        case Place.CREDENTIAL if may("integrations.enter_credential"):
            return _("Replace the key"), reverse("integrations:credential", args=[job.integration_id])
        case Place.INTEGRATION | Place.CREDENTIAL:
            url = reverse("admin:integrations_integration_change", args=[job.integration_id])
            return _("The integration"), url
    link, name, query = LINKS[place]
    found = query.format(job.integration_id)
    return link, reverse(f"admin:{name}") + (f"?{found}" if found else "")


def with_next_steps(reason: Mapping[str, Any], job: ProvisioningJob, may: May) -> dict[str, Any]:
    return {**reason, "next": next_step(reason["code"], job, may)}
