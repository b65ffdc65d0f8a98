"""What a sync would do if the rules were otherwise: planned over the last complete read.

Nothing is stored, and the remote is asked nothing.
"""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from directory.models import take_snapshot
from directory.snapshot import Directory, Person
from integrations.catalog import connector_class
from integrations.connectors.base import AccountState
from integrations.models import Credential, Integration
from provisioning import drafting
from provisioning.actions import Action, Situation
from provisioning.group_planning import GroupRule
from provisioning.matching import AcceptedElsewhere, Linked, Match, Orphan, Unprovisioned, match
from provisioning.models import Mark, ProvisioningJob
from provisioning.policy import Policy, Rule
from provisioning.recalling import Recollection, recall
from provisioning.safety import Decided, Decision, Facts, assess
from provisioning.touching import Touched, compare


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of an integration that a plan looks at."""

    rules: tuple[Rule, ...]
    groups: tuple[GroupRule, ...] = ()

    @classmethod
    def stored(cls, integration: Integration) -> "RuleSet":
        return cls(integration.rules.planned().as_values(), integration.group_rules.planned().as_values())

    def exchanging(self, old: Iterable[str], new: Iterable[Rule]) -> "RuleSet":
        """Without the rules of these names, and with those instead."""
        gone = set(old)
        rest = [rule for rule in self.rules if rule.name not in gone]
        return replace(self, rules=tuple(sorted([*rest, *new], key=lambda rule: rule.name)))

    def exchanging_groups(self, old: Iterable[str], new: Iterable[GroupRule]) -> "RuleSet":
        gone = set(old)
        rest = [rule for rule in self.groups if rule.name not in gone]
        return replace(self, groups=tuple(sorted([*rest, *new], key=lambda rule: rule.name)))

    @property
    def active(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.proposed)

    @property
    def active_groups(self) -> tuple[GroupRule, ...]:
        return tuple(rule for rule in self.groups if not rule.proposed)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`covers`: active people of whom the rules in question speak; of them so many are `members`, or
    `invited`, or have no account. `read_at`: as of when; without it nothing was read yet, and people alone
    are known. `not_asked_for`: what no read has asked the remote for, so that it may be there or not.
    `unread`: what is there, and nobody has read who holds it. `whole`: whether neither is so of any rule.
    `plan`, `decisions`: the whole plan, and what safety says to it.
    """

    integration: Integration
    covers: int
    members: int = 0
    invited: int = 0
    read_at: datetime | None = None
    touched: tuple[Touched, ...] = ()
    problems: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    refusal: str = ""
    not_asked_for: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    whole: bool = True
    plan: tuple[drafting.Line, ...] = ()
    decisions: tuple[Decided, ...] = ()

    @property
    def without(self) -> int:
        return self.covers - self.members - self.invited

    @property
    def takes(self) -> bool:
        return any(one.takes for one in self.touched)


