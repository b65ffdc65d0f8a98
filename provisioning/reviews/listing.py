"""What a review lists: accounts and grants as the last complete read saw them, and who decides on each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from sys import intern
from typing import Any

from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from cakewalk.models import User
from directory.emails import email_key
from directory.models import Group, take_snapshot
from directory.snapshot import Person
from directory.time_zones import today
from integrations.catalog import connector_class
from integrations.connectors.base import Grant
from integrations.models import Integration
from provisioning import history
from provisioning.actions import Situation
from provisioning.models import AccessRule, Account, Action, Entitlement, Key, Mark, ProvisioningJob
from provisioning.policy import Key as Held
from provisioning.policy import Policy, resolve
from provisioning.requesting import Refused
from provisioning.reviews.assigning import Reviewer, Reviewers
from provisioning.reviews.models import Assignment, Campaign, Exclusion, Item

Scope = Campaign.Scope


COLUMNS = (
    "campaign_id",
    "seq",
    "reviewer_id",
    "account_id",
    "account_ref",
    "email",
    "account_state",
    "account_role",
    "person_id",
    "person_name",
    "groups",
    "kind",
    "entitlement_ref",
    "entitlement_name",
    "role",
    "given_by",
    "standing",
    "last_active_at",
    "decision",
    "reason",
    "meanwhile",
)
"""Of an item, in the order in which `Listed` tells its lines. Nobody has said anything to it yet."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`rows`: the lines as values of COLUMNS, made while they are taken, each with the share of all that has
    come by then; `not_covered`: names of what may be held there, and of which nobody has read by whom.
    """

    rows: Iterator[tuple[float, tuple[Any, ...]]]
    read_at: datetime
    not_covered: Sequence[str]


@dataclass(frozen=True, slots=True)
class Counted:
    """What would be listed, in numbers alone: `by_reviewer` how many lines each of them would get."""

    by_reviewer: Mapping[int, int]
    read_at: datetime
    not_covered: Sequence[str]

    @property
    def lines(self) -> int:
        return sum(self.by_reviewer.values())


def listed(campaign: Campaign, *, now: datetime) -> Listed:
    """Raises Refused where nothing was read yet; and, while the lines are taken, where somebody would have
    to decide about themselves.
    """
    known, read_at = _known(campaign, now)
    return Listed(known.rows(), read_at, known.not_covered)


def counted(campaign: Campaign, *, now: datetime) -> Counted:
    """As `listed`, and raises the same at once, without making what nobody stores."""
    known, read_at = _known(campaign, now)
    return Counted(Counter(line.reviewer for line in known.lines()), read_at, known.not_covered)


def _known(campaign: Campaign, now: datetime) -> tuple["_Known", datetime]:
    """With when all of it was read."""
    read = history.last_complete_read(campaign.integration)
    if read is None or read.planned_at is None:
        said = _("Nothing was read of %(integration)s yet. A preview does so, and changes nothing.")
        raise Refused(said % {"integration": campaign.integration})
    return _Known(campaign, read, now), read.planned_at


SHOWN = (
    "pk",
    "remote_id",
    "email",
    "name",
    "person_id",
    "managed_elsewhere",
    "role",
    "state",
    "situation",
    "grants",
)


@dataclass(frozen=True, slots=True)
class _Account:
    """What a line tells of an account, in the order of SHOWN."""

    pk: int
    remote_id: str
    email: str
    name: str
    person_id: int | None
    managed_elsewhere: bool
    role: str
    state: str
    situation: str
    grants: Sequence[Grant]


@dataclass(frozen=True, slots=True)
class _Line:
    """An account, or what it holds, and who decides about it, by their id."""

    row: _Account
    person: Person | None
    grant: Grant | None
    reviewer: int


class _Known:
    """All that is stored about one integration, as far as a review shows it."""

    def __init__(self, campaign: Campaign, read: ProvisioningJob, now: datetime) -> None:
        self.campaign = campaign
        self.integration: Integration = campaign.integration
        self.read = read
        self.assignments = list(campaign.assignments.select_related("group", "entitlement", "reviewer"))
        self.vocabulary = connector_class(self.integration.kind).vocabulary
        self.people = {person.id: person for person in take_snapshot(now).people}
        self.group_names = dict(Group.objects.values_list("pk", "name"))
        self._named: dict[frozenset[int], list[str]] = {}
        self.reviewers = reviewers_of(campaign, self.assignments)
        self.only_groups = {line.group_id for line in self.assignments if line.group_id}
        self.only_held = {
            (line.entitlement.kind, line.entitlement.remote_id)
            for line in self.assignments
            if line.entitlement
        }

    @cached_property
    def accounts(self) -> list[_Account]:
        """As they are at one moment. There may be a hundred thousand: what many of them share is one text."""
        rows = present(self.integration, self.read).values_list(*SHOWN).iterator(chunk_size=1000)
        found, held = [], dict[Grant, Grant]()
        for pk, remote_id, email, name, person, managed, role, state, situation, grants in rows:
            same = [held.setdefault(grant, grant) for grant in (Grant(**one) for one in grants)]
            shared = intern(role), intern(state), intern(situation)
            found.append(_Account(pk, remote_id, intern(email), name, person, managed, *shared, same))
        return sorted(found, key=lambda row: (row.email.casefold(), row.remote_id))

    @cached_property
    def entitlements(self) -> Mapping[Held, Entitlement]:
        rows = Entitlement.objects.filter(integration=self.integration, gone_at=None).order_by("kind", "name")
        return {(row.kind, row.remote_id): row for row in rows}

    @cached_property
    def policy(self) -> Policy:
        rules = self.integration.rules.filter(state=AccessRule.State.ACTIVE).as_values()
        return Policy(
            rules,
            self.vocabulary,
            resolve(rules, [row.as_value() for row in self.entitlements.values()]),
            marks=Mark.objects.filter(integration=self.integration).in_force(today()),
            exceptions=Exclusion.objects.in_force().filter(integration=self.integration).as_values(),
        )

    @cached_property
    def active_at(self) -> Mapping[int, datetime]:
        keys = Key.objects.filter(integration=self.integration, account__isnull=False)
        used = keys.filter(last_used_at__isnull=False).order_by().values_list("account_id")
        return dict(used.annotate(Max("last_used_at")))

    @cached_property
    def machines(self) -> set[str | None]:
        """No column keeps it: the last plan has told it."""
        read = history.last_complete_read(self.integration, restores=None, reviews=None)
        told = Action.objects.filter(job=read, situation=Situation.SERVICE_ACCOUNT)
        return set(told.values_list("account_id", flat=True))

    @property
    def not_covered(self) -> list[str]:
        """A review of some things covers just these, and says so itself."""
        if self.campaign.scope == Scope.ENTITLEMENTS:
            return []
        read = {(kind, id) for kind, id in self.read.read.get("held", [])}
        return [f"{row.kind} {row.name}" for key, row in self.entitlements.items() if key not in read]

    def rows(self) -> Iterator[tuple[float, tuple[Any, ...]]]:
        number, all_ = 0, len(self.accounts)
        for place, account in enumerate(self.accounts, start=1):
            for line in self._lines_of(account):
                number += 1
                yield place / all_, self._values(number, line)

    def lines(self) -> Iterator[_Line]:
        for row in self.accounts:
            yield from self._lines_of(row)

    def _lines_of(self, row: _Account) -> Iterator[_Line]:
        person = self.people.get(row.person_id or 0)
        if self.campaign.scope == Scope.GROUPS and not (person and person.groups & self.only_groups):
            return
        own = own_keys(row.email, person)
        if self.campaign.scope != Scope.ENTITLEMENTS:
            yield _Line(row, person, None, self._reviewer(row, own, person, None))
        for grant in self._grants(row):
            yield _Line(row, person, grant, self._reviewer(row, own, person, (grant.kind, grant.id)))

    def _grants(self, row: _Account) -> Iterable[Grant]:
        """Of members. An invite goes as a whole, and what an owner holds by being one is no grant."""
        if row.state != Account.State.ACTIVE:
            return []
        implicit = self.vocabulary.implicit if row.role == self.vocabulary.owner_role else frozenset()
        found = [grant for grant in row.grants if grant.kind not in implicit]
        if self.campaign.scope == Scope.ENTITLEMENTS:
            found = [grant for grant in found if (grant.kind, grant.id) in self.only_held]
        return sorted(found, key=lambda grant: (grant.kind, self._name(grant).casefold()))

    def _name(self, grant: Grant) -> str:
        row = self.entitlements.get((grant.kind, grant.id))
        return row.name if row else grant.id

    def _values(self, number: int, line: _Line) -> tuple[Any, ...]:
        row, person, grant = line.row, line.person, line.grant
        return (
            self.campaign.pk,
            number,
            line.reviewer,
            row.pk,
            row.remote_id,
            row.email,
            row.state,
            row.role,
            person.id if person else None,
            person.name if person else row.name,
            self._names_of(person.groups) if person else [],
            grant.kind if grant else "",
            grant.id if grant else "",
            self._name(grant) if grant else "",
            grant.role if grant else "",
            list(self._rules(person, grant)),
            self._standing(row, person),
            self.active_at.get(row.pk),
            Item.Decision.NONE,
            "",
            "",
        )

    def _names_of(self, groups: frozenset[int]) -> list[str]:
        """Many are in the same."""
        if groups not in self._named:
            self._named[groups] = sorted(self.group_names[id] for id in groups)
        return self._named[groups]

    def _rules(self, person: Person | None, grant: Grant | None) -> Sequence[str]:
        target = self.policy.target_for(person) if person else None
        if target is None:
            return ()
        return target.reasons.get((grant.kind, grant.id), ()) if grant else target.rules

    def _reviewer(self, row: _Account, own: set[str], person: Person | None, held: Held | None) -> int:
        reviewer = self.reviewers.of(own, person.groups if person else (), held)
        if reviewer is None:
            said = _("Nobody but %(account)s would decide about that account. Name another reviewer.")
            raise Refused(said % {"account": row.email})
        return reviewer.id

    def _standing(self, row: _Account, person: Person | None) -> str:
        mark = self.policy.mark_on(row.email, *(person.keys if person else ()))
        if mark:
            return mark.kind
        if row.remote_id in self.machines:
            return str(Situation.SERVICE_ACCOUNT)
        if row.managed_elsewhere:
            return str(Situation.MANAGED_ELSEWHERE)
        if person is None:
            return row.situation or str(Situation.ORPHAN)
        return "" if person.active else str(Situation.LEAVER)


def present(integration: Integration, read: ProvisioningJob) -> QuerySet[Account]:
    """The accounts that this read saw: a row outlives an account that was missing from it."""
    began_at = read.started_at or read.requested_at
    return Account.objects.filter(integration=integration).seen_since(began_at)


def found(
    integration: Integration, read: ProvisioningJob | None, accounts: Iterable[str]
) -> Mapping[str, Account]:
    """Those of these accounts that this read saw, by their ids in the remote."""
    if read is None:
        return {}
    # By their keys, or SQLite would go through all accounts that are present, each time.
    named = Account.objects.filter(integration=integration, remote_id__in=set(accounts))
    rows = present(integration, read).filter(pk__in=list(named.values_list("pk", flat=True)))
    return {row.remote_id: row for row in rows.only("remote_id", "state", "person_id", "role", "grants")}


def own_keys(email: str, person: Person | None) -> set[str]:
    """By which it is known that an account is somebody's own."""
    return {email_key(email), *(person.keys if person else ())} - {""}


def reviewers_of(campaign: Campaign, lines: Iterable[Assignment]) -> Reviewers:
    by_entitlement, by_group = {}, {}
    for line in sorted(lines, key=lambda line: str(line).casefold()):
        reviewer = _reviewer(line.reviewer or campaign.default_reviewer)
        if line.entitlement:
            by_entitlement[line.entitlement.kind, line.entitlement.remote_id] = reviewer
        elif line.group_id:
            by_group[line.group_id] = reviewer
    return Reviewers(by_entitlement, by_group, _reviewer(campaign.default_reviewer))


def _reviewer(user: User) -> Reviewer:
    return Reviewer(user.pk, user.get_username(), email_key(user.email))
