"""Leavers whose account is still there though its integration's target has passed."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from directory.models import Revision
from directory.time_zones import today
from integrations.connectors.base import AccountState
from integrations.models import Integration
from provisioning.actions import Kind, Situation
from provisioning.delays import Subject, after
from provisioning.models import Account, Action, ProvisioningJob

MOST = 500
"""So many are told of; where an integration only observes, there may be no end of them."""
LOOKED_AT = 2_000


def still_here(
    integration: Integration | None = None, *, among: Collection[int] | None = None, now: datetime
) -> list[Subject]:
    """Who was to be gone by now, the longest known first: by what the directory says of whose account it is,
    and by what the last sync planned.
    """
    if integration:
        among = [integration.pk]
    told: dict[tuple[int, str], Subject] = {}
    for of, person, email, said_at, ended_on, target in _left(
        Q() if among is None else Q(integration__in=among)
    ):
        if since := said_at or after(ended_on):
            told[of, email] = Subject(of, person, email, 0, since, None, target)
    for of, person, email, pk, known_at, target in _planned(among):
        earlier = told.get((of, email))
        since = min(known_at, earlier.known_at) if earlier else known_at
        told[of, email] = Subject(of, person, email, pk, since, None, target)
    late = [one for one in told.values() if now - one.known_at > timedelta(hours=one.target_hours)]
    return sorted(late, key=lambda one: (one.known_at, one.email))[:MOST]


def _left(among: Q) -> list[Any]:
    """Accounts of people whom the directory has not as active any more, with since when."""
    there = Account.objects.filter(among, gone_at=None).exclude(state=AccountState.EXPIRED)
    managed = there.filter(managed_elsewhere=False).exclude(
        situation__in=(Situation.IGNORED, Situation.PROTECTED)
    )
    ended = Q(person__active=False) | Q(person__end_date__lt=today())
    said = Revision.objects.filter(person=OuterRef("person"), person__active=False, fields__has_key="active")
    known = {
        "said_at": Subquery(said.order_by("-pk").values("at")[:1]),
        "target": F("integration__removal_target_hours"),
    }
    rows = managed.filter(ended).annotate(**known).order_by("pk")
    values = ("integration", "person", "email", "said_at", "person__end_date", "target")
    return list(rows.values_list(*values)[:LOOKED_AT])


def _planned(among: Collection[int] | None) -> QuerySet[Action, Any]:
    """What the last sync of each integration had in its plan, and did not do."""
    syncs = ProvisioningJob.objects.complete_reads().filter(preview=False, restores=None)
    newest = Subquery(syncs.filter(integration=OuterRef("pk")).order_by("-pk").values("pk")[:1])
    of = Integration.objects.all() if among is None else Integration.objects.filter(pk__in=among)
    rows = Action.objects.filter(
        job__in=of.annotate(newest=newest).values("newest"),
        situation=Situation.LEAVER,
        kind__in=(Kind.REMOVE, Kind.WITHDRAW_INVITE),
        known_at__isnull=False,
    ).exclude(state=Action.State.DONE)
    there = Account.objects.filter(
        integration=OuterRef("job__integration"), remote_id=OuterRef("account_id"), gone_at=None
    )
    rows = rows.filter(Exists(there))
    values = ("job__integration", "person", "email", "pk", "known_at", "target")
    named = rows.annotate(target=F("job__integration__removal_target_hours")).order_by("known_at", "pk")
    return named.values_list(*values)[:LOOKED_AT]