@dataclass(frozen=True, slots=True)
class Change:
    """`about`: the rules in question, whether they are there afterwards or not."""

    before: RuleSet
    after: RuleSet
    about: tuple[Rule, ...] = ()
    about_groups: tuple[GroupRule, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(rule.name for rule in self.about) | {rule.name for rule in self.about_groups}


def foresee(integration: Integration, change: Change, *, now: datetime) -> Forecast:
    with _uncollected():
        return _foresee(integration, change, now=now)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hundreds of thousands of values are made, and none goes: to look for garbage among them again and
    again takes a third of all the time. Of several that are at it, the first to end lets it be looked for.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _foresee(integration: Integration, change: Change, *, now: datetime) -> Forecast:
    directory = take_snapshot(now)
    covered = _covered(directory.people, change.about)
    groups = (*change.before.groups, *change.after.groups)
    recalled = recall(integration, groups, connector_class(integration.kind).vocabulary)
    if recalled is None:
        return Forecast(integration, len(covered))
    return _compared(integration, change, covered, directory, recalled, now)


def _covered(people: Iterable[Person], about: Iterable[Rule]) -> frozenset[int]:
    groups = {rule.group for rule in about}
    if None in groups:
        return frozenset(person.id for person in people if person.active)
    return frozenset(person.id for person in people if person.active and person.groups & groups)


def _compared(
    integration: Integration,
    change: Change,
    covered: frozenset[int],
    directory: Directory,
    recalled: Recollection,
    now: datetime,
) -> Forecast:
    matches = _matches(directory, recalled)
    ground = _ground(integration, change.after, recalled, now=now)
    vocabulary = ground.vocabulary
    before, after = (
        ground.planner(recalled.part_known(rules.active), recalled.groups_known(rules.active_groups))
        for rules in (change.before, change.after)
    )
    new = drafting.draft(after, None, matches, None).decided
    verdict = assess(new, _facts(ground, directory, now=now), drafting.limits(integration, integration.mode))
    people = _affected(directory, matches, before.policy, after.policy)
    old = before.plan([found for found in matches if drafting.concerns(found, people)])
    has = Counter(
        found.account.state is AccountState.ACTIVE
        for found in matches
        if isinstance(found, Linked) and found.person.id in covered
    )
    unread = recalled.unread(after.policy.resolved)
    named = {one.key for rule in change.about for one in rule.grants}
    return Forecast(
        integration,
        len(covered),
        members=has[True],
        invited=has[False],
        read_at=recalled.read_at,
        touched=tuple(
            compare(
                (action for chain in old for action in chain),
                _about(people, new, verdict.decisions),
                roles=vocabulary.roles,
                names=recalled.reading.names,
                unknown=unread,
            )
        ),
        problems=tuple(_problems(new, change.names)),
        holds=tuple(f"{reason.detail}." for reason in verdict.holds),
        refusal=verdict.refusal.detail if verdict.refusal else "",
        not_asked_for=tuple(dict.fromkeys(_not_asked_for(change, recalled))),
        unread=tuple(
            f"{one.kind} {one.name}"
            for key, one in sorted(after.policy.resolved.entitlements.items())
            if key in named and (one.kind, one.id) in unread
        ),
        whole=not unread and not any(recalled.not_asked_for(rule) for rule in change.after.active),
        plan=new,
        decisions=verdict.decisions,
    )


def _not_asked_for(change: Change, recalled: Recollection) -> Iterable[str]:
    for rule in change.about:
        yield from (f"{one.kind} {one.name}" for one in recalled.not_asked_for(rule))
    for of_group in change.about_groups:
        yield from recalled.groups_not_read(of_group)


def _ground(
    integration: Integration, after: RuleSet, recalled: Recollection, *, now: datetime
) -> drafting.Ground:
    return drafting.ground(
        integration,
        recalled.part_known(after.rules),
        recalled.reading,
        Mark.objects.filter(integration=integration).in_force(timezone.localdate(now)),
        connector_class(integration.kind).vocabulary,
        insist=False,
        now=now,
        left=recalled.left,
    )


def _affected(
    directory: Directory, matches: Iterable[Match], before: Policy, after: Policy
) -> frozenset[int]:
    """Whose lines may differ: the plan for everybody else is the same, and need not be made twice."""
    changed = set(before.rules) ^ set(after.rules)
    found = before.resolved.entitlements.items() ^ after.resolved.entitlements.items()
    names = {name for name, _ in found} | (before.resolved.missing.keys() ^ after.resolved.missing.keys())
    changed |= {
        rule for rule in (*before.rules, *after.rules) if any(one.key in names for one in rule.grants)
    }
    keys = before.managed ^ after.managed
    holders = (
        match.person.id
        for match in matches
        if isinstance(match, Linked) and any((one.kind, one.id) in keys for one in match.account.grants)
    )
    return _covered(directory.people, changed) | frozenset(holders if keys else ())


def _about(
    people: Set[int], lines: Iterable[drafting.Line], decisions: Iterable[Decided]
) -> Iterable[tuple[Action, Decision]]:
    """Of these people, and of what is nobody's."""
    for (action, _), (decision, _reasons) in zip(lines, decisions, strict=True):
        if action.person_id in people or not (action.person_id or action.account_id):
            yield action, decision


def _facts(ground: drafting.Ground, directory: Directory, *, now: datetime) -> Facts:
    integration = ground.integration
    key = Credential.objects.filter(integration=integration).values_list("owner_id", flat=True).first()
    return drafting.facts(
        ProvisioningJob(integration=integration, preview=True),
        directory,
        ground.reading,
        ground.marks,
        drafting.owner_ids(integration, ground.reading, ground.vocabulary),
        key or None,
        now=now,
    )


def _problems(lines: Iterable[drafting.Line], rules: Set[str]) -> Iterable[str]:
    told = (
        action.detail
        for action, _ in lines
        if action.situation is Situation.RULE_PROBLEM and rules & set(action.rule.split(", "))
    )
    return dict.fromkeys(told)


def _matches(directory: Directory, recalled: Recollection) -> list[Match]:
    """As the next job finds them, if nothing changes there."""
    found = match(directory.people, recalled.reading.accounts, recalled.links)
    if not recalled.elsewhere:
        return found
    free = {one.person.id: one for one in found if isinstance(one, Unprovisioned)}
    alone = {one.account.id: one for one in found if isinstance(one, Orphan)}
    pairs = [
        (free[person], alone[account])
        for account, person in recalled.elsewhere.items()
        if person in free and account in alone
    ]
    paired = {id(one) for pair in pairs for one in pair}
    rest = [one for one in found if id(one) not in paired]
    return [*rest, *(AcceptedElsewhere(somebody.person, one.account) for somebody, one in pairs)]
