"""All that is stored about one person, integration by integration: a constant number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Lower

from directory import snapshot
from directory.emails import email_key
from directory.models import Person, PersonEmail
from directory.time_zones import today
from integrations.catalog import connector_class
from integrations.connectors.base import AccountState
from integrations.models import Credential, Integration
from provisioning import accounts, drafting, explaining, history, wording
from provisioning.actions import Situation
from provisioning.explaining import Explanation, Foreseen, Known
from provisioning.matching import AcceptedElsewhere, Links, Match, Orphan, Unprovisioned, match
from provisioning.models import AccessRule, Account, Action, Mark, PersonChange, ProvisioningJob
from provisioning.models import Entitlement as EntitlementRow
from provisioning.planning import Planner
from provisioning.policy import Rule, resolve
from provisioning.reviews.models import Exclusion
from provisioning.safety import Facts
from provisioning.standing import TROUBLE, in_trouble

State = ProvisioningJob.State


@dataclass(frozen=True, slots=True)
class AppliedRule:
    """A rule that speaks of the person. `problems`: what of it cannot be given, and why."""

    row: AccessRule
    gives: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one integration has to do with the person. `others`: accounts there that fit them as well, or may
    be theirs. `gone`: those that were.

    `last`: the last decision of a job that was no preview. `held`: what waits for an approver. `live`: jobs
    in the queue, or at work, that look at them. `ended`: the last one that came to its end. `waiting`: a
    change of theirs that no job has taken up yet. `read_at`: when everything was last read.
    """

    integration: Integration
    person_id: int
    explanation: Explanation
    account: Account | None
    others: tuple[Account, ...]
    gone: tuple[Account, ...]
    rules: tuple[AppliedRule, ...]
    exceptions: tuple[Exclusion, ...]
    last: Action | None
    held: tuple[Action, ...]
    live: tuple[ProvisioningJob, ...]
    ended: ProvisioningJob | None
    waiting: PersonChange | None
    read_at: datetime | None

    @property
    def theirs(self) -> list[Account]:
        """What is known to be theirs, though it may not be told which one is."""
        matched = [row for row in self.others if row.person_id == self.person_id]
        return [self.account, *matched] if self.account else matched

    @property
    def next(self) -> list[Foreseen]:
        """What the next job would decide, but for what waits for an approver already."""
        waits = {wording.what(row) for row in self.held}
        return [line for line in self.explanation.next if line.what not in waits]

    @property
    def trouble(self) -> str:
        """Why the last job was none that went well, which may stop the next one as well; else empty."""
        return in_trouble(self.ended) if self.ended and self.ended.state in TROUBLE else ""


def chapters(person: Person, of: QuerySet[Integration], *, gone: str, now: datetime) -> list[Chapter]:
    """`of`: these integrations. `gone`: why the person is not active, in a sentence; empty where they are."""
    value = person.as_value(now)
    integrations = list(_with_landmarks(of.order_by("name")))
    ended = ProvisioningJob.objects.in_bulk(row.ended_id for row in integrations if row.ended_id)
    rows = _accounts(person, value)
    last = _last_actions(person)
    stored = _Stored(
        accounts=_by_integration(rows),
        present=dict(Account.objects.filter(gone_at=None).values_list("integration").annotate(Count("pk"))),
        others=_others(person, rows, now=now),
        last=last,
        actions=_by_job(_actions(person, last.values())),
        ended={job.integration_id: job for job in ended.values()},
        waiting={row.integration_id: row for row in PersonChange.objects.waiting().filter(person=person)},
        live=_by_integration(_live(person)),
        rules=_by_integration(
            AccessRule.objects.planned().select_related("group").prefetch_related("grants")
        ),
        entitlements=_by_integration(_entitlements(rows)),
        marks=_by_integration(_marks(value, rows)),
        exceptions=_by_integration(
            Exclusion.objects.in_force().filter(person=person).select_related("review").order_by("pk")
        ),
        owners=_by_integration(_owners(rows)),
        key_owners=dict(Credential.objects.values_list("integration_id", "owner_id")),
        put_off=_put_off(person, rows, now=now),
    )
    return [_chapter(integration, value, stored, gone=gone) for integration in integrations]


@dataclass(frozen=True, slots=True)
class _Stored:
    """Rows about the person and those who hang together with them, by the ids of integrations."""

    accounts: Mapping[int, list[Account]]
    present: Mapping[int, int]
    """How many accounts there are, of whomever."""
    others: Sequence[snapshot.Person]
    last: Mapping[int, int]
    """The last action's id."""
    actions: Mapping[int, list[Action]]
    ended: Mapping[int, ProvisioningJob]
    waiting: Mapping[int, PersonChange]
    live: Mapping[int, list[ProvisioningJob]]
    rules: Mapping[int, list[AccessRule]]
    entitlements: Mapping[int, list[EntitlementRow]]
    marks: Mapping[int, list[Mark]]
    exceptions: Mapping[int, list[Exclusion]]
    owners: Mapping[int, list[Account]]
    key_owners: Mapping[int, str]
    put_off: Mapping[int, str]


def _by_integration(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.integration_id].append(row)
    return found


