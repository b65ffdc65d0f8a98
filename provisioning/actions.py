"""One line of a plan, as a frozen value: what to do, to whom, why, from what to what. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from integrations.connectors.base import Account, Entitlement, Grant, plural


class Kind(StrEnum):
    INVITE = "invite"
    WITHDRAW_INVITE = "withdraw_invite"
    CHANGE_ROLE = "change_role"
    REMOVE = "remove"
    GRANT = "grant"
    CHANGE_GRANT = "change_grant"
    REVOKE = "revoke"
    REVOKE_KEY = "revoke_key"
    CREATE = "create"
    REPORT = "report"


class Situation(StrEnum):
    JOINER = "joiner"
    MOVER = "mover"
    DRIFT = "drift"
    LEAVER = "leaver"
    INVITE_CHANGED = "invite_changed"
    INVITE_EXPIRED = "invite_expired"
    ORPHAN = "orphan"
    AMBIGUOUS = "ambiguous"
    ACCEPTED_ELSEWHERE = "accepted_elsewhere"
    PROTECTED = "protected"
    IGNORED = "ignored"
    MANAGED_ELSEWHERE = "managed_elsewhere"
    SERVICE_ACCOUNT = "service_account"
    OUTSIDE_DOMAINS = "outside_domains"
    NO_ADDRESS = "no_address"
    RULE_PROBLEM = "rule_problem"
    MISSING = "missing"
    RESTORED = "restored"
    REVIEWED = "reviewed"
    LEFT_BEHIND = "left_behind"


@dataclass(frozen=True, slots=True)
class Action:
    """A decision. `before` and `after` are for people; the other fields are what applying needs.

    `grants` is what an invite carries; `entitlement` is what a grant is held on, or what is to be made, which
    has no id yet; `role` is the organization role of an invite or a role change, or the role of a grant.
    `taking`: the account loses something. `holder`: the group that an entitlement is given to or taken from,
    where it is no account; `members`: the accounts that lose it with the group.
    """

    kind: Kind
    situation: Situation
    email: str
    account_id: str | None = None
    person_id: int | None = None
    role: str | None = None
    entitlement: Entitlement | None = None
    grants: tuple[Grant, ...] = ()
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    rule: str = ""
    detail: str = ""
    taking: bool = False
    holder: Entitlement | None = None
    members: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        return self.kind is not Kind.REPORT


Chain = tuple[Action, ...]
"""Actions of which each one after the first needs the first to be done."""


def order(chains: Iterable[Chain]) -> list[Chain]:
    """What gives goes before what takes away, so that a new owner is there before an old one goes."""
    return sorted(chains, key=lambda chain: (_rank(chain), *_identity(chain[0])))


def _rank(chain: Chain) -> int:
    if not chain[0].writes:
        return 2
    return 1 if any(action.taking for action in chain) else 0


def _identity(action: Action) -> tuple[str, ...]:
    held = action.entitlement
    return (
        action.email,
        action.account_id or "",
        action.holder.name if action.holder else "",
        action.kind,
        held.kind if held else "",
        held.id if held else "",
        action.situation,
        action.detail,
    )


def digest(lines: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 over the canonical JSON of a plan's lines; an approval names the plan by it."""
    canonical = json.dumps(lines, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def plan_line(action: Action, *, needs: int | None, proposed: bool = False) -> dict[str, Any]:
    """The stored form of an action: plain JSON values, the same when it is read back."""
    held, holder = action.entitlement, action.holder
    line: dict[str, Any] = {
        "kind": str(action.kind),
        "situation": str(action.situation),
        "email": action.email,
        "account_id": action.account_id,
        "role": action.role,
        "entitlement": {"kind": held.kind, "id": held.id, "name": held.name} if held else None,
        "grants": [grant.as_json() for grant in action.grants],
        "before": dict(action.before) if action.before is not None else None,
        "after": dict(action.after) if action.after is not None else None,
        "rule": action.rule,
        "detail": action.detail,
        "taking": action.taking,
        "needs": needs,
        "proposed": proposed,
    }
    if holder:
        line["holder"] = {"kind": holder.kind, "id": holder.id, "name": holder.name}
        line["members"] = list(action.members)
    return line


def named(grants: Iterable[Grant], names: Mapping[tuple[str, str], str]) -> dict[str, list[dict[str, str]]]:
    """Grants by the plural of their kind, with names for people: `{"projects": [{"name", "role"}]}`."""
    by_kind: dict[str, list[dict[str, str]]] = {"projects": []}
    for grant in grants:
        name = names.get((grant.kind, grant.id), grant.id)
        by_kind.setdefault(plural(grant.kind), []).append({"name": name, "role": grant.role})
    return {kind: sorted(held, key=lambda line: line["name"]) for kind, held in by_kind.items()}


def picture(account: Account, names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """An account as it stood, for the `before` of an action."""
    return {"state": str(account.state), "role": account.role, **named(account.grants, names)}
