"""A job about everyone and one about some people may be at work at once. What both could do is started by one
of them only.
"""

from collections.abc import Callable
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from cakewalk.ledger.recording import together
from integrations.models import Integration
from provisioning import history
from provisioning.actions import Kind
from provisioning.models import Action
from provisioning.rechecking import stale, unseats_owner
from provisioning.sight import entitlement_of

State = Action.State


def start(row: Action, looked_at: datetime, *, owner_role: str) -> None:
    """Write down that the action is about to be sent. Raises NotNow where another job was first.

    `looked_at`: when its last look at the remote began.
    """
    check = _check_for(row, owner_role)
    if check is None:
        row.start(now=timezone.now())
        return
    with together():
        Integration.objects.lock(row.job.integration_id)
        check(row, looked_at)
        row.start(now=timezone.now())


def _check_for(row: Action, owner_role: str) -> Callable[[Action, datetime], None] | None:
    if row.kind == Kind.CREATE:
        return _made_by_no_other
    if row.kind == Kind.INVITE:
        return _invited_by_no_other
    return _unseats_alone if unseats_owner(row, owner_role) else None


def _of_others(row: Action) -> QuerySet[Action]:
    return Action.objects.filter(job__integration=row.job.integration_id).exclude(job=row.job_id)


def _made_by_no_other(row: Action, _: datetime) -> None:
    """Another job may be at it, or have made it so lately that it is not listed yet."""
    wanted = entitlement_of(row)
    for other in history.creations_of_late(row.job.integration, now=timezone.now()).exclude(pk=row.pk):
        held = entitlement_of(other)
        same = (held.kind, held.name.casefold()) == (wanted.kind, wanted.name.casefold())
        if same and other.state in (State.STARTED, State.DONE):
            raise stale(f"Job {other.job_id} has made the {held.kind} {held.name!r}, or is about to.")


def _invited_by_no_other(row: Action, _: datetime) -> None:
    """Since this job began: what it read may be older than the other's invite."""
    same_person = Q(email__iexact=row.email) | Q(person__isnull=False, person=row.person_id)
    invited = _of_others(row).filter(
        same_person,
        kind=Kind.INVITE,
        state__in=(State.STARTED, State.DONE),
        started_at__gte=row.job.started_at,
    )
    if other := invited.first():
        raise stale(f"Job {other.job_id} has invited {other.email}, or is about to.")


def _unseats_alone(row: Action, looked_at: datetime) -> None:
    """The owners who stay were counted at the last look; one who is unseated meanwhile was among them."""
    takings = _of_others(row).filter(taking=True, kind__in=(Kind.REMOVE, Kind.CHANGE_ROLE))
    meanwhile = takings.filter(
        Q(state=State.STARTED) | Q(started_at__isnull=False, finished_at__gte=looked_at)
    )
    owner_role = (row.before or {}).get("role")
    if other := meanwhile.filter(before__role=owner_role).first():
        raise stale(
            f"Job {other.job_id} has unseated another owner, or is about to. The next sync counts anew."
        )
