"""Whatever a plan has taken: what giving it back never does."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from msgspec.structs import replace

from directory.emails import email_key
from integrations.connectors.base import Account, AccountState, Grant
from provisioning.actions import Action, Kind, plan_line
from provisioning.restoring import Loss, Restorer, losses
from tests.effort import cases as so_many
from tests.provisioning.builders import PLATFORM, SEARCH, VOICE
from tests.provisioning.generated import Case, cases


def stored(takings: Iterable[Action]) -> list[Any]:
    """The actions as their rows give them back."""
    return [
        SimpleNamespace(holder=None, **plan_line(action, needs=None), person_id=action.person_id)
        for action in takings
    ]


def after(accounts: Iterable[Account], takings: list[Action]) -> list[Account]:
    """What is left when these have been carried out."""
    left = {account.id: account for account in accounts}
    for action in takings:
        subject = left.pop(action.account_id or "")
        if action.kind is Kind.CHANGE_ROLE:
            left[subject.id] = replace(subject, role=action.role)
        elif action.entitlement:
            others = [grant for grant in subject.grants if grant.id != action.entitlement.id]
            kept = [Grant(action.entitlement.kind, action.entitlement.id, action.role)] if action.role else []
            left[subject.id] = replace(subject, grants=(*others, *kept))
    return list(left.values())


def still_there(case: Case) -> list[Account]:
    return after(case.accounts, [action for action in case.writes if action.taking])


def restore(case: Case) -> tuple[list[Loss], list[Action]]:
    takings = [action for action in case.writes if action.taking]
    lost = losses(stored(takings))
    now = after(case.accounts, takings)
    restorer = Restorer.over(31, case.policy, lost, now, [SEARCH, VOICE, PLATFORM], case.people)
    return lost, [action for chain in restorer.plan(lost) for action in chain]


def had(case: Case, lost: list[Loss], action: Action) -> tuple[set[str | None], set[Grant]]:
    """Roles and grants of whatever the action's person has lost: two accounts may have been theirs."""
    before = {account.id: account for account in case.accounts}
    theirs = [
        before[loss.account_id]
        for loss in lost
        if email_key(loss.email) == email_key(action.email)
        or (loss.person_id and loss.person_id == action.person_id)
    ]
    return {account.role for account in theirs}, {grant for account in theirs for grant in account.grants}


@so_many(100, 5_000)
@given(cases())
def test_a_restore_takes_nothing_and_gives_no_more_than_there_was(case: Case) -> None:
    lost, plan = restore(case)
    lapsed = {account.id for account in case.accounts if account.state is AccountState.EXPIRED}
    lowest = case.policy.vocabulary.roles[0]
    for action in plan:
        assert not action.taking
        if not action.writes:
            continue
        mark = case.policy.marks.get(email_key(action.email))
        assert mark is None or mark.kind == "ignored"
        roles, grants = had(case, lost, action)
        if action.kind is Kind.INVITE:
            assert action.role in {*roles, lowest}
            assert set(action.grants) <= grants
        elif action.kind is Kind.WITHDRAW_INVITE:
            assert action.account_id in lapsed
        elif action.kind is Kind.CHANGE_ROLE:
            assert action.role in roles
        else:
            assert action.entitlement is not None
            assert Grant(action.entitlement.kind, action.entitlement.id, action.role or "") in grants


@so_many(100, 5_000)
@given(cases())
def test_whatever_was_lost_comes_back_or_is_told_of(case: Case) -> None:
    """To whatever account its person has by now. Or somebody has that address, and lacks nothing."""
    lost, plan = restore(case)
    spoken_of = {email_key(action.email) for action in plan}
    people = {action.person_id for action in plan if action.person_id}
    there = {email_key(account.email) for account in still_there(case) if account.email}
    for loss in lost:
        if loss.ended and loss.person_id not in people:
            assert email_key(loss.email) in spoken_of | there
