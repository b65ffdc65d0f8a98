"""The table of situations and actions in docs/safety.md says what the planner does.

`python -m tests.provisioning.test_decision_table` writes it anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.connectors.base import Acceptance
from provisioning.actions import Action, Kind, Situation
from provisioning.planning import Left
from provisioning.policy import EVERYTHING, Excepted
from tests import safety_page
from tests.provisioning.builders import (
    EDITOR,
    SEARCH,
    gives,
    grant,
    invite,
    lapsed,
    mark,
    member,
    person,
    planned,
    policy,
    rule,
)

ADA = "ada@x.org"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEARCHERS = rule("reader", gives(SEARCH))
OWNERS = rule("owner")


@dataclass(frozen=True)
class Row:
    """Who there is in the directory and in the organization, in words and as values."""

    who: str
    account: str
    people: list[Any] = field(default_factory=list)
    accounts: list[Any] = field(default_factory=list)
    by: Any = field(default_factory=policy)
    left: Mapping[str, Left] = field(default_factory=dict)
    accepted: Sequence[Acceptance] = ()

    @property
    def plan(self) -> list[Action]:
        return planned(self.people, self.accounts, self.by, left=dict(self.left), accepted=self.accepted)

    @property
    def line(self) -> str:
        situations = dict.fromkeys(action.situation.replace("_", " ") for action in self.plan)
        actions = [f"{action.kind.replace('_', ' ')}{' ▾' * action.taking}" for action in self.plan]
        cells = (self.who, self.account, ", ".join(situations) or "-", ", then ".join(actions) or "nothing")
        return f"| {' | '.join(cells)} |"


def ada(**more: Any) -> list[Any]:
    return [person(ADA, **more)]


def as_left(*accounts: Any) -> dict[str, Left]:
    return {account.id: Left(account.role, frozenset(account.grants)) for account in accounts}


EXCEPTED = [person(ADA, id=77)]
WITHOUT_ANY = {(77, EVERYTHING): Excepted("Q4", "On another team.")}
WITHOUT_SEARCH = {(77, (SEARCH.kind, SEARCH.id)): Excepted("Q4", "On another team.")}
SEARCHING, OWNER = member(ADA, "reader", grant(SEARCH)), member(ADA, "owner")
ROWS = [
    Row("entitled", "none", ada()),
    Row("active, no rule gives anything", "none", ada(), by=policy(rule(group=7))),
    Row("entitled, and marked", "none", ada(), by=policy(marks=mark("ignored", ADA))),
    Row(
        "entitled, address outside the managed domains",
        "none",
        ada(),
        by=policy(managed_domains=frozenset({"y.org"})),
    ),
    Row("entitled, without an e-mail", "none", [person("")]),
    Row("entitled", "member with just that", ada(), [member(ADA)]),
    Row("entitled to a project too", "member without it, as we left it", ada(), [member(ADA)],
        policy(SEARCHERS), as_left(member(ADA))),
    Row("entitled to a project too", "member without it, not as we left it", ada(), [member(ADA)],
        policy(SEARCHERS), as_left(SEARCHING)),
    Row("entitled to less in a project", "member with more there", ada(),
        [member(ADA, "reader", grant(SEARCH, "owner"))], policy(SEARCHERS)),
    Row("entitled to a role in a project, and not to the project", "member who is not there", ada(),
        [member(ADA)], policy(rule("reader", gives(EDITOR, "holder")), entitlements=(EDITOR,))),
    Row("entitled to a role in a project, and to the project", "member who is not there", ada(),
        [member(ADA)], policy(rule("reader", gives(SEARCH), gives(EDITOR, "holder")),
        entitlements=(SEARCH, EDITOR))),
    Row("entitled to no managed project", "member of one", ada(), [SEARCHING],
        policy(rule("reader", gives(SEARCH), group=7), rule())),
    Row("entitled to a project, which a review has revoked", "member without it", EXCEPTED, [member(ADA)],
        policy(SEARCHERS, exceptions=WITHOUT_SEARCH)),
    Row("entitled to a project, which a review has revoked", "member of it", EXCEPTED, [SEARCHING],
        policy(SEARCHERS, exceptions=WITHOUT_SEARCH)),
    Row("entitled, all access revoked in a review", "none", EXCEPTED, by=policy(exceptions=WITHOUT_ANY)),
    Row("entitled, all access revoked in a review", "member", EXCEPTED, [member(ADA)],
        policy(exceptions=WITHOUT_ANY)),
    Row("entitled, all access revoked in a review", "open invite", EXCEPTED, [invite(ADA)],
        policy(exceptions=WITHOUT_ANY)),
    Row("entitled to a higher role", "member with a lower one", ada(), [member(ADA)], policy(OWNERS)),
    Row("entitled to a lower role", "member with a higher one", ada(), [OWNER]),
    Row("entitled to the lowest role", "member with a custom role", ada(), [member(ADA, "auditor")]),
    Row("entitled", "open invite with just that", ada(), [invite(ADA)]),
    Row("entitled to more", "open invite with less", ada(), [invite(ADA)], policy(SEARCHERS)),
    Row("entitled to less", "open invite with more", ada(), [invite(ADA, "owner")]),
    Row("entitled", "lapsed invite", ada(), [lapsed(ADA)]),
    Row("entitled", "lapsed invite, invites are not renewed", ada(), [lapsed(ADA)],
        policy(renew_invites=False)),
    Row("entitled", "member, and a lapsed invite to an alias", [person(ADA, "a@x.org")],
        [member(ADA), lapsed("a@x.org")]),
    Row("left, or no rule gives anything", "member", ada(active=False), [member(ADA)]),
    Row("entitled", "member, and an open invite to the same address", ada(), [member(ADA), invite(ADA)]),
    Row("left, or no rule gives anything", "member, and an open invite to the same address",
        ada(active=False), [member(ADA), invite(ADA)]),
    Row("left, or no rule gives anything", "open invite", ada(active=False), [invite(ADA)]),
    Row("left, or no rule gives anything", "lapsed invite", ada(active=False), [lapsed(ADA)]),
    Row("left, or no rule gives anything", "member, and a lapsed invite to an alias",
        [person(ADA, "a@x.org", active=False)], [member(ADA), lapsed("a@x.org")]),
    Row("left, or no rule gives anything", "open invite, and a lapsed one to the same address",
        ada(active=False), [invite(ADA, lapsed=(lapsed(ADA),))]),
    Row("left, or no rule gives anything", "none", ada(active=False)),
    Row("nobody", "member", accounts=[member(ADA)]),
    Row("nobody", "member, orphans are removed", accounts=[member(ADA)], by=policy(remove_orphans=True)),
    Row("nobody", "open invite, orphans are removed", accounts=[invite(ADA)],
        by=policy(remove_orphans=True)),
    Row("nobody", "owner, orphans are removed", accounts=[OWNER], by=policy(remove_orphans=True)),
    Row("nobody", "member without an address, orphans are removed", accounts=[member(None, id="user-1")],
        by=policy(remove_orphans=True)),
    Row("one person", "two members", [person(ADA, "a@x.org")], [member(ADA), member("a@x.org")]),
    Row("entitled, their invite accepted", "somebody else's, who joined at that moment", ada(),
        [member("ada@private.example", since=NOON)], accepted=[Acceptance(ADA, NOON)]),
    Row("anybody", "protected", ada(active=False), [member(ADA)], policy(marks=mark("protected", ADA))),
    Row("anybody", "ignored", ada(active=False), [member(ADA)], policy(marks=mark("ignored", ADA))),
    Row("anybody", "fed by OpenAI's own SCIM", ada(active=False), [member(ADA, managed_elsewhere=True)]),
    Row("nobody", "service account", accounts=[member(ADA, is_service=True)],
        by=policy(remove_orphans=True)),
    Row("anybody", "address outside the managed domains", ada(active=False), [member(ADA)],
        policy(managed_domains=frozenset({"y.org"}))),
    Row("a rule names a project that is not there", "-", by=policy(SEARCHERS, entitlements=())),
    Row("a rule names one that is not there, and has it made", "-",
        by=policy(rule("reader", gives(SEARCH, create=True)), entitlements=())),
]  # fmt: skip


def table() -> str:
    head = [
        "| person in the directory | account in the organization | situation | actions |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *(row.line for row in ROWS)])


def test_the_page_shows_the_table_that_the_planner_makes() -> None:
    assert safety_page.part("decision table") == table()


def test_the_table_shows_every_situation_and_every_action() -> None:
    shown = [action for row in ROWS for action in row.plan]
    assert {action.situation for action in shown} == set(Situation) - {
        Situation.RESTORED,
        Situation.REVIEWED,
        Situation.LEFT_BEHIND,
    }
    assert {action.kind for action in shown} == set(Kind) - {Kind.REVOKE_KEY}  # planned by the sweep


def test_each_row_is_about_one_decision() -> None:
    assert len({(row.who, row.account) for row in ROWS}) == len(ROWS)
    assert all(len({action.situation for action in row.plan}) <= 1 for row in ROWS)


if __name__ == "__main__":
    safety_page.write("decision table", table())
