"""What a plan leaves behind in numbers: accounts, owners, and how many lose something. Over values alone."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from provisioning.actions import Action, Kind
from provisioning.safety import Decided, Decision, unseats
from provisioning.summary import Counted

GAINS = {Kind.INVITE: 1, Kind.REMOVE: -1, Kind.WITHDRAW_INVITE: -1}
"""Accounts that there are more. An invite counts as one from the day on which it is sent."""


def look_ahead(
    lines: Collection[tuple[Action, Decided]], accounts: int, owners: Collection[str], owner_role: str
) -> dict[str, Any]:
    """Apart for what is done at once and for what waits for an approver. `owners`: ids of who owns now."""
    return {
        "accounts": accounts,
        "owners": len(owners),
        **{
            str(decision): _effect(
                [action for action, (own, _) in lines if own is decision], owners, owner_role
            )
            for decision in (Decision.PLANNED, Decision.HELD)
        },
    }


def _effect(actions: Iterable[Action], owners: Collection[str], owner_role: str) -> dict[str, int]:
    writes = [action for action in actions if action.writes]
    losers = {
        loser
        for action in writes
        if action.taking
        for loser in (action.members if action.holder else (action.account_id or action.email,))
    }
    return {
        "accounts": sum(GAINS.get(action.kind, 0) for action in writes),
        "owners": sum(_owners_more(action, owners, owner_role) for action in writes),
        "lose": len(losers),
    }


def _owners_more(action: Action, owners: Collection[str], owner_role: str) -> int:
    """Who is invited as an owner is none before the invite is accepted."""
    owns = action.account_id in owners
    if unseats(action):
        return -1 if owns else 0
    return 1 if action.kind is Kind.CHANGE_ROLE and action.role == owner_role and not owns else 0


def in_numbers(alike: Iterable[tuple[str, str, str, str, bool]]) -> list[list[Any]]:
    """Equal lines of a plan counted together, as they are stored: see Counted."""
    return [[*line, number] for line, number in Counter(alike).items()]


def counted(stored: Mapping[str, Any]) -> list[Counted] | None:
    """The whole plan in numbers, as it was made; None where that was not kept yet."""
    return [Counted(*line) for line in stored["plan"]] if "plan" in stored else None
