"""Which roles the groups of a remote should hold in its places, and what to do about it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from integrations.connectors.base import Entitlement, GroupGrants, PlaceRole, Vocabulary, plural
from provisioning.actions import Action, Chain, Kind, Situation
from provisioning.policy import Rule, RuleGrant, resolve


@dataclass(frozen=True, slots=True)
class GroupGrant:
    """The one role that a group should hold in a place. Both by their names there."""

    place: str
    role: str


@dataclass(frozen=True, slots=True)
class GroupRule:
    """What the group of this name in the remote should hold in the places that such rules name."""

    name: str
    grants: tuple[GroupGrant, ...] = ()
    proposed: bool = False

    def role_in(self, place: str) -> str | None:
        wanted = (grant.role for grant in self.grants if grant.place.casefold() == place.casefold())
        return next(wanted, None)


@dataclass(frozen=True, slots=True)
class GroupReading:
    """What was read for these rules: every group and place of the names, and what the groups hold there.

    `unread`: why that could not be read.
    """

    rules: tuple[GroupRule, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    grants: GroupGrants = field(default_factory=GroupGrants)
    unread: str = ""


Held = Mapping[str, frozenset[str]]
"""By the id of a group: ids of what it holds."""


def as_rules(rules: Iterable[GroupRule], vocabulary: Vocabulary) -> list[Rule]:
    """The groups and places that are to be found, as other rules name them."""
    if vocabulary.groups_hold is None:
        return []
    group, place = vocabulary.groups_hold
    return [
        Rule(
            rule.name,
            None,
            "",
            (RuleGrant(group, rule.name, ""), *(RuleGrant(place, one.place, "") for one in rule.grants)),
            proposed=rule.proposed,
        )
        for rule in rules
    ]


def still_asks(rules: Sequence[GroupRule], kind: str, group: str, place: str, role: str) -> bool:
    """Whether the rules, as they are now, want a role of a group to be given or taken."""
    mine = next((rule for rule in rules if rule.name.casefold() == group.casefold()), None)
    if mine is None:
        return False
    wanted = mine.role_in(place)
    same = wanted is not None and wanted.casefold() == role.casefold()
    if kind == Kind.GRANT:
        return same
    return not same and any(rule.role_in(place) is not None for rule in rules)


@dataclass(frozen=True, slots=True)
class GroupPlanner:
    """The decisions about the groups of one remote. `left`: what they held when we were last done there."""

    rules: tuple[GroupRule, ...]
    seen: GroupReading
    vocabulary: Vocabulary
    left: Held = field(default_factory=dict)

    def plan(self) -> list[Chain]:
        if self.seen.unread:
            return [_problem(rule.name, self.seen.unread) for rule in self.rules]
        named = as_rules(self.rules, self.vocabulary)
        resolved = resolve(named, self.seen.entitlements)
        chains = [_problem(problem.rule, problem.detail) for problem in resolved.problems]
        if self.vocabulary.groups_hold is None:
            return chains
        group_kind, place_kind = self.vocabulary.groups_hold
        places = sorted(
            (found for found in set(resolved.entitlements.values()) if found.kind == place_kind),
            key=lambda found: (found.name, found.id),
        )
        for rule in self.rules:
            if group := resolved.named(RuleGrant(group_kind, rule.name, "")):
                chains += [chain for place in places for chain in self._align(rule, group, place)]
        return chains

    def give_back(self, job: int) -> list[Chain]:
        """What a job took, as these rules tell, and is not there now. Nothing is taken for it."""
        why = (
            f"As it was before job {job}. The next sync takes it away again where a rule gives another role."
        )
        return [
            (replace(action, situation=Situation.RESTORED, rule="", detail=why),)
            if action.writes
            else (replace(action, situation=Situation.RESTORED),)
            for chain in self.plan()
            for action in chain
            if not action.taking
        ]

    def _align(self, rule: GroupRule, group: Entitlement, place: Entitlement) -> Iterator[Chain]:
        held = self.seen.grants.held.get((group.id, place.id), ())
        wanted: PlaceRole | None = None
        if name := rule.role_in(place.name):
            same = [role for role in self._roles(place) if role.name.casefold() == name.casefold()]
            if len(same) != 1:
                yield _problem(rule.name, _not_one(place, name, len(same)))
                return
            wanted = same[0]
        about = _Holding(rule, group, place, self._moved_or_drifted(group, place, held))
        taken = [
            about.take(role, self.seen.grants.members.get(group.id, ()), by=wanted)
            for role in held
            if role != wanted
        ]
        if wanted and wanted not in held:
            yield about.give(wanted), *taken
        else:
            yield from ((action,) for action in taken)

    def _roles(self, place: Entitlement) -> list[PlaceRole]:
        return [role for role in self.seen.grants.roles if role.place_id == place.id]

    def _moved_or_drifted(
        self, group: Entitlement, place: Entitlement, held: Sequence[PlaceRole]
    ) -> Situation:
        here = {role.right.id for role in (*self._roles(place), *held)}
        left = self.left.get(group.id, frozenset()) & here
        return Situation.MOVER if left == {role.right.id for role in held} else Situation.DRIFT


@dataclass(frozen=True, slots=True)
class _Holding:
    """One group in one place."""

    rule: GroupRule
    group: Entitlement
    place: Entitlement
    situation: Situation

    def give(self, role: PlaceRole) -> Action:
        return self._action(Kind.GRANT, role, after=self._picture(role))

    def take(self, role: PlaceRole, members: tuple[str, ...], *, by: PlaceRole | None) -> Action:
        why = f"The rule gives {by.name} there" if by else f"The rule gives nothing in this {self.place.kind}"
        return self._action(
            Kind.REVOKE,
            role,
            before=self._picture(role),
            detail=f"{why}. {_number(members)} through the group.",
            taking=True,
            members=members,
        )

    def _action(self, kind: Kind, role: PlaceRole, **what: Any) -> Action:
        return Action(
            kind,
            self.situation,
            "",
            holder=Entitlement(self.group.kind, self.group.id, self.group.name),
            entitlement=role.right,
            rule=self.rule.name,
            **what,
        )

    def _picture(self, role: PlaceRole) -> dict[str, Any]:
        return {plural(self.place.kind): [{"name": self.place.name, "role": role.name}]}


def told_of(picture: Mapping[str, Any]) -> tuple[str, str]:
    """Place and role by their names, from the `before` or `after` of an action of a group."""
    [[held]] = picture.values()
    return held["name"], held["role"]


def _number(members: Sequence[str]) -> str:
    if not members:
        return "Nobody has it"
    return f"{len(members)} account{'s have' if len(members) > 1 else ' has'} it"


def _not_one(place: Entitlement, role: str, number: int) -> str:
    if number:
        return f"There are {number} roles named {role!r} in the {place.kind} {place.name!r}; rename one."
    return f"There is no role named {role!r} in the {place.kind} {place.name!r}."


def _problem(rule: str, detail: str) -> Chain:
    return (Action(Kind.REPORT, Situation.RULE_PROBLEM, "", rule=rule, detail=detail),)