def _by_job(rows: Iterable[Action]) -> Mapping[int, list[Action]]:
    found: dict[int, list[Action]] = defaultdict(list)
    for row in rows:
        found[row.job.integration_id].append(row)
    return found


# -- rows


def _with_landmarks(integrations: QuerySet[Integration]) -> QuerySet[Any]:
    jobs = ProvisioningJob.objects.filter(integration=OuterRef("pk"))
    read = jobs.complete_reads()
    ended = jobs.exclude(state__in=(*ProvisioningJob.LIVE, State.CANCELLED))
    return integrations.annotate(
        read_at=Subquery(read.order_by("-planned_at").values("planned_at")[:1]),
        read_since=Subquery(read.order_by("-planned_at").values("started_at")[:1]),
        ended_id=Subquery(ended.order_by("-pk").values("pk")[:1]),
        carried_out=Exists(history.carried_out().filter(integration=OuterRef("pk"))),
    )


def _accounts(person: Person, value: snapshot.Person) -> list[Account]:
    """Theirs, present and gone; those that have one of their addresses; and the one that may be theirs."""
    written = {row.address.lower() for row in person.addresses.all()} | set(value.keys)
    fit = Q(lower_email__in=written, gone_at=None)
    told = Action.objects.filter(person=person, situation=Situation.ACCEPTED_ELSEWHERE).order_by()
    theirs = Q(person=person) | fit
    if ids := set(told.values_list("account_id", flat=True)):
        theirs |= Q(situation="accepted_elsewhere", gone_at=None, remote_id__in=ids)
    found = Account.objects.annotate(lower_email=Lower("email")).filter(theirs)
    return list(found.select_related("person", "integration").order_by("pk"))


def _others(person: Person, rows: Sequence[Account], *, now: datetime) -> list[snapshot.Person]:
    """Who else one of these accounts may belong to."""
    keys = {email_key(row.email) for row in rows if row.email and row.gone_at is None}
    holders = PersonEmail.objects.filter(key__in=keys).values_list("person_id", flat=True)
    ids = {*holders, *(row.person_id for row in rows if row.person_id)} - {person.pk}
    # Asked for by their ids: to look for both at once would go through the whole directory.
    others = Person.objects.filter(pk__in=ids).prefetch_related("groups", "addresses")
    return [other.as_value(now) for other in others] if ids else []


def _last_actions(person: Person) -> Mapping[int, int]:
    """By integration. Asked for apart: with integrations, a database may walk through all jobs of each."""
    about = Action.objects.filter(person=person, job__preview=False, proposed=False).order_by()
    return dict(about.values_list("job__integration").annotate(Max("pk")))


def _actions(person: Person, last: Iterable[int]) -> QuerySet[Action]:
    """The last one of each integration, and what is held."""
    held = Q(person=person, state=Action.State.HELD, job__state=State.AWAITING_APPROVAL)
    return Action.objects.filter(Q(pk__in=last) | held).select_related("job").order_by("pk")


def _live(person: Person) -> QuerySet[ProvisioningJob]:
    about = Q(scope=ProvisioningJob.Scope.EVERYONE) | Q(changes__person=person)
    return ProvisioningJob.objects.live().filter(about).order_by("pk").distinct()


def _entitlements(rows: Iterable[Account]) -> QuerySet[EntitlementRow]:
    """Of the kinds that some rule names, to be found by name; and what the accounts hold."""
    kinds = AccessRule.objects.planned().values("grants__kind")
    held = {grant["id"] for row in rows for grant in row.grants}
    return EntitlementRow.objects.filter(Q(kind__in=kinds) | Q(remote_id__in=held))


def _marks(value: snapshot.Person, rows: Iterable[Account]) -> QuerySet[Mark]:
    keys = {*value.keys, *(email_key(row.email) for row in rows if row.email)}
    return Mark.objects.filter(key__in=keys).lasting(today())


def _owners(rows: Iterable[Account]) -> Iterable[Account]:
    """All owners, where the person is one: else nothing hangs on who they are."""
    theirs = [row for row in rows if row.role == _owner_role(row.integration)]
    if not theirs:
        return []
    owns = Q()
    for row in theirs:
        owns |= Q(integration=row.integration_id, role=row.role)
    present = Account.objects.filter(owns, gone_at=None, state=AccountState.ACTIVE)
    return present.only("integration_id", "remote_id")


def _owner_role(integration: Integration) -> str:
    return connector_class(integration.kind).vocabulary.owner_role


def _put_off(person: Person, rows: Iterable[Account], *, now: datetime) -> Mapping[int, str]:
    lapsed = any(row.state == AccountState.EXPIRED and row.gone_at is None for row in rows)
    return history.renewals_put_off_of(person, now=now) if lapsed else {}


# -- values


