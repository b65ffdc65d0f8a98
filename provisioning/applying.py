"""Carry out a stored plan, line by line: write down, act, write down; then look again."""

from collections.abc import Callable
from typing import Protocol

from django.utils import timezone

from integrations.connectors.base import (
    ActionRejected,
    Connector,
    ConnectorError,
    CredentialRejected,
    Grant,
    OutcomeUnknown,
    PermissionMissing,
    RateLimited,
    Receipt,
    RemoteUnreachable,
)
from provisioning import accounts, lanes
from provisioning.actions import Kind
from provisioning.models import Action, PersonChange, ProvisioningJob
from provisioning.rechecking import NotNow, recheck, still_wanted
from provisioning.safety import Code, Reason
from provisioning.sight import Sight, entitlement_of, shows_effect

GIVE_UP_AFTER = 3
"""Unreachable or rate-limited this many times in a row: the remote is away, and the rest waits."""

State = Action.State
Trouble = dict[str, str]


class KeepAlive(Protocol):
    """Renews the job's lease, or raises when the job is this worker's no longer."""

    def __call__(self, progress: str) -> None: ...
    def now(self, progress: str) -> None: ...


def apply(
    job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive, *, resumed: bool
) -> Trouble | None:
    """Do every planned line in order. Returns what stopped it early, if anything did.

    `resumed`: an older plan, approved or left by another worker. The remote is looked at before it goes on.
    """
    sight = Sight(connector, whole=False) if resumed else None
    try:
        if sight:
            _settle_questions(job, sight, keep_alive)
    except ConnectorError as error:
        return _stop(job, _code(error), str(error))
    rows = list(job.actions.filter(state=State.PLANNED).order_by("seq"))
    away = 0
    for place, row in enumerate(rows, start=1):
        keep_alive.now(f"Action {place} of {len(rows)}")
        job.integration.refresh_from_db()
        if not job.integration.enabled:
            return _stop(job, "not_enabled", f"{job.integration.name} has been disabled.")
        if not _first_step_done(row):
            row.settle(State.SKIPPED, now=timezone.now(), error=_needs_another())
            continue
        problem = _carry_out(row, connector, sight)
        away = away + 1 if isinstance(problem, RemoteUnreachable | RateLimited) else 0
        if problem and (isinstance(problem, CredentialRejected) or away == GIVE_UP_AFTER):
            return _stop(job, _code(problem), str(problem))
    return None


