"""Whatever goes wrong with the listings of an organization: the read is given up, or it is the whole truth
about everyone whom an earlier read has seen. Nobody entitled loses by it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState, ConnectorError, Grant
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind, Organization, Simulator
from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.server import Reply
from provisioning.actions import Action
from provisioning.actions import Kind as ActionKind
from provisioning.drafting import draft
from provisioning.matching import Linked, Links, match
from provisioning.planning import Planner
from provisioning.policy import Policy, Rule, RuleGrant, resolve
from provisioning.reading import Reading, read
from tests.effort import cases as so_many
from tests.openai.remote import Time

ENDING = (ActionKind.REMOVE, ActionKind.WITHDRAW_INVITE, ActionKind.REVOKE)
NAMES = [f"{name}@x.org" for name in ("ada", "alan", "grace", "joan", "kate", "mary")]
INVITED = [f"{name}@x.org" for name in ("linus", "maria", "niels", "otto")]
RULES = (
    Rule("Owners", 1, "owner"),
    Rule("Everyone", None, "reader", (RuleGrant("project", "Search", "member"),)),
    Rule("Platform", 2, "reader", (RuleGrant("group", "platform", "member"),)),
)

LISTS = [
    "/organization/users",
    "/organization/invites",
    "/organization/projects",
    "/organization/projects/*/users",
    "/organization/groups",
    "/organization/groups/*/users",
    "*",
]
KINDS = [kind for kind in Kind if kind not in (Kind.LATENCY, Kind.DRIP)]
SUBTLE = [
    Kind.ENDS_EARLY,
    Kind.MISSING_ROW,
    Kind.DUPLICATE_ROW,
    Kind.EMPTY,
    Kind.NULL_EMAIL,
    Kind.UNKNOWN_ROLE,
]
faults = st.builds(
    Fault,
    kind=st.sampled_from(SUBTLE) | st.sampled_from(KINDS),
    method=st.just("GET"),
    path=st.sampled_from(LISTS[:2]) | st.sampled_from(LISTS),
    nth=st.integers(1, 4),
    every=st.sampled_from([False, False, True]),
    email=st.sampled_from(["", *NAMES, *INVITED]),
)


class SmallPages(Simulator):
    """Three rows to a page, which a remote may give whatever it is asked for: few people make many pages."""

    def reply_to(self, asked: Asked, headers: Mapping[str, str]) -> Reply:
        if "limit" in asked.query:
            asked = replace(asked, query={**asked.query, "limit": ["3"]})
        return super().reply_to(asked, headers)

    def suffer(self, some: list[Fault]) -> None:
        """These faults and no others."""
        self._faults = type(self._faults)(some)
        self.requests.clear()


class Company:
    """Everyone is entitled to exactly what they have, and one complete read has seen it all."""

    def __init__(self, simulator: SmallPages) -> None:
        self.simulator = simulator
        organization = simulator.organization
        organization.add_project("Search")
        platform = organization.add_group("platform")
        for name in NAMES:
            organization.add_member(name)
            organization.add_to_project("Search", name)
        for name in NAMES[:4]:
            organization.add_to_group(platform.id, organization.find_user(name).id)
        for name in INVITED:
            organization.add_invite(name, projects={"Search": "member"})
        self.known_members: list[str] = []
        self.known_invites: dict[str, str] = {}
        self.links = Links()
        people = ["boss@x.org", *NAMES, *INVITED]
        self.people = [
            Person(number, email, (email,), groups=self._groups(email))
            for number, email in enumerate(people, 1)
        ]
        self.truth = self.read()
        for account in self.truth.accounts:
            if account.state is AccountState.ACTIVE:
                self.known_members.append(account.id)
            else:
                self.known_invites[account.id] = account.email or ""
        matches = match(self.people, self.truth.accounts, Links())
        self.links = Links(
            found={one.account.id: one.person.id for one in matches if isinstance(one, Linked)}
        )

    @property
    def everyone(self) -> list[str]:
        return sorted(account.id for account in self.truth.accounts)

    def _groups(self, email: str) -> frozenset[int]:
        return frozenset({1} if email == "boss@x.org" else {2} if email in NAMES[:4] else ())

    def read(self) -> Reading:
        secret, address = self.simulator.organization.admin_key, self.simulator.base_url
        connector = OpenAIConnector(secret=secret, base_url=address, pace=Time().pace())
        return read(connector, RULES, self.known_members, self.known_invites)


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    with SmallPages(Organization(owner="boss@x.org")) as simulator:
        yield Company(simulator)


def harms(company: Company, reading: Reading) -> list[Action]:
    """What a plan made from the reading would take: nobody has anything that the rules do not give."""
    policy = Policy(
        rules=RULES,
        vocabulary=OpenAIConnector.vocabulary,
        resolved=resolve(RULES, reading.entitlements),
        names=reading.names,
        remove_orphans=True,
    )
    matches = match(company.people, reading.accounts, company.links)
    lines = draft(Planner(policy), None, matches, None).decided
    making_way = {needs for _, needs in lines}
    really = {account.id: account for account in company.truth.accounts}
    return [
        action
        for place, (action, _) in enumerate(lines)
        if (action.kind in ENDING or action.taking)
        and place not in making_way
        and not _gives_what_is_there(action, really[action.account_id or ""])
    ]


def _gives_what_is_there(action: Action, account: Account) -> bool:
    """A role that the listing garbled is set to what it is; applying looks once more, and leaves it."""
    if action.kind is ActionKind.CHANGE_ROLE:
        return action.role == account.role
    if action.kind is ActionKind.CHANGE_GRANT and action.entitlement:
        return Grant(action.entitlement.kind, action.entitlement.id, action.role or "") in account.grants
    return False


def test_without_a_fault_there_is_nothing_to_do_and_nothing_to_doubt(company: Company) -> None:
    company.simulator.suffer([])
    reading = company.read()
    assert sorted(account.id for account in reading.accounts) == company.everyone
    assert len(reading.accounts) == 1 + len(NAMES) + len(INVITED)
    assert max(listing.pages for listing in reading.listings) >= 3
    assert harms(company, reading) == []


@so_many(100, 6_000)
@given(some=st.lists(faults, min_size=1, max_size=3))
def test_whatever_is_wrong_with_the_listings_nobody_loses_by_it(company: Company, some: list[Fault]) -> None:
    company.simulator.suffer(some)
    try:
        reading = company.read()
    except ConnectorError as error:
        assert company.simulator.fired
        event(f"given up: {type(error).__name__}")
        return
    event("read" if company.simulator.fired else "no fault fired")
    assert sorted(account.id for account in reading.accounts) == company.everyone
    assert harms(company, reading) == []
