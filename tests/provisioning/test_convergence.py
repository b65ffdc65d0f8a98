"""Whatever happens to people, rules and the organization: what is planned can be done, it harms nobody
innocent, and once it is done there is nothing more to plan.
"""

import contextlib

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.openai.simulator.records import User
from integrations.connectors.openai.simulator.refusals import Refused
from provisioning.actions import Action, Kind
from provisioning.drafting import Line, draft
from provisioning.matching import Linked, Links, Match, Orphan, match
from provisioning.planning import Left, Planner
from provisioning.policy import Mark, Policy, Rule, RuleGrant, Target, resolve
from provisioning.safety import Decision, Facts, Limits, assess
from tests.effort import cases
from tests.provisioning.builders import VOCABULARY
from tests.provisioning.directly import Remote

BOSS = Person(1, "boss@x.org", ("boss@x.org",), groups=frozenset({9}))
OWNERS = Rule("Owners", 9, "owner")

names = st.sampled_from([f"{name}@x.org" for name in "abcde"] + ["Guest@y.org"])
groups = st.sets(st.sampled_from([1, 2, 3])).map(frozenset)
places = st.integers(0, 9)
projects = st.sampled_from(["Search", "Voice"])
project_roles = st.sampled_from(["viewer", "member", "owner"])
others = st.sampled_from(
    [RuleGrant("group", "platform", "member"), RuleGrant("role", "Key auditor", "holder")]
)
one_each = st.lists(
    st.builds(RuleGrant, st.just("project"), projects, project_roles) | others, max_size=2
).map(tuple)
editors = project_roles.map(
    lambda role: (
        RuleGrant("project", "Search", role),
        RuleGrant("project role", "Search: Prompt editor", "holder"),
    )
)
"""A role in a project is given only to who is there."""
rules = st.builds(
    Rule,
    name=st.sampled_from(["R", "S", "T"]),
    group=st.sampled_from([None, 1, 2, 3]),
    role=st.sampled_from(["reader", "reader", "owner"]),
    grants=one_each | editors,
)

somebody_is_there = precondition(lambda company: len(company.people) > 1)
somebody_is_a_member = precondition(lambda company: company.remote.others())


