"""Carry out a stored plan, line by line: write down, act, write down; then look again."""

from collections.abc import Callable
from typing import Protocol

from django.utils import timezone

from directory.emails import email_key
from integrations.connectors.base import (
    Account,
    AccountState,
    ActionRejected,
    Connector,
    ConnectorError,
    CredentialRejected,
    Grant,
    OutcomeUnknown,
    RateLimited,
    Receipt,
    RemoteUnreachable,
)
from integrations.models import Credential
from provisioning import accounts
from provisioning.actions import Kind
from provisioning.models import Action, Mark, ProvisioningJob
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


class Stale(Exception):
    """The subject is not what the plan saw; the message says what differs."""


class AlreadySo(Exception):
    """There is nothing left to do: the remote is as the action wants it."""


def apply(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> Trouble | None:
    """Do every planned line in order. Returns what stopped it early, if anything did."""
    _settle_questions(job, connector)
    rows = list(job.actions.filter(state=State.PLANNED).order_by("seq"))
    away = 0
    for place, row in enumerate(rows, start=1):
        keep_alive.now(f"Action {place} of {len(rows)}")
        if not _first_step_done(row):
            row.settle(State.SKIPPED, now=timezone.now(), error=_needs_another())
            continue
        error = _carry_out(row, connector)
        away = away + 1 if isinstance(error, RemoteUnreachable | RateLimited) else 0
        if isinstance(error, CredentialRejected) or away == GIVE_UP_AFTER:
            trouble = {"code": _code(error), "detail": str(error)}
            _skip_the_rest(job, trouble)
            return trouble
    return None


def verify(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> Trouble | None:
    """Look for the effect of every line that was sent. One read of everything, where that is cheaper."""
    sent = (State.DONE, State.STARTED)
    rows = list(job.actions.writing().filter(state__in=sent, confirmed_at=None).order_by("seq"))
    sight = Sight(connector, whole=len(rows) > int(job.read.get("calls", 0)))
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


def _settle_questions(job: ProvisioningJob, connector: Connector) -> None:
    """Lines that a crash left `started`: what is visible was done, what is not is planned again."""
    sight = Sight(connector, whole=False)
    for row in job.actions.filter(state=State.STARTED).order_by("seq"):
        if shows_effect(row, sight):
            _confirm(row, seen=True)
        else:
            row.settle(State.PLANNED, now=timezone.now())


def _confirm(row: Action, *, seen: bool) -> None:
    now = timezone.now()
    if seen:
        row.settle(State.DONE, now=row.finished_at or now)
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


def _skip_the_rest(job: ProvisioningJob, trouble: Trouble) -> None:
    stopped = {"code": "stopped", "detail": f"The job stopped before this. {trouble['detail']}"}
    job.actions.filter(state=State.PLANNED).update(
        state=State.SKIPPED, error=stopped, finished_at=timezone.now()
    )


def _carry_out(row: Action, connector: Connector) -> ConnectorError | None:
    """One line to its outcome. Returns the error that came of it, for the caller to judge the rest by."""
    if reason := _refusal_since(row):
        row.settle(State.REFUSED, now=timezone.now(), error=reason.as_json())
        return None
    try:
        if row.taking:
            _recheck(row, connector)
        row.start(now=timezone.now())
        receipt = CALLS[Kind(row.kind)](row, connector)
    except AlreadySo as nothing:
        row.settle(State.SKIPPED, now=timezone.now(), error={"code": "already_so", "detail": str(nothing)})
    except Stale as difference:
        row.settle(State.STALE, now=timezone.now(), error={"code": "stale", "detail": str(difference)})
    except OutcomeUnknown as error:
        # Left `started`: verifying looks whether it was done.
        row.request_id = error.request_id
        row.save(update_fields=["request_id"])
        return error
    except ConnectorError as error:
        row.request_id = error.request_id
        row.settle(State.FAILED, now=timezone.now(), error={"code": _code(error), "detail": str(error)})
        return error
    else:
        row.request_id, row.new_account_id = receipt.request_id, receipt.account_id
        row.settle(State.DONE, now=timezone.now())
    return None


def _code(error: ConnectorError | None) -> str:
    names = {
        ActionRejected: "rejected",
        CredentialRejected: "credential_rejected",
        RateLimited: "rate_limited",
        RemoteUnreachable: "unreachable",
    }
    return next((name for kind, name in names.items() if isinstance(error, kind)), "failed")


def _refusal_since(row: Action) -> Reason | None:
    """Protection and the key's owner are looked at again: an approval may come days after the plan."""
    marks = Mark.objects.filter(integration=row.job.integration_id).in_force(timezone.localdate())
    if row.email and (mark := marks.get(email_key(row.email))):
        return Reason(Code.PROTECTED, f"{row.email} has been marked {mark.kind} since the plan was made.")
    owner = Credential.objects.filter(integration=row.job.integration_id).values_list("owner_id", flat=True)
    if row.taking and row.account_id and row.account_id in owner:
        return Reason(Code.CREDENTIAL_OWNER, f"{row.email} owns the key that Cakewalk works with.")
    return None


def _recheck(row: Action, connector: Connector) -> None:
    """Read the subject once more before something is taken from it."""
    before = row.before or {}
    account_id = row.account_id or ""
    if row.entitlement:
        held = connector.fetch_grant(account_id, row.entitlement["kind"], row.entitlement["id"])
        if held is None and row.kind == Kind.REVOKE:
            raise AlreadySo("The account no longer holds it.")
        if held is None or held.role != before.get("role"):
            raise Stale(
                f"The role there was {before.get('role')}, now it is {held.role if held else 'none'}."
            )
        return
    state = AccountState(before.get("state", AccountState.ACTIVE))
    subject = connector.fetch_account(account_id, state)
    if subject is None and row.kind == Kind.REMOVE:
        raise AlreadySo("The account is no longer there.")
    if subject is None:
        raise Stale("It is no longer there: withdrawn, accepted or removed since the plan was made.")
    _refuse_differences(row, subject)


def _refuse_differences(row: Action, subject: Account) -> None:
    before = row.before or {}
    if subject.role != before.get("role"):
        raise Stale(f"The role was {before.get('role')}, now it is {subject.role}.")
    if subject.email and email_key(subject.email) != email_key(row.email):
        raise Stale(f"The address is now {subject.email}.")
    if "state" in before and subject.state != before["state"]:
        raise Stale(f"The account was {before['state']}, now it is {subject.state}.")


def _invite(row: Action, connector: Connector) -> Receipt:
    return connector.invite(row.email, row.role or "", [Grant(**grant) for grant in row.grants])


def _grant_of(row: Action) -> Grant:
    held = entitlement_of(row)
    return Grant(held.kind, held.id, row.role or "")


def _revoke(row: Action, connector: Connector) -> Receipt:
    held = entitlement_of(row)
    return connector.revoke(row.account_id or "", held.kind, held.id)


CALLS: dict[Kind, Callable[[Action, Connector], Receipt]] = {
    Kind.INVITE: _invite,
    Kind.WITHDRAW_INVITE: lambda row, connector: connector.withdraw_invite(row.account_id or ""),
    Kind.CHANGE_ROLE: lambda row, connector: connector.change_role(row.account_id or "", row.role or ""),
    Kind.REMOVE: lambda row, connector: connector.remove(row.account_id or ""),
    Kind.GRANT: lambda row, connector: connector.grant(row.account_id or "", _grant_of(row)),
    Kind.CHANGE_GRANT: lambda row, connector: connector.change_grant(row.account_id or "", _grant_of(row)),
    Kind.REVOKE: _revoke,
}
