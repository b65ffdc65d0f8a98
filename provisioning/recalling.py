"""The last complete read, put together again from what is stored of it: to plan without asking the remote."""

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Case, TextField, Value, When
from django.db.models.functions import Cast

from integrations.connectors.base import (
    Account,
    AccountState,
    Entitlement,
    GroupGrants,
    PlaceRole,
    Vocabulary,
)
from integrations.models import Integration
from provisioning import accounts, history
from provisioning.actions import Situation
from provisioning.group_planning import GroupReading, GroupRule
from provisioning.matching import Links
from provisioning.models import Account as AccountRow
from provisioning.models import Entitlement as EntitlementRow
from provisioning.models import ProvisioningJob
from provisioning.models.accounts import SEEN_AT
from provisioning.planning import Left
from provisioning.policy import Key, Resolved, Rule, RuleGrant
from provisioning.reading import Reading


@dataclass(frozen=True, slots=True)
class Recollection:
    """`read_at`: when the read was done. `kinds`: of which everything was read. `groups_read`: ids of groups
    and places of which it is known which roles groups hold. `elsewhere`: who is thought to have joined with
    which account, of another address, by its id. `group`, `place`: the kinds of groups that hold roles, and
    of where.
    """

    reading: Reading
    read_at: datetime
    links: Links
    left: dict[str, Left]
    kinds: frozenset[str]
    groups_read: frozenset[Key]
    elsewhere: dict[str, int]
    group: str = ""
    place: str = ""

    def part_known(self, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        """The rules without what nobody has asked the remote for yet: whether it is there is not known."""
        return tuple(
            replace(rule, grants=tuple(one for one in rule.grants if one not in asked))
            if (asked := self.not_asked_for(rule))
            else rule
            for rule in rules
        )

    def not_asked_for(self, rule: Rule) -> list[RuleGrant]:
        return [one for one in rule.grants if not self._asked_for(one)]

    def _asked_for(self, grant: RuleGrant) -> bool:
        """What lies within something else is asked for by its name; of other kinds everything is read."""
        if grant.kind not in self.kinds:
            return False
        names = [one for one in self.reading.entitlements if one.kind == grant.kind]
        return not any(one.within for one in names) or any(
            one.name.casefold() == grant.name.casefold() for one in names
        )

    def groups_known(self, rules: Iterable[GroupRule]) -> tuple[GroupRule, ...]:
        """Without the groups and places of which nobody has read which roles are held there."""
        return tuple(
            replace(rule, grants=tuple(one for one in rule.grants if self._is_known(self.place, one.place)))
            for rule in rules
            if self._is_known(self.group, rule.name)
        )

    def groups_not_read(self, rule: GroupRule) -> list[str]:
        named = [(self.group, rule.name), *((self.place, one.place) for one in rule.grants)]
        return [f"{kind} {name}" for kind, name in named if not self._is_known(kind, name)]

    def _is_known(self, kind: str, name: str) -> bool:
        """What there is none of by this name is known as well."""
        same = [
            one
            for one in self.reading.entitlements
            if one.kind == kind and one.name.casefold() == name.casefold()
        ]
        return kind in self.kinds and all((one.kind, one.id) in self.groups_read for one in same)

    def unread(self, resolved: Resolved) -> frozenset[Key]:
        """Of what the rules name, that of which nobody has read who holds it, or who is where it lies."""
        read = set(self.reading.held)
        return frozenset(
            (one.kind, one.id)
            for one in resolved.entitlements.values()
            if (one.kind, one.id) not in read or (one.within and one.within not in read)
        )


def recall(
    integration: Integration, group_rules: Sequence[GroupRule], vocabulary: Vocabulary
) -> Recollection | None:
    """None where nothing was read yet."""
    job = history.last_complete_read(integration)
    if job is None or job.planned_at is None:
        return None
    began_at = job.started_at or job.planned_at
    told = _told(job)
    services = {id for id, situation, _ in told if situation == Situation.SERVICE_ACCOUNT}
    rows = _rows(integration, began_at)
    # A row outlives an account that was missing from the read, until somebody has accepted that.
    missing = [row for row in rows if row.is_missing]
    present = [row for row in rows if not row.is_missing] if missing else rows
    known = list(integration.entitlements.filter(gone_at=None).order_by("pk"))
    seen = _accounts(present, services)
    reading = Reading(
        accounts=seen,
        entitlements=tuple(row.as_value() for row in known),
        listings=(),
        calls=0,
        began_at=began_at,
        seconds=0.0,
        vanished=tuple(row.remote_id for row in missing if row.state == AccountState.ACTIVE),
        held=tuple((kind, id) for kind, id in job.read.get("held", [])),
        groups=_groups(group_rules, known, seen, vocabulary),
    )
    group, place = vocabulary.groups_hold or ("", "")
    return Recollection(
        reading,
        job.planned_at,
        _links(rows),
        _left_with_invites(integration),
        kinds=frozenset(row.kind for row in known if row.seen_at >= began_at),
        groups_read=frozenset((row.kind, row.remote_id) for row in known if row.group_roles is not None),
        elsewhere={id: person for id, situation, person in told if id and person and id not in services},
        group=group,
        place=place,
    )


COLUMNS = (
    "remote_id",
    "state",
    "email",
    "role",
    "person_id",
    "match",
    "is_missing",
    "managed_elsewhere",
    "held",
)
"""What a plan looks at, and no more: there may be tens of thousands of rows."""


def _rows(integration: Integration, began_at: datetime) -> list[Any]:
    """`is_missing`: from the read that began then. Told as a text, which Django hands on as it is: to make a
    moment of each row here would take longer than to make all the rest of it.
    """
    there = integration.accounts.filter(gone_at=None).order_by("pk").annotate(last_seen=SEEN_AT)
    missing = Case(When(last_seen__lt=began_at, then=Value("yes")), default=Value(""))
    return list(
        there.annotate(held=Cast("grants", TextField()), is_missing=missing).values_list(*COLUMNS, named=True)
    )


def _accounts(rows: Iterable[Any], services: Set[str | None]) -> tuple[Account, ...]:
    states = {str(state): state for state in AccountState}
    grants = accounts.GrantsByText()
    return tuple(
        Account(
            row.remote_id,
            states[row.state],
            row.email or None,
            row.role or None,
            grants=grants[row.held],
            managed_elsewhere=row.managed_elsewhere,
            is_service=row.remote_id in services,
        )
        for row in rows
    )


def _left_with_invites(integration: Integration) -> dict[str, Left]:
    """What was sent with invites. How members were left tells only why they are changed, and not whether."""
    invites = integration.accounts.filter(gone_at=None).exclude(state=AccountState.ACTIVE)
    kept = invites.filter(left__isnull=False).only("remote_id", "left")
    return {row.remote_id: left for row in kept if (left := accounts.left_of(row))}


def _links(rows: Iterable[Any]) -> Links:
    by_match: dict[str, dict[str, int]] = {AccountRow.Match.EMAIL: {}, AccountRow.Match.MANUAL: {}}
    for row in rows:
        if row.person_id is not None:
            by_match.setdefault(row.match, {})[row.remote_id] = row.person_id
    return Links(found=by_match[AccountRow.Match.EMAIL], by_hand=by_match[AccountRow.Match.MANUAL])


def _told(job: ProvisioningJob) -> list[tuple[str | None, str, int | None]]:
    """What no column keeps of an account, though the plan of the read has told it: that it is a machine's,
    and whose it may be. A restore or a review tells nothing of it.
    """
    of = job
    if not job.follows_rules:
        of = history.last_complete_read(job.integration, restores=None, reviews=None) or job
    situations = (Situation.SERVICE_ACCOUNT, Situation.ACCEPTED_ELSEWHERE)
    lines = of.actions.filter(situation__in=situations, account_id__isnull=False)
    return list(lines.order_by("pk").values_list("account_id", "situation", "person_id"))


def _groups(
    rules: Sequence[GroupRule],
    known: Sequence[EntitlementRow],
    seen: Sequence[Account],
    vocabulary: Vocabulary,
) -> GroupReading:
    """Roles are kept by their names. One that a rule names is taken to be there: only the remote can tell."""
    if vocabulary.groups_hold is None or not rules:
        return GroupReading(tuple(rules))
    group_kind, place_kind = vocabulary.groups_hold
    places = [
        (row, row.group_roles) for row in known if row.kind == place_kind and row.group_roles is not None
    ]
    groups = {row.name: row for row in known if row.kind == group_kind and row.group_roles is not None}
    named = {grant.role for rule in rules for grant in rule.grants}
    roles: dict[tuple[str, str], PlaceRole] = {}
    held: dict[tuple[str, str], tuple[PlaceRole, ...]] = {}
    for place, held_there in places:
        there = {name for names in held_there.values() for name in names}
        for name in sorted(there | {name for name in named if not _has(there, name)}):
            roles[place.remote_id, name] = _role(place, name)
        for group, names in held_there.items():
            if group in groups:
                held[groups[group].remote_id, place.remote_id] = tuple(
                    roles[place.remote_id, name] for name in names
                )
    members: dict[str, list[str]] = {}
    for account in seen:
        for grant in account.grants:
            if grant.kind == group_kind:
                members.setdefault(grant.id, []).append(account.id)
    grants = GroupGrants(tuple(roles.values()), held, {id: tuple(ids) for id, ids in members.items()})
    entitlements = tuple(row.as_value() for row in known if row.kind in (group_kind, place_kind))
    return GroupReading(tuple(rules), entitlements, grants)


def _has(there: Collection[str], name: str) -> bool:
    return name.casefold() in {one.casefold() for one in there}


def _role(place: EntitlementRow, name: str) -> PlaceRole:
    right = Entitlement(f"{place.kind} role", f"{place.remote_id}/{name}", f"{place.name}: {name}")
    return PlaceRole(place.remote_id, name, right)
