"""Who should have what: access rules over people, resolved against what the remote has. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from directory.emails import email_domain, email_key
from directory.snapshot import Person
from integrations.connectors.base import Account, Entitlement, Vocabulary

Key = tuple[str, str]
"""An entitlement's kind and id."""
Name = tuple[str, str]
"""Its kind, and its name without case: what rules know it by."""


@dataclass(frozen=True, slots=True)
class RuleGrant:
    kind: str
    name: str
    role: str
    create: bool = False

    @property
    def key(self) -> Name:
        return self.kind, self.name.casefold()


@dataclass(frozen=True, slots=True)
class Rule:
    """`group` is a directory group's id; None speaks of every active person."""

    name: str
    group: int | None
    role: str
    grants: tuple[RuleGrant, ...] = ()
    proposed: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's decision to leave an account alone."""

    kind: str
    reason: str


EVERYTHING: Key = ("", "")
"""What an exception from all access names."""


@dataclass(frozen=True, slots=True)
class Excepted:
    """Somebody's access was revoked in this review, so that no rule gives it to them."""

    review: str
    reason: str

    @property
    def says(self) -> str:
        return f"Revoked in the access review {self.review!r}: {self.reason}"


Exceptions = Mapping[tuple[int, Key], Excepted]
"""By the id of the person, and what they are not given."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a rule names that cannot be managed, with the reason."""

    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What is not there and is to be made, by the wish of these rules."""

    kind: str
    name: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What one person should have: the union of their rules, the highest role winning.

    `within`: of what is given, that in which it lies. `awaited`: what is given and has to be made first, with
    the role there, by kind and name.
    """

    role: str
    grants: Mapping[Key, str]
    rules: tuple[str, ...]
    reasons: Mapping[Key, tuple[str, ...]]
    within: Mapping[Key, Key] = field(default_factory=dict)
    awaited: Mapping[Name, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Rule grants turned into entitlements of the remote, those that could not be, and what is to be made."""

    entitlements: Mapping[Name, Entitlement]
    problems: tuple[Problem, ...]
    missing: Mapping[Name, Missing] = field(default_factory=dict)

    def named(self, grant: RuleGrant) -> Entitlement | None:
        return self.entitlements.get(grant.key)


def resolve(
    rules: Sequence[Rule],
    entitlements: Sequence[Entitlement],
    put_off: Mapping[Name, str] | None = None,
) -> Resolved:
    """Find what the rules name. Two of one name, none, or one that cannot be managed is a problem, unless a
    rule says that what is missing is to be made. `put_off`: what is not made now, and why.
    """
    found: dict[Name, Entitlement] = {}
    missing: dict[Name, Missing] = {}
    problems = []
    to_make = {grant.key for rule in rules for grant in rule.grants if grant.create}
    for rule in rules:
        for grant in rule.grants:
            same = [
                entitlement
                for entitlement in entitlements
                if entitlement.kind == grant.kind and entitlement.name.casefold() == grant.name.casefold()
            ]
            usable = [entitlement for entitlement in same if not entitlement.unmanageable]
            if len(usable) == 1:
                found[grant.key] = usable[0]
            elif same or grant.key not in to_make:
                problems.append(Problem(rule.name, _why_not(grant, same, usable)))
            elif why := (put_off or {}).get(grant.key):
                problems.append(Problem(rule.name, why))
            else:
                before = missing.get(grant.key)
                names = (*before.rules, rule.name) if before else (rule.name,)
                missing[grant.key] = Missing(grant.kind, before.name if before else grant.name, names)
    return Resolved(found, tuple(problems), missing)


def _why_not(grant: RuleGrant, same: Sequence[Entitlement], usable: Sequence[Entitlement]) -> str:
    if len(usable) > 1:
        return f"There are {len(usable)} {grant.kind}s named {grant.name!r}; rename one."
    if same:
        return f"The {grant.kind} {grant.name!r} is left alone: {same[0].unmanageable}."
    return f"There is no {grant.kind} named {grant.name!r}."


@dataclass(frozen=True)
class Policy:
    """Everything that decides about one integration's accounts.

    Without slots, to keep what it has found out: most people have the same groups as somebody before them.
    """

    rules: tuple[Rule, ...]
    vocabulary: Vocabulary
    resolved: Resolved
    names: Mapping[Key, str] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    exceptions: Exceptions = field(default_factory=dict)
    managed_domains: frozenset[str] = frozenset()
    remove_orphans: bool = False
    renew_invites: bool = True

    @cached_property
    def managed(self) -> frozenset[Key]:
        """The entitlements that some rule names; all others are left as they are."""
        return frozenset((found.kind, found.id) for found in self.resolved.entitlements.values())

    def mark_on(self, *emails: str | None) -> Mark | None:
        """A mark on any address of a person is one on the account, whichever address that has."""
        if not self.marks:
            return None
        found = (self.marks.get(email_key(email)) for email in emails if email)
        return next((mark for mark in found if mark), None)

    def manages(self, email: str | None) -> bool:
        """Whether the address lies in the managed domains; without such a list all do."""
        return not self.managed_domains or (bool(email) and email_domain(email or "") in self.managed_domains)

    def is_owner(self, account: Account) -> bool:
        return account.role == self.vocabulary.owner_role

    def role_rank(self, role: str | None) -> int:
        """A role's height; one that the vocabulary does not know ranks below all, and is never 'higher'."""
        return self.vocabulary.roles.index(role) if role in self.vocabulary.roles else -1

    def grant_rank(self, kind: str, role: str | None) -> int:
        roles = self.vocabulary.entitlement_roles.get(kind, ())
        return roles.index(role) if role in roles else -1

    def excepted(self, person: Person | None, held: Entitlement | None = None) -> Excepted | None:
        """Why this, or without it any access, is not given to them, whatever the rules say."""
        if person is None or not self.exceptions:
            return None
        keys = [(held.kind, held.id), held.within] if held else [EVERYTHING]
        found = (self.exceptions.get((person.id, key)) for key in keys if key)
        return next((why for why in found if why), None)

    @cached_property
    def _by_group(self) -> Mapping[int | None, Sequence[int]]:
        """The places of the rules that speak of each group; None: of everybody."""
        places: dict[int | None, list[int]] = defaultdict(list)
        for place, rule in enumerate(self.rules):
            places[rule.group].append(place)
        return dict(places)

    @cached_property
    def _groups(self) -> frozenset[int | None]:
        return frozenset(self._by_group)

    @cached_property
    def _with_exceptions(self) -> frozenset[int]:
        return frozenset(person_id for person_id, _ in self.exceptions)

    @cached_property
    def _targets(self) -> dict[frozenset[int], Target | None]:
        """Of people without exceptions, by those of their groups that rules speak of."""
        return {}

    def rules_for(self, person: Person) -> list[Rule]:
        """Those that speak of them."""
        if not person.active or self.excepted(person):
            return []
        places = [place for group in (None, *person.groups) for place in self._by_group.get(group, ())]
        return [self.rules[place] for place in sorted(places)]

    def target_for(self, person: Person) -> Target | None:
        """What the rules give an active person; None where no rule gives anything."""
        if not person.active:
            return None
        if person.id in self._with_exceptions:
            return self._target_for(person)
        groups = person.groups & self._groups
        if groups not in self._targets:
            self._targets[groups] = self._target_for(person)
        return self._targets[groups]

    def _target_for(self, person: Person) -> Target | None:
        mine = self.rules_for(person)
        if not mine:
            return None
        grants: dict[Key, str] = {}
        reasons: dict[Key, list[str]] = {}
        within: dict[Key, Key] = {}
        awaited: dict[Name, str] = {}
        for rule in mine:
            for wanted in rule.grants:
                found = self.resolved.named(wanted)
                if found and self.excepted(person, found):
                    continue
                if found:
                    key = (found.kind, found.id)
                    reasons.setdefault(key, []).append(rule.name)
                    if found.within:
                        within[key] = found.within
                    if key not in grants or self.grant_rank(found.kind, wanted.role) > self.grant_rank(
                        found.kind, grants[key]
                    ):
                        grants[key] = wanted.role
                elif wanted.key in self.resolved.missing:
                    awaited[wanted.key] = max(
                        awaited.get(wanted.key, wanted.role),
                        wanted.role,
                        key=lambda role: self.grant_rank(wanted.kind, role),
                    )
        return Target(
            role=max((rule.role for rule in mine), key=self.role_rank),
            grants=grants,
            rules=tuple(rule.name for rule in mine),
            reasons={key: tuple(names) for key, names in reasons.items()},
            within=within,
            awaited=awaited,
        )
