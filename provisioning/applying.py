"""Carry out a stored plan, line by line: write down, act, write down; then look again.

Several lines are under way at once, each waiting for the remote; all else is done here, one after the other.
"""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, Protocol

from django.utils import timezone

from directory.emails import email_key
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
from integrations.connectors.errands import Errand, Errands
from provisioning import accounts, lanes
from provisioning.actions import Kind
from provisioning.models import Action, PersonChange, ProvisioningJob
from provisioning.rechecking import NotNow, recheck, still_wanted, unseats_owner
from provisioning.safety import Code, Reason
from provisioning.sight import Sight, entitlement_of, shows_effect
from provisioning.turns import Line, next_line

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
        return _stop(job, {"code": _code(error), "detail": str(error)})
    with Errands() as errands:
        deeds = Deeds(job, connector, sight, errands)
        try:
            stopped = _carry_out_all(job, deeds, keep_alive)
        finally:
            deeds.hear_all()
    if stopped is None and deeds.trouble:
        stopped = {"code": _code(deeds.trouble), "detail": str(deeds.trouble)}
    return _stop(job, stopped) if stopped else None


def _carry_out_all(job: ProvisioningJob, deeds: "Deeds", keep_alive: KeepAlive) -> Trouble | None:
    """Each begins in its order, as far as those under way allow it. Returns what stopped it early."""
    begun, number = 0, len(deeds)
    while deeds and not deeds.trouble:
        line = deeds.next_line()
        if line is None:
            deeds.hear_one()
            continue
        begun += 1
        keep_alive.now(f"Action {begun} of {number}")
        job.integration.refresh_from_db()
        if not job.integration.enabled:
            return {"code": "not_enabled", "detail": f"{job.integration.name} has been disabled."}
        row = deeds.take(line)
        if _first_step_done(row):
            deeds.begin(line)
        else:
            row.settle(State.SKIPPED, now=timezone.now(), error=_needs_another())
    return None


def verify(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> Trouble | None:
    """Look for the effect of every line that was sent. One read of everything, where that is cheaper."""
    sent = (State.DONE, State.STARTED)
    rows = list(job.lines.writing().filter(state__in=sent, confirmed_at=None).order_by("seq"))
    was_whole = job.read.get("whole", True)
    sight = Sight(connector, whole=was_whole and len(rows) > int(job.read.get("calls", 0)))

    def looked_for() -> Iterator[Action]:
        for place, row in enumerate(rows, start=1):
            keep_alive(f"Looking again, {place} of {len(rows)}")
            yield row

    def look(row: Action) -> bool:
        return shows_effect(row, sight)

    try:
        with Errands() as errands:
            one_by_one = ((row, look(row)) for row in looked_for())
            for row, seen in one_by_one if sight.whole else errands.each(looked_for(), look, _family):
                _confirm(row, seen=seen)
    except ConnectorError as error:
        return {"code": "not_verified", "detail": f"What was done could not be looked at again. {error}"}
    finally:
        job.verified_at = timezone.now()
        if rows:  # else with the end of the job
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


def _stop(job: ProvisioningJob, trouble: Trouble) -> Trouble:
    """What is still planned is not tried."""
    stopped = {"code": "stopped", "detail": f"The job stopped before this. {trouble['detail']}"}
    job.actions.filter(state=State.PLANNED).update(
        state=State.SKIPPED, error=stopped, finished_at=timezone.now()
    )
    return trouble


Steps = Generator[Callable[[], Any], Any, ConnectorError | None]
"""Each step is a call to the remote, which is answered with what came of it."""


def _carry_out(row: Action, connector: Connector, sight: Sight | None) -> Steps:
    """One line to its outcome. Returns the error that came of it, for the caller to judge the rest by."""
    try:
        looked_at = timezone.now()
        yield from recheck(row, connector, sight)
        lanes.start(row, looked_at, owner_role=connector.vocabulary.owner_role)
        receipt = yield partial(CALLS[Kind(row.kind)], row, connector)
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


class Deeds:
    """The lines that wait, and those under way. `trouble`: an error after which nothing more is begun."""

    def __init__(
        self, job: ProvisioningJob, connector: Connector, sight: Sight | None, errands: Errands
    ) -> None:
        self.trouble: ConnectorError | None = None
        self._rows = {row.seq: row for row in job.lines.filter(state=State.PLANNED)}
        lines = (_as_line(row, connector.vocabulary.owner_role) for row in self._rows.values())
        self._waiting = sorted(lines, key=lambda line: line.seq)
        self._under_way: dict[Errand[Any], tuple[Line, Steps]] = {}
        self._away = 0
        self._is_over = False
        self._connector, self._sight, self._errands = connector, sight, errands

    def __len__(self) -> int:
        """How many have not come to an outcome yet."""
        return len(self._waiting) + len(self._under_way)

    def next_line(self) -> Line | None:
        """To be begun now. None while the next one must wait for those under way."""
        line = next_line(self._waiting, [line for line, _ in self._under_way.values()])
        return line if line and self._errands.has_room(_family(self._rows[line.seq])) else None

    def take(self, line: Line) -> Action:
        """It waits no more."""
        self._waiting.remove(line)
        return self._rows[line.seq]

    def begin(self, line: Line) -> None:
        steps = _carry_out(self._rows[line.seq], self._connector, self._sight)
        self._go_on(line, steps, lambda: next(steps))

    def hear_one(self) -> None:
        """The next answer, and what its line does with it."""
        self._hear(self._errands.next_back())

    def hear_all(self) -> None:
        """Whatever has ended the job: what was sent is answered, and what came of it is written down."""
        self._is_over = True
        problems: list[BaseException] = []
        while self._under_way:
            errand = self._errands.next_back()
            try:
                self._hear(errand)
            except BaseException as problem:  # the others are heard all the same
                problems.append(problem)
        if problems:
            raise problems[0]

    def _hear(self, errand: Errand[Any]) -> None:
        line, steps = self._under_way.pop(errand)
        if self._is_over and self._rows[line.seq].state == State.PLANNED:
            steps.close()  # only looked at, and stays as it was
        elif error := errand.outcome.exception():
            self._go_on(line, steps, lambda: steps.throw(error))
        else:
            self._go_on(line, steps, lambda: steps.send(errand.outcome.result()))

    def _go_on(self, line: Line, steps: Steps, step: Callable[[], Callable[[], Any]]) -> None:
        try:
            call = step()
        except StopIteration as end:
            self._judge(end.value)
        else:
            errand = self._errands.send(_family(self._rows[line.seq]), call)
            self._under_way[errand] = line, steps

    def _judge(self, problem: ConnectorError | None) -> None:
        self._away = self._away + 1 if isinstance(problem, RemoteUnreachable | RateLimited) else 0
        if isinstance(problem, CredentialRejected) or self._away == GIVE_UP_AFTER:
            self.trouble = self.trouble or problem


def _as_line(row: Action, owner_role: str) -> Line:
    """What is made, what groups hold and an owner who goes are beside nothing: there, all is looked at."""
    about = {"account": row.account_id, "address": email_key(row.email), "person": row.person_id}
    return Line(
        row.seq,
        frozenset(f"{what} {which}" for what, which in about.items() if which),
        row.needs,
        alone=row.kind == Kind.CREATE or bool(row.holder) or unseats_owner(row, owner_role),
    )


def _family(row: Action) -> tuple[str, str]:
    """Lines that are sent to one endpoint."""
    return row.kind, (row.entitlement or {}).get("kind", "")


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