def verify(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> Trouble | None:
    """Look for the effect of every line that was sent. One read of everything, where that is cheaper."""
    sent = (State.DONE, State.STARTED)
    rows = list(job.actions.writing().filter(state__in=sent, confirmed_at=None).order_by("seq"))
    was_whole = job.read.get("whole", True)
    sight = Sight(connector, whole=was_whole and len(rows) > int(job.read.get("calls", 0)))
    try:
        for place, row in enumerate(rows, start=1):
            keep_alive(f"Looking again, {place} of {len(rows)}")
            _confirm(row, seen=shows_effect(row, sight))
    except ConnectorError as error:
        return {"code": "not_verified", "detail": f"What was done could not be looked at again. {error}"}
    finally:
        job.verified_at = timezone.now()
        job.save(update_fields=["verified_at"])
    return None


def _settle_questions(job: ProvisioningJob, sight: Sight, keep_alive: KeepAlive) -> None:
    """Lines that a crash left `started`: what is visible was done, what is not is planned again."""
    for row in job.actions.filter(state=State.STARTED).order_by("seq"):
        keep_alive("Looking at what a worker left open")
        if shows_effect(row, sight):
            _confirm(row, seen=True)
        else:
            row.settle(State.PLANNED, now=timezone.now())


def _confirm(row: Action, *, seen: bool) -> None:
    now = timezone.now()
    if seen:
        row.confirm(now=now)
        accounts.remember_effect(row, now=now)
    elif row.state == State.STARTED:
        unknown = "The reply was lost, and the change is not to be seen. The next sync decides anew."
        row.settle(State.FAILED, now=now, error={"code": "outcome_unknown", "detail": unknown})
    else:
        unseen = "The remote said that it was done, but the change is not to be seen yet."
        row.settle(
            State.DONE,
            now=row.finished_at or now,
            error={"code": "not_confirmed", "detail": unseen},
        )


def _first_step_done(row: Action) -> bool:
    return row.needs is None or row.job.actions.filter(seq=row.needs, state=State.DONE).exists()


def _needs_another() -> Trouble:
    return Reason(Code.NEEDS_ANOTHER, "The action that comes before it was not done.").as_json()


def _stop(job: ProvisioningJob, code: str, why: str) -> Trouble:
    """What is still planned is not tried."""
    stopped = {"code": "stopped", "detail": f"The job stopped before this. {why}"}
    job.actions.filter(state=State.PLANNED).update(
        state=State.SKIPPED, error=stopped, finished_at=timezone.now()
    )
    return {"code": code, "detail": why}


def _carry_out(row: Action, connector: Connector, sight: Sight | None) -> ConnectorError | None:
    """One line to its outcome. Returns the error that came of it, for the caller to judge the rest by."""
    try:
        looked_at = timezone.now()
        recheck(row, connector, sight)
        lanes.start(row, looked_at, owner_role=connector.vocabulary.owner_role)
        receipt = CALLS[Kind(row.kind)](row, connector)
    except NotNow as reason:
        row.settle(reason.state, now=timezone.now(), error={"code": reason.code, "detail": str(reason)})
    except OutcomeUnknown as error:
        # Left `started`: verifying looks whether it was done.
        row.leave_open(error.request_id)
        return error
    except ConnectorError as error:
        row.request_id = error.request_id
        row.settle(State.FAILED, now=timezone.now(), error={"code": _code(error), "detail": str(error)})
        return error
    else:
        row.request_id, row.new_account_id = receipt.request_id, receipt.account_id
        row.settle(State.DONE, now=timezone.now())
        if row.kind == Kind.INVITE:
            accounts.remember_invite(row, now=timezone.now())
        _look_again_at_who_changed_meanwhile(row, connector)
    return None


def _look_again_at_who_changed_meanwhile(row: Action, connector: Connector) -> None:
    """Whoever looked at the person for that change could not see what was under way."""
    integration = row.job.integration
    if row.person_id and not still_wanted(row, integration, connector.vocabulary):
        PersonChange.objects.note([integration], [row.person_id], now=timezone.now())


def _create(row: Action, connector: Connector) -> Receipt:
    wanted = entitlement_of(row)
    return connector.create_entitlement(wanted.kind, wanted.name)


def _code(error: ConnectorError) -> str:
    names = {
        ActionRejected: "rejected",
        CredentialRejected: "credential_rejected",
        PermissionMissing: "permission_missing",
        RateLimited: "rate_limited",
        RemoteUnreachable: "unreachable",
    }
    return next((name for kind, name in names.items() if isinstance(error, kind)), "failed")


def _invite(row: Action, connector: Connector) -> Receipt:
    return connector.invite(row.email, row.role or "", [Grant(**grant) for grant in row.grants])


def _grant_of(row: Action) -> Grant:
    held = entitlement_of(row)
    return Grant(held.kind, held.id, row.role or "")


def _grant(row: Action, connector: Connector) -> Receipt:
    if row.holder:
        return connector.grant_to_group(row.holder["id"], entitlement_of(row))
    return connector.grant(row.account_id or "", _grant_of(row))


def _revoke(row: Action, connector: Connector) -> Receipt:
    held = entitlement_of(row)
    if row.holder:
        return connector.revoke_from_group(row.holder["id"], held)
    return connector.revoke(row.account_id or "", held.kind, held.id)


CALLS: dict[Kind, Callable[[Action, Connector], Receipt]] = {
    Kind.INVITE: _invite,
    Kind.WITHDRAW_INVITE: lambda row, connector: connector.withdraw_invite(row.account_id or ""),
    Kind.CHANGE_ROLE: lambda row, connector: connector.change_role(row.account_id or "", row.role or ""),
    Kind.REMOVE: lambda row, connector: connector.remove(row.account_id or ""),
    Kind.GRANT: _grant,
    Kind.CHANGE_GRANT: lambda row, connector: connector.change_grant(row.account_id or "", _grant_of(row)),
    Kind.REVOKE: _revoke,
    Kind.REVOKE_KEY: lambda row, connector: connector.revoke_key(entitlement_of(row).id),
    Kind.CREATE: _create,
}
