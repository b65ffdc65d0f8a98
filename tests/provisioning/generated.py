"""Random directories, organizations and policies, as plain values that need not have come about by rules."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState, Grant
from provisioning.actions import Action
from provisioning.drafting import Line, draft
from provisioning.matching import Links, Match, match
from provisioning.planning import Left, Planner
from provisioning.policy import Mark, Policy, Rule, RuleGrant, resolve
from provisioning.safety import Facts, Limits
from tests.provisioning.builders import AUDITOR, PLATFORM, SEARCH, VOCABULARY, VOICE

ENTITLEMENTS = (SEARCH, VOICE, PLATFORM, AUDITOR)
addresses = st.sampled_from([f"{name}@x.org" for name in "abcde"] + ["guest@y.org"])
groups = st.frozensets(st.sampled_from([1, 2, 3]), max_size=2)
roles = st.sampled_from(["reader", "owner"])
remote_roles = st.sampled_from(["reader", "reader", "owner", "owner", "auditor", None])
states = st.sampled_from([AccountState.ACTIVE, AccountState.ACTIVE, *AccountState])
grants = st.lists(
    st.builds(
        lambda held, role: Grant(held.kind, held.id, role),
        st.sampled_from(ENTITLEMENTS),
        st.sampled_from(["member", "owner", "viewer"]),
    ),
    max_size=2,
    unique_by=lambda one: one.id,
).map(lambda some: tuple(sorted(some)))
rule_grants = st.builds(
    lambda held, place: RuleGrant(held.kind, held.name, (VOCABULARY.entitlement_roles[held.kind] * 3)[place]),
    st.sampled_from(ENTITLEMENTS),
    st.integers(0, 2),
)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a plan is made from."""

    people: tuple[Person, ...]
    accounts: tuple[Account, ...]
    policy: Policy
    links: Links
    left: dict[str, Left]

    @property
    def matches(self) -> list[Match]:
        return match(self.people, self.accounts, self.links)

    @property
    def lines(self) -> tuple[Line, ...]:
        return draft(Planner(self.policy, self.left), None, self.matches, None).decided

    @property
    def writes(self) -> list[Action]:
        return [action for action, _ in self.lines if action.writes]


@st.composite
def people(draw: st.DrawFn) -> tuple[Person, ...]:
    """Every address belongs to one person at most, as the directory sees to."""
    free = draw(st.lists(addresses, unique=True, min_size=3, max_size=6))
    primary, aliases = free[:4], iter(free[4:])
    found = []
    for number, email in enumerate(primary, start=1):
        keys = (email, *([next(aliases)] if number <= len(free) - 4 else []))
        found.append(
            Person(
                number, email, keys, active=draw(st.sampled_from([True, True, False])), groups=draw(groups)
            )
        )
    return tuple(found)


one_account = st.tuples(states, addresses | st.none(), remote_roles, grants, groups)
apart = st.lists(one_account, min_size=2, max_size=6, unique_by=lambda account: account[1])
together = st.lists(one_account, min_size=1, max_size=6)


@st.composite
def accounts(draw: st.DrawFn) -> tuple[Account, ...]:
    """Mostly one for each address; two for one are ambiguous, and nothing is done to them."""
    drawn = draw(apart | apart | together)
    return tuple(
        Account(
            f"account-{place}",
            state,
            email.upper() if email and 3 in more else email,
            role,
            grants=held,
            is_service=more == {1},
            managed_elsewhere=more == {2},
        )
        for place, (state, email, role, held, more) in enumerate(drawn)
    )


rules = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from(["Q", "R", "S"]),
        group=st.sampled_from([None, 1, 2]),
        role=roles,
        grants=st.lists(rule_grants, max_size=2).map(tuple),
    ),
    max_size=3,
    unique_by=lambda one: one.name,
).map(tuple)
marks = st.dictionaries(
    addresses, st.builds(Mark, st.sampled_from(["protected", "ignored"]), st.just("agreed")), max_size=2
)
numbers = st.dictionaries(
    st.integers(0, 5).map(lambda place: f"account-{place}"), st.integers(1, 5), max_size=3
)
few: st.SearchStrategy[dict[Any, Any]] = st.just({})
"""Most of the time none, so that not every case is full of exceptions."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    access, there = draw(rules), draw(st.sampled_from([ENTITLEMENTS, ENTITLEMENTS, (SEARCH,)]))
    policy = Policy(
        rules=access,
        vocabulary=VOCABULARY,
        resolved=resolve(access, there),
        names={(held.kind, held.id): held.name for held in there},
        marks=draw(few | marks),
        managed_domains=draw(st.sampled_from([frozenset(), frozenset({"x.org"})])),
        remove_orphans=draw(st.booleans()),
        renew_invites=draw(st.booleans()),
    )
    links = Links(found=draw(few | numbers), by_hand=draw(few | numbers))
    some = draw(accounts())
    left = {
        account.id: Left(account.role, frozenset(account.grants)) for account in some if draw(st.booleans())
    }
    return Case(draw(people()), some, policy, links, left)


def owners_of(case: Case) -> frozenset[str]:
    return frozenset(
        account.id
        for account in case.accounts
        if account.state is AccountState.ACTIVE and account.role == "owner" and not account.is_service
    )


@st.composite
def facts(draw: st.DrawFn, case: Case) -> Facts:
    owner = draw(st.none() | st.sampled_from([account.id for account in case.accounts]))
    sources = st.dictionaries(st.sampled_from(["hr", "it"]), st.integers(0, 12))
    return Facts(
        active_people=draw(st.sampled_from([5, 5, 5, 5, 0])),
        accounts=draw(st.sampled_from([len(case.accounts), 40, 100])),
        owners=owners_of(case),
        credential_owner=owner,
        protected=frozenset(key for key, mark in case.policy.marks.items() if mark.kind == "protected"),
        sources_before=draw(st.just({}) | sources),
        sources_now=draw(sources),
        taken_recently=draw(st.frozensets(st.sampled_from(["account-0", "account-9", "gone@x.org"]))),
        first_applying=draw(st.booleans()),
        members_before=draw(st.integers(0, 12)),
        members_vanished=draw(st.integers(0, 12)),
    )


limits = st.builds(
    Limits,
    mode=st.sampled_from(["observe", "extend", "manage", "manage", "manage"]),
    removal_limit_count=st.integers(0, 3),
    removal_limit_percent=st.sampled_from([0, 10, 100]),
    hold_everything_over_limit=st.booleans(),
    hold_first_removals=st.booleans(),
    minimum_owners=st.integers(1, 2),
    vanished_percent=st.sampled_from([0, 20, 100]),
)
