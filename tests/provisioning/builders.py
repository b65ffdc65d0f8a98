"""Short ways to say who there is, what the remote has and what the rules give."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count

from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.base import Acceptance, Account, AccountState, Entitlement, Grant, Vocabulary
from provisioning.actions import Action
from provisioning.matching import Links, match
from provisioning.planning import Left, Planner
from provisioning.policy import Mark, Policy, Rule, RuleGrant, resolve

VOCABULARY = Vocabulary(
    roles=("reader", "owner"),
    owner_role="owner",
    entitlement_roles={
        "project": ("viewer", "member", "owner"),
        "group": ("member",),
        "role": ("holder",),
        "project role": ("holder",),
    },
    invite_carries={"project": ("member", "owner")},
    implicit=frozenset({"project", "project role"}),
    unlisted=frozenset({"role", "project role"}),
    creatable=frozenset({"project", "group"}),
    groups_hold=("group", "project"),
)
SEARCH = Entitlement("project", "proj_search", "Search")
VOICE = Entitlement("project", "proj_voice", "Voice")
PLATFORM = Entitlement("group", "group_platform", "platform")
EDITOR = Entitlement(
    "project role", "proj_search/role_editor", "Search: Prompt editor", within=("project", "proj_search")
)
AUDITOR = Entitlement("role", "role_auditor", "Key auditor")
ENGINEERING, SALES = 7, 8

_ids = count(1)


def person(
    email: str, *aliases: str, active: bool = True, groups: tuple[int, ...] = (), id: int = 0
) -> Person:
    keys = tuple(email_key(address) for address in (email, *aliases) if address)
    return Person(id or next(_ids), email, keys, active=active, groups=frozenset(groups))


def member(email: str | None, role: str | None = "reader", *grants: Grant, id: str = "", **more) -> Account:
    return Account(id or f"user-{email}", AccountState.ACTIVE, email, role, grants=tuple(grants), **more)


def invite(email: str, role: str = "reader", *grants: Grant, state=AccountState.INVITED, **more) -> Account:
    return Account(
        f"invite-{email}",
        state,
        email,
        role,
        grants=tuple(grants),
        since=datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    )


def lapsed(email: str, role: str = "reader", *grants: Grant) -> Account:
    return invite(email, role, *grants, state=AccountState.EXPIRED)


def grant(entitlement: Entitlement, role: str = "member") -> Grant:
    return Grant(entitlement.kind, entitlement.id, role)


def gives(entitlement: Entitlement, role: str = "member", *, create: bool = False) -> RuleGrant:
    return RuleGrant(entitlement.kind, entitlement.name, role, create)


def rule(
    role: str = "reader", *grants: RuleGrant, group: int | None = None, name: str = "Everyone", **more
) -> Rule:
    return Rule(name, group, role, tuple(grants), **more)


def policy(*rules: Rule, entitlements: tuple[Entitlement, ...] = (SEARCH, VOICE, PLATFORM), **more) -> Policy:
    return Policy(
        rules=rules or (rule(),),
        vocabulary=VOCABULARY,
        resolved=resolve(rules, entitlements),
        names={(held.kind, held.id): held.name for held in entitlements},
        **more,
    )


def mark(kind: str, email: str, reason: str = "agreed") -> dict[str, Mark]:
    return {email_key(email): Mark(kind, reason)}


def planned(
    people: list[Person],
    accounts: list[Account],
    by: Policy | None = None,
    *,
    links: Links | None = None,
    left: dict[str, Left] | None = None,
    accepted: Sequence[Acceptance] = (),
) -> list[Action]:
    """The plan, flat, as a job would make it."""
    chains = Planner(by or policy(), left or {}).plan(match(people, accounts, links or Links(), accepted))
    return [action for chain in chains for action in chain]


def told(action: Action) -> tuple[object, ...]:
    """What matters most of an action, for comparing whole plans."""
    held = action.entitlement.name if action.entitlement else None
    return (str(action.kind), str(action.situation), action.email, action.role, held)


def plan_of(*args, **more) -> list[tuple[object, ...]]:
    return [told(action) for action in planned(*args, **more)]
