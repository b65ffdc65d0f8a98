"""On a person's page: why they have what they have, and a job about them alone."""

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cakewalk.asking import ask_for_job
from directory.models import Person
from integrations import permitting
from integrations.models import Integration
from provisioning.dossier import Chapter, chapters

SEEN_BY = (
    "integrations.view_integration",
    "provisioning.view_account",
    "provisioning.view_accessrule",
    "provisioning.view_provisioningjob",
    "reviews.view_exclusion",
)
"""What whoever looks must be allowed to see. All roles are; staff with single permissions may not be."""

SYNC_SAYS = {
    Integration.Mode.OBSERVE: _("In mode observe it reads everything and reports, and changes nothing."),
    Integration.Mode.EXTEND: _("In mode extend it invites, grants and raises, and takes nothing away."),
    Integration.Mode.MANAGE: _("In mode manage it gives and takes what its plan says, within the limits."),
}


def chapters_of(person: Person, *, seen_by: Any, now: datetime) -> list[Chapter]:
    """Of the integrations of which the viewer sees all that it takes."""
    shown = Integration.objects.all()
    for needed in SEEN_BY:
        shown = permitting.of_those_permitted(shown, seen_by, needed)
    return chapters(person, shown, gone=_gone(person, now=now), now=now)


def _gone(person: Person, *, now: datetime) -> str:
    """Why they are entitled to nothing; empty for who is active."""
    today = person.day_at(now)
    if not person.active:
        return _inactive(person)
    if person.end_date and person.end_date < today:
        return gettext("They left: their last day was %(day)s.") % {"day": date_format(person.end_date)}
    if person.start_date and person.start_date > today:
        said = gettext("They have not started: their first day is %(day)s.")
        return said % {"day": date_format(person.start_date)}
    return ""


def _inactive(person: Person) -> str:
    """Since when, and by whose word, where that is recorded."""
    said = person.revisions.filter(fields__has_key="active").order_by("-pk").first()
    if said is None:
        return gettext("They are not active in the directory.")
    since = {"day": date_format(timezone.localtime(said.at)), "by": said.by}
    return gettext("They are not active in the directory since %(day)s, by %(by)s.") % since


def preview(request: HttpRequest, pk: int, integration_pk: int) -> HttpResponse:
    return _run(request, pk, integration_pk, preview=True)


def sync(request: HttpRequest, pk: int, integration_pk: int) -> HttpResponse:
    return _run(request, pk, integration_pk, preview=False)


def _run(request: HttpRequest, pk: int, integration_pk: int, *, preview: bool) -> HttpResponse:
    integration = get_object_or_404(Integration, pk=integration_pk)
    if not request.user.has_perm("provisioning.run_job", integration):
        raise PermissionDenied
    person = get_object_or_404(Person, pk=pk)
    said = gettext("It is about %(person)s alone.") % {"person": person}
    job = ask_for_job(request, integration, preview=preview, people=[person], said=said)
    if job:
        return redirect("admin:provisioning_provisioningjob_change", job.pk)
    return redirect("admin:directory_person_change", pk)