class Company(RuleBasedStateMachine):
    """A directory, rules and marks on one side, an organization on the other; a sync holds nothing back."""

    def __init__(self) -> None:
        super().__init__()
        self.remote = Remote(BOSS.email)
        self.people = {1: BOSS}
        self.access = [OWNERS]
        self.marks: dict[str, Mark] = {}
        self.found: dict[str, int] = {}
        self.left: dict[str, Left] = {}
        self.switches = {"remove_orphans": False, "renew_invites": True}

    # -- what happens in the directory

    @rule(email=names, groups=groups)
    def hire(self, email: str, groups: frozenset[int]) -> None:
        if self._is_taken(email):
            return
        number = max(self.people) + 1
        self.people[number] = Person(number, email, (email_key(email),), groups=groups)

    @somebody_is_there
    @rule(place=places, groups=groups, active=st.booleans())
    def move_or_dismiss(self, place: int, groups: frozenset[int], active: bool) -> None:
        person = self._somebody(place)
        self.people[person.id] = replace(person, groups=groups, active=active)

    @somebody_is_there
    @rule(place=places, email=names, keeps=st.booleans())
    def rename(self, place: int, email: str, keeps: bool) -> None:
        """A new address; the old one stays as an alias, or is free for somebody else."""
        if self._is_taken(email):
            return
        person = self._somebody(place)
        keys = (email_key(email), *(person.keys if keeps else ()))
        self.people[person.id] = replace(person, email=email, keys=keys)

    @somebody_is_there
    @rule(place=places)
    def forget(self, place: int) -> None:
        gone = self._somebody(place)
        del self.people[gone.id]
        self.found = {account: who for account, who in self.found.items() if who != gone.id}

    def _is_taken(self, email: str) -> bool:
        return any(email_key(email) in person.keys for person in self.people.values())

    def _somebody(self, place: int) -> Person:
        others = [person for person in self.people.values() if person.id != BOSS.id]
        return others[place % len(others)]

    # -- what staff do

    @rule(some=st.lists(rules, max_size=3, unique_by=lambda one: one.name))
    def set_rules(self, some: list[Rule]) -> None:
        self.access = [OWNERS, *some]

    @rule(email=names, kind=st.sampled_from(["protected", "ignored", None]))
    def mark(self, email: str, kind: str | None) -> None:
        self.marks.pop(email_key(email), None)
        if kind:
            self.marks[email_key(email)] = Mark(kind, "agreed")

    @rule(orphans=st.booleans(), renew=st.booleans())
    def configure(self, orphans: bool, renew: bool) -> None:
        self.switches = {"remove_orphans": orphans, "renew_invites": renew}

    # -- what happens in the organization

    @rule(email=names)
    def accept(self, email: str) -> None:
        with contextlib.suppress(Refused):
            self.remote.accept_invite(email)

    @rule(email=names, role=st.sampled_from(["reader", "owner"]), searches=st.booleans())
    def invite_by_hand(self, email: str, role: str, searches: bool) -> None:
        with contextlib.suppress(Refused):
            self.remote.invite_person(email, role, {self.remote.search.id: "member"} if searches else {})

    @rule()
    def wait_until_invites_lapse(self) -> None:
        self.remote.time += 8 * 24 * 3600

    @somebody_is_a_member
    @rule(place=places, role=st.sampled_from(["owner", "reader", "auditor", None]))
    def change_role_by_hand(self, place: int, role: str | None) -> None:
        self._member(place).role = role

    @somebody_is_a_member
    @rule(place=places, project=projects, role=st.sampled_from(["member", "owner", "viewer"]))
    def add_to_project_by_hand(self, place: int, project: str, role: str) -> None:
        self.remote.add_to_project(project, self._member(place).id, role)

    @somebody_is_a_member
    @rule(place=places, taken=st.booleans())
    def give_or_take_a_custom_role_by_hand(self, place: int, taken: bool) -> None:
        held = self._member(place).role_ids
        held[:] = [] if taken else [self.remote.auditor.id]

    @somebody_is_a_member
    @rule(place=places)
    def remove_by_hand(self, place: int) -> None:
        self.remote.remove_user(self._member(place).id)

    @somebody_is_a_member
    @rule(place=places, email=names)
    def change_address_by_hand(self, place: int, email: str) -> None:
        member = self._member(place)
        if all(user.email != email.upper() for user in self.remote.users.values()):
            member.email = email.upper()

    def _member(self, place: int) -> User:
        others = self.remote.others()
        return others[place % len(others)]

    # -- a sync

    @rule()
    def sync(self) -> None:
        self._sync(None)
        once_more = self._lines(None)
        assert [line for line in once_more if not self._was_hidden(line)] == []
        for action in once_more:
            self.remote.carry_out(action)
        assert self._lines(None) == []

    def _was_hidden(self, line: Action) -> bool:
        """What a former owner held in projects shows only after the demotion."""
        return line.entitlement is not None and line.account_id in self.remote.demoted

    @somebody_is_there
    @rule(place=places)
    def sync_one_person(self, place: int) -> None:
        self._sync(self._somebody(place).id)

    def _sync(self, person: int | None) -> None:
        self.remote.demoted.clear()
        matches = self._matches()
        targets = {who.id: self._planner().policy.target_for(who) for who in self.people.values()}
        for action in self._lines(person):
            self._check_innocent(action, targets)
            self.remote.carry_out(action)
        self._remember(matches)

    def _lines(self, person: int | None) -> list[Action]:
        """What would be carried out now."""
        people = None if person is None else {person}
        lines = draft(self._planner(), None, self._matches(), people).decided
        decided = zip(lines, self._decisions(lines), strict=True)
        return [line for (line, _), decision in decided if line.writes and decision is Decision.PLANNED]

    def _decisions(self, lines: tuple[Line, ...]) -> list[Decision]:
        protected = frozenset(key for key, mark in self.marks.items() if mark.kind == "protected")
        facts = Facts(1, 1000, self.remote.owners(), credential_owner=self.remote.boss, protected=protected)
        return [decision for decision, _ in assess(lines, facts, Limits()).decisions]

    def _planner(self) -> Planner:
        held = self.remote.entitlements()
        policy = Policy(
            rules=tuple(self.access),
            vocabulary=VOCABULARY,
            resolved=resolve(self.access, held),
            names={(one.kind, one.id): one.name for one in held},
            marks=self.marks,
            managed_domains=frozenset({"x.org"}),
            **self.switches,  # type: ignore[arg-type]
        )
        return Planner(policy, self.left)

    def _matches(self) -> list[Match]:
        return match(list(self.people.values()), self.remote.accounts(), Links(found=self.found))

    def _remember(self, matches: list[Match]) -> None:
        for one in matches:
            match one:
                case Linked(person, account):
                    self.found[account.id] = person.id
                case Orphan(account):
                    self.found.pop(account.id, None)
                case _:
                    pass
        for account in self.remote.accounts():
            self.left[account.id] = Left(account.role, frozenset(account.grants))

    def _check_innocent(self, action: Action, targets: dict[int, Target | None]) -> None:
        person = self.people.get(action.person_id or 0)
        addresses = {email_key(action.email), *(person.keys if person else ())}
        assert not addresses & self.marks.keys()
        assert email_key(action.email).endswith("@x.org")
        assert not (action.taking and action.account_id == self.remote.boss)
        target = targets.get(action.person_id or 0)
        if action.kind is Kind.REMOVE or action.situation == "leaver":
            assert target is None
        if action.kind is Kind.INVITE:
            assert target is not None
        if person is None:
            assert action.situation == "orphan"
            assert action.account_id not in self.remote.owners()

    @invariant()
    def the_keys_owner_remains_one(self) -> None:
        assert self.remote.boss in self.remote.owners()


def test_invites_that_lapsed_under_the_address_somebody_gets_go_with_the_open_one() -> None:
    company = Company()
    for _ in range(2):
        company.invite_by_hand("e@x.org", "owner", searches=False)
        company.wait_until_invites_lapse()
    company.invite_by_hand("e@x.org", "reader", searches=False)
    company.hire("a@x.org", frozenset())
    company.rename(0, "e@x.org", keeps=False)
    lines = company._lines(None)
    takings = [(line.kind, line.email, line.taking) for line in lines]
    for line in lines:
        company.remote.carry_out(line)
    withdrawn = Kind.WITHDRAW_INVITE, "e@x.org"
    assert takings == [(*withdrawn, False), (*withdrawn, False), (*withdrawn, True)]
    assert list(company.remote.invites.values()) == []
    assert company._lines(None) == []


TestCompany = Company.TestCase
TestCompany.settings = cases(100, 3_000, stateful_step_count=30)