def _chapter(integration: Any, person: snapshot.Person, stored: _Stored, *, gone: str) -> Chapter:
    rows = stored.accounts[integration.pk]
    present = [row for row in rows if _is_present(row, integration.read_since)]
    actions = stored.actions[integration.pk]
    last = next((row for row in actions if row.pk == stored.last.get(integration.pk)), None)
    rules = stored.rules[integration.pk]
    matches = _matches(person, stored.others, present, last)
    planner = _planner(integration, person, stored, present)
    plan = drafting.draft(planner, None, matches, {person.id}).decided
    known = Known(
        was_read=integration.read_at is not None,
        by_hand=_ids(row for row in present if row.match == Account.Match.MANUAL),
        matched=_ids(row for row in present if row.person_id == person.id),
        gone=gone,
    )
    explanation = explaining.explain(
        person,
        [found for found in matches if drafting.concerns(found, {person.id})],
        plan,
        planner.policy,
        _facts(integration, stored),
        drafting.limits(integration, integration.mode),
        known,
    )
    id = explanation.account.id if explanation.account else None
    return Chapter(
        integration=integration,
        person_id=person.id,
        explanation=explanation,
        account=next((row for row in present if row.remote_id == id), None),
        others=tuple(row for row in present if row.remote_id != id),
        gone=tuple(row for row in rows if row not in present and row.person_id == person.id),
        rules=tuple(_applied(rules, person, planner)),
        exceptions=tuple(stored.exceptions[integration.pk]),
        last=last,
        held=tuple(row for row in actions if row.state == Action.State.HELD),
        ended=stored.ended.get(integration.pk),
        waiting=stored.waiting.get(integration.pk),
        live=tuple(stored.live[integration.pk]),
        read_at=integration.read_at,
    )


def _is_present(row: Account, read_since: datetime | None) -> bool:
    """A row outlives an account that was missing from the last read, until somebody has accepted that."""
    return row.gone_at is None and (read_since is None or row.seen_at >= read_since)


def _ids(rows: Iterable[Account]) -> frozenset[str]:
    return frozenset(row.remote_id for row in rows)


def _matches(
    person: snapshot.Person, others: Sequence[snapshot.Person], rows: Sequence[Account], last: Action | None
) -> list[Match]:
    """As the next job finds them, if nothing changes there. Whose acceptance fits is not read again."""
    told = {last.account_id: last.situation} if last else {}
    seen = {
        row.remote_id: accounts.as_seen(row, is_service=told.get(row.remote_id) == Situation.SERVICE_ACCOUNT)
        for row in rows
    }
    links: dict[str, dict[str, int]] = {Account.Match.MANUAL: {}, Account.Match.EMAIL: {}}
    for row in rows:
        if row.person_id:
            links.setdefault(row.match, {})[row.remote_id] = row.person_id
    found = match(
        [person, *others],
        list(seen.values()),
        Links(found=links[Account.Match.EMAIL], by_hand=links[Account.Match.MANUAL]),
    )
    maybe = [
        row
        for row in rows
        if row.situation == "accepted_elsewhere" and row.person_id is None and row.remote_id in told
    ]
    if Unprovisioned(person) in found and maybe:
        account = seen[maybe[0].remote_id]
        paired = (Unprovisioned(person), Orphan(account))
        return [*(one for one in found if one not in paired), AcceptedElsewhere(person, account)]
    return found


def _planner(
    integration: Integration, person: snapshot.Person, stored: _Stored, present: Iterable[Account]
) -> Planner:
    active = [row for row in stored.rules[integration.pk] if row.state == AccessRule.State.ACTIVE]
    rules = [row.as_value() for row in sorted(active, key=lambda row: row.name)]
    entitlements = stored.entitlements[integration.pk]
    policy = drafting.policy_of(
        integration,
        rules,
        resolve(rules, [row.as_value() for row in entitlements if row.gone_at is None]),
        {(row.kind, row.remote_id): row.name for row in entitlements},
        {row.key: row.as_value() for row in stored.marks[integration.pk]},
        {(person.id, row.key): row.as_value() for row in stored.exceptions[integration.pk]},
        connector_class(integration.kind).vocabulary,
    )
    left = {row.remote_id: left for row in present if (left := accounts.left_of(row))}
    why_not = stored.put_off.get(integration.pk)
    return Planner(policy, left, {person.id: why_not} if why_not else {})


def _facts(integration: Any, stored: _Stored) -> Facts:
    """Of the integration, as far as they bear on one person's lines. What others lose in the same job, and
    whether a source has shrunk, only that job knows.
    """
    marks = stored.marks[integration.pk]
    return Facts(
        active_people=1,
        accounts=stored.present.get(integration.pk, 0),
        owners=_ids(stored.owners[integration.pk]),
        credential_owner=stored.key_owners.get(integration.pk) or None,
        protected=frozenset(row.key for row in marks if row.kind == Mark.Kind.PROTECTED),
        first_applying=not integration.carried_out,
    )


def _applied(rules: Iterable[AccessRule], person: snapshot.Person, planner: Planner) -> Iterable[AppliedRule]:
    for row in sorted(rules, key=lambda row: row.name):
        rule = row.as_value()
        if rule.group is None or rule.group in person.groups:
            yield AppliedRule(row, explaining.gives(rule), tuple(_problems(rule, planner)))


def _problems(rule: Rule, planner: Planner) -> Iterable[str]:
    problems = planner.policy.resolved.problems
    return (problem.detail for problem in problems if problem.rule == rule.name)
